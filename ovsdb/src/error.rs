//! The error object of OVSDB: a tag that clients match on, prose, and the JSON that caused it.
//!
//! It is one struct, not an enum per operation, because it is a protocol value: the tags and texts
//! are the interface (RFC 7047 section 3.1), and they travel unchanged to the peer.

use std::fmt;

use serde_json::{Map, Value};

use crate::json;

/// Result of everything below the server.
pub type Result<T> = std::result::Result<T, Error>;

/// Tags that are produced in more than one place.
pub mod tag {
    pub const SYNTAX: &str = "syntax error";
    pub const OVSDB: &str = "ovsdb error";
    pub const CONSTRAINT: &str = "constraint violation";
    pub const REFERENTIAL: &str = "referential integrity violation";
    pub const UNKNOWN_COLUMN: &str = "unknown column";
    pub const UNKNOWN_TABLE: &str = "unknown table";
    pub const UNKNOWN_DATABASE: &str = "unknown database";
    pub const IO: &str = "I/O error";
    pub const PERMISSION: &str = "permission error";
    pub const NOT_ALLOWED: &str = "not allowed";
    pub const INTERNAL: &str = "internal error";
}

/// Stands for "end of file" where an error number is expected, as in OVS.
const EOF: i32 = -1;

/// An OVSDB error. Boxed, so that `Result` stays small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    tag: String,
    details: Option<String>,
    syntax: Option<String>,
    errno: Option<i32>,
}

impl Error {
    /// An error with `tag` and `details`.
    pub fn new(tag: impl Into<String>, details: impl Into<String>) -> Self {
        Self(Box::new(Inner { tag: tag.into(), details: Some(details.into()), syntax: None, errno: None }))
    }

    /// An error that is only a tag.
    pub fn bare(tag: impl Into<String>) -> Self {
        Self(Box::new(Inner { tag: tag.into(), details: None, syntax: None, errno: None }))
    }

    /// A `syntax error` about `json`.
    pub fn syntax(json: &Value, details: impl Into<String>) -> Self {
        Self::new(tag::SYNTAX, details).about(json)
    }

    /// An `I/O error`; the operating system's reason is kept.
    pub fn io(details: impl Into<String>, cause: &std::io::Error) -> Self {
        let mut e = Self::new(tag::IO, details);
        e.0.errno = Some(cause.raw_os_error().unwrap_or(0));
        e
    }

    /// An `I/O error` because the file ends too early.
    pub fn eof(details: impl Into<String>) -> Self {
        let mut e = Self::new(tag::IO, details);
        e.0.errno = Some(EOF);
        e
    }

    /// Adds the JSON that the error is about.
    pub fn about(mut self, json: &Value) -> Self {
        self.0.syntax = Some(json::to_string(json));
        self
    }

    /// Replaces the details.
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.0.details = Some(details.into());
        self
    }

    /// What clients match on.
    pub fn tag(&self) -> &str {
        &self.0.tag
    }

    /// What people read.
    pub fn details(&self) -> Option<&str> {
        self.0.details.as_deref()
    }

    /// The form sent to a peer.
    pub fn to_json(&self) -> Value {
        let mut m = Map::new();
        m.insert("error".into(), Value::String(self.0.tag.clone()));
        if let Some(d) = &self.0.details {
            m.insert("details".into(), Value::String(d.clone()));
        }
        if let Some(s) = &self.0.syntax {
            m.insert("syntax".into(), Value::String(s.clone()));
        }
        if let Some(e) = self.0.errno {
            m.insert("io_error".into(), Value::String(strerror(e)));
        }
        Value::Object(m)
    }

    /// Reads the form that a peer sent (anything that is no error object becomes its own text).
    pub fn from_json(json: &Value) -> Self {
        let member = |n: &str| json.get(n).and_then(Value::as_str).map(str::to_owned);
        match member("error") {
            Some(tag) => Self(Box::new(Inner {
                tag,
                details: member("details"),
                syntax: member("syntax"),
                errno: None,
            })),
            None => Self::bare(json.as_str().map_or_else(|| json::to_string(json), str::to_owned)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(s) = &self.0.syntax {
            write!(f, "syntax \"{s}\": ")?;
        }
        f.write_str(&self.0.tag)?;
        if let Some(d) = &self.0.details {
            write!(f, ": {d}")?;
        }
        match self.0.errno {
            Some(e) => write!(f, " ({})", strerror(e)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// The system's words for an error number, without Rust's " (os error N)".
pub fn strerror(errno: i32) -> String {
    if errno == EOF {
        return "End of file".to_owned();
    }
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}
