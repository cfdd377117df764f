//! Column types: base types with constraints, and how many elements fit (RFC 7047 section 3.2).

use std::fmt;

use serde_json::{Map, Value};

use super::{Atom, AtomicType, Datum};
use crate::error::{Error, Result, tag};
use crate::parser::Parser;

/// `max` of a column that has no upper bound.
pub const UNLIMITED: u32 = u32::MAX;

/// Whether a reference keeps its row alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefKind {
    /// The row must exist, and lives as long as it is referred to.
    Strong,
    /// The reference goes when the row goes.
    Weak,
}

/// A uuid that names a row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub table: String,
    pub kind: RefKind,
}

/// What values a base type allows.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Constraint {
    #[default]
    None,
    Enum(Datum),
    /// Inclusive.
    Integer {
        min: i64,
        max: i64,
    },
    /// Inclusive.
    Real {
        min: f64,
        max: f64,
    },
    /// Characters, inclusive.
    Length {
        min: u32,
        max: u32,
    },
    Ref(Reference),
}

/// The type of a key or of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseType {
    pub ty: AtomicType,
    pub constraint: Constraint,
}

/// The type of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnType {
    pub key: BaseType,
    /// Present in maps.
    pub value: Option<BaseType>,
    /// 0 or 1.
    pub min: u32,
    /// At least 1; [`UNLIMITED`] if unbounded.
    pub max: u32,
}

impl BaseType {
    /// `ty` without a constraint.
    pub fn plain(ty: AtomicType) -> Self {
        Self { ty, constraint: Constraint::None }
    }

    /// The reference, if it is one.
    pub fn reference(&self) -> Option<&Reference> {
        if let Constraint::Ref(r) = &self.constraint { Some(r) } else { None }
    }

    pub fn strong_ref(&self) -> Option<&str> {
        self.reference().filter(|r| r.kind == RefKind::Strong).map(|r| r.table.as_str())
    }

    pub fn weak_ref(&self) -> Option<&str> {
        self.reference().filter(|r| r.kind == RefKind::Weak).map(|r| r.table.as_str())
    }

    /// Checks that `atom` is a value that this type allows.
    ///
    /// # Errors
    /// `constraint violation`.
    pub fn check(&self, atom: &Atom) -> Result<()> {
        let violation = |text: String| Err(Error::new(tag::CONSTRAINT, text));
        match (&self.constraint, atom) {
            (Constraint::Enum(allowed), _) if !allowed.contains(atom) => {
                let ty = ColumnType { key: Self::plain(self.ty), value: None, min: 1, max: UNLIMITED };
                violation(format!(
                    "{} is not one of the allowed values ({})",
                    atom.to_text(),
                    allowed.to_text(&ty)
                ))
            }
            (Constraint::Integer { min, max }, Atom::Integer(i)) if i < min || i > max => {
                violation(range_text(
                    &i.to_string(),
                    i < min,
                    (*min != i64::MIN).then(|| min.to_string()),
                    (*max != i64::MAX).then(|| max.to_string()),
                ))
            }
            (Constraint::Real { min, max }, Atom::Real(f)) if f < min || f > max => {
                let text = |f: f64| Atom::Real(f).to_text();
                violation(range_text(
                    &text(*f),
                    f < min,
                    (*min != f64::MIN).then(|| text(*min)),
                    (*max != f64::MAX).then(|| text(*max)),
                ))
            }
            (Constraint::Length { min, max }, Atom::String(s)) => {
                let len = s.chars().count();
                if len < *min as usize {
                    violation(format!("\"{s}\" length {len} is less than minimum allowed length {min}"))
                } else if len > *max as usize {
                    violation(format!("\"{s}\" length {len} is greater than maximum allowed length {max}"))
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// Reads a base type of a schema.
    ///
    /// # Errors
    /// `syntax error`.
    pub fn from_json(json: &Value) -> Result<Self> {
        if !json.is_object() {
            return Ok(Self::plain(atomic_from_json(json)?));
        }
        let mut p = Parser::new(json, "ovsdb type")?;
        let ty = atomic_from_json(p.required("type")?)?;
        let constraint = parse_constraint(&mut p, ty)?;
        p.finish()?;
        Ok(Self { ty, constraint })
    }

    pub fn to_json(&self) -> Value {
        let ty = Value::from(self.ty.name());
        if self.constraint == Constraint::None {
            return ty;
        }
        let mut m = Map::new();
        m.insert("type".into(), ty);
        match &self.constraint {
            Constraint::None => {}
            Constraint::Enum(allowed) => {
                let ty = ColumnType { key: Self::plain(self.ty), value: None, min: 1, max: UNLIMITED };
                m.insert("enum".into(), allowed.to_json(&ty));
            }
            Constraint::Integer { min, max } => {
                if *min != i64::MIN {
                    m.insert("minInteger".into(), (*min).into());
                }
                if *max != i64::MAX {
                    m.insert("maxInteger".into(), (*max).into());
                }
            }
            Constraint::Real { min, max } => {
                if *min != f64::MIN {
                    m.insert("minReal".into(), (*min).into());
                }
                if *max != f64::MAX {
                    m.insert("maxReal".into(), (*max).into());
                }
            }
            Constraint::Length { min, max } => {
                if *min != 0 {
                    m.insert("minLength".into(), (*min).into());
                }
                if *max != UNLIMITED {
                    m.insert("maxLength".into(), (*max).into());
                }
            }
            Constraint::Ref(r) => {
                m.insert("refTable".into(), r.table.clone().into());
                if r.kind == RefKind::Weak {
                    m.insert("refType".into(), "weak".into());
                }
            }
        }
        Value::Object(m)
    }
}

fn range_text(value: &str, below: bool, min: Option<String>, max: Option<String>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("{value} is not in the valid range {min} to {max} (inclusive)"),
        (Some(min), _) if below => format!("{value} is less than minimum allowed value {min}"),
        (_, max) => format!("{value} is greater than maximum allowed value {}", max.unwrap_or_default()),
    }
}

fn atomic_from_json(json: &Value) -> Result<AtomicType> {
    let name = json.as_str().ok_or_else(|| Error::syntax(json, "atomic-type expected"))?;
    AtomicType::from_name(name)
        .ok_or_else(|| Error::syntax(json, format!("\"{name}\" is not an atomic-type")))
}

fn parse_constraint(p: &mut Parser<'_>, ty: AtomicType) -> Result<Constraint> {
    if let Some(allowed) = p.optional("enum") {
        let set = ColumnType { key: BaseType::plain(ty), value: None, min: 1, max: UNLIMITED };
        return Ok(Constraint::Enum(Datum::from_json(&set, allowed, None)?));
    }
    match ty {
        AtomicType::Integer => {
            let min = p.integer("minInteger")?.unwrap_or(i64::MIN);
            let max = p.integer("maxInteger")?.unwrap_or(i64::MAX);
            if min > max {
                return Err(Error::syntax(p.json(), "minInteger exceeds maxInteger"));
            }
            Ok(if (min, max) == (i64::MIN, i64::MAX) {
                Constraint::None
            } else {
                Constraint::Integer { min, max }
            })
        }
        AtomicType::Real => {
            let min = p.real("minReal")?.unwrap_or(f64::MIN);
            let max = p.real("maxReal")?.unwrap_or(f64::MAX);
            if min > max {
                return Err(Error::syntax(p.json(), "minReal exceeds maxReal"));
            }
            Ok(if (min, max) == (f64::MIN, f64::MAX) {
                Constraint::None
            } else {
                Constraint::Real { min, max }
            })
        }
        AtomicType::String => {
            let min = length(p, "minLength")?.unwrap_or(0);
            let max = length(p, "maxLength")?.unwrap_or(UNLIMITED);
            if min > max {
                return Err(Error::syntax(p.json(), "minLength exceeds maxLength"));
            }
            Ok(if (min, max) == (0, UNLIMITED) { Constraint::None } else { Constraint::Length { min, max } })
        }
        AtomicType::Uuid => parse_reference(p),
        AtomicType::Boolean => Ok(Constraint::None),
    }
}

fn parse_reference(p: &mut Parser<'_>) -> Result<Constraint> {
    let Some(table) = p.id("refTable")? else { return Ok(Constraint::None) };
    let kind = match p.string("refType")? {
        None | Some("strong") => RefKind::Strong,
        Some("weak") => RefKind::Weak,
        Some(other) => {
            let text = format!("refType must be \"strong\" or \"weak\" (not \"{other}\")");
            return Err(Error::syntax(p.json(), text));
        }
    };
    Ok(Constraint::Ref(Reference { table: table.to_owned(), kind }))
}

impl ColumnType {
    /// Exactly one `ty`.
    pub fn scalar(ty: AtomicType) -> Self {
        Self { key: BaseType::plain(ty), value: None, min: 1, max: 1 }
    }

    pub fn is_map(&self) -> bool {
        self.value.is_some()
    }

    /// Exactly one element, no map.
    pub fn is_scalar(&self) -> bool {
        self.min == 1 && self.max == 1 && self.value.is_none()
    }

    /// Zero or one element, no map.
    pub fn is_optional_scalar(&self) -> bool {
        self.min == 0 && self.max == 1 && self.value.is_none()
    }

    /// More than one element fits.
    pub fn is_composite(&self) -> bool {
        self.max > 1
    }

    pub(super) fn is_constrained(&self) -> bool {
        let free = |b: &BaseType| matches!(b.constraint, Constraint::None | Constraint::Ref(_));
        !(free(&self.key) && self.value.as_ref().is_none_or(free))
    }

    /// Reads the type of a column of a schema.
    ///
    /// # Errors
    /// `syntax error`.
    pub fn from_json(json: &Value) -> Result<Self> {
        if json.is_string() {
            return Ok(Self { key: BaseType::from_json(json)?, value: None, min: 1, max: 1 });
        }
        if !json.is_object() {
            return Err(Error::syntax(json, "ovsdb type expected"));
        }
        let mut p = Parser::new(json, "ovsdb type")?;
        let key = BaseType::from_json(p.required("key")?)?;
        let value = p.optional("value").map(BaseType::from_json).transpose()?;
        let min = count(&mut p, "min")?.unwrap_or(1);
        let max = count(&mut p, "max")?.unwrap_or(1);
        p.finish()?;
        if min > 1 || max < 1 || min > max {
            return Err(Error::syntax(json, "ovsdb type fails constraint checks"));
        }
        Ok(Self { key, value, min, max })
    }

    pub fn to_json(&self) -> Value {
        if self.is_scalar() && self.key.constraint == Constraint::None {
            return self.key.to_json();
        }
        let mut m = Map::new();
        m.insert("key".into(), self.key.to_json());
        if let Some(value) = &self.value {
            m.insert("value".into(), value.to_json());
        }
        if self.min != 1 {
            m.insert("min".into(), self.min.into());
        }
        if self.max == UNLIMITED {
            m.insert("max".into(), "unlimited".into());
        } else if self.max != 1 {
            m.insert("max".into(), self.max.into());
        }
        Value::Object(m)
    }
}

fn count(p: &mut Parser<'_>, name: &'static str) -> Result<Option<u32>> {
    match p.optional(name) {
        None => Ok(None),
        Some(Value::String(s)) if s == "unlimited" => Ok(Some(UNLIMITED)),
        Some(v) => v
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .map(Some)
            .ok_or_else(|| Error::syntax(p.json(), "bad min or max value")),
    }
}

fn length(p: &mut Parser<'_>, name: &'static str) -> Result<Option<u32>> {
    match p.integer(name)? {
        None => Ok(None),
        Some(i) => u32::try_from(i)
            .map(Some)
            .map_err(|_| Error::syntax(p.json(), format!("{name} out of valid range 0 to {UNLIMITED}"))),
    }
}

impl fmt::Display for ColumnType {
    /// The English that error messages use, e.g. `set of up to 2 strings`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.ty.name();
        if self.is_scalar() {
            return f.write_str(key);
        }
        f.write_str(if self.is_map() { "map" } else { "set" })?;
        match (self.min, self.max) {
            (0, UNLIMITED) => f.write_str(" of ")?,
            (min, UNLIMITED) => write!(f, " of {min} or more ")?,
            (0, max) => write!(f, " of up to {max} ")?,
            (min, max) => write!(f, " of {min} to {max} ")?,
        }
        match &self.value {
            Some(value) => write!(f, "({key}, {}) pairs", value.ty.name()),
            None => write!(f, "{key}s"),
        }
    }
}
