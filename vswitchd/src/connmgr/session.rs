//! One OpenFlow session without its socket: version negotiation, which requests the role allows, and the requests that
//! are about the connection itself.
//!
//! ```text
//!  Hello exchanged? --no--> first message must be a hello with a common version, else error and close
//!        | yes
//!        v
//!  on_message -> Reply (answered here) | Pass (to the pipeline) | Refuse (an error message) | Nothing
//! ```

use openflow::msg::{
    AsyncConfig, BundleControlKind, FlowFormat, Hello, PacketInFormat, PacketInReason, Role, RoleMsg,
};
use openflow::{Message, OfpError, TableId, Version, VersionSet};

use super::async_msg::{self, AsyncKind};

/// Bytes of a missed packet that a controller gets until it says otherwise.
const MISS_SEND_LEN_DEFAULT: u16 = 128;

/// What a connection was set to by its peer.
#[derive(Clone, Copy, Debug)]
pub struct Preferences {
    /// Listeners' clients and the management socket get asynchronous messages only once they ask for packets.
    pub service: bool,
    pub version: Option<Version>,
    pub packet_in_format: PacketInFormat,
    pub controller_id: u16,
    pub miss_send_len: u16,
    pub async_config: Option<AsyncConfig>,
    /// OpenFlow 1.0: flows are told in Nicira's encoding.
    pub nxm: bool,
    /// OpenFlow 1.0: flow mods name their table (NXT_FLOW_MOD_TABLE_ID).
    pub table_id: bool,
}

impl Preferences {
    pub fn new(service: bool) -> Self {
        Preferences {
            service,
            version: None,
            packet_in_format: PacketInFormat::Standard,
            controller_id: 0,
            miss_send_len: if service { 0 } else { MISS_SEND_LEN_DEFAULT },
            async_config: None,
            nxm: false,
            table_id: false,
        }
    }

    /// The async configuration in force.
    pub fn async_config(&self) -> AsyncConfig {
        self.async_config.unwrap_or_else(|| async_msg::default_config(self.version.unwrap_or(Version::V1_0)))
    }

    /// Packets whose TTL ran out are wanted or not (OpenFlow 1.1 and 1.2).
    fn send_invalid_ttl(&mut self, on: bool) {
        let bit = 1 << PacketInReason::InvalidTtl as u32;
        let mut config = self.async_config();
        config.primary.packet_in &= !bit;
        config.primary.packet_in |= if on { bit } else { 0 };
        self.async_config = Some(config);
    }

    /// Whether they are.
    pub fn wants_invalid_ttl(&self) -> bool {
        self.async_config().primary.packet_in >> (PacketInReason::InvalidTtl as u32) & 1 != 0
    }

    /// True when an asynchronous message of this kind goes to the peer.
    pub fn receives(&self, role: Role, kind: AsyncKind) -> bool {
        self.version.is_some()
            && !(self.service && self.miss_send_len == 0)
            && async_msg::wants(&self.async_config(), role, kind)
    }

    /// True when a packet for `controller_id` with this reason goes to the peer.
    pub fn receives_packet(&self, role: Role, controller_id: u16, reason: PacketInReason) -> bool {
        self.controller_id == controller_id && self.receives(role, AsyncKind::PacketIn(reason))
    }
}

/// What to do about a message.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    Nothing,
    Reply(Message),
    /// The role machine decides.
    Role(RoleMsg),
    /// Store in the switch as well, then nothing.
    SetConfig(openflow::msg::SwitchConfig),
    /// Answer with the switch's configuration.
    GetConfig,
    /// For the pipeline.
    Pass(Message),
    Refuse(OfpError),
}

/// Picks the version to speak, or says why there is none.
pub fn negotiate(ours: VersionSet, peer: Hello) -> Result<Version, String> {
    let common = VersionSet(ours.0 & peer.versions.0);
    common.highest().ok_or_else(|| {
        let names = |set: VersionSet| set.iter().map(Version::name).collect::<Vec<_>>().join(", ");
        format!("we support versions {} but the peer supports {}", names(ours), names(peer.versions))
    })
}

/// Decides about a message that came after the hellos.
pub fn on_message(prefs: &mut Preferences, role: Role, message: Message) -> Verdict {
    if role == Role::Secondary && changes_the_switch(&message) {
        return Verdict::Refuse(OfpError::OFPBRC_IS_SECONDARY);
    }
    match message {
        Message::EchoRequest(data) => Verdict::Reply(Message::EchoReply(data)),
        Message::Hello(_) | Message::Error(_) | Message::EchoReply(_) | Message::FlowAge => Verdict::Nothing,
        Message::BarrierRequest => Verdict::Reply(Message::BarrierReply),
        Message::RoleRequest(ask) => Verdict::Role(ask),
        Message::GetConfigRequest => Verdict::GetConfig,
        Message::SetConfig(config) => {
            prefs.miss_send_len = config.miss_send_len;
            if let Some(on) = config.invalid_ttl_to_controller {
                prefs.send_invalid_ttl(on);
            }
            if role == Role::Secondary { Verdict::Nothing } else { Verdict::SetConfig(config) }
        }
        Message::SetPacketInFormat(format) => {
            prefs.packet_in_format = format;
            Verdict::Nothing
        }
        Message::SetControllerId(id) => {
            prefs.controller_id = id;
            Verdict::Nothing
        }
        Message::SetFlowFormat(format) => {
            prefs.nxm = format == FlowFormat::Nxm;
            Verdict::Nothing
        }
        Message::FlowModTableId(on) => {
            prefs.table_id = on;
            Verdict::Nothing
        }
        // Table 0 and no table are one number in OpenFlow 1.0; only a peer that names tables means the first.
        Message::FlowMod(mut fm) if prefs.version == Some(Version::V1_0) && !prefs.table_id => {
            if fm.table != TableId(0) {
                return Verdict::Refuse(OfpError::OFPFMFC_BAD_COMMAND);
            }
            fm.table = TableId::ALL;
            Verdict::Pass(Message::FlowMod(fm))
        }
        Message::GetAsyncRequest => Verdict::Reply(Message::GetAsyncReply(prefs.async_config())),
        Message::SetAsync(config) => {
            prefs.async_config = Some(config);
            Verdict::Nothing
        }
        message if is_from_switch(&message) => Verdict::Refuse(OfpError::OFPBRC_BAD_TYPE),
        message => Verdict::Pass(message),
    }
}

/// The message may change which packets the peer gets.
pub fn changes_interest(message: &Message) -> bool {
    matches!(message, Message::SetConfig(_) | Message::SetAsync(_) | Message::SetControllerId(_))
}

/// Requests that a secondary controller may not make.
fn changes_the_switch(message: &Message) -> bool {
    matches!(
        message,
        Message::PacketOut(_)
            | Message::FlowMod(_)
            | Message::GroupMod(_)
            | Message::MeterMod(_)
            | Message::PortMod(_)
            | Message::TableMod(_)
            | Message::TlvTableMod(_)
            | Message::BundleControl(_)
            | Message::BundleAdd(_)
    )
}

/// Messages that only a switch sends.
fn is_from_switch(message: &Message) -> bool {
    match message {
        Message::FeaturesReply(_)
        | Message::GetConfigReply(_)
        | Message::BarrierReply
        | Message::RoleReply(_)
        | Message::RoleStatus(_)
        | Message::GetAsyncReply(_)
        | Message::PacketIn(_)
        | Message::FlowRemoved(_)
        | Message::PortStatus(_)
        | Message::TableStatus(..)
        | Message::RequestForward(_)
        | Message::TlvTableReply(_)
        | Message::QueueGetConfigReply(..)
        | Message::DescReply(_)
        | Message::FlowStatsReply(_)
        | Message::AggregateReply(_)
        | Message::TableStatsReply(_)
        | Message::PortStatsReply(_)
        | Message::PortDescReply(_)
        | Message::QueueStatsReply(_)
        | Message::QueueDescReply(_)
        | Message::GroupStatsReply(_)
        | Message::GroupDescReply(_)
        | Message::GroupFeaturesReply(_)
        | Message::MeterStatsReply(_)
        | Message::MeterConfigReply(_)
        | Message::MeterFeaturesReply(_)
        | Message::TableFeaturesReply(_)
        | Message::TableDescReply(_)
        | Message::FlowMonitorReply(_)
        | Message::FlowMonitorPaused
        | Message::FlowMonitorResumed
        | Message::IpfixBridgeReply(_)
        | Message::IpfixFlowReply(_) => true,
        Message::BundleControl(control) => matches!(
            control.kind,
            BundleControlKind::OpenReply
                | BundleControlKind::CloseReply
                | BundleControlKind::CommitReply
                | BundleControlKind::DiscardReply
        ),
        _ => false,
    }
}
