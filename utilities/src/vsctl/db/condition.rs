//! `COLUMN[:KEY] OPERATOR VALUE` of `find` and `wait-until`.

use std::cmp::Ordering;

use ovsdb::client::Row;
use ovsdb::schema::Table;
use ovsdb::value::{Atom, ColumnType, Datum, SymbolTable, UNLIMITED};

use super::argument;

/// In the order of the error message.
const OPERATORS: [&str; 14] =
    ["=", "!=", "<", ">", "<=", ">=", "{=}", "{!=}", "{<}", "{>}", "{<=}", "{>=}", "{in}", "{not-in}"];

/// Whether `word` is a condition on a column of `table`.
pub(super) fn check(table: &Table, word: &str) -> Result<(), String> {
    argument::parse(table, word, &OPERATORS).map(|_| ())
}

/// Whether `row` satisfies `word`.
pub(super) fn is_satisfied(
    table: &Table,
    row: &Row<'_>,
    word: &str,
    symbols: &mut SymbolTable,
) -> Result<bool, String> {
    let argument = argument::parse(table, word, &OPERATORS)?;
    let Some((operator, value)) = argument.value else { return Ok(false) };
    let have = row.get(&argument.column.name);
    let ty = &argument.column.ty;
    let Some(key) = argument.key_atom(Some(symbols))? else {
        let want = Datum::from_text(ty, value, Some(symbols))?;
        return Ok(evaluate(operator, have, &want));
    };
    let Some(value_type) = &ty.value else {
        let column = &argument.column.name;
        return Err(format!("cannot specify key to check for non-map column {column}"));
    };
    if operator.starts_with('{') {
        // The key's value as a set of at most one.
        let set = ColumnType { key: value_type.clone(), value: None, min: 0, max: UNLIMITED };
        let want = Datum::from_text(&set, value, Some(symbols))?;
        let have = have.lookup(&key).map_or(Datum::Empty, |value| Datum::One(value.clone()));
        return Ok(evaluate(operator, &have, &want));
    }
    let want = Atom::from_text(value_type, value, Some(symbols))?;
    Ok(have.lookup(&key).is_some_and(|have| ordered(operator, have.cmp(&want))))
}

fn ordered(operator: &str, ordering: Ordering) -> bool {
    match operator {
        "=" => ordering.is_eq(),
        "!=" => ordering.is_ne(),
        "<" => ordering.is_lt(),
        ">" => ordering.is_gt(),
        "<=" => ordering.is_le(),
        ">=" => ordering.is_ge(),
        _ => false,
    }
}

fn evaluate(operator: &str, have: &Datum, want: &Datum) -> bool {
    match operator {
        "{=}" => have == want,
        "{!=}" => have != want,
        "{<}" => have != want && want.includes(have),
        "{>}" => have != want && have.includes(want),
        "{<=}" | "{in}" => want.includes(have),
        "{>=}" => have.includes(want),
        "{not-in}" => have.excludes(want),
        scalar => ordered(scalar, compare(have, want)),
    }
}

/// Fewer elements are less; else the first difference decides.
fn compare(a: &Datum, b: &Datum) -> Ordering {
    a.len()
        .cmp(&b.len())
        .then_with(|| a.keys().cmp(b.keys()))
        .then_with(|| a.pairs().iter().map(|(_, v)| v).cmp(b.pairs().iter().map(|(_, v)| v)))
}
