//! Conditions: `[COLUMN, FUNCTION, VALUE]` or a boolean.

use serde_json::Value;

use crate::db::Row;
use crate::error::{Error, Result, tag};
use crate::schema::{COL_UUID, Table};
use crate::value::{AtomicType, Datum, SymbolTable, UNLIMITED, Uuid};

/// How a clause compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Includes,
    Excludes,
}

const FUNCTIONS: [(&str, Function); 8] = [
    ("==", Function::Eq),
    ("!=", Function::Ne),
    ("<", Function::Lt),
    ("<=", Function::Le),
    (">", Function::Gt),
    (">=", Function::Ge),
    ("includes", Function::Includes),
    ("excludes", Function::Excludes),
];

impl Function {
    fn from_json_name(name: &str) -> Result<Self> {
        FUNCTIONS
            .iter()
            .find(|(n, _)| *n == name)
            .map(|&(_, f)| f)
            .ok_or_else(|| Error::new("unknown function", format!("No function named {name}.")))
    }

    fn is_ordering(self) -> bool {
        matches!(self, Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }
}

/// One clause.
#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    Const(bool),
    Compare { column: usize, function: Function, arg: Datum },
}

impl Clause {
    fn from_json(table: &Table, json: &Value, symbols: Option<&mut SymbolTable>) -> Result<Self> {
        if let Value::Bool(b) = json {
            return Ok(Self::Const(*b));
        }
        let Some([Value::String(name), Value::String(function), arg]) = json.as_array().map(Vec::as_slice)
        else {
            return Err(Error::syntax(json, "Parse error in condition."));
        };
        let (column, schema) = table.lookup(name).ok_or_else(|| {
            let text = format!("No column {name} in table {}.", table.name);
            Error::new(tag::UNKNOWN_COLUMN, text).about(json)
        })?;
        let f = Function::from_json_name(function)?;
        let mut ty = schema.ty.clone();
        match f {
            _ if f.is_ordering() => {
                let number = matches!(ty.key.ty, AtomicType::Integer | AtomicType::Real);
                if !number || !(ty.is_scalar() || ty.is_optional_scalar()) {
                    let text = format!(
                        "Type mismatch: \"{function}\" operator may not be applied to column {name} of type {ty}."
                    );
                    return Err(Error::syntax(json, text));
                }
                ty.min = 1;
            }
            Function::Includes if !ty.is_scalar() => ty.min = 0,
            Function::Excludes if !ty.is_scalar() => (ty.min, ty.max) = (0, UNLIMITED),
            _ => {}
        }
        Ok(Self::Compare { column, function: f, arg: Datum::from_json(&ty, arg, symbols)? })
    }

    pub fn matches(&self, row: &Row) -> bool {
        let (column, function, arg) = match self {
            Self::Const(b) => return *b,
            Self::Compare { column, function, arg } => (*column, *function, arg),
        };
        let value = row.column(column);
        match function {
            Function::Eq => value == arg,
            Function::Ne => value != arg,
            Function::Includes => value.includes(arg),
            Function::Excludes => value.excludes(arg),
            _ => match (value.scalar(), arg.scalar()) {
                (Some(v), Some(a)) => match function {
                    Function::Lt => v < a,
                    Function::Le => v <= a,
                    Function::Gt => v > a,
                    _ => v >= a,
                },
                _ => false,
            },
        }
    }
}

/// Clauses that are joined by "and" (in operations) or by "or" (in monitors).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    pub clauses: Vec<Clause>,
}

impl Condition {
    /// Reads an array of clauses about `table`.
    ///
    /// # Errors
    /// `syntax error`, `unknown column`, `unknown function`, `constraint violation`.
    pub fn from_json(table: &Table, json: &[Value], mut symbols: Option<&mut SymbolTable>) -> Result<Self> {
        let mut clauses = Vec::with_capacity(json.len());
        for c in json {
            clauses.push(Clause::from_json(table, c, symbols.as_deref_mut())?);
        }
        Ok(Self { clauses })
    }

    /// Every clause holds.
    pub fn all(&self, row: &Row) -> bool {
        self.clauses.iter().all(|c| c.matches(row))
    }

    /// Some clause holds, or there is none.
    pub fn any(&self, row: &Row) -> bool {
        self.clauses.is_empty() || self.clauses.iter().any(|c| c.matches(row))
    }

    /// The one row that can satisfy all clauses, if a clause says so.
    pub fn only_uuid(&self) -> Option<Uuid> {
        self.clauses.iter().find_map(|c| match c {
            Clause::Compare { column: COL_UUID, function: Function::Eq, arg } => arg.as_uuid(),
            _ => None,
        })
    }

    /// The value that all clauses together demand of `column`, if a clause says so.
    pub fn demanded(&self, column: usize) -> Option<&Datum> {
        self.clauses.iter().find_map(|c| match c {
            Clause::Compare { column: at, function: Function::Eq, arg } if *at == column => Some(arg),
            _ => None,
        })
    }
}
