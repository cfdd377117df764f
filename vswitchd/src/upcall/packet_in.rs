//! Packet-ins: a packet that a controller action sent here becomes an event of its bridge.

use std::sync::atomic::Ordering::Relaxed;

use dpif::{Upcall, Userspace};
use flow::{Field, Flow, Match};
use openflow::Cookie;
use openflow::msg::Continuation;
use openflow::msg::continuation::RemainingList;

use super::Upcalls;
use crate::ofproto::{PacketInEvent, stack_bytes};
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
            controller.pause.then(|| continuation(*bridge.uuid.as_bytes(), frozen, upcall.flow.in_port));
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

fn continuation(bridge: [u8; 16], frozen: &Frozen, dp_port: u32) -> Continuation {
    let cookie = if frozen.cookie == Cookie(u64::MAX) { Cookie(0) } else { frozen.cookie };
    let list = RemainingList { table: frozen.table, cookie, actions: frozen.actions.clone() };
    Continuation {
        bridge,
        stack: frozen.stack.iter().map(|(value, _)| stack_bytes(*value)).collect(),
        mirrors: 0,
        conntracked: false,
        lists: if list.actions.is_empty() { Vec::new() } else { vec![list] },
        action_set: frozen.action_set.clone(),
        dp_port: (dp_port != u32::MAX).then_some(dp_port),
    }
}
