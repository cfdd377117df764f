//! `COLUMN[:KEY][OPERATOR VALUE]`, split and with its column found.

use ovsdb::schema::{Column, Table};
use ovsdb::value::{Atom, SymbolTable};

use super::names;

/// Characters that end a bare column or key.
const DELIMITERS: &str = ":=, []{}!<>";

/// A split argument.
pub(super) struct Argument<'s, 'w> {
    pub column: &'s Column,
    pub key: Option<String>,
    /// The operator and the value behind it.
    pub value: Option<(&'static str, &'w str)>,
}

/// Parses `word`. With `operators`, one of them and a value must follow; without, nothing may.
pub(super) fn parse<'s, 'w>(
    table: &'s Table,
    word: &'w str,
    operators: &[&'static str],
) -> Result<Argument<'s, 'w>, String> {
    let (name, rest) = token(word)?;
    if name.is_empty() {
        return Err(format!("{word}: missing column name"));
    }
    let (_, column) = names::column(table, &name)?;
    let (key, rest) = match rest.strip_prefix(':') {
        Some(rest) => {
            let (key, rest) = token(rest)?;
            (Some(key), rest)
        }
        None => (None, rest),
    };
    if operators.is_empty() {
        if rest.is_empty() {
            return Ok(Argument { column, key, value: None });
        }
        return Err(format!("{word}: trailing garbage \"{rest}\" in argument"));
    }
    // The longest operator that fits, with something behind it.
    let best = operators
        .iter()
        .filter_map(|operator| Some((*operator, rest.strip_prefix(operator)?)))
        .max_by_key(|(operator, _)| operator.len());
    match best {
        Some((operator, value)) if !value.is_empty() => {
            Ok(Argument { column, key, value: Some((operator, value)) })
        }
        _ => {
            Err(format!("{word}: argument does not end in {} followed by a value.", alternatives(operators)))
        }
    }
}

/// `"a", "b", or "c"`.
fn alternatives(operators: &[&str]) -> String {
    let quoted: Vec<String> = operators.iter().map(|op| format!("\"{op}\"")).collect();
    match quoted.as_slice() {
        [only] => only.clone(),
        [first, second] => format!("{first} or {second}"),
        [head @ .., last] => format!("{}, or {last}", head.join(", ")),
        [] => String::new(),
    }
}

/// Takes one token: a quoted string (given unquoted, still in JSON's quotes) or what stands
/// before a delimiter.
fn token(text: &str) -> Result<(String, &str), String> {
    if !text.starts_with('"') {
        let end = text.find(|c| DELIMITERS.contains(c)).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Ok((text[..=at].to_owned(), &text[at + 1..])),
            _ => {}
        }
    }
    Err(match escaped {
        true => format!("{text}: backslash at end of argument"),
        false => format!("{text}: quoted string extends past end of argument"),
    })
}

impl Argument<'_, '_> {
    /// The key as an atom of the column's key type.
    pub(super) fn key_atom(&self, symbols: Option<&mut SymbolTable>) -> Result<Option<Atom>, String> {
        let key = self.key.as_deref();
        key.map(|key| Atom::from_text(&self.column.ty.key, key, symbols)).transpose()
    }
}
