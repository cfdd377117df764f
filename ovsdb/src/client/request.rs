//! A transaction ready to be sent, and what became of it.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::error::Error;
use crate::value::{Uuid, parse_uuid};

/// The operations of a transaction, made by [`super::Transaction::finish`].
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// RFC 7047 operations, without the database's name. Empty: nothing to do.
    pub ops: Vec<Value>,
    /// Which operation inserts the row that the transaction called `Uuid`.
    pub(super) inserts: Vec<(usize, Uuid)>,
    /// Which operation selects the incremented counter, and its column.
    pub(super) counter: Option<(usize, String)>,
}

/// What a successful transaction tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The uuid the server gave to each row that the transaction knew by a provisional one.
    pub inserted: HashMap<Uuid, Uuid>,
    /// The counter after [`super::Transaction::increment`].
    pub counter: Option<i64>,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitStatus {
    /// There was nothing to do; nothing was sent.
    Unchanged,
    /// Done.
    Success(Outcome),
    /// The database changed under it, or the connection broke: build it anew from the new rows.
    TryAgain,
    /// The lock of [`super::Client::with_lock`] is not ours.
    NotLocked,
    /// Refused. The text is the error object as the server sent it.
    Error(String),
}

impl Request {
    /// Reads the server's reply.
    pub(super) fn outcome(&self, reply: &Value) -> CommitStatus {
        let Some(results) = reply.as_array() else {
            return CommitStatus::Error("reply to \"transact\" is not an array".to_owned());
        };
        let (mut soft, mut unlocked, mut hard) = (false, false, None);
        for result in results.iter().filter(|result| result.get("error").is_some()) {
            match Error::from_json(result).tag() {
                "timed out" | "canceled" => soft = true,
                "not owner" => unlocked = true,
                "aborted" => {}
                _ => hard = hard.or_else(|| Some(crate::json::to_string(result))),
            }
        }
        match (hard, unlocked, soft) {
            (Some(text), _, _) => CommitStatus::Error(text),
            (None, true, _) => CommitStatus::NotLocked,
            (None, false, true) => CommitStatus::TryAgain,
            _ if results.len() < self.ops.len() => {
                CommitStatus::Error("reply to \"transact\" is too short".to_owned())
            }
            _ => CommitStatus::Success(self.collect(results)),
        }
    }

    fn collect(&self, results: &[Value]) -> Outcome {
        let uuid = |value: &Value| parse_uuid(value.get("uuid")?.get(1)?.as_str()?);
        let inserted = self
            .inserts
            .iter()
            .filter_map(|(op, provisional)| Some((*provisional, uuid(results.get(*op)?)?)))
            .collect();
        let counter = self
            .counter
            .as_ref()
            .and_then(|(op, column)| results.get(*op)?.get("rows")?.get(0)?.get(column)?.as_i64());
        Outcome { inserted, counter }
    }

    /// The parameters of `transact`, with the lock asserted if there is one.
    pub(super) fn params(&self, db: &str, lock: Option<&str>) -> Vec<Value> {
        let mut params = vec![Value::from(db)];
        params.extend(self.ops.iter().cloned());
        // Last, so that the results keep their places.
        params.extend(lock.map(|lock| json!({"op": "assert", "lock": lock})));
        params
    }
}
