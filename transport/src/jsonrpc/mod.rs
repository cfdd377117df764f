//! JSON-RPC 1.0 as OVSDB and unixctl speak it: JSON objects concatenated on a stream without
//! length or separator. Here: the message type. Framing is in [`Codec`].
//!
//! ```text
//! request       {"id": non-null, "method": "m", "params": [...]}
//! notification  {"id": null,     "method": "m", "params": [...]}
//! reply         {"id": non-null, "result": value, "error": null}
//! error         {"id": any,      "result": null,  "error": value}
//! ```

mod codec;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

pub use codec::{Codec, DEPTH_MAX, FrameError, MESSAGE_SIZE_MAX, parse_value};

/// One JSON-RPC message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Wants a [`Message::Reply`] or [`Message::Error`] with the same id.
    Request { method: String, params: Vec<Value>, id: Value },
    /// Wants no answer.
    Notification { method: String, params: Vec<Value> },
    /// Success.
    Reply { result: Value, id: Value },
    /// Failure.
    Error { error: Value, id: Value },
}

/// A JSON value that is not a JSON-RPC message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MessageError(pub String);

impl Message {
    /// A request with a number as its id.
    pub fn request(method: &str, params: Vec<Value>, id: u64) -> Self {
        Self::Request { method: method.to_owned(), params, id: id.into() }
    }

    /// A notification.
    pub fn notification(method: &str, params: Vec<Value>) -> Self {
        Self::Notification { method: method.to_owned(), params }
    }

    /// Checks a parsed JSON value. OVS requires exactly these members, null where unused.
    pub fn from_value(value: Value) -> Result<Self, MessageError> {
        let bad = |text: &str| Err(MessageError(text.to_owned()));
        let Value::Object(mut object) = value else {
            return bad("message is not a JSON object");
        };
        let mut take = |name: &str| object.remove(name).filter(|v| !v.is_null());
        let (method, params) = (take("method"), take("params"));
        let (result, error, id) = (take("result"), take("error"), take("id"));
        if let Some((name, _)) = object.iter().find(|(_, v)| !v.is_null()) {
            return bad(&format!("message has unexpected member \"{name}\""));
        }
        match (method, params, result, error, id) {
            (Some(Value::String(method)), Some(Value::Array(params)), None, None, id) => Ok(match id {
                Some(id) => Self::Request { method, params, id },
                None => Self::Notification { method, params },
            }),
            (Some(_), _, None, None, _) => {
                bad("request must have a string \"method\" and an array \"params\"")
            }
            (None, None, result, None, Some(id)) => {
                Ok(Self::Reply { result: result.unwrap_or(Value::Null), id })
            }
            (None, None, None, Some(error), id) => Ok(Self::Error { error, id: id.unwrap_or(Value::Null) }),
            _ => bad("message has an invalid combination of members"),
        }
    }

    /// The JSON object to send.
    pub fn into_value(self) -> Value {
        match self {
            Self::Request { method, params, id } => {
                json!({"id": id, "method": method, "params": params})
            }
            Self::Notification { method, params } => {
                json!({"id": null, "method": method, "params": params})
            }
            Self::Reply { result, id } => object3(id, result, Value::Null),
            Self::Error { error, id } => object3(id, Value::Null, error),
        }
    }
}

fn object3(id: Value, result: Value, error: Value) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), id);
    object.insert("result".to_owned(), result);
    object.insert("error".to_owned(), error);
    Value::Object(object)
}
