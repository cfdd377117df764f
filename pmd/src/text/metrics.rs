//! The tables of `pmd-perf-show` under `pmd-perf-metrics=true`, `pmd-perf-log-set`, and the lines about suspicious turns.

use std::fmt::Write;

use super::ratio;
use crate::Datapath;
use crate::worker::perf::log::LogConfig;
use crate::worker::perf::{Inner, Turn};

/// Columns of the histogram table: heading of the counts, heading of the average.
const COLUMNS: [(&str, &str); 7] = [
    ("cycles/it", "cycles/it"),
    ("packets/it", "packets/it"),
    ("cycles/pkt", "cycles/pkt"),
    ("pkts/batch", "pkts/batch"),
    ("max vhost qlen", "vhost qlen"),
    ("upcalls/it", "upcalls/it"),
    ("cycles/upcall", "cycles/upcall"),
];

fn row(out: &mut String, cells: impl Iterator<Item = String>) {
    out.push_str("   ");
    for cell in cells {
        // Writing to a string cannot fail.
        let _ = write!(out, "{cell:<21}  ");
    }
    out.push('\n');
}

/// The histograms and averages.
pub(super) fn histograms(out: &mut String, perf: &Inner) {
    out.push_str("Histograms\n");
    row(out, COLUMNS.iter().map(|(head, _)| (*head).to_owned()));
    let all = [
        &perf.cycles,
        &perf.packets,
        &perf.cycles_per_packet,
        &perf.packets_per_batch,
        &perf.backlog,
        &perf.upcalls,
        &perf.cycles_per_upcall,
    ];
    let mut bins = all.map(|h| h.bins());
    while let [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f), Some(g)] =
        bins.each_mut().map(Iterator::next)
    {
        let cell = |(bound, n): (Option<u64>, u64)| {
            format!("{:<9} {n:<11}", bound.map_or_else(|| ">".to_owned(), |b| b.to_string()))
        };
        row(out, [a, b, c, d, e, f, g].into_iter().map(cell));
    }
    out.push_str(&"-".repeat(154));
    out.push('\n');
    row(out, COLUMNS.iter().map(|(_, head)| (*head).to_owned()));
    let t = &perf.total;
    let whole = |a, b| format!("{}", ratio(a, b) as u64);
    let fine = |a, b| format!("{:.5}", ratio(a, b));
    let cells = [
        whole(t.cycles, t.turns),
        fine(t.packets, t.turns),
        whole(t.cycles, t.packets),
        fine(t.packets, t.batches),
        fine(perf.turns.iter().map(|t| t.backlog).sum(), perf.turns.len() as u64),
        fine(t.upcalls, t.turns),
        whole(t.upcall_cycles, t.upcalls),
    ];
    row(out, cells.into_iter());
}

fn line(out: &mut String, first: (usize, u64), cells: &[u64]) {
    let (width, at) = first;
    // Writing to a string cannot fail.
    let _ = write!(out, "   {at:<width$}   ");
    let cells: Vec<String> = cells.iter().map(|c| format!("{c:<11}")).collect();
    let _ = writeln!(out, "{}", cells.join("  "));
}

/// The last `n` turns, newest first.
pub(super) fn turns(out: &mut String, perf: &Inner, n: usize) {
    out.push_str(
        "   iter                cycles       packets      cycles/pkt   pkts/batch   vhost qlen   upcalls      cycles/upcall\n",
    );
    perf.turns.iter().rev().take(n).for_each(|t| turn(out, t));
}

fn turn(out: &mut String, t: &Turn) {
    let per = |a: u64, b: u64| a.checked_div(b).unwrap_or(0);
    let rest = [
        t.cycles,
        t.packets,
        per(t.cycles, t.packets),
        per(t.packets, t.batches),
        t.backlog,
        t.upcalls,
        per(t.upcall_cycles, t.upcalls),
    ];
    line(out, (17, t.at), &rest);
}

/// The last `n` milliseconds, newest first.
pub(super) fn milliseconds(out: &mut String, perf: &Inner, n: usize) {
    out.push_str(
        "   ms             iterations   cycles/it    Kpps         cycles/pkt   pkts/batch   vhost qlen   upcalls      cycles/upcall\n",
    );
    let per = |a: u64, b: u64| a.checked_div(b).unwrap_or(0);
    for t in perf.milliseconds.iter().rev().take(n) {
        let rest = [
            t.turns,
            per(t.cycles, t.turns),
            // Packets in a millisecond are thousands in a second.
            t.packets,
            per(t.cycles, t.packets),
            per(t.packets, t.batches),
            t.backlog,
            t.upcalls,
            per(t.upcall_cycles, t.upcalls),
        ];
        line(out, (12, t.at), &rest);
    }
}

/// `dpif-netdev/pmd-perf-log-set`.
pub(super) fn log_set(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let workers = datapath.0.workers();
    let now = datapath.0.perf_log.load();
    let new: LogConfig = now.with(args)?;
    datapath.0.perf_log.store(std::sync::Arc::new(new));
    workers.iter().for_each(|w| w.perf.lock().log = new);
    Ok(String::new())
}

/// The log's text about a suspicious turn, when enough turns have followed it; forgets it then.
pub(crate) fn suspicious(perf: &mut Inner) -> Option<String> {
    let suspicion = perf.suspicion?;
    if perf.since_suspicion()? < perf.log.after {
        return None;
    }
    perf.suspicion = None;
    let at = suspicion.turn.at;
    let us = u128::from(suspicion.turn.cycles) * 1_000_000 / u128::from(crate::tsc::hz());
    let mut text = format!("Suspicious iteration ({}): iter={at} duration={us} us\n", suspicion.reason);
    let (from, to) = (at.saturating_sub(perf.log.before), at + perf.log.after);
    for t in perf.turns.iter().filter(|t| (from..=to).contains(&t.at)) {
        turn(&mut text, t);
    }
    Some(text)
}
