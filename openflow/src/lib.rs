//! OpenFlow 1.0-1.5 with the Nicira, ONF and OVS extensions: version-independent messages and actions, their
//! codec, the text language of ovs-ofctl, and the connection state machine.
//!
//! Plane: control. Nothing here runs per packet. Imports `flow` (fields and matches) and `transport` (streams).
//! Bytes and text from peers never panic and are bounded: see `codec` for the limits.

pub mod action;
pub mod codec;
pub mod connection;
pub mod error;
pub mod matching;
pub mod msg;
pub mod print;
pub mod raw;
pub mod text;
pub mod types;
pub mod wire;

pub use action::Action;
pub use error::OfpError;
pub use msg::Message;
pub use types::{Cookie, GroupId, MeterId, OfPort, QueueId, TableId, Version, VersionSet, Xid};

#[cfg(test)]
mod tests;
