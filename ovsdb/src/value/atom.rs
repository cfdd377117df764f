//! Atoms: the five scalar kinds, their order and their JSON form (RFC 7047 section 5.1).

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

use super::types::{BaseType, Constraint, RefKind};
use super::{SymbolTable, Uuid, parse_uuid, write_uuid};
use crate::error::{Error, Result};
use crate::json::{self, Num};

/// The kinds of atoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AtomicType {
    Integer,
    Real,
    Boolean,
    String,
    Uuid,
}

impl AtomicType {
    /// The schema's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Uuid => "uuid",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Integer, Self::Real, Self::Boolean, Self::String, Self::Uuid]
            .into_iter()
            .find(|t| t.name() == name)
    }
}

/// One scalar value.
#[derive(Clone, Debug)]
pub enum Atom {
    Integer(i64),
    Real(f64),
    Boolean(bool),
    String(Arc<str>),
    Uuid(Uuid),
}

impl Atom {
    /// The value of a column that nobody set.
    pub fn default_of(ty: AtomicType) -> Self {
        match ty {
            AtomicType::Integer => Self::Integer(0),
            AtomicType::Real => Self::Real(0.0),
            AtomicType::Boolean => Self::Boolean(false),
            AtomicType::String => Self::String(Arc::from("")),
            AtomicType::Uuid => Self::Uuid(Uuid::nil()),
        }
    }

    pub fn atomic_type(&self) -> AtomicType {
        match self {
            Self::Integer(_) => AtomicType::Integer,
            Self::Real(_) => AtomicType::Real,
            Self::Boolean(_) => AtomicType::Boolean,
            Self::String(_) => AtomicType::String,
            Self::Uuid(_) => AtomicType::Uuid,
        }
    }

    pub fn is_default(&self) -> bool {
        match self {
            Self::Integer(i) => *i == 0,
            Self::Real(f) => *f == 0.0,
            Self::Boolean(b) => !b,
            Self::String(s) => s.is_empty(),
            Self::Uuid(u) => u.is_nil(),
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(s) = self { Some(s) } else { None }
    }

    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(i) = self { Some(*i) } else { None }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(b) = self { Some(*b) } else { None }
    }

    pub fn as_uuid(&self) -> Option<Uuid> {
        if let Self::Uuid(u) = self { Some(*u) } else { None }
    }

    /// Reads an atom of `base`'s type and checks `base`'s constraint. With `symbols`, named uuids
    /// are allowed and noted there.
    ///
    /// # Errors
    /// `syntax error` for a wrong shape, `constraint violation` for a forbidden value.
    pub fn from_json(base: &BaseType, json: &Value, symbols: Option<&mut SymbolTable>) -> Result<Self> {
        let atom = Self::from_json_unchecked(base, json, symbols)?;
        base.check(&atom)?;
        Ok(atom)
    }

    /// As [`Atom::from_json`], without the constraint.
    pub(super) fn from_json_unchecked(
        base: &BaseType,
        json: &Value,
        symbols: Option<&mut SymbolTable>,
    ) -> Result<Self> {
        let wrong = || Error::syntax(json, format!("expected {}", base.ty.name()));
        match (base.ty, json) {
            (AtomicType::Integer, Value::Number(n)) => match json::number(n) {
                Num::Integer(i) => Ok(Self::Integer(i)),
                Num::Real(_) => Err(wrong()),
            },
            (AtomicType::Real, Value::Number(n)) => match json::number(n) {
                Num::Integer(i) => Ok(Self::Real(i as f64)),
                Num::Real(f) => Ok(Self::Real(f)),
            },
            (AtomicType::Boolean, Value::Bool(b)) => Ok(Self::Boolean(*b)),
            (AtomicType::String, Value::String(s)) => Ok(Self::String(Arc::from(s.as_str()))),
            (AtomicType::Uuid, _) => uuid_from_json(base, json, symbols).map(Self::Uuid),
            _ => Err(wrong()),
        }
    }

    /// Appends the JSON form.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Integer(i) => json::write_integer(*i, out),
            Self::Real(f) => json::write_real(*f, out),
            Self::Boolean(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::String(s) => json::write_str(s, out),
            Self::Uuid(u) => {
                out.push_str("[\"uuid\",\"");
                write_uuid(u, out);
                out.push_str("\"]");
            }
        }
    }
}

fn uuid_from_json(base: &BaseType, json: &Value, symbols: Option<&mut SymbolTable>) -> Result<Uuid> {
    let Some((kind, text)) = tagged_str(json) else { return Err(expected_tagged("uuid", "string", json)) };
    match (kind, symbols) {
        ("uuid", _) => {
            parse_uuid(text).ok_or_else(|| Error::syntax(json, format!("\"{text}\" is not a valid UUID")))
        }
        ("named-uuid", Some(_)) if !json::is_id(text) => {
            Err(Error::syntax(json, "named-uuid string is not a valid <id>"))
        }
        ("named-uuid", Some(symbols)) => {
            let symbol = symbols.entry(text);
            if let Constraint::Ref(r) = &base.constraint {
                match r.kind {
                    RefKind::Strong => symbol.strong_ref = true,
                    RefKind::Weak => symbol.weak_ref = true,
                }
            }
            Ok(symbol.uuid)
        }
        _ => Err(expected_tagged("uuid", "string", json)),
    }
}

fn tagged_str(json: &Value) -> Option<(&str, &str)> {
    match json.as_array()?.as_slice() {
        [kind, text] => Some((kind.as_str()?, text.as_str()?)),
        _ => None,
    }
}

/// `expected ["NAME", <KIND>]`.
pub(super) fn expected_tagged(name: &str, kind: &str, json: &Value) -> Error {
    Error::syntax(json, format!("expected [\"{name}\", <{kind}>]"))
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Atom {}

impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Atom {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            // JSON has no NaN, so reals are totally ordered here; the two zeros are one value.
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            _ => self.atomic_type().cmp(&other.atomic_type()),
        }
    }
}

impl Hash for Atom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Integer(i) => i.hash(state),
            Self::Real(f) => (if *f == 0.0 { 0 } else { f.to_bits() }).hash(state),
            Self::Boolean(b) => b.hash(state),
            Self::String(s) => s.hash(state),
            Self::Uuid(u) => u.hash(state),
        }
    }
}

impl From<i64> for Atom {
    fn from(i: i64) -> Self {
        Self::Integer(i)
    }
}

impl From<f64> for Atom {
    fn from(f: f64) -> Self {
        Self::Real(f)
    }
}

impl From<bool> for Atom {
    fn from(b: bool) -> Self {
        Self::Boolean(b)
    }
}

impl From<&str> for Atom {
    fn from(s: &str) -> Self {
        Self::String(Arc::from(s))
    }
}

impl From<String> for Atom {
    fn from(s: String) -> Self {
        Self::String(Arc::from(s))
    }
}

impl From<Uuid> for Atom {
    fn from(u: Uuid) -> Self {
        Self::Uuid(u)
    }
}
