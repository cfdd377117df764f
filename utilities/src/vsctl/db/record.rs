//! Records by uuid, by the beginning of one, by name, or by the bridge or port they belong to.

use ovsdb::client::Transaction;
use ovsdb::schema::Table;
use ovsdb::value::{Uuid, parse_uuid};

use super::super::context::Context;

/// Digits a shortened uuid must have.
const UUID_DIGITS_MIN: usize = 4;

/// A way to name rows of a table.
struct Id {
    table: &'static str,
    /// The table and column that hold the name; `None`: the name is `.`, of the only row.
    name: Option<(&'static str, &'static str)>,
    /// The column of that table that refers to the row; `None`: it is the row itself.
    via: Option<&'static str>,
}

const fn own(table: &'static str, column: &'static str) -> Id {
    Id { table, name: Some((table, column)), via: None }
}

const fn via(table: &'static str, of: &'static str, column: &'static str) -> Id {
    Id { table, name: Some((of, "name")), via: Some(column) }
}

const fn only(table: &'static str) -> Id {
    Id { table, name: None, via: None }
}

const IDS: &[Id] = &[
    own("Bridge", "name"),
    own("Interface", "name"),
    own("Mirror", "name"),
    own("Port", "name"),
    own("Flow_Table", "name"),
    own("Manager", "target"),
    own("Flow_Sample_Collector_Set", "id"),
    via("Controller", "Bridge", "controller"),
    via("NetFlow", "Bridge", "netflow"),
    via("sFlow", "Bridge", "sflow"),
    via("IPFIX", "Bridge", "ipfix"),
    via("AutoAttach", "Bridge", "auto_attach"),
    via("QoS", "Port", "qos"),
    only("Open_vSwitch"),
    only("SSL"),
];

/// Finds the row of `table` that `word` names; `Ok(None)` if there is none.
pub(super) fn find(ctx: &mut Context<'_>, table: &Table, word: &str) -> Result<Option<Uuid>, String> {
    if let Some(uuid) = parse_uuid(word) {
        return Ok(ctx.txn.row(&table.name, uuid).map(|row| row.uuid()));
    }
    if let Some(uuid) = by_model(ctx, table, word) {
        return Ok(Some(uuid));
    }
    let txn = &ctx.txn;
    if word == "." {
        // Wherever there is one row, that is the one.
        let rows = txn.rows(&table.name);
        return Ok(match rows.as_slice() {
            [row] => Some(row.uuid()),
            _ => None,
        });
    }
    for id in IDS.iter().filter(|id| id.table == table.name) {
        let mut found = by_id(txn, id, word);
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [] => {}
            [uuid] => return Ok(Some(*uuid)),
            _ => return Err(format!("multiple rows in {} match \"{word}\"", table.name)),
        }
    }
    by_partial_uuid(txn, table, word)
}

/// What hangs on bridges is known by name already: no search through the table.
fn by_model(ctx: &mut Context<'_>, table: &Table, word: &str) -> Option<Uuid> {
    let model = ctx.model();
    let uuid = match table.name.as_str() {
        "Bridge" => model.bridges.get(word).filter(|b| b.fake.is_none())?.uuid,
        "Port" => model.ports.get(word)?.uuid,
        "Interface" => model.ifaces.get(word)?.uuid,
        _ => return None,
    };
    ctx.txn.row(&table.name, uuid).map(|row| row.uuid())
}

fn by_id(txn: &Transaction<'_>, id: &Id, word: &str) -> Vec<Uuid> {
    let Some((table, column)) = id.name else { return Vec::new() };
    let rows = txn.rows(table).into_iter().filter(|row| {
        let datum = row.get(column);
        match datum.as_str() {
            Some(name) => name == word,
            None => datum.scalar().is_some_and(|atom| atom.to_text() == word),
        }
    });
    match id.via {
        None => rows.map(|row| row.uuid()).collect(),
        Some(via) => rows.filter_map(|row| row.reference(via)).collect(),
    }
}

fn by_partial_uuid(txn: &Transaction<'_>, table: &Table, word: &str) -> Result<Option<Uuid>, String> {
    let digits = word.bytes().filter(u8::is_ascii_hexdigit).count();
    if digits < UUID_DIGITS_MIN || !word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
        return Ok(None);
    }
    let word = word.to_ascii_lowercase();
    let rows = txn.rows(&table.name).into_iter().map(|row| row.uuid());
    let rows: Vec<Uuid> = rows.filter(|uuid| uuid.to_string().starts_with(&word)).collect();
    match rows.as_slice() {
        [] => Ok(None),
        [uuid] => Ok(Some(*uuid)),
        _ => Err(format!("multiple rows in {} match \"{word}\"", table.name)),
    }
}
