//! `dpif-netdev/pmd-stats-show` and `pmd-stats-clear`.

use std::fmt::Write;

use super::{filter, heading, ratio};
use crate::Datapath;
use crate::worker::stats::Values;

pub(super) fn show(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let filter = filter(args)?;
    let mut out = String::new();
    for worker in datapath.0.workers().iter().filter(|w| filter.wants(w)) {
        let (values, _) = worker.base.since(&worker.stats);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}:", heading(worker));
        let _ = block(&mut out, &values, worker.is_main());
    }
    Ok(out)
}

fn block(out: &mut String, v: &Values, is_main: bool) -> std::fmt::Result {
    let passes = v.rx_packets + v.recirculated;
    writeln!(out, "  packets received: {}", v.rx_packets)?;
    writeln!(out, "  packet recirculations: {}", v.recirculated)?;
    writeln!(out, "  avg. datapath passes per packet: {:.2}", ratio(passes, v.rx_packets))?;
    writeln!(out, "  phwol hits: 0")?;
    writeln!(out, "  mfex opt hits: 0")?;
    writeln!(out, "  simple match hits: {}", v.simple_hits)?;
    writeln!(out, "  emc hits: {}", v.emc_hits)?;
    writeln!(out, "  smc hits: {}", v.smc_hits)?;
    writeln!(out, "  megaflow hits: {}", v.megaflow_hits)?;
    let lookups = ratio(v.subtable_lookups, v.megaflow_hits);
    writeln!(out, "  avg. subtable lookups per megaflow hit: {lookups:.2}")?;
    writeln!(out, "  miss with success upcall: {}", v.misses)?;
    writeln!(out, "  miss with failed upcall: {}", v.lost)?;
    writeln!(out, "  avg. packets per output batch: {:.2}", ratio(v.tx_packets, v.tx_batches))?;
    let total = v.busy_cycles + v.idle_cycles;
    if is_main || total == 0 {
        return Ok(());
    }
    let percent = |c: u64| ratio(c, total) * 100.0;
    writeln!(out, "  idle cycles: {} ({:.2}%)", v.idle_cycles, percent(v.idle_cycles))?;
    writeln!(out, "  processing cycles: {} ({:.2}%)", v.busy_cycles, percent(v.busy_cycles))?;
    if v.rx_packets == 0 {
        return Ok(());
    }
    let n = v.rx_packets;
    writeln!(out, "  avg cycles per packet: {:.2} ({total}/{n})", ratio(total, n))?;
    writeln!(
        out,
        "  avg processing cycles per packet: {:.2} ({}/{n})",
        ratio(v.busy_cycles, n),
        v.busy_cycles
    )
}

pub(super) fn clear(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let filter = filter(args)?;
    for worker in datapath.0.workers().iter().filter(|w| filter.wants(w)) {
        worker.base.clear(&worker.stats);
        worker.perf.clear();
    }
    Ok(String::new())
}
