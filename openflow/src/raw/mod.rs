//! The table of message encodings: which type, statistics type or experimenter number each kind of message has
//! in which versions, and the fixed header that says so.

mod sizes;

use crate::error::{NX_VENDOR, ONF_VENDOR, OfpError};
use crate::types::{Version, Xid};
use crate::wire::{Decode, Put, Reader};

/// Bytes of the header that every message has.
pub const HEADER_LEN: usize = 8;

/// The 8-byte header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// As received: may be a version that we do not speak.
    pub version: u8,
    pub kind: u8,
    /// Of the whole message.
    pub size: u16,
    pub xid: Xid,
}

impl Header {
    /// The header at the start of `bytes`, if it is all there.
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        let mut r = Reader::new(bytes);
        Some(Header { version: r.u8().ok()?, kind: r.u8().ok()?, size: r.u16().ok()?, xid: r.u32().ok()? })
    }
}

/// How a message is numbered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// By the header's type.
    Ofpt,
    /// By the type of a statistics request or reply.
    OfpstReq,
    OfpstRep,
    /// By Nicira's subtype.
    Nxt,
    NxstReq,
    NxstRep,
    /// By the ONF's subtype.
    Onft,
    OnfstReq,
    OnfstRep,
}

impl Class {
    fn is_stats(self) -> bool {
        !matches!(self, Class::Ofpt | Class::Nxt | Class::Onft)
    }
    fn is_reply(self) -> bool {
        matches!(self, Class::OfpstRep | Class::NxstRep | Class::OnfstRep)
    }
    fn vendor(self) -> u32 {
        match self {
            Class::Nxt | Class::NxstReq | Class::NxstRep => NX_VENDOR,
            Class::Onft | Class::OnfstReq | Class::OnfstRep => ONF_VENDOR,
            _ => 0,
        }
    }
    fn prefix(self) -> &'static str {
        match self {
            Class::Ofpt => "OFPT_",
            Class::OfpstReq | Class::OfpstRep => "OFPST_",
            Class::Nxt => "NXT_",
            Class::NxstReq | Class::NxstRep => "NXST_",
            Class::Onft => "ONFT_",
            Class::OnfstReq | Class::OnfstRep => "ONFST_",
        }
    }
}

/// A message as it is numbered on the wire in one version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Raw {
    pub kind: Kind,
    pub class: Class,
    pub number: u32,
}

macro_rules! kinds {
    ($($kind:ident $name:literal: $($class:ident $lo:literal..=$hi:literal $num:literal),*;)*) => {
        /// A kind of message, whatever encodes it.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Kind { $($kind),* }

        const ROWS: &[(u8, u8, Raw)] = &[
            $($(($lo, $hi, Raw { kind: Kind::$kind, class: Class::$class, number: $num }),)*)*
        ];

        impl Kind {
            /// OVS's name without prefix.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name),* }
            }
        }
    };
}

kinds! {
    Hello "HELLO": Ofpt 1..=6 0;
    Error "ERROR": Ofpt 1..=6 1;
    EchoRequest "ECHO_REQUEST": Ofpt 1..=6 2;
    EchoReply "ECHO_REPLY": Ofpt 1..=6 3;
    FeaturesRequest "FEATURES_REQUEST": Ofpt 1..=6 5;
    FeaturesReply "FEATURES_REPLY": Ofpt 1..=6 6;
    GetConfigRequest "GET_CONFIG_REQUEST": Ofpt 1..=6 7;
    GetConfigReply "GET_CONFIG_REPLY": Ofpt 1..=6 8;
    SetConfig "SET_CONFIG": Ofpt 1..=6 9;
    PacketIn "PACKET_IN": Ofpt 1..=6 10, Nxt 1..=6 17;
    PacketIn2 "PACKET_IN2": Nxt 1..=6 30;
    FlowRemoved "FLOW_REMOVED": Ofpt 1..=6 11, Nxt 1..=6 14;
    PortStatus "PORT_STATUS": Ofpt 1..=6 12;
    PacketOut "PACKET_OUT": Ofpt 1..=6 13;
    FlowMod "FLOW_MOD": Ofpt 1..=6 14, Nxt 1..=6 13;
    GroupMod "GROUP_MOD": Nxt 1..=1 31, Ofpt 2..=6 15;
    PortMod "PORT_MOD": Ofpt 1..=1 15, Ofpt 2..=6 16;
    TableMod "TABLE_MOD": Ofpt 2..=6 17;
    BarrierRequest "BARRIER_REQUEST": Ofpt 1..=1 18, Ofpt 2..=6 20;
    BarrierReply "BARRIER_REPLY": Ofpt 1..=1 19, Ofpt 2..=6 21;
    QueueGetConfigRequest "QUEUE_GET_CONFIG_REQUEST": Ofpt 1..=1 20, Ofpt 2..=4 22;
    QueueGetConfigReply "QUEUE_GET_CONFIG_REPLY": Ofpt 1..=1 21, Ofpt 2..=4 23;
    RoleRequest "ROLE_REQUEST": Ofpt 3..=6 24, Nxt 1..=6 10;
    RoleReply "ROLE_REPLY": Ofpt 3..=6 25, Nxt 1..=6 11;
    GetAsyncRequest "GET_ASYNC_REQUEST": Ofpt 4..=6 26;
    GetAsyncReply "GET_ASYNC_REPLY": Ofpt 4..=6 27;
    SetAsync "SET_ASYNC": Ofpt 4..=6 28;
    SetAsyncConfig "SET_ASYNC_CONFIG": Nxt 1..=6 19;
    SetAsyncConfig2 "SET_ASYNC_CONFIG2": Nxt 1..=4 27;
    MeterMod "METER_MOD": Ofpt 4..=6 29;
    RoleStatus "ROLE_STATUS": Onft 4..=4 1911, Ofpt 5..=6 30;
    TableStatus "TABLE_STATUS": Ofpt 5..=6 31;
    RequestForward "REQUESTFORWARD": Nxt 1..=3 132, Onft 4..=4 2350, Ofpt 5..=6 32;
    BundleControl "BUNDLE_CONTROL": Ofpt 5..=6 33, Onft 4..=4 2300;
    BundleAdd "BUNDLE_ADD_MESSAGE": Ofpt 5..=6 34, Onft 4..=4 2301;
    DescRequest "DESC": OfpstReq 1..=6 0;
    DescReply "DESC": OfpstRep 1..=6 0;
    FlowRequest "FLOW": OfpstReq 1..=6 1, NxstReq 1..=1 0;
    FlowReply "FLOW": OfpstRep 1..=6 1, NxstRep 1..=1 0;
    AggregateRequest "AGGREGATE": OfpstReq 1..=6 2, NxstReq 1..=1 1;
    AggregateReply "AGGREGATE": OfpstRep 1..=6 2, NxstRep 1..=1 1;
    TableRequest "TABLE": OfpstReq 1..=6 3;
    TableReply "TABLE": OfpstRep 1..=6 3;
    PortRequest "PORT": OfpstReq 1..=6 4;
    PortReply "PORT": OfpstRep 1..=6 4;
    QueueRequest "QUEUE": OfpstReq 1..=6 5;
    QueueReply "QUEUE": OfpstRep 1..=6 5;
    GroupRequest "GROUP": NxstReq 1..=1 7, OfpstReq 2..=6 6;
    GroupReply "GROUP": NxstRep 1..=1 7, OfpstRep 2..=6 6;
    GroupDescRequest "GROUP_DESC": NxstReq 1..=1 8, OfpstReq 2..=6 7;
    GroupDescReply "GROUP_DESC": NxstRep 1..=1 8, OfpstRep 2..=6 7;
    GroupFeaturesRequest "GROUP_FEATURES": NxstReq 1..=2 9, OfpstReq 3..=6 8;
    GroupFeaturesReply "GROUP_FEATURES": NxstRep 1..=2 9, OfpstRep 3..=6 8;
    MeterRequest "METER": OfpstReq 4..=6 9;
    MeterReply "METER": OfpstRep 4..=6 9;
    MeterConfigRequest "METER_CONFIG": OfpstReq 4..=6 10;
    MeterConfigReply "METER_CONFIG": OfpstRep 4..=6 10;
    MeterFeaturesRequest "METER_FEATURES": OfpstReq 4..=6 11;
    MeterFeaturesReply "METER_FEATURES": OfpstRep 4..=6 11;
    TableFeaturesRequest "TABLE_FEATURES": OfpstReq 4..=6 12;
    TableFeaturesReply "TABLE_FEATURES": OfpstRep 4..=6 12;
    PortDescRequest "PORT_DESC": OfpstReq 1..=6 13;
    PortDescReply "PORT_DESC": OfpstRep 1..=6 13;
    TableDescRequest "TABLE_DESC": OfpstReq 5..=6 14;
    TableDescReply "TABLE_DESC": OfpstRep 5..=6 14;
    QueueDescRequest "QUEUE_DESC": OfpstReq 5..=6 15;
    QueueDescReply "QUEUE_DESC": OfpstRep 5..=6 15;
    FlowMonitorRequest "FLOW_MONITOR": OfpstReq 5..=6 16, OnfstReq 4..=4 1870, NxstReq 1..=3 2;
    FlowMonitorReply "FLOW_MONITOR": OfpstRep 5..=6 16, OnfstRep 4..=4 1870, NxstRep 1..=3 2;
    FlowMonitorCancel "FLOW_MONITOR_CANCEL": Onft 4..=4 1870, Nxt 1..=3 21;
    FlowMonitorPaused "FLOW_MONITOR_PAUSED": Onft 4..=4 1871, Nxt 1..=3 22;
    FlowMonitorResumed "FLOW_MONITOR_RESUMED": Onft 4..=4 1872, Nxt 1..=3 23;
    SetFlowFormat "SET_FLOW_FORMAT": Nxt 1..=1 12;
    FlowModTableId "FLOW_MOD_TABLE_ID": Nxt 1..=6 15;
    SetPacketInFormat "SET_PACKET_IN_FORMAT": Nxt 1..=6 16;
    FlowAge "FLOW_AGE": Nxt 1..=6 18;
    SetControllerId "SET_CONTROLLER_ID": Nxt 1..=6 20;
    TlvTableMod "TLV_TABLE_MOD": Nxt 1..=6 24;
    TlvTableRequest "TLV_TABLE_REQUEST": Nxt 1..=6 25;
    TlvTableReply "TLV_TABLE_REPLY": Nxt 1..=6 26;
    Resume "RESUME": Nxt 1..=6 28;
    CtFlushZone "CT_FLUSH_ZONE": Nxt 1..=6 29;
    CtFlush "CT_FLUSH": Nxt 1..=6 32;
    IpfixBridgeRequest "IPFIX_BRIDGE": NxstReq 1..=6 3;
    IpfixBridgeReply "IPFIX_BRIDGE": NxstRep 1..=6 3;
    IpfixFlowRequest "IPFIX_FLOW": NxstReq 1..=6 4;
    IpfixFlowReply "IPFIX_FLOW": NxstRep 1..=6 4;
}

const OFPT_VENDOR: u8 = 4;
const OFPST_VENDOR: u16 = 0xffff;
/// Statistics reply flag: more parts follow.
pub const STATS_MORE: u16 = 1;

fn stats_types(version: Version) -> (u8, u8) {
    if version == Version::V1_0 { (16, 17) } else { (18, 19) }
}

impl Raw {
    /// How `version` numbers `kind`, preferring the standard's number (`nx`: Nicira's).
    pub fn pick(version: Version, kind: Kind, nx: bool) -> Option<Raw> {
        let v = version.wire();
        let mut rows =
            ROWS.iter().filter(|(lo, hi, r)| r.kind == kind && (*lo..=*hi).contains(&v)).map(|r| r.2);
        let first = rows.next()?;
        if nx && first.class.vendor() != NX_VENDOR {
            rows.find(|r| r.class.vendor() == NX_VENDOR)
        } else {
            Some(first)
        }
    }

    fn find(version: Version, class: Class, number: u32) -> Option<Raw> {
        let v = version.wire();
        ROWS.iter()
            .find(|(lo, hi, r)| r.class == class && r.number == number && (*lo..=*hi).contains(&v))
            .map(|r| r.2)
    }

    /// `OFPT_FLOW_MOD`, `NXST_FLOW reply`.
    pub fn name(self) -> String {
        let suffix = match (self.class.is_stats(), self.class.is_reply()) {
            (false, _) => "",
            (true, false) => " request",
            (true, true) => " reply",
        };
        format!("{}{}{}", self.class.prefix(), self.kind.name(), suffix)
    }

    /// Starts a message at the end of `w`; `finish` completes it.
    pub fn start(self, w: &mut Vec<u8>, version: Version, xid: Xid) {
        let v10 = version == Version::V1_0;
        let (req, rep) = stats_types(version);
        let kind = match self.class {
            Class::Ofpt => self.number as u8,
            Class::Nxt | Class::Onft => OFPT_VENDOR,
            class if class.is_reply() => rep,
            _ => req,
        };
        w.u8(version.wire());
        w.u8(kind);
        w.u16(0);
        w.u32(xid);
        match self.class {
            Class::Ofpt => {}
            Class::Nxt | Class::Onft => {
                w.u32(self.class.vendor());
                w.u32(self.number);
            }
            Class::OfpstReq | Class::OfpstRep => {
                w.u16(self.number as u16);
                w.zeros(if v10 { 2 } else { 6 });
            }
            _ => {
                w.u16(OFPST_VENDOR);
                w.zeros(if v10 { 2 } else { 6 });
                w.u32(self.class.vendor());
                w.u32(self.number);
                w.zeros(if v10 { 4 } else { 0 });
            }
        }
    }

    /// Bytes that `start` writes.
    pub fn header_len(self, version: Version) -> usize {
        let v10 = version == Version::V1_0;
        match self.class {
            Class::Ofpt => 8,
            Class::Nxt | Class::Onft => 16,
            Class::OfpstReq | Class::OfpstRep => {
                if v10 {
                    12
                } else {
                    16
                }
            }
            _ => 24,
        }
    }

    /// Finds out what the message in `bytes` is; the reader stands after the headers. The second value is the
    /// flags of a statistics message.
    pub fn decode(bytes: &[u8]) -> Decode<(Version, Xid, Raw, u16, Reader<'_>)> {
        let size = Header::parse(bytes).map(|h| usize::from(h.size));
        if size.is_some_and(|size| size != bytes.len()) {
            return Err(OfpError::OFPBRC_BAD_LEN);
        }
        let found = Raw::identify(bytes)?;
        let (version, _, raw, _, r) = &found;
        if !raw.body_size(*version).admits(r.len()) {
            return Err(OfpError::OFPBRC_BAD_LEN);
        }
        Ok(found)
    }

    /// The same for a message that may be cut, and whose length is not checked.
    pub fn identify(bytes: &[u8]) -> Decode<(Version, Xid, Raw, u16, Reader<'_>)> {
        use OfpError::*;
        let header = Header::parse(bytes).ok_or(OFPBRC_BAD_LEN)?;
        let version = Version::from_wire(header.version).ok_or(OFPBRC_BAD_VERSION)?;
        let mut r = Reader::new(&bytes[HEADER_LEN..]);
        let (req, rep) = stats_types(version);
        let mut flags = 0;
        let raw = if header.kind == OFPT_VENDOR {
            if r.len() < 8 {
                return Err(OFPBRC_BAD_LEN);
            }
            let vendor = r.u32()?;
            let class = match vendor {
                NX_VENDOR => Class::Nxt,
                ONF_VENDOR => Class::Onft,
                _ => return Err(OFPBRC_BAD_VENDOR),
            };
            Raw::find(version, class, r.u32()?).ok_or(OFPBRC_BAD_SUBTYPE)?
        } else if header.kind == req || header.kind == rep {
            let reply = header.kind == rep;
            let number = r.u16()?;
            flags = r.u16()?;
            r.skip(if version == Version::V1_0 { 0 } else { 4 })?;
            if number == OFPST_VENDOR {
                if r.len() < 8 {
                    return Err(OFPBRC_BAD_LEN);
                }
                let class = match (r.u32()?, reply) {
                    (NX_VENDOR, false) => Class::NxstReq,
                    (NX_VENDOR, true) => Class::NxstRep,
                    (ONF_VENDOR, false) => Class::OnfstReq,
                    (ONF_VENDOR, true) => Class::OnfstRep,
                    _ => return Err(OFPBRC_BAD_VENDOR),
                };
                let raw = Raw::find(version, class, r.u32()?).ok_or(OFPBRC_BAD_SUBTYPE)?;
                r.skip(if version == Version::V1_0 { 4 } else { 0 })?;
                raw
            } else {
                let class = if reply { Class::OfpstRep } else { Class::OfpstReq };
                Raw::find(version, class, number.into()).ok_or(OFPBRC_BAD_STAT)?
            }
        } else {
            Raw::find(version, Class::Ofpt, header.kind.into()).ok_or(OFPBRC_BAD_TYPE)?
        };
        Ok((version, header.xid, raw, flags, r))
    }

    /// True when the bytes are a statistics message that says that more parts follow.
    pub fn has_more(bytes: &[u8]) -> bool {
        Raw::decode(bytes).is_ok_and(|(.., flags, _)| flags & STATS_MORE != 0)
    }

    /// True for what a bundle may hold.
    pub fn is_bundlable(self) -> bool {
        matches!(self.kind, Kind::FlowMod | Kind::GroupMod | Kind::PortMod | Kind::PacketOut)
    }

    /// True for statistics requests and replies.
    pub fn is_stats(self) -> bool {
        self.class.is_stats()
    }
}

/// Sets the length of the message that starts at `start`.
pub fn finish(w: &mut Vec<u8>, start: usize) {
    let len = w.len() - start;
    w.patch_u16(start + 2, len.min(usize::from(u16::MAX)) as u16);
}
