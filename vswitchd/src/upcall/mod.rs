//! Upcalls: what to do with a packet that no megaflow matches, and packets that actions sent here. Runs inline on the
//! worker that met the packet: no lock is held across I/O, buffers are reused per thread, packet-ins only queue.
//!
//! ```text
//!  miss -> bridge by port -> xlate -> reply (mask, actions, Ukey) -> installed() -> revalidator's list
//!                                \--> effects (counters, MACs, learned flows)
//!  userspace -> slow path: xlate again, run | controller: packet-in
//! ```

mod limit;
mod packet_in;
mod revalidator;
mod show;
#[cfg(test)]
mod tests;
mod ukey;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crossbeam::queue::SegQueue;
use dpif::action::Action as DpAction;
use dpif::{
    DpPort, Megaflow, Upcall, UpcallHandler, UpcallKind, UpcallReply, Userspace, UserspaceKind, Verdict,
};
use flow::{Flow, Mask};

pub use limit::FlowLimit;
pub use revalidator::{Revalidator, Settings};
pub use ukey::{Ground, Ukey};

use crate::ofproto::World;
use crate::ofproto::snapshot::{BridgeView, Snapshot};
use crate::recirc::Recirc;
use crate::xlate::effect::Traffic;
use crate::xlate::{self, Input, Output, Start};

/// Counts of what upcalls came to.
#[derive(Default, Debug)]
pub struct UpcallStats {
    pub misses: AtomicU64,
    pub slow_path: AtomicU64,
    pub packet_ins: AtomicU64,
    /// From a port or with a recirculation id that nothing knows.
    pub unknown: AtomicU64,
    /// Not installed because of the flow limit.
    pub over_limit: AtomicU64,
    /// Translations that failed.
    pub failed: AtomicU64,
}

/// The handler that main gives to the datapath.
pub struct Upcalls {
    pub world: Arc<World>,
    pub stats: UpcallStats,
    /// New megaflows for the revalidator.
    pub(crate) new_flows: SegQueue<Arc<dyn Megaflow>>,
    /// Megaflows that exist.
    pub(crate) n_flows: AtomicUsize,
    pub(crate) flow_limit: AtomicUsize,
    /// Megaflows were refused because of the limit since the last round.
    pub(crate) crowded: AtomicBool,
    /// `upcall/disable-ufid` was not given; for the texts.
    pub(crate) ufid: AtomicBool,
    /// `upcall/disable-megaflows`: exact-match flows only.
    pub(crate) exact_flows: AtomicBool,
    pub(crate) wake: crate::wake::Wake,
    /// `other_config:flow-restore-wait`: packets are dropped, without a megaflow, until the flows are back.
    hold: AtomicBool,
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    out: Output,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Where a datapath flow belongs.
pub(crate) struct Place<'a> {
    pub bridge: &'a Arc<BridgeView>,
    /// The flow with an OpenFlow port.
    pub flow: Flow,
    pub recirc: Option<Arc<Recirc>>,
}

impl Place<'_> {
    pub fn start(&self) -> Start<'_> {
        self.recirc.as_ref().map_or(Start::Pipeline, |r| Start::Frozen(&r.frozen))
    }
}

/// The bridge and the OpenFlow form of a datapath flow; `None` when its port or recirculation id is unknown.
pub(crate) fn place<'a>(world: &World, snapshot: &'a Snapshot, flow: &Flow) -> Option<Place<'a>> {
    let (bridge, port) = snapshot.port_of(DpPort(flow.in_port))?;
    let mut of_flow = *flow;
    of_flow.in_port = u32::from(port.low16());
    if flow.recirc_id == 0 {
        return Some(Place { bridge, flow: of_flow, recirc: None });
    }
    let recirc = world.recirc.get(flow.recirc_id)?;
    let bridge = snapshot.bridge(recirc.frozen.bridge)?;
    Some(Place { bridge, flow: of_flow, recirc: Some(recirc) })
}

/// Actions to install: those translated, or "send here" for a flow of the slow path.
pub(crate) fn installed_actions(out: &mut Output) -> dpif::Actions {
    if out.slow == 0 {
        return std::mem::take(&mut out.actions);
    }
    let kind = UserspaceKind::SlowPath { reason: out.slow };
    vec![DpAction::Userspace(Box::new(Userspace { kind, cookie: 0, userdata: Vec::new() }))]
}

/// A megaflow is of one VLAN or of none: its text has no way to say that a tag may be there or not.
fn tell_vlan(mask: &mut Mask) {
    const VLAN: u16 = flow::key::VLAN_CFI | 0x0fff;
    let vlan = &mut mask.0.vlan;
    if vlan.tci.is_zero() {
        vlan.tci = flow::Be16::new(VLAN);
    }
    vlan.tpid = flow::Be16::MAX;
    if !mask.0.vlan_inner.tci.is_zero() {
        mask.0.vlan_inner.tpid = flow::Be16::MAX;
    }
}

impl Upcalls {
    pub fn new(world: Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            world,
            stats: UpcallStats::default(),
            new_flows: SegQueue::new(),
            n_flows: AtomicUsize::new(0),
            flow_limit: AtomicUsize::new(limit::FLOW_LIMIT_START),
            crowded: AtomicBool::new(false),
            ufid: AtomicBool::new(true),
            exact_flows: AtomicBool::new(false),
            wake: crate::wake::Wake::default(),
            hold: AtomicBool::new(false),
        })
    }

    /// Drops every packet that misses (true), or goes on (false).
    pub fn set_hold(&self, hold: bool) {
        self.hold.store(hold, Relaxed);
    }

    fn with_scratch<R>(f: impl FnOnce(&mut Scratch) -> R) -> R {
        SCRATCH.with(|cell| match cell.try_borrow_mut() {
            Ok(mut scratch) => f(&mut scratch),
            // An upcall inside an upcall: a datapath that runs actions inline.
            Err(_) => f(&mut Scratch::default()),
        })
    }

    fn miss(&self, upcall: &Upcall<'_>, reply: &mut UpcallReply) {
        self.stats.misses.fetch_add(1, Relaxed);
        if self.hold.load(Relaxed) {
            reply.verdict = Verdict::Execute;
            return;
        }
        Self::with_scratch(|scratch| {
            let Some(generation) = self.translate(upcall, &mut scratch.out) else {
                self.stats.unknown.fetch_add(1, Relaxed);
                reply.verdict = Verdict::Error;
                return;
            };
            if scratch.out.error.is_some() {
                self.stats.failed.fetch_add(1, Relaxed);
            }
            self.apply_effects(&scratch.out, upcall);
            self.reply(upcall, &mut scratch.out, generation, reply);
        });
    }

    /// Translates the upcall's packet; the value is the generation of the snapshot that was used.
    fn translate(&self, upcall: &Upcall<'_>, out: &mut Output) -> Option<u64> {
        let snapshot = self.world.snapshot();
        let place = place(&self.world, &snapshot, upcall.flow)?;
        let input = Input {
            snapshot: &snapshot,
            recirc: &self.world.recirc,
            bridge: place.bridge,
            flow: &place.flow,
            packet: Some(upcall.packet),
            now_ms: upcall.now_ms,
            start: place.start(),
            may_learn: true,
            trace: false,
        };
        xlate::translate(&input, out);
        out.recircs.extend(place.recirc.clone());
        Some(snapshot.generation)
    }

    fn apply_effects(&self, out: &Output, upcall: &Upcall<'_>) {
        let traffic = Traffic {
            packets: 1,
            bytes: upcall.packet.len() as u64,
            used_ms: upcall.now_ms,
            tcp_flags: upcall.flow.tcp_flags.get(),
        };
        out.effects.iter().for_each(|effect| effect.apply(&traffic, &self.world));
    }

    fn reply(&self, upcall: &Upcall<'_>, out: &mut Output, generation: u64, reply: &mut UpcallReply) {
        reply.mask = out.mask;
        tell_vlan(&mut reply.mask);
        if self.exact_flows.load(Relaxed) {
            reply.mask = Mask::for_packet(upcall.flow);
        }
        reply.actions = installed_actions(out);
        if self.n_flows.load(Relaxed) >= self.flow_limit.load(Relaxed) {
            self.stats.over_limit.fetch_add(1, Relaxed);
            if !self.crowded.swap(true, Relaxed) {
                // A round now, so that a quick machine need not wait for its limit to grow.
                self.wake.wake();
            }
            reply.verdict = Verdict::Execute;
            return;
        }
        reply.verdict = Verdict::Install;
        reply.owner = Some(Arc::new(Ukey::new(out, generation, upcall)));
    }

    /// A packet of a flow of the slow path: translated and run by itself.
    fn slow_path(&self, upcall: &Upcall<'_>, reply: &mut UpcallReply) {
        self.stats.slow_path.fetch_add(1, Relaxed);
        Self::with_scratch(|scratch| match self.translate(upcall, &mut scratch.out) {
            None => reply.verdict = Verdict::Error,
            // Counters come from the megaflow that sent the packet here.
            Some(_) => {
                scratch.out.deliver(upcall.packet, upcall.now_ms, &self.world);
                std::mem::swap(&mut reply.actions, &mut scratch.out.actions);
            }
        });
    }
}

impl UpcallHandler for Upcalls {
    fn upcall(&self, upcall: &Upcall<'_>, reply: &mut UpcallReply) {
        match &upcall.kind {
            UpcallKind::Miss => self.miss(upcall, reply),
            UpcallKind::Userspace(action) => {
                reply.verdict = Verdict::Execute;
                match action.kind {
                    UserspaceKind::SlowPath { .. } => self.slow_path(upcall, reply),
                    UserspaceKind::Controller { max_len, controller_id, .. } => {
                        self.packet_in(upcall, action, max_len, controller_id);
                    }
                    UserspaceKind::SFlow | UserspaceKind::FlowSample | UserspaceKind::Ipfix => {}
                }
            }
        }
    }

    fn installed(&self, flow: &Arc<dyn Megaflow>) {
        self.n_flows.fetch_add(1, Relaxed);
        self.new_flows.push(flow.clone());
        if let Some(ukey) = Ukey::of(flow) {
            ukey.counts_first_packet();
            if ukey.ground(self.world.changes()) != Ground::Firm {
                self.wake.wake();
            }
        }
    }
}
