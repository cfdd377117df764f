//! OpenFlow connections of one bridge: controllers, listeners, the management and snoop sockets.
//!
//! ```text
//!  remote (active) --+                         +-- session (version, role, async config; no I/O)
//!  listener ---------+--> connection (one task) +-- Pipeline: everything about the switch itself
//!                              ^
//!  Manager::packet_in ... -----+ bounded queue per connection, counted when full
//! ```
//!
//! Control plane. Peers are not trusted: each has bounded buffers and its own task, so one that floods, never reads, or
//! sends half a message disturbs nobody. Workers may call `Manager::packet_in`; it never blocks.

mod async_msg;
mod connection;
mod failopen;
mod limiter;
mod listener;
mod manager;
mod peer;
mod remote;
mod roles;
pub mod service;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use async_msg::AsyncKind;
pub use failopen::{FailOpen, FailOpenChange};
pub use limiter::{Limit, LimiterStats};
pub use manager::{ControllerStatus, Manager};
pub use roles::Roles;

use openflow::msg::{FlowUpdate, SwitchConfig};
use openflow::{Message, OfpError, Version, Xid};

use crate::ofproto::{FlowEvent, Origin};

/// One connection, for as long as the daemon runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u64);

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Requester {
    pub conn: ConnId,
    pub version: Version,
    pub xid: Xid,
    /// Bytes of the request.
    pub size: usize,
}

impl Requester {
    /// As the changes that come of the request name it.
    pub fn origin(self) -> Origin {
        Origin { conn: self.conn.0, xid: self.xid }
    }
}

/// What a request gets back: replies in order, then maybe an error.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answer {
    /// With the request's xid, unless another is named.
    pub replies: Vec<(Option<Xid>, Message)>,
    pub error: Option<OfpError>,
}

impl From<Result<Vec<Message>, OfpError>> for Answer {
    fn from(result: Result<Vec<Message>, OfpError>) -> Self {
        match result {
            Ok(replies) => Answer { replies: replies.into_iter().map(|m| (None, m)).collect(), error: None },
            Err(error) => Answer { replies: Vec::new(), error: Some(error) },
        }
    }
}

impl From<OfpError> for Answer {
    fn from(error: OfpError) -> Self {
        Err(error).into()
    }
}

impl From<Message> for Answer {
    fn from(message: Message) -> Self {
        Ok(vec![message]).into()
    }
}

/// What a bridge answers: every request that is about the switch and not about the connection.
pub trait Pipeline: Send + Sync + 'static {
    /// Does what `message` asks and returns the replies in order. Called on a thread that may block.
    fn request(&self, from: Requester, message: Message) -> Answer;
    /// Makes flow mods visible: they may wait until the next other request, or until a burst of them has ended.
    fn settle(&self);
    /// The connection is gone: forget its bundles and monitors.
    fn closed(&self, conn: ConnId);
    /// Fragment handling and the like; `miss_send_len` is the connection's and ignored here.
    fn config(&self) -> SwitchConfig;
    fn set_config(&self, config: SwitchConfig) -> Result<(), OfpError>;
    /// Whether packets that no flow matches are to become packet-ins.
    fn set_packet_in_on_miss(&self, wanted: bool);
    /// What flow monitors are to be told of changes.
    fn flow_updates(&self, events: &[FlowEvent], origin: Option<Origin>) -> Vec<(ConnId, Vec<FlowUpdate>)>;
    /// The connection's monitors stop: it does not read. True when they were running.
    fn pause_monitors(&self, conn: ConnId) -> bool;
    /// What the connection's monitors missed, if they were stopped; they go on.
    fn resume_monitors(&self, conn: ConnId) -> Option<Vec<FlowUpdate>>;
}
