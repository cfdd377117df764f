//! `dpif-netdev/pmd-rxq-show` and `pmd-rxq-rebalance`.

use std::fmt::Write;

use super::{filter, heading};
use crate::Datapath;
use crate::worker::Shared;
use crate::worker::plan::{INTERVAL_S, INTERVALS_MAX};

pub(super) fn show(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let filter = filter(args)?;
    let longest = INTERVALS_MAX as u64 * INTERVAL_S;
    let secs = match filter.secs {
        Some(s) if s <= longest && s > 0 => s.next_multiple_of(INTERVAL_S),
        _ => longest,
    };
    let mut out = String::new();
    for worker in datapath.0.workers().iter().filter(|w| filter.wants(w) && !w.is_main()) {
        if out.is_empty() {
            out = format!("Displaying last {secs} seconds pmd usage %\n");
        }
        // Writing to a string cannot fail.
        let _ = block(&mut out, worker, (secs / INTERVAL_S) as usize);
    }
    Ok(out)
}

fn block(out: &mut String, worker: &Shared, n_intervals: usize) -> std::fmt::Result {
    let plan = worker.plan.load_full();
    let total = worker.load.recent(n_intervals).0;
    let usage = |cycles: u64| {
        if total == 0 { "NOT AVAIL".to_owned() } else { format!("{:2} %", percent(cycles, total)) }
    };
    writeln!(out, "{}:\n  isolated : {}", heading(worker), plan.isolated)?;
    let mut polls: Vec<_> = plan.polls.iter().collect();
    polls.sort_by(|a, b| (&a.port.name, a.queue).cmp(&(&b.port.name, b.queue)));
    let mut used = 0;
    for poll in polls {
        let cycles = poll.load.recent(n_intervals).0;
        used += cycles;
        let state = if poll.port.device.rxq_enabled(poll.queue) { "(enabled) " } else { "(disabled)" };
        writeln!(
            out,
            "  port: {:<16}  queue-id: {:2} {state}  pmd usage: {}",
            poll.port.name,
            poll.queue,
            usage(cycles)
        )?;
    }
    // Busy, but not with any of these queues.
    let busy = worker.busy.recent(n_intervals).0;
    writeln!(out, "  overhead: {}", usage(busy.saturating_sub(used)))
}

fn percent(part: u64, whole: u64) -> u64 {
    ((u128::from(part) * 100 / u128::from(whole.max(1))) as u64).min(100)
}

pub(super) fn rebalance(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    filter(args)?;
    datapath.0.rebalance();
    Ok("pmd rxq rebalance requested.\n".to_owned())
}
