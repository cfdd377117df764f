//! Datapath flows as lines, for `dpctl/dump-flows` and `dpif/dump-flows`.

use std::fmt::Write as _;
use std::sync::Arc;

use dpif::flows::Megaflow;
use dpif::text::{Names, format_actions, format_key, format_ufid};
use dpif::{Datapath, DpPort, FlowStats};

/// How a flow is to be printed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    /// Wildcarded fields, UFID and more (`-m`).
    pub more: bool,
    pub names: bool,
}

/// Port names of a datapath, looked up once.
pub(super) struct PortNames(Vec<(DpPort, String)>);

impl PortNames {
    pub fn new(datapath: &dyn Datapath, names: bool) -> Self {
        let ports = if names { datapath.ports() } else { Vec::new() };
        PortNames(ports.into_iter().map(|(port, name, _)| (port, name)).collect())
    }
}

impl Names for PortNames {
    fn name(&self, port: DpPort) -> Option<String> {
        self.0.iter().find(|(p, _)| *p == port).map(|(_, name)| name.clone())
    }
    fn port(&self, name: &str) -> Option<DpPort> {
        self.0.iter().find(|(_, n)| n == name).map(|(port, _)| *port)
    }
}

/// The key, with its UFID when there is more to show; `sep` stands after the UFID.
pub(super) fn key(flow: &Arc<dyn Megaflow>, style: Style, sep: &str, names: &dyn Names) -> String {
    let key = format_key(&flow.key(), &flow.mask(), style.more, names);
    if style.more { format!("ufid:{}{sep}{key}", format_ufid(flow.ufid())) } else { key }
}

/// `packets:3, bytes:278, used:0.000s, flags:S.`.
pub(super) fn stats(stats: &FlowStats, now_ms: i64) -> String {
    let mut text = format!("packets:{}, bytes:{}, used:", stats.packets, stats.bytes);
    if stats.packets == 0 && stats.used_ms == 0 {
        text.push_str("never");
    } else {
        let age_ms = (now_ms - stats.used_ms).max(0);
        let _ = write!(text, "{}.{:03}s", age_ms / 1000, age_ms % 1000);
    }
    if stats.tcp_flags != 0 {
        let _ = write!(text, ", flags:{}", tcp_flags(stats.tcp_flags));
    }
    text
}

pub(super) fn actions(flow: &Arc<dyn Megaflow>, names: &dyn Names) -> String {
    format_actions(&flow.actions(), names)
}

/// One letter per flag, as tcpdump has them.
fn tcp_flags(flags: u16) -> String {
    const LETTERS: &[(u16, &str)] = &[
        (0x002, "S"),
        (0x001, "F"),
        (0x008, "P"),
        (0x004, "R"),
        (0x020, "U"),
        (0x010, "."),
        (0x040, "E"),
        (0x080, "C"),
        (0x100, "N"),
        (0x200, "[200]"),
        (0x400, "[400]"),
        (0x800, "[800]"),
    ];
    LETTERS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| *letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_as_ovs_prints_them() {
        let mut s = FlowStats { packets: 3, bytes: 278, used_ms: 1000, tcp_flags: 0x12 };
        assert_eq!(stats(&s, 1234), "packets:3, bytes:278, used:0.234s, flags:S.");
        s = FlowStats::default();
        assert_eq!(stats(&s, 1234), "packets:0, bytes:0, used:never");
    }
}
