//! Which asynchronous messages a connection gets: masks by kind and role, defaults as OVS has them.

use openflow::Version;
use openflow::msg::async_config::AsyncMasks;
use openflow::msg::{AsyncConfig, PacketInReason, Role};

/// A kind of asynchronous message with the number of its reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AsyncKind {
    PacketIn(PacketInReason),
    /// OFPPR_* number.
    PortStatus(u8),
    /// OFPRR_* number.
    FlowRemoved(u8),
    /// OFPCRR_* number.
    RoleStatus(u8),
    /// OFPTR_* number.
    TableStatus(u8),
    /// OFPRFR_* number.
    RequestForward(u8),
}

const PACKET_IN_REASONS: u32 = 0b11_1111;
const PORT_STATUS_REASONS: u32 = 0b111;
const FLOW_REMOVED_REASONS_1_0: u32 = 0b111;
const FLOW_REMOVED_REASONS_1_4: u32 = 0b11_1111;

/// What a controller that never asked gets.
pub fn default_config(version: Version) -> AsyncConfig {
    let mut packet_in = PACKET_IN_REASONS & !(1 << PacketInReason::InvalidTtl as u32);
    packet_in |= 1 << PacketInReason::ExplicitMiss as u32;
    if version < Version::V1_3 {
        packet_in |= 1 << PacketInReason::ImplicitMiss as u32;
    }
    let flow_removed =
        if version >= Version::V1_4 { FLOW_REMOVED_REASONS_1_4 } else { FLOW_REMOVED_REASONS_1_0 };
    AsyncConfig {
        primary: AsyncMasks {
            packet_in,
            flow_removed,
            port_status: PORT_STATUS_REASONS,
            ..Default::default()
        },
        secondary: AsyncMasks { port_status: PORT_STATUS_REASONS, ..Default::default() },
    }
}

/// True when a connection with `config` in `role` gets messages of this kind.
pub fn wants(config: &AsyncConfig, role: Role, kind: AsyncKind) -> bool {
    let masks = if role == Role::Secondary { &config.secondary } else { &config.primary };
    let (mask, bit) = match kind {
        AsyncKind::PacketIn(reason) => (masks.packet_in, reason as u8),
        AsyncKind::PortStatus(reason) => (masks.port_status, reason),
        AsyncKind::FlowRemoved(reason) => (masks.flow_removed, reason),
        AsyncKind::RoleStatus(reason) => (masks.role_status, reason),
        AsyncKind::TableStatus(reason) => (masks.table_status, reason),
        AsyncKind::RequestForward(reason) => (masks.requestforward, reason),
    };
    mask.checked_shr(u32::from(bit)).unwrap_or(0) & 1 != 0
}
