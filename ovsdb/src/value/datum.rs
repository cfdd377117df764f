//! Datums: the sorted set or map of atoms that one column of one row holds.
//!
//! Always in one canonical shape, so that equality is structural. Sharing is cheap: a clone copies
//! no elements. The column's type is not stored; functions that need it take it.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;

use super::atom::expected_tagged;
use super::types::{BaseType, ColumnType};
use super::{Atom, SymbolTable, Uuid};
use crate::error::{Error, Result, tag};

/// One column's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Datum {
    /// No element; a set or a map.
    #[default]
    Empty,
    /// A scalar, or a set of one.
    One(Atom),
    /// Two or more, ascending and distinct.
    Set(Arc<[Atom]>),
    /// One or more pairs, ascending by distinct keys.
    Map(Arc<[(Atom, Atom)]>),
}

impl Datum {
    /// What a column of type `ty` holds when nobody set it.
    pub fn default_of(ty: &ColumnType) -> Self {
        match (ty.min, &ty.value) {
            (0, _) => Self::Empty,
            (_, None) => Self::One(Atom::default_of(ty.key.ty)),
            (_, Some(value)) => {
                Self::Map(Arc::from([(Atom::default_of(ty.key.ty), Atom::default_of(value.ty))]))
            }
        }
    }

    pub fn is_default(&self, ty: &ColumnType) -> bool {
        match self {
            Self::Empty => ty.min == 0,
            Self::One(a) => ty.min == 1 && a.is_default(),
            Self::Set(_) => false,
            Self::Map(m) => ty.min == 1 && matches!(&**m, [(k, v)] if k.is_default() && v.is_default()),
        }
    }

    /// A set of `atoms`; repeated ones count once.
    pub fn set(mut atoms: Vec<Atom>) -> Self {
        atoms.sort_unstable();
        atoms.dedup();
        Self::from_sorted(atoms)
    }

    /// A map of `pairs`; of equal keys the last one wins.
    pub fn map(mut pairs: Vec<(Atom, Atom)>) -> Self {
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|a, b| a.0 == b.0);
        Self::from_sorted_pairs(pairs)
    }

    fn from_sorted(mut atoms: Vec<Atom>) -> Self {
        match atoms.len() {
            0 => Self::Empty,
            1 => atoms.pop().map_or(Self::Empty, Self::One),
            _ => Self::Set(atoms.into()),
        }
    }

    fn from_sorted_pairs(pairs: Vec<(Atom, Atom)>) -> Self {
        if pairs.is_empty() { Self::Empty } else { Self::Map(pairs.into()) }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(_) => 1,
            Self::Set(s) => s.len(),
            Self::Map(m) => m.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The elements of a set (none if this is a map).
    pub fn atoms(&self) -> &[Atom] {
        match self {
            Self::One(a) => std::slice::from_ref(a),
            Self::Set(s) => s,
            Self::Empty | Self::Map(_) => &[],
        }
    }

    /// The pairs of a map (none if this is a set).
    pub fn pairs(&self) -> &[(Atom, Atom)] {
        if let Self::Map(m) = self { m } else { &[] }
    }

    /// The elements of a set, or the keys of a map.
    pub fn keys(&self) -> impl Iterator<Item = &Atom> {
        self.atoms().iter().chain(self.pairs().iter().map(|(k, _)| k))
    }

    /// The single element of a scalar or one-element set.
    pub fn scalar(&self) -> Option<&Atom> {
        if let Self::One(a) = self { Some(a) } else { None }
    }

    pub fn as_str(&self) -> Option<&str> {
        self.scalar().and_then(Atom::as_str)
    }

    pub fn as_integer(&self) -> Option<i64> {
        self.scalar().and_then(Atom::as_integer)
    }

    pub fn as_bool(&self) -> Option<bool> {
        self.scalar().and_then(Atom::as_bool)
    }

    pub fn as_uuid(&self) -> Option<Uuid> {
        self.scalar().and_then(Atom::as_uuid)
    }

    /// Whether the set (or the keys of the map) contain `atom`.
    pub fn contains(&self, atom: &Atom) -> bool {
        match self {
            Self::Empty => false,
            Self::One(a) => a == atom,
            Self::Set(s) => s.binary_search(atom).is_ok(),
            Self::Map(_) => self.lookup(atom).is_some(),
        }
    }

    /// The value that the map has for `key`.
    pub fn lookup(&self, key: &Atom) -> Option<&Atom> {
        let pairs = self.pairs();
        pairs.binary_search_by(|(k, _)| k.cmp(key)).ok().map(|at| &pairs[at].1)
    }

    /// The string that a string-to-string map has for `key`.
    pub fn lookup_str(&self, key: &str) -> Option<&str> {
        let pairs = self.pairs();
        let at = pairs.binary_search_by(|(k, _)| k.as_str().unwrap_or("").cmp(key)).ok()?;
        pairs[at].1.as_str()
    }

    /// Every element of `other` (with its value, in a map) is in `self`.
    pub fn includes(&self, other: &Self) -> bool {
        other.atoms().iter().all(|a| self.contains(a))
            && other.pairs().iter().all(|(k, v)| self.lookup(k) == Some(v))
    }

    /// No element of `other` (with its value, in a map) is in `self`.
    pub fn excludes(&self, other: &Self) -> bool {
        !other.atoms().iter().any(|a| self.contains(a))
            && !other.pairs().iter().any(|(k, v)| self.lookup(k) == Some(v))
    }

    /// `self` plus the elements of `other` that it lacks; a key that is there keeps its value.
    pub fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (_, Self::Empty) => self.clone(),
            (Self::Empty, _) => other.clone(),
            (Self::Map(a), Self::Map(b)) => {
                Self::from_sorted_pairs(merge(a, b, |x, y| x.0.cmp(&y.0), either))
            }
            _ => Self::from_sorted(merge(self.atoms(), other.atoms(), Ord::cmp, either)),
        }
    }

    /// `self` plus the pairs of `other`; a key that is there takes `other`'s value.
    pub fn union_replacing(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Map(_), Self::Map(_)) => other.union(self),
            _ => self.union(other),
        }
    }

    /// `self` without the elements of `other`. A map loses a pair if `other` has it, or, when
    /// `other` is a set, if `other` has its key.
    pub fn without(&self, other: &Self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::One(a) => {
                if other.contains(a) {
                    Self::Empty
                } else {
                    self.clone()
                }
            }
            Self::Set(s) => Self::from_sorted(s.iter().filter(|a| !other.contains(a)).cloned().collect()),
            Self::Map(m) => {
                let gone = |(k, v): &(Atom, Atom)| match other {
                    Self::Map(_) => other.lookup(k) == Some(v),
                    _ => other.contains(k),
                };
                Self::from_sorted_pairs(m.iter().filter(|p| !gone(p)).cloned().collect())
            }
        }
    }

    /// What [`Datum::patched`] needs to make `new` from `self`: the new value itself where at most
    /// one element fits, else the elements to toggle and the pairs to add, remove or replace.
    pub fn diff(&self, new: &Self, ty: &ColumnType) -> Self {
        if ty.max <= 1 {
            return new.clone();
        }
        match (self, new) {
            (_, Self::Empty) => self.clone(),
            (Self::Empty, _) => new.clone(),
            (Self::Map(a), Self::Map(b)) => {
                Self::from_sorted_pairs(merge(a, b, |x, y| x.0.cmp(&y.0), toggle_pair))
            }
            _ => Self::from_sorted(merge(self.atoms(), new.atoms(), Ord::cmp, toggle)),
        }
    }

    /// Applies a difference made by [`Datum::diff`].
    pub fn patched(&self, diff: &Self, ty: &ColumnType) -> Self {
        // The same merge: a pair equal to ours goes, another value replaces ours.
        self.diff(diff, ty)
    }

    /// Whether the number of elements is what `ty` allows.
    pub fn fits(&self, ty: &ColumnType) -> bool {
        self.len() >= ty.min as usize && self.len() <= ty.max as usize
    }

    /// Checks the constraints of every element.
    ///
    /// # Errors
    /// `constraint violation`.
    pub fn check(&self, ty: &ColumnType) -> Result<()> {
        if !ty.is_constrained() {
            return Ok(());
        }
        for k in self.keys() {
            ty.key.check(k)?;
        }
        if let Some(value) = &ty.value {
            for (_, v) in self.pairs() {
                value.check(v)?;
            }
        }
        Ok(())
    }

    /// Reads a datum of type `ty`, constraints checked.
    ///
    /// # Errors
    /// `syntax error`, `constraint violation`, or `ovsdb error` for duplicates.
    pub fn from_json(ty: &ColumnType, json: &Value, symbols: Option<&mut SymbolTable>) -> Result<Self> {
        Self::read(ty, json, symbols, Rules { lengths: true, constraints: true })
    }

    /// Reads a difference or other transient value: element types and constraints as in `ty`, any
    /// number of elements.
    ///
    /// # Errors
    /// As [`Datum::from_json`].
    pub fn from_json_any_len(
        ty: &ColumnType,
        json: &Value,
        symbols: Option<&mut SymbolTable>,
    ) -> Result<Self> {
        Self::read(ty, json, symbols, Rules { lengths: false, constraints: true })
    }

    /// Reads a value that the sender is trusted for (a server's update): types are checked,
    /// constraints and numbers of elements are not.
    ///
    /// # Errors
    /// As [`Datum::from_json`], but never `constraint violation`.
    pub fn from_json_unconstrained(ty: &ColumnType, json: &Value) -> Result<Self> {
        Self::read(ty, json, None, Rules { lengths: false, constraints: false })
    }

    fn read(
        ty: &ColumnType,
        json: &Value,
        mut symbols: Option<&mut SymbolTable>,
        rules: Rules,
    ) -> Result<Self> {
        match &ty.value {
            Some(value) => {
                let elems = tagged_array("map", json)?;
                rules.check_len("map", elems.len(), ty, json)?;
                let mut pairs = Vec::with_capacity(elems.len());
                for e in elems {
                    let Some([k, v]) = e.as_array().map(Vec::as_slice) else {
                        return Err(Error::syntax(e, "expected 2-element array"));
                    };
                    let k = rules.atom(&ty.key, k, symbols.as_deref_mut())?;
                    let v = rules.atom(value, v, symbols.as_deref_mut())?;
                    pairs.push((k, v));
                }
                sorted_pairs(pairs)
            }
            None if is_tagged("set", json) => {
                let elems = tagged_array("set", json)?;
                rules.check_len("set", elems.len(), ty, json)?;
                let mut atoms = Vec::with_capacity(elems.len());
                for e in elems {
                    atoms.push(rules.atom(&ty.key, e, symbols.as_deref_mut())?);
                }
                sorted(atoms)
            }
            None => Ok(Self::One(rules.atom(&ty.key, json, symbols)?)),
        }
    }

    /// Appends the JSON form.
    pub fn write_json(&self, ty: &ColumnType, out: &mut String) {
        match self {
            Self::Empty => out.push_str(if ty.is_map() { "[\"map\",[]]" } else { "[\"set\",[]]" }),
            Self::One(a) => a.write_json(out),
            Self::Set(s) => {
                out.push_str("[\"set\",[");
                for (i, a) in s.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    a.write_json(out);
                }
                out.push_str("]]");
            }
            Self::Map(m) => {
                out.push_str("[\"map\",[");
                for (i, (k, v)) in m.iter().enumerate() {
                    out.push_str(if i > 0 { ",[" } else { "[" });
                    k.write_json(out);
                    out.push(',');
                    v.write_json(out);
                    out.push(']');
                }
                out.push_str("]]");
            }
        }
    }

    /// The JSON form as a value (for building requests; the server writes text directly).
    pub fn to_json(&self, ty: &ColumnType) -> Value {
        let mut text = String::new();
        self.write_json(ty, &mut text);
        // Own output: it parses.
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

/// Merges two ascending lists; where only one side has an element `pick` sees the other as `None`.
fn merge<T: Clone>(
    a: &[T],
    b: &[T],
    cmp: impl Fn(&T, &T) -> Ordering,
    pick: impl for<'x> Fn(Option<&'x T>, Option<&'x T>) -> Option<&'x T>,
) -> Vec<T> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let side = match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) => cmp(x, y),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let x = (side != Ordering::Greater).then(|| &a[i]);
        let y = (side != Ordering::Less).then(|| &b[j]);
        i += usize::from(x.is_some());
        j += usize::from(y.is_some());
        out.extend(pick(x, y).cloned());
    }
    out
}

/// Union of two elements: whichever is there, ours first.
fn either<'x, T>(x: Option<&'x T>, y: Option<&'x T>) -> Option<&'x T> {
    x.or(y)
}

/// Symmetric difference of two elements.
fn toggle<'x, T>(x: Option<&'x T>, y: Option<&'x T>) -> Option<&'x T> {
    if x.is_some() && y.is_some() { None } else { x.or(y) }
}

/// Symmetric difference of two pairs of one key: a changed value is the new pair.
fn toggle_pair<'x>(x: Option<&'x (Atom, Atom)>, y: Option<&'x (Atom, Atom)>) -> Option<&'x (Atom, Atom)> {
    match (x, y) {
        (Some(old), Some(new)) => (old.1 != new.1).then_some(new),
        _ => x.or(y),
    }
}

fn sorted(mut atoms: Vec<Atom>) -> Result<Datum> {
    if !atoms.is_sorted_by(|a, b| a < b) {
        atoms.sort_unstable();
        if atoms.windows(2).any(|w| w[0] == w[1]) {
            return Err(Error::new(tag::OVSDB, "set contains duplicate"));
        }
    }
    Ok(Datum::from_sorted(atoms))
}

fn sorted_pairs(mut pairs: Vec<(Atom, Atom)>) -> Result<Datum> {
    if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
        pairs.sort_unstable();
        if pairs.windows(2).any(|w| w[0].0 == w[1].0) {
            return Err(Error::new(tag::OVSDB, "map contains duplicate key"));
        }
    }
    Ok(Datum::from_sorted_pairs(pairs))
}

fn is_tagged(class: &str, json: &Value) -> bool {
    json.as_array().and_then(|a| a.first()).and_then(Value::as_str) == Some(class)
}

fn tagged_array<'a>(class: &str, json: &'a Value) -> Result<&'a [Value]> {
    match json.as_array().map(Vec::as_slice) {
        Some([Value::String(c), Value::Array(elems)]) if c == class => Ok(elems),
        _ => Err(expected_tagged(class, "array", json)),
    }
}

/// How strictly a datum is read.
#[derive(Clone, Copy)]
struct Rules {
    lengths: bool,
    constraints: bool,
}

impl Rules {
    fn atom(self, base: &BaseType, json: &Value, symbols: Option<&mut SymbolTable>) -> Result<Atom> {
        if self.constraints {
            Atom::from_json(base, json, symbols)
        } else {
            Atom::from_json_unchecked(base, json, symbols)
        }
    }

    fn check_len(self, class: &str, len: usize, ty: &ColumnType, json: &Value) -> Result<()> {
        if !self.lengths || (len >= ty.min as usize && len <= ty.max as usize) {
            return Ok(());
        }
        let text = if ty.min == 1 && ty.max == 1 {
            format!("{class} must have exactly one member but {len} are present")
        } else {
            format!("{class} must have {} to {} members but {len} are present", ty.min, ty.max)
        };
        Err(Error::syntax(json, text))
    }
}

impl<T: Into<Atom>> From<T> for Datum {
    fn from(atom: T) -> Self {
        Self::One(atom.into())
    }
}
