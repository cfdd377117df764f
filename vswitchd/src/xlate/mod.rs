//! Translation: (snapshot, flow, maybe a packet) -> datapath actions, the mask of bits that mattered, and effects. Pure:
//! nothing outside changes but shared recirculation ids; effects are described and applied by the caller, so that
//! `ofproto/trace` is the same code. Slow path; runs on workers and on revalidators.
//!
//! ```text
//!  translate -> start -> table lookup -> actions (one file per family) -> commit header changes -> datapath actions
//!                ^            |   ^            |
//!                |            +---+ resubmit   +-> patch port: the same in the peer's bridge
//!                +-- frozen state (recirculation, continuation)
//! ```

mod action_set;
mod actions;
mod bond;
mod bundle;
mod check_pkt_larger;
mod clone;
mod commit;
mod controller;
mod ct;
mod ctx;
pub mod effect;
mod field;
mod finish;
mod freeze;
mod group;
mod header;
mod learn;
mod mcast;
mod meter;
mod mirror;
mod mpls;
mod multipath;
mod normal;
mod output;
mod patch;
mod sample;
pub mod slow;
mod special;
mod start;
mod table;
#[cfg(test)]
mod tests;
pub mod trace;
mod vlan;

use std::sync::Arc;

use dpif::Actions;
use flow::{Flow, Mask};
use openflow::action::Action;

pub use effect::Effect;
pub use special::Received;
pub use start::{clear_pipeline, restore_metadata};
pub use trace::{Trace, TraceKind};

use crate::ofproto::World;
use crate::ofproto::changes::Lookup;
use crate::ofproto::snapshot::{BridgeView, Snapshot};
use crate::recirc::{Frozen, Recirc, RecircTable};

/// Nested lookups that do not ascend through the tables.
pub const DEPTH_MAX: u32 = 64;
/// Lookups of one translation.
pub const RESUBMITS_MAX: u32 = 4096;
/// Lists inside lists, of any kind: bounds the native stack.
pub const NESTING_MAX: u32 = 600;
/// Datapath actions of one translation.
pub const ACTIONS_MAX: usize = 16_384;
/// Values on the stack of push and pop.
pub const STACK_MAX: usize = 4096;

/// What to translate.
pub struct Input<'a> {
    pub snapshot: &'a Snapshot,
    pub recirc: &'a RecircTable,
    /// Where the packet came in.
    pub bridge: &'a BridgeView,
    /// With an OpenFlow port in `in_port` (16-bit form).
    pub flow: &'a Flow,
    pub packet: Option<&'a [u8]>,
    pub now_ms: i64,
    pub start: Start<'a>,
    /// False for traces and revalidation without packets: MACs and flows are not learned.
    pub may_learn: bool,
    pub trace: bool,
}

/// Where translation begins.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// In table 0.
    Pipeline,
    /// With these actions (packet-out), outside of any table.
    Actions(&'a [Action]),
    /// Where it stopped.
    Frozen(&'a Frozen),
}

/// What came out. Reuse it: buffers keep their size.
#[derive(Default)]
pub struct Output {
    pub actions: Actions,
    /// Over the input flow, `in_port` included.
    pub mask: Mask,
    pub effects: Vec<Effect>,
    /// Which tables and bridges were looked at.
    pub lookups: Vec<Lookup>,
    /// Ids that the actions mention.
    pub recircs: Vec<Arc<Recirc>>,
    /// Protocols of bridges that this packet is for.
    pub received: Vec<Received>,
    /// What the packet tells snooping tables.
    pub snooped: Vec<mcast::Snooped>,
    /// Why packets of this flow must each come to the control plane (`slow` bits); 0 = they need not.
    pub slow: u32,
    pub error: Option<XlateError>,
    /// Where the trace goes on (only when tracing).
    pub traced_recircs: Vec<TracedRecirc>,
    /// The flow after the last action.
    pub final_flow: Flow,
    pub trace: Option<Trace>,
}

impl Output {
    /// Empties it for the next translation.
    pub fn clear(&mut self) {
        self.actions.clear();
        self.mask = Mask::NONE;
        self.effects.clear();
        self.lookups.clear();
        self.recircs.clear();
        self.traced_recircs.clear();
        self.received.clear();
        self.snooped.clear();
        self.slow = 0;
        self.error = None;
        self.trace = None;
    }
}

/// What a packet is sent round for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecircKind {
    Conntrack,
    Other,
}

/// A recirculation that a trace met.
#[derive(Clone, Debug)]
pub struct TracedRecirc {
    pub id: u32,
    pub flow: Box<Flow>,
    pub kind: RecircKind,
}

impl Output {
    /// Hands the packet to the protocols that it is for.
    pub fn deliver(&self, packet: &[u8], now_ms: i64, world: &World) {
        self.received.iter().for_each(|r| r.deliver(packet, now_ms, world));
        self.snooped.iter().for_each(|s| s.apply(now_ms));
    }
}

/// Why a packet is dropped instead of being handled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum XlateError {
    #[error("Recursion too deep")]
    RecursionTooDeep,
    #[error("Too many resubmits")]
    TooManyResubmits,
    #[error("Stack too deep")]
    StackTooDeep,
    #[error("No recirculation context")]
    NoRecircContext,
    #[error("Recirculation conflict")]
    RecircConflict,
    #[error("Too many MPLS labels")]
    TooManyMplsLabels,
    #[error("Invalid tunnel metadata")]
    InvalidTunnelMetadata,
    #[error("Unsupported packet type")]
    UnsupportedPacketType,
}

/// Translates one flow into `out`.
pub fn translate(input: &Input<'_>, out: &mut Output) {
    out.clear();
    start::run(input, out);
}
