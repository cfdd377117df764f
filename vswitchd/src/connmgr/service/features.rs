//! Table features (OpenFlow 1.3+): every table can do the same, and goto_table leads to later tables only.

use flow::field::{Access, FIELDS, Field, Masking};
use openflow::TableId;
use openflow::msg::TableFeatures;
use openflow::msg::table::{TableActions, TableInstructions};

use super::N_TABLES;
use crate::ofproto::Ofproto;
use crate::ofproto::table::default_name;

/// goto_table, write_metadata, write_actions, apply_actions, clear_actions, meter.
const INSTRUCTIONS: u32 = 0b111_1110;
const GOTO_TABLE: u32 = 1 << 1;
/// output, set and decrement of MPLS TTL, push and pop of VLAN and MPLS, set_queue, group, set and decrement of IP TTL,
/// set_field.
const ACTIONS: u64 = 1 | 0b111_1111_1111 << 15;
const MAX_ENTRIES: u32 = 1_000_000;

/// The features of all tables.
pub(super) fn all(of: &Ofproto) -> Vec<TableFeatures> {
    let on_wire = || FIELDS.iter().copied().filter(|f| !f.info().headers.is_empty());
    let matches: Vec<Field> = on_wire().collect();
    let masks: Vec<Field> = on_wire().filter(|f| f.info().masking == Masking::Bitwise).collect();
    let set_fields: Vec<Field> = on_wire().filter(|f| f.info().access == Access::Rw).collect();
    let actions = TableActions { actions: ACTIONS, set_fields };
    let names = of.table_names();
    (0..N_TABLES)
        .map(|n| {
            let table = TableId(n);
            let last = n == N_TABLES - 1;
            let instructions = TableInstructions {
                instructions: if last { INSTRUCTIONS & !GOTO_TABLE } else { INSTRUCTIONS },
                next: (n + 1..N_TABLES).map(TableId).collect(),
                write: actions.clone(),
                apply: actions.clone(),
            };
            let name = names.iter().find(|(id, _)| *id == table).map(|(_, name)| name.clone());
            TableFeatures {
                table,
                command: 0,
                features: 0,
                name: name.unwrap_or_else(|| default_name(table)),
                metadata_match: u64::MAX,
                metadata_write: u64::MAX,
                miss: None,
                eviction: None,
                vacancy: None,
                max_entries: MAX_ENTRIES,
                nonmiss: instructions.clone(),
                miss_flow: instructions,
                matches: matches.clone(),
                masks: masks.clone(),
                wildcards: matches.clone(),
            }
        })
        .collect()
}
