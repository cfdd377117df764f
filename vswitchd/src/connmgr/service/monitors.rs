//! Flow monitors of the connections (OpenFlow 1.4+, and the ONF and Nicira extensions before): who is told of which
//! changes of flows.
//!
//! ```text
//!  reporting --(too much unread)--> paused: only removals of known flows are told
//!      ^                              |
//!      +---(all read: the changes)----+
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use flow::{Flow, Mask};
use openflow::msg::monitor::{FlowChange, FlowEvent as Event, MonitorCommand, MonitorFlags};
use openflow::msg::{FlowMonitorRequest, FlowUpdate};
use openflow::{GroupId, OfPort, OfpError, TableId};

use super::lock;
use crate::connmgr::ConnId;
use crate::ofproto::check::{outputs_to, refers_to_group};
use crate::ofproto::rule::OF_PRIORITY_MAX;
use crate::ofproto::{FlowEvent, Ofproto, Origin, Rule, match_of};

/// Monitors of one connection.
const MONITORS_MAX: usize = 4096;

/// The monitors of one connection.
#[derive(Default)]
struct Watcher {
    monitors: BTreeMap<u32, FlowMonitorRequest>,
    /// The order number of the first change that was not told.
    paused_at: Option<u64>,
}

#[derive(Default)]
struct Inner {
    watchers: BTreeMap<ConnId, Watcher>,
    /// Changes so far.
    n_changes: u64,
    /// Flows that changed while somebody was paused, with the number of the change.
    changed: Vec<(u64, Arc<Rule>)>,
    /// At this length flows that are gone are dropped from `changed`.
    compact_at: usize,
}

/// All flow monitors of a bridge.
#[derive(Default)]
pub(super) struct Monitors(Mutex<Inner>);

/// What a monitor's flags say of an update.
#[derive(Clone, Copy)]
enum Why {
    Added,
    Modified,
    Removed,
}

impl Why {
    fn flag(self) -> MonitorFlags {
        match self {
            Why::Added => MonitorFlags::ADD,
            Why::Modified => MonitorFlags::MODIFY,
            Why::Removed => MonitorFlags::REMOVED,
        }
    }
}

impl Monitors {
    /// OFPMP_FLOW_MONITOR: all of `requests` or none; the flows that are there already are the answer.
    pub fn request(
        &self,
        of: &Ofproto,
        conn: ConnId,
        requests: Vec<FlowMonitorRequest>,
    ) -> Result<Vec<FlowUpdate>, OfpError> {
        let mut initial: Vec<FlowMonitorRequest> = Vec::new();
        of.while_untold(|| {
            let mut inner = lock(&self.0);
            let watcher = inner.watchers.entry(conn).or_default();
            let mut next = watcher.monitors.clone();
            for request in requests {
                check(&request)?;
                let known = next.contains_key(&request.id);
                match request.command {
                    MonitorCommand::Add if known => return Err(OfpError::OFPMOFC_MONITOR_EXISTS),
                    MonitorCommand::Modify | MonitorCommand::Delete if !known => {
                        return Err(OfpError::OFPMOFC_UNKNOWN_MONITOR);
                    }
                    MonitorCommand::Delete => {
                        next.remove(&request.id);
                    }
                    MonitorCommand::Add if next.len() >= MONITORS_MAX => {
                        return Err(OfpError::OFPMOFC_UNKNOWN);
                    }
                    MonitorCommand::Add | MonitorCommand::Modify => {
                        initial.push(request.clone());
                        next.insert(request.id, request);
                    }
                }
            }
            watcher.monitors = next;
            inner.watchers.retain(|_, w| !w.monitors.is_empty());
            Ok(initial_updates(of, &initial))
        })
    }

    /// OFPT_FLOW_MONITOR_CANCEL.
    pub fn cancel(&self, conn: ConnId, id: u32) -> Result<(), OfpError> {
        let mut inner = lock(&self.0);
        let found = inner.watchers.get_mut(&conn).and_then(|w| w.monitors.remove(&id));
        inner.watchers.retain(|_, w| !w.monitors.is_empty());
        found.map(|_| ()).ok_or(OfpError::OFPMOFC_UNKNOWN_MONITOR)
    }

    pub fn forget(&self, conn: ConnId) {
        let mut inner = lock(&self.0);
        inner.watchers.remove(&conn);
        inner.drop_unneeded();
    }

    /// What each connection is to be told of `events`.
    pub fn updates(&self, events: &[FlowEvent], origin: Option<Origin>) -> Vec<(ConnId, Vec<FlowUpdate>)> {
        let mut inner = lock(&self.0);
        let inner = &mut *inner;
        if inner.watchers.is_empty() {
            return Vec::new();
        }
        let is_paused = inner.watchers.values().any(|w| w.paused_at.is_some());
        let first = inner.n_changes;
        if is_paused {
            inner.changed.extend(events.iter().zip(first..).filter_map(|(e, n)| match e {
                FlowEvent::Added(rule) | FlowEvent::Modified { new: rule, .. } => Some((n, rule.clone())),
                FlowEvent::Removed(..) => None,
            }));
            inner.compact();
        }
        inner.n_changes += events.len() as u64;
        let told = inner.watchers.iter().map(|(conn, w)| {
            let own = origin.filter(|o| o.conn == conn.0);
            (*conn, w.updates(events, own))
        });
        told.filter(|(_, updates)| !updates.is_empty()).collect()
    }

    /// The connection reads too slowly. True when it was not paused yet.
    pub fn pause(&self, conn: ConnId) -> bool {
        let mut inner = lock(&self.0);
        let n = inner.n_changes;
        match inner.watchers.get_mut(&conn) {
            Some(w) if w.paused_at.is_none() => {
                w.paused_at = Some(n);
                true
            }
            _ => false,
        }
    }

    /// The connection has read everything: what changed while it was paused. `None`: it was not paused.
    pub fn resume(&self, conn: ConnId) -> Option<Vec<FlowUpdate>> {
        let mut inner = lock(&self.0);
        let inner = &mut *inner;
        let watcher = inner.watchers.get_mut(&conn)?;
        let since = watcher.paused_at.take()?;
        let missed = inner.changed.iter().filter(|(n, rule)| *n >= since && !rule.is_removed());
        let updates = missed.filter_map(|(_, rule)| watcher.resumed(rule)).collect();
        inner.drop_unneeded();
        Some(updates)
    }
}

/// Changes kept before flows that are gone are looked for.
const COMPACT_LEN: usize = 4096;

impl Inner {
    /// Keeps `changed` within twice the number of flows that there are.
    fn compact(&mut self) {
        if self.changed.len() > self.compact_at.max(COMPACT_LEN) {
            self.changed.retain(|(_, rule)| !rule.is_removed());
            self.compact_at = 2 * self.changed.len();
        }
    }

    fn drop_unneeded(&mut self) {
        let oldest = self.watchers.values().filter_map(|w| w.paused_at).min();
        match oldest {
            Some(n) => self.changed.retain(|(m, rule)| *m >= n && !rule.is_removed()),
            None => self.changed = Vec::new(),
        }
    }
}

impl Watcher {
    fn updates(&self, events: &[FlowEvent], own: Option<Origin>) -> Vec<FlowUpdate> {
        let mut updates = Vec::new();
        let mut abbreviated = false;
        for event in events {
            let (rule, why, code) = match event {
                FlowEvent::Added(rule) => (rule, Why::Added, Event::Added),
                FlowEvent::Modified { new, .. } => (new, Why::Modified, Event::Modified),
                FlowEvent::Removed(rule, reason) => (rule, Why::Removed, Event::Removed(*reason)),
            };
            // While paused, only the end of flows that were told of before.
            if self.paused_at.is_some() && !matches!(why, Why::Removed) {
                continue;
            }
            let old = match event {
                FlowEvent::Modified { old, .. } => Some(old),
                _ => None,
            };
            let Some(flags) = self.interest(rule, old, why) else { continue };
            let in_full = flags.contains(MonitorFlags::ONLY_OWN) || self.paused_at.is_some();
            match own {
                Some(origin) if !in_full => {
                    if !std::mem::replace(&mut abbreviated, true) {
                        updates.push(FlowUpdate::Abbrev(origin.xid));
                    }
                }
                _ => updates.push(full(rule, code, flags)),
            }
        }
        updates
    }

    /// The flags of the monitors that want this change, together.
    fn interest(&self, rule: &Rule, old: Option<&Arc<Rule>>, why: Why) -> Option<MonitorFlags> {
        let wants = |m: &&FlowMonitorRequest| m.flags.contains(why.flag()) && covers(m, rule, old);
        let mut found = self.monitors.values().filter(wants).map(|m| m.flags).peekable();
        found.peek()?;
        Some(found.fold(MonitorFlags::empty(), |all, f| all | f))
    }

    fn resumed(&self, rule: &Arc<Rule>) -> Option<FlowUpdate> {
        let added = self.interest(rule, None, Why::Added);
        let modified = self.interest(rule, None, Why::Modified);
        let code = if added.is_some() { Event::Added } else { Event::Modified };
        Some(full(rule, code, added.or(modified)?))
    }
}

fn check(request: &FlowMonitorRequest) -> Result<(), OfpError> {
    let wants = MonitorFlags::INITIAL | MonitorFlags::ADD | MonitorFlags::REMOVED | MonitorFlags::MODIFY;
    if request.command != MonitorCommand::Delete && !request.flags.intersects(wants) {
        return Err(OfpError::OFPMOFC_BAD_FLAGS);
    }
    Ok(())
}

fn covers(m: &FlowMonitorRequest, rule: &Rule, old: Option<&Arc<Rule>>) -> bool {
    let any = |test: &dyn Fn(&Rule) -> bool| test(rule) || old.is_some_and(|o| test(o));
    (m.table == TableId::ALL || m.table == rule.table)
        && (m.out_port == OfPort::ANY || any(&|r| outputs_to(&r.actions, m.out_port)))
        && (m.out_group == GroupId::ANY || any(&|r| refers_to_group(&r.actions, m.out_group)))
        && is_within(rule, &m.matching.flow, &m.matching.mask)
}

/// True when everything that `rule` matches has `flow` in the bits of `mask`.
fn is_within(rule: &Rule, flow: &Flow, mask: &Mask) -> bool {
    let matching = match_of(rule);
    let lines = matching.flow.lines().as_flattened().iter().zip(matching.mask.0.lines().as_flattened());
    let wanted = flow.lines().as_flattened().iter().zip(mask.0.lines().as_flattened());
    lines.zip(wanted).all(|((value, bits), (want, want_bits))| {
        bits & want_bits == *want_bits && (value ^ want) & want_bits == 0
    })
}

fn initial_updates(of: &Ofproto, requests: &[FlowMonitorRequest]) -> Vec<FlowUpdate> {
    let wanting: Vec<_> = requests.iter().filter(|m| m.flags.contains(MonitorFlags::INITIAL)).collect();
    if wanting.is_empty() {
        return Vec::new();
    }
    let mut updates = Vec::new();
    of.for_each_rule(|rule| {
        let mut flags = wanting.iter().filter(|m| covers(m, rule, None)).map(|m| m.flags).peekable();
        if flags.peek().is_some() && !rule.is_hidden() {
            let flags = flags.fold(MonitorFlags::empty(), |all, f| all | f);
            updates.push(full(rule, Event::Initial, flags));
        }
    });
    updates
}

fn full(rule: &Rule, event: Event, flags: MonitorFlags) -> FlowUpdate {
    use std::sync::atomic::Ordering::Relaxed;
    let with_actions = flags.contains(MonitorFlags::INSTRUCTIONS);
    FlowUpdate::Full(Box::new(FlowChange {
        event,
        idle_s: rule.idle_s.load(Relaxed),
        hard_s: rule.hard_s.load(Relaxed),
        priority: rule.priority.min(OF_PRIORITY_MAX) as u16,
        table: rule.table,
        cookie: rule.cookie,
        matching: match_of(rule),
        actions: if with_actions { rule.actions.to_vec() } else { Vec::new() },
    }))
}
