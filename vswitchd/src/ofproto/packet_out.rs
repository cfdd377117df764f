//! Packet-out, and going on with a paused translation: packets from controllers run through actions now.

use dpif::ExecuteRequest;
use flow::parse::{Meta, parse_whole};
use flow::{Flow, Match};
use openflow::action::Action;
use openflow::msg::{Continuation, PacketOut};
use openflow::{Cookie, OfPort, OfpError, TableId};

use super::check::check_bucket;
use super::{Ofproto, State};
use crate::recirc::Frozen;
use crate::xlate::effect::Traffic;
use crate::xlate::{self, Input, Output, Start};

/// Shortest packet that can be sent.
const ETH_HEADER_LEN: usize = 14;

/// Refuses what cannot be sent.
pub(super) fn check(state: &State, po: &PacketOut) -> Result<(), OfpError> {
    if po.buffer_id.is_some() {
        return Err(OfpError::OFPBRC_BUFFER_UNKNOWN);
    }
    if po.packet.len() < ETH_HEADER_LEN {
        return Err(OfpError::OFPBRC_BAD_PACKET);
    }
    if !matches!(po.in_port, OfPort::LOCAL | OfPort::NONE | OfPort::CONTROLLER)
        && (po.in_port.0 == 0 || po.in_port >= OfPort::MAX)
    {
        return Err(OfpError::OFPBRC_BAD_PORT);
    }
    check_bucket(state, &po.actions)
}

/// A value of the stack as a number, with its width.
fn stack_value(bytes: &[u8]) -> (u128, u32) {
    let value = bytes.iter().fold(0u128, |v, b| v << 8 | u128::from(*b));
    (value, u128::BITS)
}

/// The same as bytes, without leading zeros.
pub fn stack_bytes(value: u128) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    bytes[value.leading_zeros() as usize / 8..].to_vec()
}

impl Ofproto {
    /// OFPT_PACKET_OUT with the packet inside.
    pub fn packet_out(&self, po: &PacketOut) -> Result<(), OfpError> {
        check(&self.lock(), po)?;
        self.send_out(po);
        Ok(())
    }

    /// The same for one that was checked.
    pub fn send_out(&self, po: &PacketOut) {
        let flow = self.flow_of_packet(&po.packet, po.in_port, &po.metadata);
        self.run(&po.packet, &flow, Start::Actions(&po.actions));
    }

    /// NXT_RESUME: goes on where the translation paused, with the packet and metadata that came back.
    pub fn resume(
        &self,
        continuation: &Continuation,
        packet: &[u8],
        metadata: &Match,
    ) -> Result<(), OfpError> {
        if continuation.bridge != *self.uuid.as_bytes() {
            // Paused in another bridge, which a patch port led to; or in an earlier life of the daemon.
            let other = self.world.bridges().into_iter().find(|b| *b.uuid.as_bytes() == continuation.bridge);
            return other.ok_or(OfpError::NXR_STALE)?.resume(continuation, packet, metadata);
        }
        if packet.len() < ETH_HEADER_LEN {
            return Err(OfpError::OFPBRC_BAD_PACKET);
        }
        let in_port = OfPort::from_u16(metadata.flow.in_port as u16);
        let flow = self.flow_of_packet(packet, in_port, metadata);
        let first = continuation.lists.first();
        let frozen = Frozen {
            bridge: self.id,
            table: first.map_or(TableId(0), |l| l.table),
            in_port,
            metadata: Box::new(flow),
            stack: continuation.stack.iter().map(|v| stack_value(v)).collect(),
            lookup: false,
            actions: continuation.lists.iter().flat_map(|l| l.actions.iter().cloned()).collect(),
            action_set: continuation.action_set.clone(),
            cookie: first.map_or(Cookie(0), |l| l.cookie),
            bond: None,
            controller: None,
        };
        self.run(packet, &flow, Start::Frozen(&frozen));
        Ok(())
    }

    /// Sends a packet out by one port, whatever the tables say (protocols of the bridge itself).
    pub fn send_packet(&self, port: OfPort, packet: &[u8]) {
        let flow = self.flow_of_packet(packet, OfPort::NONE, &Match::ANY);
        self.run(packet, &flow, Start::Actions(&[Action::Output { port, max_len: 0 }]));
    }

    fn flow_of_packet(&self, packet: &[u8], in_port: OfPort, metadata: &Match) -> Flow {
        let (mut flow, _) = parse_whole(packet, &Meta::received(packet.len(), u32::from(in_port.low16())));
        let merge = |to: &mut [u64], value: &[u64], mask: &[u64]| {
            for ((to, value), mask) in to.iter_mut().zip(value).zip(mask) {
                *to = (*to & !mask) | (value & mask);
            }
        };
        let saved_port = flow.in_port;
        merge(
            flow.lines_mut().as_flattened_mut(),
            metadata.flow.lines().as_flattened(),
            metadata.mask.0.lines().as_flattened(),
        );
        flow.in_port = saved_port;
        flow
    }

    /// Translates, applies the effects and has the datapath run the actions.
    fn run(&self, packet: &[u8], flow: &Flow, start: Start<'_>) {
        let snapshot = self.world.snapshot_full();
        let Some(bridge) = snapshot.bridge(self.id) else { return };
        let now_ms = self.now_ms();
        let mut out = Output::default();
        let input = Input {
            snapshot: &snapshot,
            recirc: &self.world.recirc,
            bridge,
            flow,
            packet: Some(packet),
            now_ms,
            start,
            may_learn: true,
            trace: false,
        };
        xlate::translate(&input, &mut out);
        let traffic = Traffic {
            packets: 1,
            bytes: packet.len() as u64,
            used_ms: now_ms,
            tcp_flags: flow.tcp_flags.get(),
        };
        out.effects.iter().for_each(|e| e.apply(&traffic, &self.world));
        out.deliver(packet, now_ms, &self.world);
        let Some(datapath) = self.world.datapath() else { return };
        let in_port = bridge.ports.get(OfPort::from_u16(flow.in_port as u16)).and_then(|p| p.dp_port);
        let mut dp_flow = *flow;
        dp_flow.in_port = in_port.map_or(u32::MAX, |p| p.0);
        xlate::clear_pipeline(&mut dp_flow);
        let request = ExecuteRequest { packet, flow: &dp_flow, actions: &out.actions, mtu: 0 };
        let _ = datapath.execute(&request);
    }
}
