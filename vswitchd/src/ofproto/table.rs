//! A flow table as its one writer has it: the classifier, limits, and what must be looked at for expiry.

use std::sync::{Arc, Weak};

use openflow::TableId;
use openflow::msg::table::EvictionFlags;

use super::rule::Rule;
use super::snapshot::{TableCounters, TableMissAction, TableView};
use crate::classifier::Classifier;

/// Settings of a table: row Flow_Table and OFPT_TABLE_MOD.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TableConfig {
    pub name: Option<String>,
    /// `None` = as many as memory holds.
    pub flow_limit: Option<u32>,
    /// Evict instead of refusing when full.
    pub evict: bool,
}

#[derive(Default)]
pub struct Table {
    pub rules: Classifier<Rule>,
    pub counters: Arc<TableCounters>,
    pub config: TableConfig,
    /// Eviction asked for by OpenFlow.
    pub eviction: Option<EvictionFlags>,
    pub miss: TableMissAction,
    /// Rules with a timeout; may name rules that are gone.
    pub timed: Vec<Weak<Rule>>,
}

impl Table {
    pub fn view(&self) -> TableView {
        TableView { rules: self.rules.view().clone(), counters: self.counters.clone(), miss: self.miss }
    }

    pub fn is_full(&self) -> bool {
        self.config.flow_limit.is_some_and(|limit| self.rules.view().len() >= limit as usize)
    }

    /// The rule that may go first: of least importance, then of least remaining life, among those with a timeout (or,
    /// when importance counts, all).
    pub fn victim(&self) -> Option<Arc<Rule>> {
        use std::sync::atomic::Ordering::Relaxed;
        let by_importance = self.eviction.is_some_and(|e| e.contains(EvictionFlags::IMPORTANCE));
        let deadline = |r: &Rule| {
            let hard = (r.hard_s.load(Relaxed), r.modified_ms.load(Relaxed));
            let idle = (r.idle_s.load(Relaxed), r.stats.used_ms());
            let at = |(s, since): (u16, i64)| if s == 0 { i64::MAX } else { since + i64::from(s) * 1000 };
            at(hard).min(at(idle))
        };
        let rules = self.rules.view().iter().filter(|r| !r.is_hidden());
        let candidates = rules.filter(|r| by_importance || r.has_timeout());
        candidates.min_by_key(|r| (if by_importance { r.importance } else { 0 }, deadline(r))).cloned()
    }

    /// The name that table stats and features tell.
    pub fn name(&self, id: TableId) -> String {
        self.config.name.clone().unwrap_or_else(|| default_name(id))
    }
}

/// What OVS calls a table without a name.
pub fn default_name(id: TableId) -> String {
    if id == TableId::INTERNAL { "internal".into() } else { format!("table{}", id.0) }
}
