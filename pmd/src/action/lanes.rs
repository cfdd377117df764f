//! What execution takes and leaves: packets with their metadata, lanes, and the surroundings' side of a few actions.

use std::sync::Arc;

use dpif::{DpPort, DropReason, Userspace};
use flow::packet::Offsets;
use flow::parse::Meta;
use flow::{Flow, LineMap};

use crate::packet::Packet;

/// Packets that may wait in the recirculation or the userspace lane of one pass; more are dropped and counted.
pub const LANE_MAX: usize = 1024;

/// What is known of a packet besides its bytes, kept from pass to pass.
#[derive(Clone, Default)]
pub struct Metadata {
    pub in_port: u32,
    pub recirc_id: u32,
    pub packet_type: u32,
    pub pkt_mark: u32,
    pub skb_priority: u32,
    pub dp_hash: u32,
    pub ct_state: u32,
    pub ct_zone: u16,
    pub ct_mark: u32,
    /// Connection-tracking and tunnel lines of the key (3-9), when there are any.
    pub carry: Option<Box<(Flow, LineMap)>>,
}

impl Metadata {
    /// For parsing the packet again.
    pub fn meta(&self, len: usize, vlan_limit: u8) -> Meta<'_> {
        Meta {
            len,
            in_port: self.in_port,
            recirc_id: self.recirc_id,
            packet_type: self.packet_type,
            pkt_mark: self.pkt_mark,
            skb_priority: self.skb_priority,
            dp_hash: self.dp_hash,
            ct_state: self.ct_state,
            ct_zone: self.ct_zone,
            ct_mark: self.ct_mark,
            vlan_limit,
            carry: self.carry.as_deref().map(|(flow, lines)| (flow, *lines)),
        }
    }

    /// The metadata that a key holds.
    pub fn of(key: &Flow, lines: LineMap) -> Self {
        const CARRIED: u16 = 0x3f8;
        let carried = LineMap(lines.0 & CARRIED);
        Self {
            in_port: key.in_port,
            recirc_id: key.recirc_id,
            packet_type: key.packet_type.get(),
            pkt_mark: key.pkt_mark,
            skb_priority: if lines.contains(2) { key.skb_priority } else { 0 },
            dp_hash: if lines.contains(2) { key.dp_hash } else { 0 },
            ct_state: key.ct_state,
            ct_zone: key.ct_zone,
            ct_mark: key.ct_mark,
            carry: (carried.0 != 0).then(|| Box::new((*key, carried))),
        }
    }
}

/// A packet on its way through a program.
pub struct Item {
    pub packet: Packet,
    pub offsets: Offsets,
    /// What the IP headers end in, as parsed.
    pub nw_proto: u8,
    pub meta: Metadata,
}

/// Packets for one port.
pub struct Transmit {
    pub port: DpPort,
    pub packets: Vec<Packet>,
}

/// Where packets go. Reused from burst to burst: `transmit` keeps its (empty) batches.
pub struct Lanes {
    pub transmit: Vec<Transmit>,
    /// To be parsed and looked up again; `meta.recirc_id` is set.
    pub recirculate: Vec<Item>,
    pub userspace: Vec<(Item, Arc<Userspace>)>,
    /// Packets dropped, by `DropReason`.
    pub drops: [u64; DropReason::N],
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            transmit: Vec::new(),
            recirculate: Vec::new(),
            userspace: Vec::new(),
            drops: [0; DropReason::N],
        }
    }
}

impl Lanes {
    /// Counts `n` drops.
    pub fn count_drops(&mut self, reason: DropReason, n: usize) {
        self.drops[reason as usize] += n as u64;
    }

    /// The batch of `port`, made if need be.
    pub fn batch(&mut self, port: DpPort) -> &mut Vec<Packet> {
        let at = match self.transmit.iter().position(|t| t.port == port) {
            Some(at) => at,
            None => {
                self.transmit.push(Transmit { port, packets: Vec::new() });
                self.transmit.len() - 1
            }
        };
        &mut self.transmit[at].packets
    }
}

/// The surroundings' side of actions.
pub trait Env {
    /// A copy of `packet`; `None` when no buffer is to be had.
    fn duplicate(&mut self, packet: &Packet) -> Option<Packet> {
        packet.duplicate()
    }
    /// Bit n: meter `id` drops item n. At most 32 items at a time.
    fn meter(&mut self, id: u32, items: &[Item]) -> u32;
    /// Uniform, for sampling.
    fn random(&mut self) -> u32;
    /// The member port that `bond` sends packets of `hash` to.
    fn bond_member(&mut self, bond: u32, hash: u32) -> Option<DpPort>;
    /// VLAN tags that are parsed.
    fn vlan_limit(&self) -> u8;
}
