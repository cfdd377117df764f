//! `dpif-netdev/pmd-perf-show`.

use std::fmt::Write;

use super::{filter, heading, metrics, ratio};
use crate::Datapath;
use crate::worker::Shared;
use crate::worker::perf::Inner;
use crate::worker::stats::Values;

type Table = fn(&mut String, &Inner, usize);

pub(super) fn show(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let filter = filter(args)?;
    let mut out = String::new();
    for worker in datapath.0.workers().iter().filter(|w| filter.wants(w) && !w.is_main()) {
        let (values, cycles) = worker.base.since(&worker.stats);
        // Writing to a string cannot fail.
        let _ = block(&mut out, worker, &values, cycles);
        if datapath.0.snapshot.load().settings.perf_metrics {
            let perf = worker.perf.lock();
            if !filter.no_histograms {
                metrics::histograms(&mut out, &perf);
            }
            for (wanted, table) in
                [(filter.turns, metrics::turns as Table), (filter.milliseconds, metrics::milliseconds)]
            {
                if wanted != 0 {
                    out.push('\n');
                    table(&mut out, &perf, wanted);
                }
            }
        }
    }
    Ok(out)
}

/// "HH:MM:SS.mmm" of now, UTC.
fn time_of_day() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let s = now.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, now.subsec_millis())
}

fn block(out: &mut String, worker: &Shared, v: &Values, cycles: u64) -> std::fmt::Result {
    let hz = crate::tsc::hz() as f64;
    let seconds = cycles as f64 / hz;
    let used = v.busy_cycles + v.idle_cycles;
    let turns = v.busy_turns + v.idle_turns;
    let us = |c: u64| c as f64 / hz * 1e6;
    writeln!(
        out,
        "\nTime: {}\nMeasurement duration: {seconds:.3} s\n\n{}:\n",
        time_of_day(),
        heading(worker)
    )?;
    writeln!(
        out,
        "  Iterations:         {turns:12}  ({:.2} us/it)",
        if turns == 0 { 0.0 } else { us(used) / turns as f64 }
    )?;
    writeln!(
        out,
        "  - Used TSC cycles:  {used:12}  ({:5.1} % of total cycles)",
        ratio(used, cycles) * 100.0
    )?;
    let idle = ratio(v.idle_cycles, used) * 100.0;
    writeln!(out, "  - idle iterations:  {:12}  ({idle:5.1} % of used cycles)", v.idle_turns)?;
    let busy = ratio(v.busy_cycles, used) * 100.0;
    writeln!(out, "  - busy iterations:  {:12}  ({busy:5.1} % of used cycles)", v.busy_turns)?;
    let slept = ratio(v.sleep_turns, turns) * 100.0;
    writeln!(out, "  - sleep iterations: {:12}  ({slept:5.1} % of iterations)", v.sleep_turns)?;
    let sleep_us = us(v.sleep_cycles);
    let each = if v.sleep_turns == 0 { 0.0 } else { sleep_us / v.sleep_turns as f64 };
    writeln!(out, "  Sleep time (us):    {sleep_us:12.0}  ({each:3.0} us/iteration avg.)")?;
    packets(out, v, seconds)
}

fn packets(out: &mut String, v: &Values, seconds: f64) -> std::fmt::Result {
    let kpps = |n: u64| if seconds > 0.0 { n as f64 / seconds / 1000.0 } else { 0.0 };
    if v.rx_packets == 0 {
        writeln!(out, "  Rx packets:         {:12}", 0)?;
    } else {
        let passes = v.rx_packets + v.recirculated;
        let percent = |n: u64| ratio(n, passes) * 100.0;
        let cycles = ratio(v.busy_cycles, v.rx_packets);
        writeln!(
            out,
            "  Rx packets:         {:12}  ({:.0} Kpps, {cycles:.0} cycles/pkt)",
            v.rx_packets,
            kpps(v.rx_packets)
        )?;
        writeln!(out, "  Datapath passes:    {passes:12}  ({:.2} passes/pkt)", ratio(passes, v.rx_packets))?;
        writeln!(out, "  - PHWOL hits:       {:12}  ({:5.1} %)", 0, 0.0)?;
        writeln!(out, "  - MFEX Opt hits:    {:12}  ({:5.1} %)", 0, 0.0)?;
        writeln!(out, "  - Simple Match hits:{:12}  ({:5.1} %)", v.simple_hits, percent(v.simple_hits))?;
        writeln!(out, "  - EMC hits:         {:12}  ({:5.1} %)", v.emc_hits, percent(v.emc_hits))?;
        writeln!(out, "  - SMC hits:         {:12}  ({:5.1} %)", v.smc_hits, percent(v.smc_hits))?;
        let lookups = ratio(v.subtable_lookups, v.megaflow_hits);
        writeln!(
            out,
            "  - Megaflow hits:    {:12}  ({:5.1} %, {lookups:.2} subtbl lookups/hit)",
            v.megaflow_hits,
            percent(v.megaflow_hits)
        )?;
        let upcall_us = ratio(v.upcall_cycles, v.misses) / crate::tsc::hz() as f64 * 1e6;
        writeln!(
            out,
            "  - Upcalls:          {:12}  ({:5.1} %, {upcall_us:.1} us/upcall)",
            v.misses,
            percent(v.misses)
        )?;
        writeln!(out, "  - Lost upcalls:     {:12}  ({:5.1} %)", v.lost, percent(v.lost))?;
    }
    if v.tx_packets == 0 {
        return writeln!(out, "  Tx packets:         {:12}\n", 0);
    }
    writeln!(out, "  Tx packets:         {:12}  ({:.0} Kpps)", v.tx_packets, kpps(v.tx_packets))?;
    writeln!(
        out,
        "  Tx batches:         {:12}  ({:.2} pkts/batch)",
        v.tx_batches,
        ratio(v.tx_packets, v.tx_batches)
    )
}
