//! The state of one translation, in parts: where it is, the flow as it should be and as the packet is by now, limits.

use flow::{Flow, Mask};
use openflow::action::{Action, Controller};
use openflow::{Cookie, OfPort, TableId};

use super::{Input, Output, Trace, TraceKind, XlateError};
use crate::ofproto::rule::Rule;
use crate::ofproto::snapshot::{BridgeView, Port};
use std::sync::Arc;

/// What has been used up.
#[derive(Clone, Copy, Default)]
pub struct Limits {
    pub depth: u32,
    pub resubmits: u32,
    pub nesting: u32,
}

/// A `controller(pause)` that was met, and where.
#[derive(Clone, Copy)]
pub struct Pause<'a> {
    pub controller: &'a Controller,
    pub table: TableId,
    pub cookie: Cookie,
}

pub struct Ctx<'a, 'o> {
    pub input: &'a Input<'a>,
    pub out: &'o mut Output,
    pub bridge: &'a BridgeView,
    /// As the actions so far want it.
    pub flow: Flow,
    /// As the packet is in the datapath after the actions emitted so far.
    pub base: Flow,
    pub table: TableId,
    pub rule: Option<&'a Arc<Rule>>,
    pub cookie: Cookie,
    pub limits: Limits,
    /// No more actions of any list.
    pub exit: bool,
    pub in_group: bool,
    pub in_action_set: bool,
    pub stack: Vec<(u128, u32)>,
    pub action_set: Vec<&'a Action>,
    /// Translation stops here and goes on after the datapath: what is left to do.
    pub freezing: Option<Vec<Action>>,
    /// It stops for a controller, which sends the packet back.
    pub pausing: Option<Pause<'a>>,
    /// Mirrors (by bit) that have the packet already.
    pub mirrored: u64,
    pub was_mpls: bool,
}

/// The 16-bit form that `Flow::in_port` has.
pub fn narrow(port: OfPort) -> u32 {
    u32::from(port.low16())
}

/// From the 16-bit form.
pub fn widen(port: u32) -> OfPort {
    OfPort::from_u16(port as u16)
}

impl<'a> Ctx<'a, '_> {
    pub fn mask(&mut self) -> &mut Mask {
        &mut self.out.mask
    }

    /// The port that the packet is taken to have come in on.
    pub fn in_port(&self) -> OfPort {
        widen(self.flow.in_port)
    }

    pub fn port(&self, number: OfPort) -> Option<&'a Arc<Port>> {
        self.bridge.ports.get(number)
    }

    /// The link works, as far as its device and its protocols can tell.
    pub fn is_usable(&self, number: OfPort) -> bool {
        self.port(number).is_some_and(|p| p.is_up()) && self.bridge.protocols.port(number).may_enable
    }

    /// True when a trace is wanted: build its texts only then.
    pub fn tracing(&self) -> bool {
        self.out.trace.is_some()
    }

    pub fn report(&mut self, kind: TraceKind, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.out.trace {
            trace.add(kind, text());
        }
    }
    pub fn detail(&mut self, text: impl FnOnce() -> String) {
        self.report(TraceKind::Detail, text);
    }
    pub fn warn(&mut self, text: impl FnOnce() -> String) {
        self.report(TraceKind::Warn, text);
    }

    /// Runs `inner` with its reports below a new node.
    pub fn nested<R>(
        &mut self,
        kind: TraceKind,
        text: impl FnOnce() -> String,
        inner: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let enter = |trace: &mut Trace| {
            let place = trace.add(kind, text());
            trace.go(place)
        };
        let before = self.out.trace.as_mut().map(enter);
        let result = inner(self);
        if let (Some(trace), Some(place)) = (&mut self.out.trace, before) {
            trace.go(place);
        }
        result
    }

    /// Gives up: the packet is dropped.
    pub fn fail(&mut self, error: XlateError, text: impl FnOnce() -> String) {
        if self.out.error.is_none() {
            self.out.error = Some(error);
        }
        self.exit = true;
        self.report(TraceKind::Error, text);
    }

    pub fn has_failed(&self) -> bool {
        self.out.error.is_some()
    }
}
