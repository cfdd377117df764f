//! `vswitch drops`: the ledger of lost packets, by reason and by port.

use std::fmt::Write as _;
use std::time::Duration;

use super::stats::human;
use super::target::Options;
use super::top::{View, Watch};

/// One table after a second of watching; more with `-n`.
pub fn run(options: &Options) -> Result<(), String> {
    let socket = options.socket()?;
    let mut watch = Watch::new(&socket)?;
    for _ in 0..options.turns.unwrap_or(1) {
        std::thread::sleep(Duration::from_secs(1));
        print!("{}", table(&watch.look()?));
    }
    Ok(())
}

/// Reasons that have counted, then ports that have lost something.
pub fn table(view: &View) -> String {
    let mut out = format!("{:<24} {:>14} {:>10}\n", "dropped because of", "packets", "per s");
    for (reason, total, rate) in &view.drops {
        let _ = writeln!(out, "{reason:<24} {total:>14} {:>10}", human(*rate));
    }
    if view.drops.is_empty() {
        out += "nothing\n";
    }
    for (port, counters) in &view.reading.ports {
        for (what, n) in counters.iter().filter(|(what, n)| what.contains(' ') && **n > 0) {
            let _ = writeln!(out, "{:<24} {n:>14}", format!("{port}: {what}"));
        }
    }
    out
}
