//! Action programs: a megaflow's actions compiled once, executed for groups of packets.
//!
//! Plane: hot (`exec`), slow (`compile`). Execution calls nobody above it: it takes packets and leaves them in lanes
//! (transmit, recirculate, userspace) or drops them with a counted reason. What it needs from its surroundings (copies of
//! packets, meters, randomness) comes through `Env`.
//!
//! ```text
//! dpif::Action list ── compile ──> Program ── exec(items) ──> Lanes { transmit, recirculate, userspace, drops }
//! ```

mod compile;
mod exec;
mod lanes;
mod straight;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use dpif::action::HashAlgorithm;
use dpif::{DpPort, DropReason, Userspace};
use flow::key::Vlan;
use flow::packet::{l3, l4};

pub use compile::{NEST_MAX, compile};
pub use exec::exec;
pub use lanes::{Env, Item, LANE_MAX, Lanes, Metadata, Transmit};
pub use straight::Straight;

/// A compiled action list.
pub struct Program {
    shape: Shape,
    ops: Box<[Op]>,
}

/// What a program comes to; the caller may do the simple ones without `exec`.
pub enum Shape {
    /// Sends the packet to this port.
    Output(DpPort),
    /// Rewrites headers, then sends the packet to one port.
    Straight(Straight),
    Other,
}

impl Program {
    #[inline(always)]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
    /// True for a program that only drops.
    pub fn is_drop(&self) -> bool {
        matches!(*self.ops, [Op::Drop(_)])
    }
}

/// One step. `last` = nothing follows, so the packet itself may go instead of a copy.
enum Op {
    Output { port: DpPort, last: bool },
    Userspace { what: Arc<Userspace>, last: bool },
    Recirc { id: u32, last: bool },
    Run { body: Box<[Op]>, last: bool },
    Sample { probability: u32, body: Box<[Op]>, last: bool },
    CheckPktLen { len: u16, greater: Box<[Op]>, less_equal: Box<[Op]>, last: bool },
    LbOutput { bond: u32, last: bool },
    SetEth { value: [u8; 12], mask: [u8; 12] },
    SetIpv4(l3::SetIpv4),
    SetTtl(u8),
    SetIpv6(Box<l3::SetIpv6>),
    SetPorts { proto: u8, value: [u8; 4], mask: [u8; 4] },
    SetIcmp { value: [u8; 2], mask: [u8; 2] },
    SetArp(Box<([u8; 22], [u8; 22])>),
    SetNd(Box<l4::SetNd>),
    SetNdReserved { value: [u8; 4], mask: [u8; 4] },
    SetMpls { lse: u32, mask: u32 },
    SetMark { value: u32, mask: u32 },
    SetPriority { value: u32, mask: u32 },
    PushVlan(Vlan),
    PopVlan,
    PushMpls { ethertype: u16, lse: u32 },
    PopMpls { ethertype: u16 },
    PushEth { addresses: [u8; 12] },
    PopEth,
    Hash { algorithm: HashAlgorithm, basis: u32 },
    Trunc(u32),
    Meter(u32),
    CtClear,
    Drop(DropReason),
}
