//! Takes the members of a JSON object one by one and complains in OVS's words.

use std::cell::Cell;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::json::{self, Num};

/// Most members that any one object of OVSDB may have.
const MEMBERS_MAX: usize = 16;

/// The members of one object; each is to be asked for once.
pub struct Parser<'a> {
    json: &'a Value,
    members: &'a Map<String, Value>,
    what: String,
    used: [&'static str; MEMBERS_MAX],
    n_used: usize,
    failed: Cell<bool>,
}

impl<'a> Parser<'a> {
    /// Starts on `json`; `what` names it in errors.
    ///
    /// # Errors
    /// `json` is no object.
    pub fn new(json: &'a Value, what: impl Into<String>) -> Result<Self> {
        let what = what.into();
        match json {
            Value::Object(members) => {
                Ok(Self { json, members, what, used: [""; MEMBERS_MAX], n_used: 0, failed: Cell::new(false) })
            }
            _ => {
                Err(Error::new(crate::error::tag::SYNTAX, format!("Parsing {what} failed: Object expected.")))
            }
        }
    }

    /// The object itself.
    pub fn json(&self) -> &'a Value {
        self.json
    }

    /// An error about this object.
    pub fn fail(&self, text: impl AsRef<str>) -> Error {
        self.failed.set(true);
        Error::syntax(self.json, format!("Parsing {} failed: {}", self.what, text.as_ref()))
    }

    pub fn mismatch(&self, name: &str) -> Error {
        self.fail(format!("Type mismatch for member '{name}'."))
    }

    pub fn missing(&self, name: &str) -> Error {
        self.fail(format!("Required '{name}' member is missing."))
    }

    /// The member of that name, if there is one.
    pub fn optional(&mut self, name: &'static str) -> Option<&'a Value> {
        let v = self.members.get(name)?;
        if self.n_used < MEMBERS_MAX {
            self.used[self.n_used] = name;
            self.n_used += 1;
        }
        Some(v)
    }

    pub fn required(&mut self, name: &'static str) -> Result<&'a Value> {
        self.optional(name).ok_or_else(|| self.missing(name))
    }

    fn typed<T>(&mut self, name: &'static str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        match self.optional(name) {
            None => Ok(None),
            Some(v) => read(v).map(Some).ok_or_else(|| self.mismatch(name)),
        }
    }

    pub fn string(&mut self, name: &'static str) -> Result<Option<&'a str>> {
        self.typed(name, Value::as_str)
    }

    /// A string that is an `<id>`.
    pub fn id(&mut self, name: &'static str) -> Result<Option<&'a str>> {
        self.typed(name, |v| v.as_str().filter(|s| json::is_id(s)))
    }

    pub fn boolean(&mut self, name: &'static str) -> Result<Option<bool>> {
        self.typed(name, Value::as_bool)
    }

    pub fn integer(&mut self, name: &'static str) -> Result<Option<i64>> {
        self.typed(name, |v| match v {
            Value::Number(n) => match json::number(n) {
                Num::Integer(i) => Some(i),
                Num::Real(_) => None,
            },
            _ => None,
        })
    }

    pub fn real(&mut self, name: &'static str) -> Result<Option<f64>> {
        self.typed(name, Value::as_f64)
    }

    pub fn array(&mut self, name: &'static str) -> Result<Option<&'a Vec<Value>>> {
        self.typed(name, Value::as_array)
    }

    pub fn object(&mut self, name: &'static str) -> Result<Option<&'a Map<String, Value>>> {
        self.typed(name, Value::as_object)
    }

    /// Checks that every member was asked for (unless there was an error before).
    ///
    /// # Errors
    /// Some member was not.
    pub fn finish(self) -> Result<()> {
        if self.n_used == self.members.len() || self.failed.get() {
            return Ok(());
        }
        let used = &self.used[..self.n_used];
        let extra: Vec<_> = self.members.keys().filter(|k| !used.contains(&k.as_str())).collect();
        let text = match extra.as_slice() {
            [] => return Ok(()),
            [one] => format!("Member '{one}' is present but not allowed here."),
            [one, others @ ..] => format!(
                "Member '{one}' and {} other member{} are present but not allowed here.",
                others.len(),
                if others.len() > 1 { "s" } else { "" }
            ),
        };
        Err(self.fail(text))
    }
}
