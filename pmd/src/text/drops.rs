//! `vswitch/drops` (what was dropped, why, where) and `vswitch/stages` (where the cycles go). Ours, not of OVS.

use std::fmt::Write;

use dpif::DropReason;

use super::{heading, ratio};
use crate::Datapath;
use crate::worker::stats::Stage;

pub(super) fn drops(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let only = match args {
        [] => None,
        [flag, reason] if flag == "-r" => Some(reason.as_str()),
        _ => return Err("usage: vswitch/drops [-r reason]".to_owned()),
    };
    let wanted = |r: DropReason| only.is_none_or(|o| o == r.name());
    let mut out = format!("{:<20} {:<40} {:>14}\n", "reason", "where", "packets");
    let mut lines = 0;
    let mut line = |reason: DropReason, place: &str, n: u64| {
        if n != 0 && wanted(reason) {
            lines += 1;
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{:<20} {place:<40} {n:>14}", reason.name());
        }
    };
    let ports: Vec<_> = datapath.0.snapshot.load().ports.iter().flatten().cloned().collect();
    let retired = *datapath.0.retired.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for &reason in DropReason::ALL {
        for port in &ports {
            line(reason, &format!("port {}", port.name), port.drops[reason as usize].get());
        }
        for worker in datapath.0.workers().iter() {
            line(reason, &heading(worker), worker.stats.drops[reason as usize].get());
        }
        line(reason, "threads that have ended", retired.drops[reason as usize]);
    }
    if lines == 0 {
        out.push_str("(no drops)\n");
    }
    Ok(out)
}

pub(super) fn stages(datapath: &Datapath, _args: &[String]) -> Result<String, String> {
    let mut out = String::new();
    for worker in datapath.0.workers().iter() {
        let (v, _) = worker.base.since(&worker.stats);
        if v.stage_packets == 0 {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{} (cycles per packet, from {} sampled packets):",
            heading(worker),
            v.stage_packets
        );
        for (stage, name) in Stage::ALL {
            let _ =
                writeln!(out, "  {name:<10} {:8.1}", ratio(v.stage_cycles[stage as usize], v.stage_packets));
        }
        let _ = writeln!(out, "  {:<10} {:8.1}", "all", ratio(v.stage_cycles.iter().sum(), v.stage_packets));
    }
    Ok(out)
}
