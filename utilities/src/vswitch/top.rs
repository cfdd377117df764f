//! `vswitch top`: what each polling thread and port did in the last second.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::drops;
use super::stats::{self, Drops, HITS, Reading, ThreadRate, human};
use super::target::{Options, ask};

/// Shows every second, in place on a terminal, one below the other elsewhere.
pub fn run(options: &Options) -> Result<(), String> {
    let socket = options.socket()?;
    let mut watch = Watch::new(&socket)?;
    let mut turn = 0;
    while options.turns.is_none_or(|n| turn < n) {
        std::thread::sleep(Duration::from_secs(1));
        let view = watch.look()?;
        if std::io::stdout().is_terminal() {
            print!("\x1b[H\x1b[2J");
        }
        println!(
            "{}\n{}\n{}",
            threads_table(&view.threads),
            ports_table(&view.ports),
            drops::reasons(&view.drops)
        );
        let _ = std::io::stdout().flush();
        turn += 1;
    }
    Ok(())
}

/// A switch watched over time.
pub struct Watch<'a> {
    socket: &'a Path,
    last: Reading,
    at: Instant,
}

/// What happened between two looks.
pub struct View {
    /// By thread.
    pub threads: BTreeMap<String, ThreadRate>,
    /// Name, packets received and sent per second.
    pub ports: Vec<(String, f64, f64)>,
    /// By reason.
    pub drops: Vec<Drops>,
    /// The counters themselves.
    pub reading: Reading,
}

impl<'a> Watch<'a> {
    /// Takes the first reading.
    pub fn new(socket: &'a Path) -> Result<Self, String> {
        Ok(Self { socket, last: read(socket)?, at: Instant::now() })
    }

    /// Takes another reading and compares it with the one before.
    pub fn look(&mut self) -> Result<View, String> {
        let (reading, now) = (read(self.socket)?, Instant::now());
        let seconds = (now - self.at).as_secs_f64().max(0.001);
        let view = View {
            threads: stats::thread_rates(&reading, &self.last, seconds),
            ports: stats::port_rates(&reading, &self.last, seconds),
            drops: stats::drops(&reading.drops, &self.last.drops, seconds),
            reading: reading.clone(),
        };
        (self.last, self.at) = (reading, now);
        Ok(view)
    }
}

/// One reading from the daemon.
fn read(socket: &Path) -> Result<Reading, String> {
    Ok(Reading::parse(
        &ask(socket, "dpif-netdev/pmd-stats-show", &[])?,
        &ask(socket, "dpctl/show", &["-s"])?,
        &ask(socket, "vswitch/drops", &[])?,
    ))
}

/// Threads as a table; a thread that has nothing to do is left out unless it polls.
pub fn threads_table(threads: &BTreeMap<String, ThreadRate>) -> String {
    let mut out = format!("{:<8} {:>8} {:>8} {:>7}", "thread", "Mpps", "cyc/pkt", "busy");
    for h in HITS {
        let _ = write!(out, " {h:>9}");
    }
    out.push('\n');
    for (name, r) in threads.iter().filter(|(name, r)| *name != "main" || r.mpps > 0.0) {
        let cycles = r.cycles.map_or("-".into(), |c| format!("{c:.0}"));
        let _ = write!(out, "{name:<8} {:>8.3} {cycles:>8} {:>6.1}%", r.mpps, r.busy * 100.0);
        for h in r.hits {
            let _ = write!(out, " {:>8.2}%", h * 100.0);
        }
        out.push('\n');
    }
    out
}

/// Ports as a table, those that carry something.
pub fn ports_table(ports: &[(String, f64, f64)]) -> String {
    let mut out = format!("{:<16} {:>12} {:>12}\n", "port", "rx pps", "tx pps");
    for (name, rx, tx) in ports.iter().filter(|p| p.1 + p.2 > 0.0) {
        let _ = writeln!(out, "{name:<16} {:>12} {:>12}", human(*rx), human(*tx));
    }
    out
}
