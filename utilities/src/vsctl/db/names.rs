//! Names of tables and columns: in any case, `-` for `_`, abbreviated as long as that is unique.

use ovsdb::schema::{COL_FIRST, Column, Schema, Table};

/// How well `name` fits `word`: `None` not at all, `usize::MAX` exactly, else the length of the
/// common beginning.
fn score(name: &str, word: &str) -> Option<usize> {
    let plain = |byte: u8| match byte {
        b'-' => b'_',
        byte => byte.to_ascii_lowercase(),
    };
    let same = name.bytes().zip(word.bytes()).take_while(|(a, b)| plain(*a) == plain(*b)).count();
    match same {
        _ if word.is_empty() => None,
        _ if name == word => Some(usize::MAX),
        same if same == word.len() && same == name.len() => Some(usize::MAX - 1),
        same if same == word.len() => Some(same),
        _ => None,
    }
}

/// The best of `names`, or all that are equally good.
fn best<'n, T: Copy>(names: impl Iterator<Item = (&'n str, T)>, word: &str) -> Vec<(&'n str, T)> {
    let mut found: Vec<(&str, T)> = Vec::new();
    let mut best = 0;
    for (name, item) in names {
        match score(name, word) {
            Some(score) if score > best => {
                best = score;
                found = vec![(name, item)];
            }
            Some(score) if score == best => found.push((name, item)),
            _ => {}
        }
    }
    found
}

fn joined<T>(found: &[(&str, T)]) -> String {
    found.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The table that `word` names.
pub(super) fn table<'s>(schema: &'s Schema, word: &str) -> Result<&'s Table, String> {
    let found = best(schema.tables.iter().map(|table| (table.name.as_str(), table)), word);
    match found.as_slice() {
        [(_, table)] => Ok(table),
        [] => Err(format!("unknown table \"{word}\"")),
        many => Err(format!("\"{word}\" matches multiple table names: {}", joined(many))),
    }
}

/// The column of `table` that `word` names; `_uuid` is not one.
pub(super) fn column<'s>(table: &'s Table, word: &str) -> Result<(usize, &'s Column), String> {
    let columns = table.columns.iter().enumerate().skip(COL_FIRST);
    let found = best(columns.map(|(at, column)| (column.name.as_str(), (at, column))), word);
    let name = &table.name;
    match found.as_slice() {
        [(_, column)] => Ok(*column),
        [] => Err(format!("{name} does not contain a column whose name matches \"{word}\"")),
        many => Err(format!(
            "{name} contains more than one column whose name matches \"{word}\": {}",
            joined(many)
        )),
    }
}

/// The column, where `_uuid` is one too.
pub(super) fn column_or_uuid<'s>(table: &'s Table, word: &str) -> Result<(usize, &'s Column), String> {
    if word.eq_ignore_ascii_case("_uuid")
        && let Some(found) = table.lookup("_uuid")
    {
        return Ok(found);
    }
    column(table, word)
}
