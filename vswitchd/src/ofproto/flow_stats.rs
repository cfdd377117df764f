//! Flow and aggregate statistics, from the published snapshot: a dump of many flows holds no lock. The
//! megaflows' counters are pushed first.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use openflow::OfpError;
use openflow::msg::{AggregateStats, FlowModFlags, FlowStats, FlowStatsRequest};

use super::Ofproto;
use super::flow_mod::{Criteria, match_of};
use super::rule::{OF_PRIORITY_MAX, Rule};
use super::snapshot::N_TABLES;

impl Rule {
    /// As flow stats tell it.
    pub fn to_stats(&self, now_ms: i64) -> FlowStats {
        let age_ms = (now_ms - self.created_ms).max(0);
        let seconds = |since_ms: i64| ((now_ms - since_ms).max(0) / 1000).min(u32::MAX.into()) as u32;
        let unless = |flag, n| if self.flags.contains(flag) { u64::MAX } else { n };
        FlowStats {
            matching: match_of(self),
            cookie: self.cookie,
            table: self.table,
            priority: self.priority.min(OF_PRIORITY_MAX) as u16,
            idle_s: self.idle_s.load(Relaxed),
            hard_s: self.hard_s.load(Relaxed),
            duration_s: (age_ms / 1000) as u32,
            duration_ns: (age_ms % 1000) as u32 * 1_000_000,
            idle_age_s: Some(seconds(self.stats.used_ms())),
            hard_age_s: Some(seconds(self.modified_ms.load(Relaxed))),
            packet_count: unless(FlowModFlags::NO_PKT_COUNTS, self.stats.packets()),
            byte_count: unless(FlowModFlags::NO_BYT_COUNTS, self.stats.bytes()),
            flags: self.flags,
            importance: self.importance,
            actions: self.actions.to_vec(),
        }
    }
}

impl Ofproto {
    /// Rules of all tables, hidden ones too.
    pub fn n_rules(&self) -> usize {
        self.lock().tables.values().map(|t| t.rules.view().len()).sum()
    }

    /// The rules that `request` means, by table.
    pub fn flows(&self, request: &FlowStatsRequest) -> Result<Vec<Arc<Rule>>, OfpError> {
        if request.table != openflow::TableId::ALL && usize::from(request.table.0) >= N_TABLES {
            return Err(OfpError::OFPBRC_BAD_TABLE_ID);
        }
        self.world.push_stats();
        let snapshot = self.world.snapshot_full();
        let Some(bridge) = snapshot.bridge(self.id) else { return Ok(Vec::new()) };
        let criteria = Criteria {
            table: request.table,
            flow: &request.matching.flow.masked(&request.matching.mask),
            mask: &request.matching.mask,
            strict_priority: None,
            cookie: request.cookie,
            cookie_mask: request.cookie_mask,
            out_port: request.out_port,
            out_group: request.out_group,
        };
        let mut found = Vec::new();
        for (_, table) in bridge.tables.iter().filter(|(id, _)| criteria.names_table(id.0)) {
            criteria.visit(&table.rules, |r| found.push(r.clone()));
        }
        Ok(found)
    }

    /// Visits the flows as they are published, by table.
    pub fn for_each_rule(&self, mut visit: impl FnMut(&Arc<Rule>)) {
        let snapshot = self.world.snapshot_full();
        let Some(bridge) = snapshot.bridge(self.id) else { return };
        for (_, table) in bridge.tables.iter().filter(|(id, _)| *id != openflow::TableId::INTERNAL) {
            table.rules.iter().for_each(&mut visit);
        }
    }

    pub fn flow_stats(&self, request: &FlowStatsRequest) -> Result<Vec<FlowStats>, OfpError> {
        let now_ms = self.now_ms();
        Ok(self.flows(request)?.iter().map(|r| r.to_stats(now_ms)).collect())
    }

    pub fn aggregate_stats(&self, request: &FlowStatsRequest) -> Result<AggregateStats, OfpError> {
        let rules = self.flows(request)?;
        let (mut packets, mut bytes) = (Some(0u64), Some(0u64));
        for r in &rules {
            let add =
                |sum: Option<u64>, flag, n: u64| if r.flags.contains(flag) { None } else { Some(sum? + n) };
            packets = add(packets, FlowModFlags::NO_PKT_COUNTS, r.stats.packets());
            bytes = add(bytes, FlowModFlags::NO_BYT_COUNTS, r.stats.bytes());
        }
        Ok(AggregateStats {
            packet_count: packets.unwrap_or(u64::MAX),
            byte_count: bytes.unwrap_or(u64::MAX),
            flow_count: rules.len() as u32,
        })
    }
}
