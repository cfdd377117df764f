//! What a bridge tells its controllers without being asked. The controller side implements [`EventSink`]; calls come
//! from workers and control threads, so they must only queue.

use flow::Flow;
use flow::Match;
use openflow::action::Action;
use openflow::msg::{FlowRemoved, FlowRemovedReason, PacketInReason, PortStatus};
use openflow::{Cookie, TableId};

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

/// State of a paused translation.
#[derive(Clone, PartialEq, Debug)]
pub struct Continuation {
    pub bridge: String,
    pub table: TableId,
    pub flow: Box<Flow>,
    pub stack: Vec<(u128, u32)>,
    pub actions: Vec<Action>,
    pub action_set: Vec<Action>,
}

/// A change of a flow, for flow monitors.
#[derive(Clone)]
pub enum FlowEvent {
    Added(Arc<Rule>),
    Modified(Arc<Rule>),
    Removed(Arc<Rule>, FlowRemovedReason),
}

/// The controllers of one bridge.
pub trait EventSink: Send + Sync {
    fn packet_in(&self, event: PacketInEvent);
    fn flow_removed(&self, removed: FlowRemoved);
    fn port_status(&self, status: PortStatus);
    /// Before this returns nothing more happens to the bridge: keep it short.
    fn flow_event(&self, event: &FlowEvent) {
        let _ = event;
    }
}

/// Tells nobody.
pub struct NoEvents;

impl EventSink for NoEvents {
    fn packet_in(&self, _: PacketInEvent) {}
    fn flow_removed(&self, _: FlowRemoved) {}
    fn port_status(&self, _: PortStatus) {}
}
