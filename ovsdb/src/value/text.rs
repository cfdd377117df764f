//! The text form of atoms and datums: what ovs-vsctl prints and reads.
//!
//! Errors are the sentences that ovs-vsctl prints, so they are plain strings.

use super::types::{BaseType, ColumnType};
use super::{Atom, AtomicType, Datum, SymbolTable, parse_uuid, write_uuid};

/// Integers that one `A-B` range may name.
const RANGE_LEN_MAX: i64 = 4096;

const DELIMITERS: &str = ":=, []{}!<>";

fn is_delimiter(c: char) -> bool {
    DELIMITERS.contains(c)
}

/// Whether `s` must be quoted to be read back as the string that it is.
pub fn needs_quotes(s: &str) -> bool {
    let mut bytes = s.bytes();
    let head = matches!(bytes.next(), Some(b) if b.is_ascii_alphabetic() || b == b'_');
    !(head && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')))
        || s == "true"
        || s == "false"
        || parse_uuid(s).is_some()
}

/// Undoes JSON quoting of `s` (which begins with a quote).
///
/// # Errors
/// The sentence to print.
pub fn unquote(s: &str) -> Result<String, String> {
    let inner = s
        .strip_prefix('"')
        .and_then(|r| r.strip_suffix('"'))
        .ok_or_else(|| format!("{s}: missing quote at end of quoted string"))?;
    serde_json::from_str(s).map_err(|_| match bad_escape(inner) {
        Some(c) => format!("{s}: bad escape \\{c}"),
        None => format!("{s}: quoted string may not include unescaped \""),
    })
}

fn bad_escape(s: &str) -> Option<char> {
    let mut chars = s.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            let e = chars.next()?;
            if !"\"\\/bfnrtu".contains(e) {
                return Some(e);
            }
        }
    }
    None
}

impl Atom {
    /// The text form; strings are quoted where they must be.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write_text(&mut out);
        out
    }

    pub fn write_text(&self, out: &mut String) {
        match self {
            Self::Uuid(u) => write_uuid(u, out),
            Self::String(s) if !needs_quotes(s) => out.push_str(s),
            _ => self.write_json(out),
        }
    }

    /// As [`Atom::write_text`], never quoted.
    pub fn write_bare(&self, out: &mut String) {
        match self {
            Self::String(s) => out.push_str(s),
            _ => self.write_text(out),
        }
    }

    /// Reads one atom.
    ///
    /// # Errors
    /// The sentence to print.
    pub fn from_text(base: &BaseType, s: &str, symbols: Option<&mut SymbolTable>) -> Result<Self, String> {
        let (atom, end) = parse_atom(base, s, symbols, false)?;
        debug_assert!(end.is_none());
        Ok(atom)
    }
}

/// One atom, or with `range` the two ends of `A-B`.
fn parse_atom(
    base: &BaseType,
    s: &str,
    symbols: Option<&mut SymbolTable>,
    range: bool,
) -> Result<(Atom, Option<i64>), String> {
    let mut end = None;
    let atom = match base.ty {
        AtomicType::Integer => {
            let (first, last) = parse_integers(s, range)?;
            end = last;
            Atom::Integer(first)
        }
        AtomicType::Real => match s.parse::<f64>() {
            Ok(f) if f.is_finite() => Atom::Real(f),
            _ => return Err(format!("\"{s}\" is not a valid real number")),
        },
        AtomicType::Boolean => match s {
            "true" | "yes" | "on" | "1" => Atom::Boolean(true),
            "false" | "no" | "off" | "0" => Atom::Boolean(false),
            _ => return Err(format!("\"{s}\" is not a valid boolean (use \"true\" or \"false\")")),
        },
        AtomicType::String if s.is_empty() => {
            return Err(
                "An empty string is not valid as input; use \"\" to represent the empty string".into()
            );
        }
        AtomicType::String if s.starts_with('"') => {
            if s.len() < 2 {
                return Err(format!("{s}: missing quote at end of quoted string"));
            }
            Atom::from(unquote(s)?)
        }
        AtomicType::String => Atom::from(s),
        AtomicType::Uuid => Atom::Uuid(parse_row_name(base, s, symbols)?),
    };
    base.check(&atom).map_err(|e| e.to_string())?;
    if let Some(last) = end {
        base.check(&Atom::Integer(last)).map_err(|e| e.to_string())?;
    }
    Ok((atom, end))
}

fn parse_integers(s: &str, range: bool) -> Result<(i64, Option<i64>), String> {
    let bad = || format!("\"{s}\" is not a valid integer or range");
    if let Ok(i) = s.parse::<i64>() {
        return Ok((i, None));
    }
    let split = s.bytes().skip(1).position(|b| b == b'-').map(|at| at + 1);
    let Some(at) = split.filter(|_| range) else { return Err(bad()) };
    match (s[..at].parse::<i64>(), s[at + 1..].parse::<i64>()) {
        (Ok(a), Ok(b)) if a > b => {
            Err(format!("\"{s}\" is not a valid range. Range end cannot be before start."))
        }
        (Ok(a), Ok(b)) => Ok((a, Some(b))),
        _ => Err(bad()),
    }
}

fn parse_row_name(
    base: &BaseType,
    s: &str,
    symbols: Option<&mut SymbolTable>,
) -> Result<super::Uuid, String> {
    match symbols {
        Some(symbols) if s.starts_with('@') => {
            let symbol = symbols.entry(s);
            symbol.strong_ref |= base.strong_ref().is_some();
            symbol.weak_ref |= base.weak_ref().is_some();
            Ok(symbol.uuid)
        }
        _ => parse_uuid(s).ok_or_else(|| format!("\"{s}\" is not a valid UUID")),
    }
}

impl Datum {
    /// The text form: `[a, b]`, `{k=v}`, or the bare atom of a scalar.
    pub fn to_text(&self, ty: &ColumnType) -> String {
        let mut out = String::new();
        self.write_text(ty, &mut out);
        out
    }

    pub fn write_text(&self, ty: &ColumnType, out: &mut String) {
        let (open, close) = if ty.is_map() { ('{', '}') } else { ('[', ']') };
        let framed = ty.max > 1 || self.is_empty();
        if framed {
            out.push(open);
        }
        self.write_elements(", ", Atom::write_text, out);
        if framed {
            out.push(close);
        }
    }

    /// The form of `--data=bare`: elements with a space between, nothing quoted.
    pub fn write_bare(&self, out: &mut String) {
        self.write_elements(" ", Atom::write_bare, out);
    }

    fn write_elements(&self, separator: &str, write: fn(&Atom, &mut String), out: &mut String) {
        for (i, a) in self.atoms().iter().enumerate() {
            if i > 0 {
                out.push_str(separator);
            }
            write(a, out);
        }
        for (i, (k, v)) in self.pairs().iter().enumerate() {
            if i > 0 {
                out.push_str(separator);
            }
            write(k, out);
            out.push('=');
            write(v, out);
        }
    }

    /// Reads the text form of a value of type `ty`.
    ///
    /// # Errors
    /// The sentence to print.
    pub fn from_text(
        ty: &ColumnType,
        text: &str,
        mut symbols: Option<&mut SymbolTable>,
    ) -> Result<Self, String> {
        let mut p = Cursor { rest: text.trim_start() };
        let close = p.open(ty)?;
        let (mut atoms, mut pairs) = (Vec::new(), Vec::new());
        while let Some(c) = p.peek().filter(|&c| Some(c) != close) {
            if is_delimiter(c) {
                return Err(format!("{text}: unexpected \"{c}\" parsing {ty}"));
            }
            let start = p.rest;
            let (key, end) = parse_atom(&ty.key, p.token()?, symbols.as_deref_mut(), !ty.is_map())?;
            match &ty.value {
                Some(value) => {
                    p.skip_spaces();
                    if p.peek() != Some('=') {
                        let at = p.peek().map_or(String::new(), |c| format!("{c}\" expecting \"=\""));
                        return Err(format!("{start}: syntax error at \"{at}"));
                    }
                    p.advance(1);
                    p.skip_spaces();
                    pairs.push((key, parse_atom(value, p.token()?, symbols.as_deref_mut(), false)?.0));
                }
                None => push_range(&mut atoms, key, end)?,
            }
            p.skip_comma();
        }
        p.finish(text, close)?;
        collect(ty, text, atoms, pairs)
    }
}

fn push_range(atoms: &mut Vec<Atom>, first: Atom, end: Option<i64>) -> Result<(), String> {
    let (Atom::Integer(a), Some(b)) = (&first, end) else {
        atoms.push(first);
        return Ok(());
    };
    if b.checked_sub(*a).is_none_or(|len| len >= RANGE_LEN_MAX) {
        return Err(format!("Range \"{a}-{b}\" is too big. Maximum allowed size is {RANGE_LEN_MAX}."));
    }
    atoms.extend((*a..=b).map(Atom::Integer));
    Ok(())
}

fn collect(
    ty: &ColumnType,
    text: &str,
    mut atoms: Vec<Atom>,
    mut pairs: Vec<(Atom, Atom)>,
) -> Result<Datum, String> {
    let (len, noun) = if ty.is_map() { (pairs.len(), "pair(s)") } else { (atoms.len(), "value(s)") };
    if len < ty.min as usize {
        return Err(format!("{text}: {len} {noun} specified but the minimum number is {}", ty.min));
    }
    if len > ty.max as usize {
        return Err(format!("{text}: {len} {noun} specified but the maximum number is {}", ty.max));
    }
    if ty.is_map() {
        pairs.sort_unstable();
        if pairs.windows(2).any(|w| w[0].0 == w[1].0) {
            return Err(format!("{text}: map contains duplicate key"));
        }
        return Ok(Datum::map(pairs));
    }
    atoms.sort_unstable();
    if atoms.windows(2).any(|w| w[0] == w[1]) {
        return Err(format!("{text}: set contains duplicate value"));
    }
    Ok(Datum::set(atoms))
}

/// The part of the text that is still to be read.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn advance(&mut self, n: usize) {
        self.rest = &self.rest[n..];
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn skip_comma(&mut self) {
        self.skip_spaces();
        if self.peek() == Some(',') {
            self.advance(1);
            self.skip_spaces();
        }
    }

    /// Takes the opening bracket if there is one; gives the bracket that must close.
    fn open(&mut self, ty: &ColumnType) -> Result<Option<char>, String> {
        let (open, close, empty) = if ty.is_map() {
            ('{', '}', "\"{}\" to specify the empty map")
        } else {
            ('[', ']', "\"[]\" to specify the empty set")
        };
        match self.peek() {
            None => Err(format!("use {empty}")),
            Some(c) if c == open => {
                self.advance(1);
                self.skip_spaces();
                Ok(Some(close))
            }
            Some(_) => Ok(None),
        }
    }

    /// Takes one token: a quoted string with its quotes, or everything up to a delimiter.
    fn token(&mut self) -> Result<&'a str, String> {
        let s = self.rest;
        let end = if s.starts_with('"') {
            let mut escaped = false;
            let close = s.char_indices().skip(1).find(|&(_, c)| match c {
                _ if escaped => {
                    escaped = false;
                    false
                }
                '\\' => {
                    escaped = true;
                    false
                }
                c => c == '"',
            });
            match close {
                Some((at, _)) => at + 1,
                None if escaped => return Err(format!("{s}: backslash at end of argument")),
                None => return Err(format!("{s}: quoted string extends past end of argument")),
            }
        } else {
            s.find(is_delimiter).unwrap_or(s.len())
        };
        self.advance(end);
        Ok(&s[..end])
    }

    fn finish(mut self, text: &str, close: Option<char>) -> Result<(), String> {
        let Some(close) = close else { return Ok(()) };
        if self.peek() != Some(close) {
            return Err(format!("{text}: missing \"{close}\" at end of data"));
        }
        self.advance(close.len_utf8());
        self.skip_spaces();
        if self.rest.is_empty() { Ok(()) } else { Err(format!("{text}: trailing garbage after \"{close}\"")) }
    }
}
