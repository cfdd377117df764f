//! What a bridge tells its controllers without being asked. The controller side implements [`EventSink`]; calls come
//! from workers and control threads, so they must only queue.

use flow::Match;
use openflow::msg::{Continuation, FlowRemoved, FlowRemovedReason, PacketInReason, PortStatus, TableDesc};
use openflow::{Cookie, TableId, Xid};

use std::sync::Arc;

use super::rule::Rule;

/// A packet for controllers.
#[derive(Clone, PartialEq, Debug)]
pub struct PacketInEvent {
    /// The whole packet.
    pub packet: Vec<u8>,
    /// Bytes to send at most (`u16::MAX` = all).
    pub max_len: u16,
    /// Which controller: 0 = those that did not choose an id.
    pub controller_id: u16,
    pub reason: PacketInReason,
    pub table: TableId,
    pub cookie: Cookie,
    /// in_port, tunnel, metadata and registers.
    pub metadata: Match,
    pub userdata: Vec<u8>,
    /// The sender asked for a continuation: what NXT_RESUME brings back.
    pub continuation: Option<Continuation>,
}

impl PacketInEvent {
    /// The packet is here because no flow matched it.
    pub fn is_miss(&self) -> bool {
        matches!(
            self.reason,
            PacketInReason::NoMatch | PacketInReason::ImplicitMiss | PacketInReason::ExplicitMiss
        )
    }
}

/// Which request of which connection made a change; connections number themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    pub conn: u64,
    pub xid: Xid,
}

/// A change of a flow, for flow monitors.
#[derive(Clone)]
pub enum FlowEvent {
    Added(Arc<Rule>),
    Modified { old: Arc<Rule>, new: Arc<Rule> },
    Removed(Arc<Rule>, FlowRemovedReason),
}

/// The controllers of one bridge.
pub trait EventSink: Send + Sync {
    fn packet_in(&self, event: PacketInEvent);
    fn flow_removed(&self, removed: FlowRemoved);
    fn port_status(&self, status: PortStatus);
    /// A table became full or empty enough: reason 3 or 4.
    fn table_status(&self, reason: u8, desc: TableDesc) {
        let _ = (reason, desc);
    }
    /// What one change did, in order. `None`: nobody's request did it. Changes are told one after the other: keep it
    /// short.
    fn flow_events(&self, events: &[FlowEvent], origin: Option<Origin>) {
        let _ = (events, origin);
    }
}

/// Tells nobody.
pub struct NoEvents;

impl EventSink for NoEvents {
    fn packet_in(&self, _: PacketInEvent) {}
    fn flow_removed(&self, _: FlowRemoved) {}
    fn port_status(&self, _: PortStatus) {}
}
