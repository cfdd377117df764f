//! `Message`: every OpenFlow message, independent of version and of which experimenter encodes it. The xid
//! stays beside the message. One file per family holds the family's types and its codec.

pub mod async_config;
pub mod bundle;
pub mod config;
pub mod continuation;
pub mod desc;
pub mod error;
pub mod flow_mod;
pub mod flow_stats;
pub mod group;
pub mod hello;
pub mod ipfix;
pub mod meter;
pub mod monitor;
pub mod nicira;
pub mod packet_in;
pub mod packet_out;
pub mod port;
pub mod queue;
pub mod role;
pub mod table;

pub use async_config::AsyncConfig;
pub use bundle::{BundleAdd, BundleControl, BundleControlKind, BundleFlags};
pub use config::{FragMode, SwitchConfig};
pub use continuation::Continuation;
pub use desc::Desc;
pub use error::ErrorMsg;
pub use flow_mod::{FlowMod, FlowModCommand, FlowModFlags, FlowRemoved, FlowRemovedReason};
pub use flow_stats::{AggregateStats, FlowStats, FlowStatsRequest};
pub use group::{
    Bucket, GroupDesc, GroupFeatures, GroupMod, GroupModCommand, GroupStats, GroupType, Selection,
};
pub use hello::{Features, Hello};
pub use meter::{MeterBand, MeterConfig, MeterFeatures, MeterMod, MeterModCommand, MeterStats};
pub use monitor::{FlowMonitorRequest, FlowUpdate};
pub use nicira::{CtFlush, CtTuple, FlowFormat, TlvMap, TlvTableMod, TlvTableReply};
pub use packet_in::{PacketIn, PacketInFormat, PacketInReason};
pub use packet_out::PacketOut;
pub use port::{PortDesc, PortMod, PortStats, PortStatus, PortStatusReason};
pub use queue::{QueueDesc, QueueRequest, QueueStats};
pub use role::{Role, RoleMsg, RoleStatus};
pub use table::{TableDesc, TableFeatures, TableMod, TableStats};

use crate::types::{GroupId, MeterId, OfPort, TableId};

/// One message.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    // symmetric
    Hello(Hello),
    Error(ErrorMsg),
    EchoRequest(Vec<u8>),
    EchoReply(Vec<u8>),

    // handshake and configuration
    FeaturesRequest,
    FeaturesReply(Features),
    GetConfigRequest,
    GetConfigReply(SwitchConfig),
    SetConfig(SwitchConfig),
    BarrierRequest,
    BarrierReply,
    RoleRequest(RoleMsg),
    RoleReply(RoleMsg),
    RoleStatus(RoleStatus),
    GetAsyncRequest,
    GetAsyncReply(AsyncConfig),
    SetAsync(AsyncConfig),
    SetFlowFormat(FlowFormat),
    FlowModTableId(bool),
    SetPacketInFormat(PacketInFormat),
    SetControllerId(u16),
    /// NXT_FLOW_AGE: nothing does it, OVS ignores it.
    FlowAge,

    // switch to controller
    PacketIn(Box<PacketIn>),
    FlowRemoved(Box<FlowRemoved>),
    PortStatus(PortStatus),
    /// OFPT_TABLE_STATUS: reason (3 vacancy down, 4 vacancy up) and the table.
    TableStatus(u8, TableDesc),
    /// A group or meter change by another controller.
    RequestForward(Box<Message>),

    // controller to switch
    PacketOut(Box<PacketOut>),
    Resume(Box<PacketIn>),
    FlowMod(Box<FlowMod>),
    GroupMod(Box<GroupMod>),
    MeterMod(MeterMod),
    PortMod(PortMod),
    TableMod(TableMod),
    BundleControl(BundleControl),
    BundleAdd(Box<BundleAdd>),
    TlvTableMod(TlvTableMod),
    TlvTableRequest,
    TlvTableReply(TlvTableReply),
    CtFlushZone(u16),
    CtFlush(Box<CtFlush>),

    // queue configuration
    QueueGetConfigRequest(OfPort),
    QueueGetConfigReply(OfPort, Vec<QueueDesc>),

    // multipart
    DescRequest,
    DescReply(Desc),
    FlowStatsRequest(Box<FlowStatsRequest>),
    FlowStatsReply(Vec<FlowStats>),
    AggregateRequest(Box<FlowStatsRequest>),
    AggregateReply(AggregateStats),
    TableStatsRequest,
    TableStatsReply(Vec<TableStats>),
    PortStatsRequest(OfPort),
    PortStatsReply(Vec<PortStats>),
    PortDescRequest(OfPort),
    PortDescReply(Vec<PortDesc>),
    QueueStatsRequest(QueueRequest),
    QueueStatsReply(Vec<QueueStats>),
    QueueDescRequest(QueueRequest),
    QueueDescReply(Vec<QueueDesc>),
    GroupStatsRequest(GroupId),
    GroupStatsReply(Vec<GroupStats>),
    GroupDescRequest(GroupId),
    GroupDescReply(Vec<GroupDesc>),
    GroupFeaturesRequest,
    GroupFeaturesReply(GroupFeatures),
    MeterStatsRequest(MeterId),
    MeterStatsReply(Vec<MeterStats>),
    MeterConfigRequest(MeterId),
    MeterConfigReply(Vec<MeterConfig>),
    MeterFeaturesRequest,
    MeterFeaturesReply(MeterFeatures),
    /// An empty body asks; a body asks to change.
    TableFeaturesRequest(Vec<TableFeatures>),
    TableFeaturesReply(Vec<TableFeatures>),
    TableDescRequest(TableId),
    TableDescReply(Vec<TableDesc>),

    // flow monitoring
    FlowMonitorRequest(Vec<FlowMonitorRequest>),
    FlowMonitorReply(Vec<FlowUpdate>),
    FlowMonitorCancel(u32),
    FlowMonitorPaused,
    FlowMonitorResumed,

    // IPFIX statistics
    IpfixBridgeRequest,
    IpfixBridgeReply(ipfix::IpfixStats),
    IpfixFlowRequest,
    IpfixFlowReply(Vec<ipfix::IpfixStats>),
}
