//! `vswitch drops`: the ledger of lost packets, by reason and by port.

use std::fmt::Write as _;
use std::time::Duration;

use super::stats::{Drops, human};
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

/// Reasons with the ports that they counted at, then what the devices themselves lost.
fn table(view: &View) -> String {
    let mut out = reasons(&view.drops);
    for (port, counters) in &view.reading.ports {
        for (what, n) in counters.iter().filter(|(what, n)| what.contains(' ') && **n > 0) {
            let _ = writeln!(out, "{:<24} {n:>14}", format!("{port}: {what}"));
        }
    }
    out
}

/// A line for each reason that has counted, and below it one for each port.
pub fn reasons(drops: &[Drops]) -> String {
    let mut out = format!("{:<24} {:>14} {:>10}\n", "dropped because of", "packets", "per s");
    for d in drops {
        let _ = writeln!(out, "{:<24} {:>14} {:>10}", d.reason, d.total, human(d.rate));
        for (port, n) in &d.ports {
            let _ = writeln!(out, "  {:<22} {n:>14}", format!("at {port}"));
        }
    }
    if drops.is_empty() {
        out += "nothing\n";
    }
    out
}
