//! Effects: what a translation would change outside, described. The caller applies them, for the packet that was
//! translated and later for each batch of packets that the megaflow handled.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use flow::Match;
use openflow::OfPort;
use openflow::msg::{FlowMod, FlowModFlags};

use crate::mac_learning::MacTable;
use crate::ofproto::group::Counters;
use crate::ofproto::rule::Rule;
use crate::ofproto::snapshot::{BridgeId, PortCounters, TableCounters};
use crate::ofproto::{BundleId, World};
use crate::protocol::bond::Buckets;
use crate::protocol::mcast::Table;

/// One effect.
#[derive(Clone)]
pub enum Effect {
    Rule(Arc<Rule>),
    TableHit(Arc<TableCounters>),
    TableMiss(Arc<TableCounters>),
    Counters(Arc<Counters>),
    PatchTx(Arc<PortCounters>),
    PatchRx(Arc<PortCounters>),
    LearnMac(Box<LearnMac>),
    /// Nothing to apply: the translation depends on this entry of a MAC table.
    LooksUpMac(MacDependency),
    /// The same for a snooping table, of this generation.
    LooksUpGroup(Arc<Table>, u64),
    LearnFlow(Box<LearnFlow>),
    Bond(Box<BondTraffic>),
    FinTimeout {
        rule: Arc<Rule>,
        idle_s: u16,
        hard_s: u16,
    },
}

/// A look-up in a MAC table; to be made before it is looked up.
#[derive(Clone)]
pub struct MacDependency {
    table: Arc<MacTable>,
    bucket: u8,
    generation: u64,
}

impl MacDependency {
    pub fn new(table: &Arc<MacTable>, vlan: u16, mac: [u8; 6]) -> Self {
        Self { table: table.clone(), bucket: MacTable::bucket(vlan, mac), generation: table.generation() }
    }

    /// True when the entry is (very likely) as it was.
    pub fn is_current(&self) -> bool {
        self.table.changed_at(self.bucket) <= self.generation
    }
}

/// A MAC address was seen.
#[derive(Clone)]
pub struct LearnMac {
    pub table: Arc<MacTable>,
    pub vlan: u16,
    pub mac: [u8; 6],
    pub bundle: BundleId,
    pub port: OfPort,
    pub grat_arp: bool,
    pub seen: MacDependency,
}

/// Bytes that a bond sends by one of its hash buckets.
#[derive(Clone)]
pub struct BondTraffic {
    pub buckets: Arc<Buckets>,
    pub bucket: usize,
}

/// A flow to add (`learn`).
#[derive(Clone)]
pub struct LearnFlow {
    pub bridge: BridgeId,
    pub flow_mod: FlowMod,
    /// Flows of the same cookie and table at most; 0 = any number.
    pub limit: u32,
    /// The packet's TCP flags shorten the timeouts to these when FIN or RST is among them.
    pub fin_idle_s: u16,
    pub fin_hard_s: u16,
}

/// Packets that effects are applied for.
#[derive(Clone, Copy, Default, Debug)]
pub struct Traffic {
    pub packets: u64,
    pub bytes: u64,
    pub used_ms: i64,
    pub tcp_flags: u16,
}

const TCP_FIN_RST: u16 = 0x005;

impl Effect {
    /// Does it for `traffic`.
    pub fn apply(&self, traffic: &Traffic, world: &World) {
        let &Traffic { packets, bytes, used_ms, tcp_flags } = traffic;
        match self {
            Effect::Rule(rule) => rule.stats.credit(packets, bytes, used_ms),
            Effect::TableHit(table) => drop(table.matched.fetch_add(packets, Relaxed)),
            Effect::TableMiss(table) => drop(table.missed.fetch_add(packets, Relaxed)),
            Effect::Counters(counters) => counters.credit(packets, bytes),
            Effect::PatchTx(port) => {
                port.tx_packets.fetch_add(packets, Relaxed);
                port.tx_bytes.fetch_add(bytes, Relaxed);
            }
            Effect::PatchRx(port) => {
                port.rx_packets.fetch_add(packets, Relaxed);
                port.rx_bytes.fetch_add(bytes, Relaxed);
            }
            Effect::LearnMac(learn) => learn.apply(used_ms),
            Effect::LearnFlow(learn) => learn.apply(world, used_ms),
            Effect::Bond(bond) => bond.buckets.credit(bond.bucket, bytes),
            Effect::FinTimeout { rule, idle_s, hard_s } if tcp_flags & TCP_FIN_RST != 0 => {
                rule.reduce_timeouts(*idle_s, *hard_s);
            }
            Effect::FinTimeout { .. } | Effect::LooksUpMac(_) | Effect::LooksUpGroup(..) => {}
        }
    }
}

impl LearnMac {
    fn apply(&self, now_ms: i64) {
        if self.table.needs_learning(self.vlan, self.mac, self.bundle, self.grat_arp, now_ms) {
            let at = (self.bundle, self.port);
            self.table.learn(self.vlan, self.mac, at, self.grat_arp, now_ms);
        }
    }
}

impl LearnFlow {
    /// Adds the flow, or refreshes it when it is there as it should be.
    fn apply(&self, world: &World, used_ms: i64) {
        let snapshot = world.snapshot();
        let Some(view) = snapshot.bridge(self.bridge) else { return };
        let fm = &self.flow_mod;
        if let Some(rule) = find(view.tables.get(fm.table), &fm.matching, fm.priority)
            && self.is_same(rule)
        {
            rule.modified_ms.fetch_max(used_ms, Relaxed);
            return;
        }
        if self.limit != 0 && self.count(view) >= self.limit {
            return;
        }
        drop(snapshot);
        if let Some(bridge) = world.bridge(self.bridge) {
            let _ = bridge.flow_mod(fm);
        }
    }

    fn is_same(&self, rule: &Rule) -> bool {
        let fm = &self.flow_mod;
        *rule.actions == *fm.actions
            && rule.cookie == fm.new_cookie
            && rule.idle_s.load(Relaxed) == fm.idle_s
            && rule.hard_s.load(Relaxed) == fm.hard_s
            && rule.flags.contains(FlowModFlags::SEND_FLOW_REM)
                == fm.flags.contains(FlowModFlags::SEND_FLOW_REM)
    }

    fn count(&self, view: &crate::ofproto::snapshot::BridgeView) -> u32 {
        let rules = view.tables.get(self.flow_mod.table).into_iter().flat_map(|t| t.rules.iter());
        rules.filter(|r| r.cookie == self.flow_mod.new_cookie).count() as u32
    }
}

fn find<'a>(
    table: Option<&'a Arc<crate::ofproto::snapshot::TableView>>,
    matching: &Match,
    priority: u16,
) -> Option<&'a Arc<Rule>> {
    table?.rules.find_strict(&matching.flow, &matching.mask, priority.into())
}
