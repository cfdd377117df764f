//! Table settings and statistics.

use std::sync::atomic::Ordering::Relaxed;

use openflow::msg::table::{EvictionFlags, TableMiss};
use openflow::msg::{TableDesc, TableMod, TableStats};
use openflow::{OfpError, TableId};

use super::snapshot::{N_TABLES, TableMissAction};
use super::table::{Table, TableConfig, default_name};
use super::{Ofproto, State};

/// What table stats of OpenFlow 1.0-1.2 tell as the most flows.
const MAX_ENTRIES: u32 = 1_000_000;

impl Ofproto {
    /// Row Flow_Table of table `id`. Lowering the limit evicts.
    pub fn table_config(&self, id: TableId, config: TableConfig) {
        let mut state = self.lock();
        if !state.tables.contains_key(&id.0) && config == TableConfig::default() {
            return;
        }
        state.table_mut(id).config = config;
        self.evict_to_limit(&mut state, id);
    }

    /// OFPT_TABLE_MOD.
    pub fn table_mod(&self, tm: &TableMod) -> Result<(), OfpError> {
        if tm.table != TableId::ALL && usize::from(tm.table.0) >= N_TABLES - 1 {
            return Err(OfpError::OFPTMFC_BAD_TABLE);
        }
        let mut state = self.lock();
        let ids: Vec<u8> =
            if tm.table == TableId::ALL { (0..N_TABLES as u8 - 1).collect() } else { vec![tm.table.0] };
        for id in &ids {
            apply(&mut state, TableId(*id), tm);
        }
        self.publish_tables(&state, ids);
        Ok(())
    }

    pub fn table_descs(&self) -> Vec<TableDesc> {
        let state = self.lock();
        let unused = Table::default();
        let desc = |n: u8| state.tables.get(&n).unwrap_or(&unused).desc(TableId(n));
        (0..N_TABLES as u8 - 1).map(desc).collect()
    }

    /// Statistics of all visible tables.
    pub fn table_stats(&self) -> Vec<TableStats> {
        self.world.push_stats();
        let state = self.lock();
        (0..N_TABLES as u8 - 1).map(|n| stats(&state, TableId(n))).collect()
    }

    /// Names of tables that have one.
    pub fn table_names(&self) -> Vec<(TableId, String)> {
        let state = self.lock();
        state.tables.iter().filter_map(|(n, t)| Some((TableId(*n), t.config.name.clone()?))).collect()
    }
}

fn apply(state: &mut State, id: TableId, tm: &TableMod) {
    let table = state.table_mut(id);
    if let Some(miss) = tm.miss {
        table.miss = match miss {
            TableMiss::Controller => TableMissAction::Controller,
            TableMiss::Continue => TableMissAction::Continue,
            TableMiss::Drop => TableMissAction::Drop,
        };
    }
    let flags = tm.eviction_flags.unwrap_or(EvictionFlags::LIFETIME);
    match tm.eviction {
        Some(true) => table.eviction = Some(flags),
        Some(false) => table.eviction = None,
        None => {}
    }
    match tm.vacancy {
        Some(Some(v)) => table.watch_vacancy(v.down, v.up),
        Some(None) => table.vacancy = None,
        None => {}
    }
}

fn stats(state: &State, id: TableId) -> TableStats {
    let table = state.tables.get(&id.0);
    let visible = table.map_or(0, |t| t.rules.view().iter().filter(|r| !r.is_hidden()).count());
    let (matched, missed) =
        table.map_or((0, 0), |t| (t.counters.matched.load(Relaxed), t.counters.missed.load(Relaxed)));
    TableStats {
        table: id,
        name: table.map_or_else(|| default_name(id), |t| t.name(id)),
        max_entries: table.and_then(|t| t.config.flow_limit).unwrap_or(MAX_ENTRIES),
        active_count: visible as u32,
        lookup_count: matched + missed,
        matched_count: matched,
        features: None,
    }
}
