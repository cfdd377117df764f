//! Event counters with OVS's `coverage/show` and `coverage/read-counter`. Control plane: an
//! increment is one relaxed atomic add. PMDs keep their own per-thread counters.
//!
//! ```
//! daemon::coverage_counter!(RECONFIGURE, "bridge_reconfigure");
//! RECONFIGURE.inc();
//! ```

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use transport::unixctl::Registry;

/// Seconds between two calls of [`sample`].
pub const SAMPLE_INTERVAL_S: u64 = 5;
/// Samples kept: one hour.
const SAMPLES_MAX: usize = 3600 / SAMPLE_INTERVAL_S as usize;
/// Samples of the last minute.
const SAMPLES_PER_MIN: usize = 60 / SAMPLE_INTERVAL_S as usize;

/// A named counter; declare it with [`crate::coverage_counter!`].
#[derive(Debug)]
pub struct Counter {
    name: &'static str,
    total: AtomicU64,
    listed: AtomicBool,
}

/// Declares a static counter.
#[macro_export]
macro_rules! coverage_counter {
    ($vis:vis $ident:ident, $name:literal) => {
        $vis static $ident: $crate::coverage::Counter = $crate::coverage::Counter::new($name);
    };
}

impl Counter {
    /// A counter that nobody has hit.
    pub const fn new(name: &'static str) -> Self {
        Self { name, total: AtomicU64::new(0), listed: AtomicBool::new(false) }
    }

    /// Counts one event.
    pub fn inc(&'static self) {
        self.add(1);
    }

    /// Counts `n` events.
    pub fn add(&'static self, n: u64) {
        self.total.fetch_add(n, Ordering::Relaxed);
        self.list();
    }

    /// Makes it known before the first event, so that `coverage/read-counter` finds it.
    pub fn list(&'static self) {
        if !self.listed.load(Ordering::Relaxed) && !self.listed.swap(true, Ordering::Relaxed) {
            table().push(Entry::new(self.name, Source::Counter(self)));
        }
    }

    /// Events so far.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

/// Lists events that somebody else counts; `read` gives their number so far and is called at each report. What goes back
/// (a thread ended between two sums) is shown as it was.
pub fn probe(name: &'static str, read: impl Fn() -> u64 + Send + 'static) {
    table().push(Entry::new(name, Source::Probe(Box::new(read))));
}

enum Source {
    Counter(&'static Counter),
    Probe(Box<dyn Fn() -> u64 + Send>),
}

struct Entry {
    name: &'static str,
    source: Source,
    /// The largest number seen.
    total: u64,
    last: u64,
    /// Events per sample interval, newest first.
    deltas: VecDeque<u64>,
}

static TABLE: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

fn table() -> MutexGuard<'static, Vec<Entry>> {
    TABLE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Takes a sample for the averages: call it every [`SAMPLE_INTERVAL_S`] seconds.
pub fn sample() {
    for entry in table().iter_mut() {
        let total = entry.read();
        entry.deltas.push_front(total - entry.last);
        entry.deltas.truncate(SAMPLES_MAX);
        entry.last = total;
    }
}

impl Entry {
    fn new(name: &'static str, source: Source) -> Self {
        Self { name, source, total: 0, last: 0, deltas: VecDeque::new() }
    }

    /// Events so far.
    fn read(&mut self) -> u64 {
        let now = match &self.source {
            Source::Counter(counter) => counter.total(),
            Source::Probe(read) => read(),
        };
        self.total = self.total.max(now);
        self.total
    }

    /// Events per second over the newest `n` samples.
    fn rate(&self, n: usize) -> f64 {
        let sum: u64 = self.deltas.iter().take(n).sum();
        sum as f64 / (n as u64 * SAMPLE_INTERVAL_S) as f64
    }
}

/// The text of `coverage/show`.
fn show() -> String {
    let mut table = table();
    table.sort_by_key(|entry| entry.name);
    for entry in table.iter_mut() {
        entry.read();
    }
    let (hit, idle): (Vec<_>, Vec<_>) = table.iter().partition(|e| e.total > 0);
    let hash = hit
        .iter()
        .flat_map(|e| e.name.bytes())
        .fold(0u32, |hash, byte| hash.rotate_left(5).wrapping_mul(0x9e37_79b1) ^ u32::from(byte));
    let mut text = format!(
        "Event coverage, avg rate over last: {SAMPLE_INTERVAL_S} seconds, last minute, last hour,  hash={hash:08x}:\n"
    );
    for entry in hit {
        let _ = writeln!(
            text,
            "{:<24} {:5.1}/sec {:9.3}/sec {:13.4}/sec   total: {}",
            entry.name,
            entry.rate(1),
            entry.rate(SAMPLES_PER_MIN),
            entry.rate(SAMPLES_MAX),
            entry.total,
        );
    }
    let _ = writeln!(text, "{} events never hit", idle.len());
    text
}

fn read_counter(name: &str) -> Result<String, String> {
    let mut table = table();
    let entry = table.iter_mut().find(|entry| entry.name == name);
    entry.map(|e| format!("{}\n", e.read())).ok_or_else(|| "No such counter".to_owned())
}

/// Adds `coverage/*`.
pub fn register(registry: &Registry) {
    registry.add("coverage/show", "", 0..=0, |_| Ok(show()));
    registry.add("coverage/read-counter", "COUNTER", 1..=1, |args| match args {
        [name] => read_counter(name),
        _ => Err("No such counter".to_owned()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    coverage_counter!(TEST, "a_test");
    coverage_counter!(OTHER, "never");

    #[test]
    fn shows_rates_and_totals() {
        OTHER.list();
        let counted = std::sync::Arc::new(AtomicU64::new(7));
        let theirs = counted.clone();
        probe("a_probe", move || theirs.load(Ordering::Relaxed));
        TEST.add(10);
        sample();
        let line = "a_test                     2.0/sec     0.167/sec        0.0028/sec   total: 10\n1 events never hit\n";
        assert!(show().ends_with(line), "{}", show());
        assert_eq!(read_counter("a_test"), Ok("10\n".into()));
        assert_eq!(read_counter("x"), Err("No such counter".into()));
        assert!(show().contains("\na_probe                    1.4/sec"), "{}", show());
        counted.store(3, Ordering::Relaxed);
        assert_eq!(read_counter("a_probe"), Ok("7\n".into()), "never back");
        counted.store(9, Ordering::Relaxed);
        assert_eq!(read_counter("a_probe"), Ok("9\n".into()));
    }
}
