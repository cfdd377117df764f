//! What each publication of a snapshot changed, for those who keep something made from an older one: megaflows need only
//! be translated again when a change can touch them. Control plane; the log is bounded, and who asks for more than it
//! holds is told "everything".

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use flow::{Flow, Mask};
use openflow::TableId;

use super::rule::Rule;
use super::snapshot::{BridgeId, BridgeView, Snapshot};

/// Publications remembered.
const PUBLICATIONS_MAX: usize = 4096;
/// Changed rules of a table that are looked at one by one; with more, the whole table counts as changed.
pub const RULES_MAX: usize = 64;

/// A part of the world that is not as it was.
#[derive(Clone)]
pub enum Change {
    All,
    /// Ports, groups, meters, mirrors or settings.
    Bridge(BridgeId),
    /// Any of its rules, or what a miss does.
    Table(BridgeId, TableId),
    /// These rules came or went.
    Rules(BridgeId, TableId, Vec<Arc<Rule>>),
}

/// What a translation looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lookup {
    pub bridge: BridgeId,
    /// `None`: the bridge's ports and settings only.
    pub table: Option<TableId>,
    /// The flow was looked up as the packet came: headers and input port unchanged.
    pub is_plain: bool,
}

/// The publications of the recent past.
#[derive(Default)]
pub struct Log {
    entries: VecDeque<(u64, Vec<Change>)>,
    /// Changes up to this generation are forgotten.
    forgotten: u64,
}

impl Log {
    pub fn push(&mut self, generation: u64, changes: Vec<Change>) {
        if self.entries.len() >= PUBLICATIONS_MAX
            && let Some((generation, _)) = self.entries.pop_front()
        {
            self.forgotten = generation;
        }
        self.entries.push_back((generation, changes));
    }

    /// Everything that changed after `generation`.
    pub fn since(&self, generation: u64) -> Changes {
        let mut all = Changes { since: generation, all: generation < self.forgotten, ..Changes::default() };
        let first = self.entries.partition_point(|(g, _)| *g <= generation);
        for change in self.entries.range(first..).flat_map(|(_, changes)| changes) {
            all.add(change);
        }
        all
    }
}

enum Touched {
    All,
    Rules(Vec<Arc<Rule>>),
}

/// The sum of some publications.
#[derive(Default)]
pub struct Changes {
    since: u64,
    all: bool,
    bridges: HashSet<BridgeId>,
    tables: HashMap<(BridgeId, TableId), Touched>,
}

impl Changes {
    fn add(&mut self, change: &Change) {
        match change {
            Change::All => self.all = true,
            Change::Bridge(id) => drop(self.bridges.insert(*id)),
            Change::Table(bridge, table) => drop(self.tables.insert((*bridge, *table), Touched::All)),
            Change::Rules(bridge, table, rules) => {
                let place = self.tables.entry((*bridge, *table)).or_insert(Touched::Rules(Vec::new()));
                match place {
                    Touched::Rules(known) if known.len() + rules.len() <= RULES_MAX => {
                        known.extend_from_slice(rules)
                    }
                    _ => *place = Touched::All,
                }
            }
        }
    }

    /// True when a megaflow translated at `generation`, having looked at `lookups`, may be wrong by now. `region` gives its
    /// key, with the OpenFlow port, and its mask; `None` when the port is gone.
    pub fn touch(
        &self,
        generation: u64,
        lookups: &[Lookup],
        region: impl FnOnce() -> Option<(Flow, Mask)>,
    ) -> bool {
        if self.all || generation < self.since || lookups.is_empty() {
            return true;
        }
        let mut open = Vec::new();
        for lookup in lookups {
            if self.bridges.contains(&lookup.bridge) {
                return true;
            }
            match lookup.table.and_then(|table| self.tables.get(&(lookup.bridge, table))) {
                None => {}
                Some(Touched::Rules(rules)) if lookup.is_plain => open.push(rules),
                Some(_) => return true,
            }
        }
        if open.is_empty() {
            return false;
        }
        let Some((key, mut mask)) = region() else { return true };
        // Registers and metadata are not of the packet: they may have any value.
        mask.0.lines_mut()[flow::key::N_DP_LINES..].fill([0; 8]);
        open.into_iter().flatten().any(|rule| rule.matching.overlaps(&key, &mask))
    }
}

/// What differs from `old` to `new`; `rules` tells what changed inside tables, where that is known.
pub fn between(old: &Snapshot, new: &Snapshot, rules: Vec<Change>) -> Vec<Change> {
    // Whoever adds a field must say here what its change means to megaflows. Datapath ports and patch ports change with
    // the ports of a bridge.
    let Snapshot { generation: _, bridges, dp_ports: _, patches: _, vlan_limit } = new;
    let known: HashSet<(BridgeId, TableId)> = rules
        .iter()
        .filter_map(|c| if let Change::Rules(b, t, _) = c { Some((*b, *t)) } else { None })
        .collect();
    let mut changes = rules;
    for (id, view) in bridges {
        match old.bridges.get(id) {
            Some(before) if Arc::ptr_eq(before, view) => {}
            Some(before) if is_same_bridge(before, view) => {
                let tables = view.tables.changed(&before.tables).map(|t| (*id, t));
                changes.extend(tables.filter(|t| !known.contains(t)).map(|(b, t)| Change::Table(b, t)));
            }
            _ => changes.push(Change::Bridge(*id)),
        }
    }
    changes.extend(old.bridges.keys().filter(|id| !bridges.contains_key(id)).map(|id| Change::Bridge(*id)));
    if changes.is_empty() || *vlan_limit != old.vlan_limit {
        // Published for a reason that is not in the snapshot.
        changes.push(Change::All);
    }
    changes
}

/// All but the tables.
fn is_same_bridge(a: &BridgeView, b: &BridgeView) -> bool {
    let BridgeView {
        id: _,
        name: _,
        config,
        tables: _,
        ports,
        groups,
        meters,
        mirrors,
        protocols,
        macs,
        tlvs,
    } = a;
    Arc::ptr_eq(config, &b.config)
        && Arc::ptr_eq(ports, &b.ports)
        && Arc::ptr_eq(groups, &b.groups)
        && Arc::ptr_eq(meters, &b.meters)
        && Arc::ptr_eq(mirrors, &b.mirrors)
        && Arc::ptr_eq(protocols, &b.protocols)
        && Arc::ptr_eq(macs, &b.macs)
        && Arc::ptr_eq(tlvs, &b.tlvs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: BridgeId = BridgeId(1);

    fn lookup(table: u8) -> Lookup {
        Lookup { bridge: B, table: Some(TableId(table)), is_plain: true }
    }

    #[test]
    fn only_what_was_looked_at_is_touched() {
        let mut log = Log::default();
        log.push(1, vec![Change::Table(B, TableId(3))]);
        log.push(2, vec![Change::Bridge(BridgeId(2))]);
        let changes = log.since(0);
        let touched = |l: Lookup| changes.touch(1, &[l], || None);
        assert!(touched(lookup(3)) && !touched(lookup(0)));
        assert!(touched(Lookup { bridge: BridgeId(2), table: None, is_plain: true }));
        assert!(!log.since(1).touch(1, &[lookup(3)], || None), "that was before");
        assert!(changes.touch(0, &[], || None), "looked at nothing: not known");
        assert!(log.since(2).touch(1, &[lookup(0)], || None), "older than what is asked about");
    }

    #[test]
    fn a_forgotten_past_is_everything() {
        let mut log = Log::default();
        for generation in 1..=PUBLICATIONS_MAX as u64 + 5 {
            log.push(generation, Vec::new());
        }
        assert!(log.since(4).touch(4, &[lookup(0)], || None));
        assert!(!log.since(5).touch(5, &[lookup(0)], || None));
    }
}
