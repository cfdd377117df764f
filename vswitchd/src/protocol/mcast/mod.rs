//! Multicast snooping (RFC 4541): which ports of which VLANs want which groups, and behind which ports routers live.
//! Translation reads the table (like the MAC table), packets of IGMP and MLD change it through an effect.
//!
//! ```text
//!  report --> member of the group     query --> port towards a router     leave --> member gone
//! ```
//! The table is one small map under a lock: it is read for multicast upcalls only, and written by joins.

pub mod message;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};

use openflow::OfPort;

use crate::ofproto::config::BundleId;
use message::{Event, Group};

/// How long a port stays a router's after the last query.
const ROUTER_AGE_MS: i64 = 180_000;
/// Groups of one VLAN and address with their members: bounds the members, too.
const MEMBERS_MAX: usize = 4096;

/// Settings of a bridge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    pub age_ms: i64,
    pub groups_max: usize,
    pub flood_unregistered: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config { age_ms: 300_000, groups_max: 2048, flood_unregistered: true }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    bundle: BundleId,
    /// For texts.
    port: OfPort,
    used_ms: i64,
}

#[derive(Default, Debug)]
struct State {
    config: Config,
    groups: BTreeMap<(u16, Ipv6Addr), Vec<Seen>>,
    routers: Vec<(u16, Seen)>,
    /// Ports that get everything, and ports that get every report.
    flood: Vec<BundleId>,
    flood_reports: Vec<BundleId>,
}

/// The table of one bridge.
#[derive(Default, Debug)]
pub struct Table {
    state: Mutex<State>,
    /// Grows with each change that may alter a translation.
    generation: AtomicU64,
}

/// Where a packet to a multicast group goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ways {
    /// Members of the group; `None` when nobody has registered for it.
    pub members: Option<Vec<BundleId>>,
    pub routers: Vec<BundleId>,
    pub flood: Vec<BundleId>,
    pub flood_unregistered: bool,
}

/// A line of `mdb/show`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub port: OfPort,
    pub vlan: u16,
    /// `None` for a router.
    pub group: Option<Ipv6Addr>,
    pub age_s: i64,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    fn changed(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    /// Takes over settings; `flood` and `flood_reports` are ports that get everything, or every report.
    pub fn configure(&self, config: Config, flood: Vec<BundleId>, flood_reports: Vec<BundleId>) {
        let mut state = self.lock();
        if (state.config, &state.flood, &state.flood_reports) == (config, &flood, &flood_reports) {
            return;
        }
        (state.config, state.flood, state.flood_reports) = (config, flood, flood_reports);
        while state.groups.len() > config.groups_max && state.evict() {}
        drop(state);
        self.changed();
    }

    /// Where packets for `group` in `vlan` go.
    pub fn ways(&self, vlan: u16, group: Option<Ipv6Addr>) -> Ways {
        let state = self.lock();
        let members = group.and_then(|g| state.groups.get(&(vlan, g)));
        Ways {
            members: members.map(|m| m.iter().map(|s| s.bundle).collect()),
            routers: state.routers.iter().filter(|(v, _)| *v == vlan).map(|(_, s)| s.bundle).collect(),
            flood: state.flood.clone(),
            flood_unregistered: state.config.flood_unregistered,
        }
    }

    /// Ports that get every report.
    pub fn report_ways(&self, vlan: u16) -> Vec<BundleId> {
        let state = self.lock();
        let routers = state.routers.iter().filter(|(v, _)| *v == vlan).map(|(_, s)| s.bundle);
        routers.chain(state.flood_reports.iter().copied()).collect()
    }

    /// Learns from the message of a packet that came in by `port`.
    pub fn learn(&self, vlan: u16, bundle: BundleId, port: OfPort, events: &[Event], now_ms: i64) {
        let mut state = self.lock();
        let seen = Seen { bundle, port, used_ms: now_ms };
        let mut changed = false;
        for event in events {
            changed |= match event {
                Event::Join(group) => state.join(vlan, *group, seen),
                Event::Leave(group) => state.leave(vlan, *group, bundle),
                Event::Query => state.query(vlan, seen),
            };
        }
        drop(state);
        if changed {
            self.changed();
        }
    }

    /// Forgets what has not been heard of for long, and what is behind ports that are gone.
    pub fn expire(&self, known: &BTreeSet<BundleId>, now_ms: i64) {
        let mut state = self.lock();
        let age_ms = state.config.age_ms;
        let before = state.len();
        for members in state.groups.values_mut() {
            members.retain(|s| now_ms - s.used_ms < age_ms && known.contains(&s.bundle));
        }
        state.groups.retain(|_, members| !members.is_empty());
        state.routers.retain(|(_, s)| now_ms - s.used_ms < ROUTER_AGE_MS && known.contains(&s.bundle));
        let changed = state.len() != before;
        drop(state);
        if changed {
            self.changed();
        }
    }

    /// Forgets everything.
    pub fn flush(&self) {
        let mut state = self.lock();
        state.groups.clear();
        state.routers.clear();
        drop(state);
        self.changed();
    }

    /// Groups by VLAN and address, then routers.
    pub fn rows(&self, now_ms: i64) -> Vec<Row> {
        let state = self.lock();
        let age_s = |s: &Seen| (now_ms - s.used_ms).max(0) / 1000;
        let groups = state.groups.iter().flat_map(|((vlan, group), members)| {
            members.iter().map(|s| Row { port: s.port, vlan: *vlan, group: Some(*group), age_s: age_s(s) })
        });
        let routers = state.routers.iter().map(|(vlan, s)| Row {
            port: s.port,
            vlan: *vlan,
            group: None,
            age_s: age_s(s),
        });
        groups.chain(routers).collect()
    }
}

impl State {
    fn len(&self) -> usize {
        self.groups.values().map(Vec::len).sum::<usize>() + self.routers.len()
    }

    /// True when somebody new wants the group.
    fn join(&mut self, vlan: u16, group: Group, seen: Seen) -> bool {
        if !self.groups.contains_key(&(vlan, group))
            && self.groups.len() >= self.config.groups_max
            && !self.evict()
        {
            return false;
        }
        let members = self.groups.entry((vlan, group)).or_default();
        let len = members.len();
        match members.iter_mut().find(|s| s.bundle == seen.bundle) {
            Some(known) => {
                *known = seen;
                false
            }
            None if len >= MEMBERS_MAX => false,
            None => {
                members.push(seen);
                true
            }
        }
    }

    fn leave(&mut self, vlan: u16, group: Group, bundle: BundleId) -> bool {
        let Some(members) = self.groups.get_mut(&(vlan, group)) else { return false };
        let before = members.len();
        members.retain(|s| s.bundle != bundle);
        let changed = members.len() != before;
        if members.is_empty() {
            self.groups.remove(&(vlan, group));
        }
        changed
    }

    fn query(&mut self, vlan: u16, seen: Seen) -> bool {
        let len = self.routers.len();
        match self.routers.iter_mut().find(|(v, s)| *v == vlan && s.bundle == seen.bundle) {
            Some((_, known)) => {
                *known = seen;
                false
            }
            None if len >= MEMBERS_MAX => false,
            None => {
                self.routers.push((vlan, seen));
                true
            }
        }
    }

    /// Drops the group that was refreshed longest ago.
    fn evict(&mut self) -> bool {
        let last_used = |members: &Vec<Seen>| members.iter().map(|s| s.used_ms).max();
        let oldest = self.groups.iter().min_by_key(|(_, m)| last_used(m)).map(|(key, _)| *key);
        oldest.is_some_and(|key| self.groups.remove(&key).is_some())
    }
}
