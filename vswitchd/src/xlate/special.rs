//! Packets that belong to a protocol of the bridge (LACP, STP, BFD ...): they do not see the tables. Every one of them
//! comes to the control plane, which hands it to the machine.

use openflow::OfPort;

use super::ctx::Ctx;
use crate::ofproto::World;
use crate::ofproto::snapshot::BridgeId;

/// A packet for a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    pub bridge: BridgeId,
    pub port: OfPort,
    /// One bit of `xlate::slow`.
    pub reason: u32,
}

impl Received {
    /// Hands `packet` over.
    pub fn deliver(&self, packet: &[u8], now_ms: i64, world: &World) {
        if let Some(bridge) = world.bridge(self.bridge) {
            bridge.protocols.receive(self.port, self.reason, packet, now_ms);
            world.protocol_wake.wake();
        }
    }
}

impl Ctx<'_, '_> {
    /// True when a protocol takes the packet that comes in on `port`.
    pub(super) fn is_special(&mut self, port: OfPort) -> bool {
        let reason = self.bridge.protocols.takes(port, &self.flow, &mut self.out.mask);
        if reason == 0 {
            return false;
        }
        self.out.slow |= reason;
        self.out.received.push(Received { bridge: self.bridge.id, port, reason });
        true
    }
}
