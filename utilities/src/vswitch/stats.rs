//! The counters of a running switch, read from the texts that every Open vSwitch gives (`pmd-stats-show`, `dpctl/show -s`)
//! and from the ledger of drops that ours has (`vswitch/drops`), and the rates between two readings. Pure: texts in,
//! numbers out.

use std::collections::BTreeMap;

/// Named counters; what is absent counts as 0.
pub type Counters = BTreeMap<String, u64>;

/// One reading of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// By thread, as it names itself: `core 1`, `main`.
    pub threads: BTreeMap<String, Counters>,
    /// By port: `rx`, `tx`, `rx dropped`, `tx dropped`.
    pub ports: BTreeMap<String, Counters>,
    /// Drops by the reason's short name.
    pub drops: Ledger,
}

/// By reason, what was dropped where: at a port, by a thread.
pub type Ledger = BTreeMap<String, Counters>;

impl Reading {
    /// Reads the three texts.
    pub fn parse(pmd_stats: &str, dpctl_show: &str, drops: &str) -> Self {
        Self { threads: threads(pmd_stats), ports: ports(dpctl_show), drops: ledger(drops) }
    }
}

/// `pmd thread numa_id 0 core_id 1:` and its indented `name: number` lines.
fn threads(text: &str) -> BTreeMap<String, Counters> {
    let mut found = BTreeMap::new();
    let mut current: Option<&mut Counters> = None;
    for line in text.lines() {
        if let Some(rest) = line.trim_start().strip_prefix("pmd thread ") {
            let core = rest.rsplit("core_id ").next().unwrap_or(rest).trim_end_matches(':');
            current = Some(found.entry(format!("core {core}")).or_insert_with(Counters::new));
        } else if line.starts_with("main thread") {
            current = Some(found.entry("main".to_string()).or_insert_with(Counters::new));
        } else if let (Some(counters), Some((name, value))) =
            (current.as_deref_mut(), line.trim().split_once(": "))
            && let Some(number) = value.split_whitespace().next().and_then(|v| v.parse().ok())
        {
            counters.insert(name.to_string(), number);
        }
    }
    found
}

/// `  port 1: name (type)` and the lines `    RX packets:N errors:N dropped:N`.
fn ports(text: &str) -> BTreeMap<String, Counters> {
    let mut found = BTreeMap::new();
    let mut current: Option<&mut Counters> = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("port ").and_then(|l| l.split_once(": ")) {
            let name = name.1.split(" (").next().unwrap_or(name.1);
            current = Some(found.entry(name.to_string()).or_insert_with(Counters::new));
        } else if let Some(counters) = current.as_deref_mut()
            && let Some((way, rest)) =
                ["RX ", "TX "].iter().find_map(|w| Some((w.trim(), line.strip_prefix(w)?)))
        {
            let way = way.to_lowercase();
            for (name, value) in rest.split_whitespace().filter_map(|w| w.split_once(':')) {
                let Ok(value) = value.parse() else { continue };
                match name {
                    "packets" => counters.insert(way.clone(), value),
                    "dropped" | "errors" => counters.insert(format!("{way} {name}"), value),
                    _ => None,
                };
            }
        }
    }
    found
}

/// Lines of `vswitch/drops` below its head: `reason  port NAME | THREAD  packets`.
fn ledger(text: &str) -> Ledger {
    let mut found = Ledger::new();
    for line in text.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [reason, place @ .., packets] = &words[..] else { continue };
        if let (Ok(n), false) = (packets.parse(), place.is_empty()) {
            found.entry(reason.to_string()).or_default().insert(place.join(" "), n);
        }
    }
    found
}

/// Whether a place of the ledger is a port.
fn is_port(place: &str) -> bool {
    place.starts_with("port ")
}

/// Packets dropped for one reason. The ledger has most of them twice, at their port and at the thread that dropped them,
/// but some at a port only (its queue was full) or at a thread only (their port is gone).
fn packets(places: &Counters) -> u64 {
    let (mut ports, mut threads) = (0, 0);
    for (place, n) in places {
        *(if is_port(place) { &mut ports } else { &mut threads }) += n;
    }
    ports.max(threads)
}

/// What one thread did between two readings.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadRate {
    /// Millions of packets per second.
    pub mpps: f64,
    /// Processing cycles per packet; None without packets.
    pub cycles: Option<f64>,
    /// Share of time spent on packets, 0..1.
    pub busy: f64,
    /// Shares of packets, by where their flow was found: exact cache (with simple match), index cache, megaflow, miss.
    pub hits: [f64; 4],
}

/// Names of [`ThreadRate::hits`], for table heads.
pub const HITS: [&str; 4] = ["exact", "index", "megaflow", "miss"];

fn delta(new: &Counters, old: Option<&Counters>, name: &str) -> u64 {
    let of = |c: &Counters| c.get(name).copied().unwrap_or(0);
    of(new).saturating_sub(old.map_or(0, of))
}

/// The rates of each thread over `seconds`.
pub fn thread_rates(new: &Reading, old: &Reading, seconds: f64) -> BTreeMap<String, ThreadRate> {
    new.threads
        .iter()
        .map(|(name, counters)| {
            let d = |what: &str| delta(counters, old.threads.get(name), what);
            let packets = d("packets received");
            let share =
                |names: &[&str]| names.iter().map(|n| d(n)).sum::<u64>() as f64 / packets.max(1) as f64;
            let (work, idle) = (d("processing cycles"), d("idle cycles"));
            let rate = ThreadRate {
                mpps: packets as f64 / seconds / 1e6,
                cycles: (packets > 0).then(|| work as f64 / packets as f64),
                busy: work as f64 / (work + idle).max(1) as f64,
                hits: [
                    share(&["emc hits", "simple match hits", "phwol hits"]),
                    share(&["smc hits"]),
                    share(&["megaflow hits"]),
                    share(&["miss with success upcall", "miss with failed upcall"]),
                ],
            };
            (name.clone(), rate)
        })
        .collect()
}

/// What was dropped for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Drops {
    /// The reason's short name.
    pub reason: String,
    /// In all.
    pub total: u64,
    /// Per second.
    pub rate: f64,
    /// The ports it was dropped at, and how much of it, the most first.
    pub ports: Vec<(String, u64)>,
}

/// What was dropped, by reason, the most of late first.
pub fn drops(new: &Ledger, old: &Ledger, seconds: f64) -> Vec<Drops> {
    let none = Counters::new();
    let mut all: Vec<_> = new
        .iter()
        .map(|(reason, places)| {
            let total = packets(places);
            let before = packets(old.get(reason).unwrap_or(&none));
            let mut ports: Vec<_> = places
                .iter()
                .filter_map(|(place, n)| Some((place.strip_prefix("port ")?.to_string(), *n)))
                .collect();
            ports.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
            let rate = total.saturating_sub(before) as f64 / seconds;
            Drops { reason: reason.clone(), total, rate, ports }
        })
        .collect();
    all.sort_by(|a, b| b.rate.total_cmp(&a.rate).then(b.total.cmp(&a.total)));
    all
}

/// Packets per second of each port: (name, received, sent).
pub fn port_rates(new: &Reading, old: &Reading, seconds: f64) -> Vec<(String, f64, f64)> {
    let none = Counters::new();
    new.ports
        .iter()
        .map(|(name, c)| {
            let before = old.ports.get(name).unwrap_or(&none);
            let rate = |way| delta(c, Some(before), way) as f64 / seconds;
            (name.clone(), rate("rx"), rate("tx"))
        })
        .collect()
}

/// A rate for reading: `12`, `3.4 k`, `5.67 M`.
pub fn human(rate: f64) -> String {
    match rate {
        r if r >= 1e6 => format!("{:.2} M", r / 1e6),
        r if r >= 1e4 => format!("{:.1} k", r / 1e3),
        r => format!("{r:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PMD: &str = "pmd thread numa_id 0 core_id 1:\n  packets received: 1000\n  phwol hits: 0\n  simple match hits: 100\n  emc hits: 800\n  smc hits: 40\n  megaflow hits: 50\n  miss with success upcall: 10\n  idle cycles: 300 (75.00%)\n  processing cycles: 100 (25.00%)\n  avg cycles per packet: 0.40 (400/1000)\nmain thread:\n  packets received: 7\n";
    const PORTS: &str = "netdev@ovs-netdev:\n  lookups: hit:0 missed:0 lost:0\n  flows: 1\n  port 0: ovs-netdev (tap)\n    RX packets:1 errors:0 dropped:2 overruns:0 frame:0\n    TX packets:3 errors:0 dropped:4 aborted:0 carrier:0\n    collisions:0\n    RX bytes:9  TX bytes:9\n  port 2: vm0 (dpdkvhostuserclient: configured_rx_queues=1)\n    RX packets:500 errors:? dropped:0\n";

    const DROPS: &str = "reason               where                                           packets\nflow-actions         port src                                              90\nflow-actions         port dst                                              10\nflow-actions         pmd thread numa_id 0 core_id 1                       100\ntx-queue-full        port vm0                                               7\ninvalid-port         main thread                                            5\n";

    #[test]
    fn everything_is_read() {
        let r = Reading::parse(PMD, PORTS, DROPS);
        assert_eq!(r.threads["core 1"]["packets received"], 1000);
        assert_eq!(r.threads["main"]["packets received"], 7);
        assert_eq!((r.ports["ovs-netdev"]["rx dropped"], r.ports["ovs-netdev"]["tx"]), (2, 3));
        assert_eq!(r.ports["vm0"]["rx"], 500);
        assert_eq!(r.drops["flow-actions"]["pmd thread numa_id 0 core_id 1"], 100);
        assert_eq!(r.drops["tx-queue-full"], Counters::from([("port vm0".into(), 7)]));
        assert_eq!(Reading::parse("", "", "reason  where  packets\n(no drops)\n").drops, Ledger::new());
    }

    #[test]
    fn a_drop_at_a_port_and_at_a_thread_is_one_drop() {
        let (old, mut new) = (ledger(DROPS), ledger(DROPS));
        for n in new.get_mut("tx-queue-full").unwrap().values_mut() {
            *n += 20;
        }
        let all = drops(&new, &old, 2.0);
        let seen: Vec<_> = all.iter().map(|d| (d.reason.as_str(), d.total, d.rate)).collect();
        assert_eq!(seen, [("tx-queue-full", 27, 10.0), ("flow-actions", 100, 0.0), ("invalid-port", 5, 0.0)]);
        assert_eq!(all[1].ports, [("src".to_string(), 90), ("dst".to_string(), 10)]);
    }

    #[test]
    fn rates_are_of_the_time_between() {
        let old = Reading::parse(PMD, PORTS, "");
        let mut new = old.clone();
        let core = new.threads.get_mut("core 1").unwrap();
        for (name, more) in [
            ("packets received", 2_000_000),
            ("emc hits", 1_000_000),
            ("smc hits", 500_000),
            ("megaflow hits", 490_000),
            ("miss with success upcall", 10_000),
            ("processing cycles", 200_000_000),
            ("idle cycles", 600_000_000),
        ] {
            *core.get_mut(name).unwrap() += more;
        }
        let rates = thread_rates(&new, &old, 2.0);
        assert_eq!(
            rates["core 1"],
            ThreadRate { mpps: 1.0, cycles: Some(100.0), busy: 0.25, hits: [0.5, 0.25, 0.245, 0.005] }
        );
        assert_eq!(rates["main"].cycles, None);
    }

    #[test]
    fn a_restarted_switch_gives_no_negative_rates() {
        let old = Reading::parse(PMD, PORTS, "");
        let new = Reading::parse(&PMD.replace("1000", "3"), PORTS, "");
        assert_eq!(thread_rates(&new, &old, 1.0)["core 1"].mpps, 0.0);
    }

    #[test]
    fn rubbish_is_nothing() {
        assert_eq!(
            Reading::parse("x: 1\n  y: 2", "RX packets:5\nport 1", "reason\nmeter 5\nmeter port\n\n7"),
            Reading::default()
        );
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            [human(0.4), human(9999.0), human(12345.0), human(2.5e6)],
            ["0", "9999", "12.3 k", "2.50 M"]
        );
    }
}
