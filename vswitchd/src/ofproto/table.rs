//! A flow table as its one writer has it: the classifier, limits, and what must be looked at for expiry.

use std::sync::{Arc, Weak};

use openflow::TableId;
use openflow::msg::TableDesc;
use openflow::msg::table::{EvictionFlags, Vacancy};

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
    /// Vacancy events asked for by OpenFlow.
    pub vacancy: Option<VacancyWatch>,
    /// Rules with a timeout; may name rules that are gone.
    pub timed: Vec<Weak<Rule>>,
}

/// Says when a table becomes nearly full, and when it has room again (OpenFlow 1.4, 7.3.4.17).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VacancyWatch {
    pub down: u8,
    pub up: u8,
    /// Which of the two comes next.
    next: VacancyEvent,
}

/// OFPTR_* numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum VacancyEvent {
    Down = 3,
    Up = 4,
}

impl Table {
    /// Per cent of the table that is free.
    pub fn vacancy(&self) -> u8 {
        let limit = u64::from(self.config.flow_limit.unwrap_or(u32::MAX)).max(1);
        let used = (self.rules.view().len() as u64).min(limit);
        ((limit - used) * 100 / limit) as u8
    }

    /// Watches for both events from now on.
    pub fn watch_vacancy(&mut self, down: u8, up: u8) {
        let next = if self.vacancy() < up { VacancyEvent::Up } else { VacancyEvent::Down };
        self.vacancy = Some(VacancyWatch { down, up, next });
    }

    /// The event that has come about since the last call.
    pub fn vacancy_event(&mut self) -> Option<VacancyEvent> {
        let vacancy = self.vacancy();
        let watch = self.vacancy.as_mut()?;
        let event = match watch.next {
            VacancyEvent::Down if vacancy < watch.down => VacancyEvent::Down,
            VacancyEvent::Up if vacancy > watch.up => VacancyEvent::Up,
            _ => return None,
        };
        watch.next = if event == VacancyEvent::Down { VacancyEvent::Up } else { VacancyEvent::Down };
        Some(event)
    }

    /// As OpenFlow 1.4 describes it.
    pub fn desc(&self, id: TableId) -> TableDesc {
        let vacancy = self.vacancy.map(|w| Vacancy { down: w.down, up: w.up, vacancy: self.vacancy() });
        TableDesc {
            table: id,
            eviction: Some(self.eviction.is_some() || self.config.evict),
            eviction_flags: Some(EvictionFlags::all()),
            vacancy: Some(vacancy),
        }
    }

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
