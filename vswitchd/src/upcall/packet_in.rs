//! Packet-ins: a packet that a controller action sent here becomes an event of its bridge.

use std::sync::atomic::Ordering::Relaxed;

use dpif::{Upcall, Userspace};
use flow::{Field, Flow, Match};

use super::Upcalls;
use crate::ofproto::PacketInEvent;
use crate::ofproto::events::Continuation;
use crate::recirc::Frozen;

/// Fields that a packet-in tells beside the packet, when they are not zero.
const METADATA: &[Field] = &[
    Field::TunId,
    Field::TunSrc,
    Field::TunDst,
    Field::TunIpv6Src,
    Field::TunIpv6Dst,
    Field::TunGbpId,
    Field::TunGbpFlags,
    Field::Metadata,
    Field::PktMark,
    Field::CtState,
    Field::CtZone,
    Field::CtMark,
    Field::CtLabel,
];

impl Upcalls {
    pub(super) fn packet_in(
        &self,
        upcall: &Upcall<'_>,
        action: &Userspace,
        max_len: u16,
        controller_id: u16,
    ) {
        let recirc = u32::try_from(action.cookie).ok().and_then(|id| self.world.recirc.get(id));
        let Some(recirc) = recirc else {
            self.stats.unknown.fetch_add(1, Relaxed);
            return;
        };
        let frozen = &recirc.frozen;
        let Some(bridge) = self.world.bridge(frozen.bridge) else { return };
        let Some(controller) = &frozen.controller else { return };
        self.stats.packet_ins.fetch_add(1, Relaxed);
        let continuation =
            controller.pause.then(|| continuation(&bridge.name, frozen, &full_flow(upcall.flow, frozen)));
        bridge.sink().packet_in(PacketInEvent {
            packet: upcall.packet.to_vec(),
            max_len,
            controller_id,
            reason: controller.reason,
            table: frozen.table,
            cookie: frozen.cookie,
            metadata: metadata(&full_flow(upcall.flow, frozen)),
            userdata: controller.userdata.clone(),
            continuation,
        });
    }
}

/// The packet's flow with what the datapath does not carry.
fn full_flow(flow: &Flow, frozen: &Frozen) -> Flow {
    let mut full = *flow;
    crate::xlate::restore_metadata(&mut full, &frozen.metadata);
    full.in_port = u32::from(frozen.in_port.low16());
    full
}

/// What a packet-in tells of `flow`.
pub fn metadata(flow: &Flow) -> Match {
    let mut matching = Match::ANY;
    matching.set(Field::InPort, Field::InPort.get(flow));
    let registers = (0..flow::key::N_REGS).filter_map(Field::reg);
    for field in METADATA.iter().copied().chain(registers) {
        let value = field.get(flow);
        if value != 0 {
            matching.set(field, value);
        }
    }
    matching
}

fn continuation(bridge: &str, frozen: &Frozen, flow: &Flow) -> Continuation {
    Continuation {
        bridge: bridge.into(),
        table: frozen.table,
        flow: Box::new(*flow),
        stack: frozen.stack.clone(),
        actions: frozen.actions.clone(),
        action_set: frozen.action_set.clone(),
    }
}
