//! Mutations: `[COLUMN, MUTATOR, VALUE]`.

use serde_json::Value;

use crate::error::{Error, Result, tag};
use crate::schema::Table;
use crate::value::{Atom, AtomicType, ColumnType, Constraint, Datum, SymbolTable, UNLIMITED};

/// What a mutation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutator {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Insert,
    Delete,
}

const MUTATORS: [(&str, Mutator); 7] = [
    ("+=", Mutator::Add),
    ("-=", Mutator::Sub),
    ("*=", Mutator::Mul),
    ("/=", Mutator::Div),
    ("%=", Mutator::Mod),
    ("insert", Mutator::Insert),
    ("delete", Mutator::Delete),
];

impl Mutator {
    fn name(self) -> &'static str {
        MUTATORS.iter().find(|(_, m)| *m == self).map_or("", |(n, _)| n)
    }
}

/// One mutation, checked against its column.
#[derive(Clone, Debug)]
pub struct Mutation {
    pub column: usize,
    pub mutator: Mutator,
    pub arg: Datum,
}

/// Reads an array of mutations of rows of `table`.
///
/// # Errors
/// `syntax error`, `unknown column`, `unknown mutator`, `constraint violation`.
pub fn parse_mutations(table: &Table, json: &[Value], symbols: &mut SymbolTable) -> Result<Vec<Mutation>> {
    json.iter().map(|m| Mutation::from_json(table, m, symbols)).collect()
}

impl Mutation {
    fn from_json(table: &Table, json: &Value, symbols: &mut SymbolTable) -> Result<Self> {
        let Some([Value::String(name), Value::String(mutator), arg]) = json.as_array().map(Vec::as_slice)
        else {
            return Err(Error::syntax(json, "Parse error in mutation."));
        };
        let (column, schema) = table.lookup(name).ok_or_else(|| {
            let text = format!("No column {name} in table {}.", table.name);
            Error::new(tag::UNKNOWN_COLUMN, text).about(json)
        })?;
        if !schema.mutable {
            let text = format!("Cannot mutate immutable column {name} in table {}.", table.name);
            return Err(Error::new(tag::CONSTRAINT, text).about(json));
        }
        let m = MUTATORS
            .iter()
            .find(|(n, _)| n == mutator)
            .map(|&(_, m)| m)
            .ok_or_else(|| Error::new("unknown mutator", format!("No mutator named {mutator}.")))?;
        let ty = &schema.ty;
        if !applies(m, ty) {
            let text = format!(
                "Type mismatch: \"{mutator}\" operator may not be applied to column {name} of type {ty}."
            );
            return Err(Error::syntax(json, text));
        }
        Ok(Self { column, mutator: m, arg: parse_arg(m, ty, arg, symbols)? })
    }

    /// The value after the mutation.
    ///
    /// # Errors
    /// `constraint violation`, `domain error`, `range error`.
    pub fn apply(&self, value: &Datum, ty: &ColumnType) -> Result<Datum> {
        let new = match self.mutator {
            Mutator::Insert => value.union(&self.arg),
            Mutator::Delete => value.without(&self.arg),
            _ => return self.calculate(value, ty),
        };
        if !new.fits(ty) {
            let text = format!("Attempted to store {} elements in {ty}.", new.len());
            return Err(Error::new(tag::CONSTRAINT, text));
        }
        Ok(new)
    }

    fn calculate(&self, value: &Datum, ty: &ColumnType) -> Result<Datum> {
        let Some(arg) = self.arg.scalar() else { return Ok(value.clone()) };
        let mut atoms = Vec::with_capacity(value.len());
        for a in value.atoms() {
            let new = match (a, arg) {
                (Atom::Integer(a), Atom::Integer(b)) => Atom::Integer(integer(self.mutator, *a, *b)?),
                (Atom::Real(a), Atom::Real(b)) => Atom::Real(real(self.mutator, *a, *b)?),
                _ => a.clone(),
            };
            ty.key.check(&new)?;
            atoms.push(new);
        }
        let len = atoms.len();
        let new = Datum::set(atoms);
        if new.len() < len {
            let text = format!("Result of \"{}\" operation contains duplicates.", self.mutator.name());
            return Err(Error::new(tag::CONSTRAINT, text));
        }
        Ok(new)
    }
}

fn applies(m: Mutator, ty: &ColumnType) -> bool {
    match m {
        Mutator::Insert | Mutator::Delete => ty.is_map() || !ty.is_scalar(),
        _ if ty.is_map() => false,
        Mutator::Mod => ty.key.ty == AtomicType::Integer,
        _ => matches!(ty.key.ty, AtomicType::Integer | AtomicType::Real),
    }
}

fn parse_arg(m: Mutator, ty: &ColumnType, json: &Value, symbols: &mut SymbolTable) -> Result<Datum> {
    let mut ty = ty.clone();
    match m {
        Mutator::Insert => ty.min = 0,
        Mutator::Delete => (ty.min, ty.max) = (0, UNLIMITED),
        _ => {
            ty.key.constraint = Constraint::None;
            (ty.min, ty.max) = (1, 1);
        }
    }
    let arg = Datum::from_json(&ty, json, Some(symbols));
    if arg.is_err() && m == Mutator::Delete && ty.is_map() {
        ty.value = None;
        return Datum::from_json(&ty, json, Some(symbols));
    }
    arg
}

fn by_zero() -> Error {
    Error::new("domain error", "Division by zero.")
}

fn out_of_range(m: Mutator) -> Error {
    Error::new("range error", format!("Result of \"{}\" operation is out of range.", m.name()))
}

fn integer(m: Mutator, a: i64, b: i64) -> Result<i64> {
    if b == 0 && matches!(m, Mutator::Div | Mutator::Mod) {
        return Err(by_zero());
    }
    let result = match m {
        Mutator::Add => a.checked_add(b),
        Mutator::Sub => a.checked_sub(b),
        Mutator::Mul => a.checked_mul(b),
        Mutator::Div => a.checked_div(b),
        _ => Some(a.wrapping_rem(b)),
    };
    result.ok_or_else(|| out_of_range(m))
}

fn real(m: Mutator, a: f64, b: f64) -> Result<f64> {
    let result = match m {
        Mutator::Add => a + b,
        Mutator::Sub => a - b,
        Mutator::Mul => a * b,
        _ if b == 0.0 => return Err(by_zero()),
        _ => a / b,
    };
    if result.is_finite() { Ok(result) } else { Err(out_of_range(m)) }
}
