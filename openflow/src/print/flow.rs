//! Flows: modifications, statistics, removals, monitoring.

use super::{Printer, duration};
use crate::matching::Match;
use crate::msg::flow_mod::{FlowModFlags, FlowRemovedReason};
use crate::msg::monitor::{FlowChange, FlowEvent, MonitorCommand, MonitorFlags};
use crate::msg::*;
use crate::text::actions::Style;
use crate::types::{GroupId, OfPort, TableId, Version};

const DEFAULT_PRIORITY: u16 = 32768;

fn flags(f: FlowModFlags) -> String {
    let names = [
        (FlowModFlags::SEND_FLOW_REM, "send_flow_rem "),
        (FlowModFlags::CHECK_OVERLAP, "check_overlap "),
        (FlowModFlags::RESET_COUNTS, "reset_counts "),
        (FlowModFlags::NO_PKT_COUNTS, "no_packet_counts "),
        (FlowModFlags::NO_BYT_COUNTS, "no_byte_counts "),
        (FlowModFlags::HIDDEN_FIELDS, "allow_hidden_fields "),
        (FlowModFlags::NO_READONLY, "no_readonly_table "),
    ];
    names.iter().filter(|(bit, _)| f.contains(*bit)).map(|(_, n)| *n).collect()
}

impl Printer<'_> {
    fn match_with(&mut self, m: &Match, priority: u16) {
        let text = m.format(priority.into(), self.options.ports);
        self.put(text);
    }
    fn space(&mut self) {
        if !self.out.ends_with(' ') {
            self.out.push(' ');
        }
    }
}

pub(super) fn flow_mod(p: &mut Printer<'_>, f: &FlowMod) {
    p.put(match f.command {
        FlowModCommand::Add => " ADD",
        FlowModCommand::Modify => " MOD",
        FlowModCommand::ModifyStrict => " MOD_STRICT",
        FlowModCommand::Delete => " DEL",
        FlowModCommand::DeleteStrict => " DEL_STRICT",
    });
    if f.table.0 != 0 {
        p.put(format_args!(" table:{}", f.table.0));
    }
    p.put(" ");
    p.match_with(&f.matching, f.priority);
    p.space();
    if f.new_cookie.0 != 0 && f.new_cookie.0 != u64::MAX {
        p.put(format_args!("cookie:{:#x} ", f.new_cookie.0));
    }
    if f.cookie_mask != 0 {
        p.put(format_args!("cookie:0x{:x}/0x{:x} ", f.cookie.0, f.cookie_mask));
    }
    for (name, v) in [("idle", f.idle_s), ("hard", f.hard_s), ("importance", f.importance)] {
        if v != 0 {
            p.put(format_args!("{name}:{v} "));
        }
    }
    if let Some(id) = f.buffer_id {
        p.put(format_args!("buf:{id:#x} "));
    }
    if f.out_port != OfPort::ANY {
        p.put(format_args!("out_port:{} ", p.port(f.out_port)));
    }
    if f.out_group != GroupId::ANY {
        p.put(format_args!("out_group:{} ", f.out_group.0));
    }
    let implied = if p.version <= Version::V1_1 { FlowModFlags::RESET_COUNTS } else { FlowModFlags::empty() };
    p.put(flags(f.flags - implied));
    p.put("actions=");
    p.actions(&f.actions);
}

pub(super) fn flow_removed(p: &mut Printer<'_>, f: &FlowRemoved) {
    p.put(" ");
    p.match_with(&f.matching, f.priority);
    p.put(format_args!(" reason={}", removed_reason(f.reason)));
    if let Some(t) = f.table {
        p.put(format_args!(" table_id={}", t.0));
    }
    if f.cookie.0 != 0 {
        p.put(format_args!(" cookie:{:#x}", f.cookie.0));
    }
    p.put(format_args!(" duration{} idle{}", duration(f.duration_s, f.duration_ns), f.idle_s));
    if f.hard_s != 0 {
        p.put(format_args!(" hard{}", f.hard_s));
    }
    p.put(format_args!(" pkts{} bytes{}\n", f.packet_count, f.byte_count));
}

fn removed_reason(r: FlowRemovedReason) -> &'static str {
    ["idle", "hard", "delete", "group_delete", "meter_delete", "eviction"][r as usize]
}

pub(super) fn request(p: &mut Printer<'_>, q: &FlowStatsRequest) {
    // OVS does not print the cookie and the group.
    if q.table != TableId::ALL {
        p.put(format_args!(" table={}", q.table.0));
    }
    if q.out_port != OfPort::ANY {
        p.put(format_args!(" out_port={}", p.port(q.out_port)));
    }
    if q.matching != Match::ANY {
        p.put(" ");
        p.match_with(&q.matching, DEFAULT_PRIORITY);
    }
}

/// How a flow of a dump is written.
#[derive(Clone, Copy, Default)]
pub struct FlowStyle<'a> {
    pub actions: Style<'a>,
    /// With counters and ages.
    pub stats: bool,
}

/// One flow of a dump, without the leading space.
pub fn flow_stats(f: &FlowStats, style: FlowStyle<'_>) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(160);
    if style.stats || f.cookie.0 != 0 {
        let _ = write!(out, "cookie=0x{:x}, ", f.cookie.0);
    }
    if style.stats {
        let _ = write!(out, "duration={}, ", duration(f.duration_s, f.duration_ns));
    }
    if style.stats || f.table.0 != 0 {
        let _ = write!(out, "table={}, ", f.table.0);
    }
    if style.stats {
        let _ = write!(out, "n_packets={}, n_bytes={}, ", f.packet_count, f.byte_count);
    }
    for (name, v) in [("idle_timeout", f.idle_s), ("hard_timeout", f.hard_s)] {
        if v != 0 {
            let _ = write!(out, "{name}={v}, ");
        }
    }
    out.push_str(&flags(f.flags));
    if f.importance != 0 {
        let _ = write!(out, "importance={}, ", f.importance);
    }
    if style.stats {
        if let Some(age) = f.idle_age_s {
            let _ = write!(out, "idle_age={age}, ");
        }
        if let Some(age) = f.hard_age_s.filter(|&age| age != f.duration_s) {
            let _ = write!(out, "hard_age={age}, ");
        }
    }
    out.push_str(&f.matching.format(f.priority.into(), style.actions.ports));
    if !out.ends_with(' ') && !out.is_empty() {
        out.push(' ');
    }
    out.push_str("actions=");
    crate::text::actions::format(&f.actions, style.actions, &mut out);
    out
}

pub(super) fn reply(p: &mut Printer<'_>, flows: &[FlowStats]) {
    let style = FlowStyle { actions: p.style(), stats: true };
    for f in flows {
        p.put(format_args!("\n {}", flow_stats(f, style)));
    }
}

pub(super) fn aggregate(p: &mut Printer<'_>, a: &AggregateStats) {
    let (packets, bytes, flows) = (a.packet_count, a.byte_count, a.flow_count);
    p.put(format_args!(" packet_count={packets} byte_count={bytes} flow_count={flows}"));
}

pub(super) fn monitor_request(p: &mut Printer<'_>, requests: &[FlowMonitorRequest]) {
    let names = [
        (MonitorFlags::INITIAL, "initial"),
        (MonitorFlags::ADD, "add"),
        (MonitorFlags::REMOVED, "delete"),
        (MonitorFlags::MODIFY, "modify"),
        (MonitorFlags::INSTRUCTIONS, "actions"),
        (MonitorFlags::NO_ABBREV, "no-abbrev"),
        (MonitorFlags::ONLY_OWN, "own"),
    ];
    for q in requests {
        let set: Vec<&str> = names.iter().filter(|(b, _)| q.flags.contains(*b)).map(|(_, n)| *n).collect();
        p.put(format_args!("\n id={} flags={}", q.id, set.join(",")));
        if p.version >= Version::V1_4 {
            p.put(match q.command {
                MonitorCommand::Add => " command=add",
                MonitorCommand::Modify => " command=modify",
                MonitorCommand::Delete => " command=delete",
            });
        }
        if q.out_port != OfPort::ANY {
            p.put(format_args!(" out_port={}", p.port(q.out_port)));
        }
        if q.out_group != GroupId::ANY {
            p.put(format_args!(" out_group={}", q.out_group.0));
        }
        if q.table != TableId::ALL {
            p.put(format_args!(" table={}", q.table.0));
        }
        if q.matching != Match::ANY {
            p.put(" ");
            p.match_with(&q.matching, DEFAULT_PRIORITY);
        }
    }
}

pub(super) fn monitor_reply(p: &mut Printer<'_>, updates: &[FlowUpdate]) {
    for u in updates {
        p.put("\n event=");
        match u {
            FlowUpdate::Abbrev(xid) => p.put(format_args!("ABBREV xid={xid:#x}")),
            FlowUpdate::Paused => p.put("PAUSED"),
            FlowUpdate::Resumed => p.put("RESUMED"),
            FlowUpdate::Full(c) => change(p, c),
        }
    }
}

fn change(p: &mut Printer<'_>, c: &FlowChange) {
    match c.event {
        FlowEvent::Initial => p.put("INITIAL"),
        FlowEvent::Added => p.put("ADDED"),
        FlowEvent::Removed(reason) => p.put(format_args!("DELETED reason={}", removed_reason(reason))),
        FlowEvent::Modified => p.put("MODIFIED"),
    }
    p.put(format_args!(" table={}", c.table.0));
    for (name, v) in [("idle_timeout", c.idle_s), ("hard_timeout", c.hard_s)] {
        if v != 0 {
            p.put(format_args!(" {name}={v}"));
        }
    }
    match c.cookie.0 {
        0 => p.put(" cookie=0 "),
        cookie => p.put(format_args!(" cookie={cookie:#x} ")),
    }
    p.match_with(&c.matching, c.priority);
    if !c.actions.is_empty() {
        p.space();
        p.put("actions=");
        p.actions(&c.actions);
    }
}
