//! How long the body of each message may be: a fixed part, and entries of so many bytes behind it. What does not fit is
//! refused before anything is decoded.

use super::{Class, Kind, Raw};
use crate::types::Version;

/// A body's fixed part in bytes, and the size of what may follow it (0: nothing follows).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BodySize {
    fixed: usize,
    step: usize,
}

const fn exact(fixed: usize) -> BodySize {
    BodySize { fixed, step: 0 }
}

const fn open(fixed: usize, step: usize) -> BodySize {
    BodySize { fixed, step }
}

impl BodySize {
    pub fn admits(self, len: usize) -> bool {
        match len.checked_sub(self.fixed) {
            None => false,
            Some(more) if self.step == 0 => more == 0,
            Some(more) => more.is_multiple_of(self.step),
        }
    }
}

impl Raw {
    /// The size of the body in `v`.
    pub(super) fn body_size(self, v: Version) -> BodySize {
        let nx = matches!(self.class, Class::Nxt | Class::NxstReq | Class::NxstRep);
        let v10 = v == Version::V1_0;
        let (v13, v14, v15) = (v >= Version::V1_3, v >= Version::V1_4, v >= Version::V1_5);
        match self.kind {
            Kind::Hello | Kind::EchoRequest | Kind::EchoReply => open(0, 1),
            Kind::Error => open(4, 1),
            Kind::FeaturesReply if v10 => open(24, 48),
            Kind::FeaturesReply if !v13 => open(24, 64),
            Kind::FeaturesReply => exact(24),
            Kind::GetConfigReply | Kind::SetConfig => exact(4),
            Kind::PacketIn if nx => open(24, 1),
            Kind::PacketIn if v10 => open(10, 1),
            Kind::PacketIn if v == Version::V1_1 || v13 => open(16, 1),
            Kind::PacketIn => open(8, 1),
            Kind::PacketIn2 | Kind::Resume | Kind::RequestForward | Kind::SetAsyncConfig2 => open(0, 8),
            Kind::FlowRemoved if nx => open(40, 8),
            Kind::FlowRemoved if v10 => exact(80),
            Kind::FlowRemoved => open(if v15 { 16 } else { 40 }, 8),
            Kind::PortStatus if v14 => open(48, 8),
            Kind::PortStatus => exact(if v10 { 56 } else { 72 }),
            Kind::PacketOut => open(if v10 || v15 { 8 } else { 16 }, 1),
            Kind::FlowMod if nx => open(32, 8),
            Kind::FlowMod => open(if v10 { 64 } else { 40 }, 8),
            Kind::GroupMod => open(if nx || v15 { 16 } else { 8 }, 8),
            Kind::PortMod if v14 => open(24, 8),
            Kind::PortMod => exact(if v10 { 24 } else { 32 }),
            Kind::TableMod => open(8, if v14 { 8 } else { 0 }),
            Kind::QueueGetConfigRequest => exact(if v10 { 4 } else { 8 }),
            Kind::QueueGetConfigReply => open(8, 8),
            Kind::RoleRequest | Kind::RoleReply => exact(if nx { 4 } else { 16 }),
            Kind::RoleStatus => open(16, 8),
            Kind::GetAsyncReply | Kind::SetAsync if v14 => open(0, 8),
            Kind::GetAsyncReply | Kind::SetAsync | Kind::SetAsyncConfig => exact(24),
            Kind::MeterMod | Kind::BundleControl | Kind::TlvTableMod | Kind::CtFlush => open(8, 8),
            Kind::TableStatus | Kind::TlvTableReply => open(16, 8),
            Kind::BundleAdd => open(8, 1),
            Kind::FlowMonitorCancel | Kind::SetFlowFormat | Kind::SetPacketInFormat => exact(4),
            Kind::FlowModTableId | Kind::SetControllerId | Kind::CtFlushZone => exact(8),
            _ => self.stats_size(v),
        }
    }

    fn stats_size(self, v: Version) -> BodySize {
        let nx = matches!(self.class, Class::NxstReq | Class::NxstRep);
        let v10 = v == Version::V1_0;
        let (v13, v14, v15) = (v >= Version::V1_3, v >= Version::V1_4, v >= Version::V1_5);
        match self.kind {
            Kind::DescReply => exact(1056),
            Kind::FlowRequest | Kind::AggregateRequest if nx => open(8, 8),
            Kind::FlowRequest | Kind::AggregateRequest if v10 => exact(44),
            Kind::FlowRequest | Kind::AggregateRequest => open(32, 8),
            Kind::FlowReply => open(0, 1),
            Kind::AggregateReply if v15 && !nx => open(0, 8),
            Kind::AggregateReply => exact(24),
            Kind::TableReply => open(0, [64, 88, 128, 24][usize::from(v.wire() - 1).min(3)]),
            Kind::PortRequest | Kind::QueueRequest | Kind::QueueDescRequest => exact(8),
            Kind::PortReply if v14 => open(0, 8),
            Kind::PortReply => open(0, if v13 { 112 } else { 104 }),
            Kind::QueueReply if v14 => open(0, 8),
            Kind::QueueReply => open(0, if v13 { 40 } else { 32 }),
            Kind::GroupRequest | Kind::MeterRequest | Kind::MeterConfigRequest => exact(8),
            Kind::GroupDescRequest => exact(if nx || v15 { 8 } else { 0 }),
            Kind::GroupFeaturesReply => exact(40),
            Kind::MeterFeaturesReply => exact(16),
            Kind::PortDescRequest => exact(if v15 { 8 } else { 0 }),
            Kind::PortDescReply if v10 => open(0, 48),
            Kind::PortDescReply => open(0, if v14 { 8 } else { 64 }),
            Kind::GroupReply
            | Kind::GroupDescReply
            | Kind::MeterReply
            | Kind::MeterConfigReply
            | Kind::TableFeaturesRequest
            | Kind::TableFeaturesReply
            | Kind::TableDescReply
            | Kind::QueueDescReply
            | Kind::FlowMonitorRequest
            | Kind::FlowMonitorReply => open(0, 8),
            Kind::IpfixBridgeReply | Kind::IpfixFlowReply => open(0, 8),
            // The rest ask without saying more.
            _ => exact(0),
        }
    }
}
