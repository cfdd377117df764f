//! Bytes to `Message` and back: the dispatch over message kinds. What each kind looks like is in the file of its
//! family under `msg`.
//!
//! Bounds: a message is at most 65,535 bytes (its length field); lists inside it are bounded by that; nesting of
//! actions by `action::list::DEPTH_MAX`, of messages by one level (bundle add, request forward).

use crate::action::{DecodeCtx, EncodeCtx};
use crate::error::OfpError;
use crate::matching::{Match, oxm, v10, v11};
use crate::msg::*;
use crate::raw::{self, Class, Kind, Raw, STATS_MORE};
use crate::types::{Version, Xid};
use crate::wire::{Decode, Put, Reader};

/// Bytes of a message at most.
pub const MESSAGE_MAX: usize = 65535;

/// Decodes one whole message.
pub fn decode(bytes: &[u8]) -> Decode<(Xid, Message)> {
    decode_nested(bytes, false)
}

/// What the decoders of the families get.
pub(crate) struct Body<'a> {
    pub version: Version,
    pub class: Class,
    pub r: Reader<'a>,
    pub xid: Xid,
    /// Stop at a bad entry of a list instead of failing.
    pub lenient: bool,
    pub bad_entry: Option<OfpError>,
}

impl Body<'_> {
    pub fn is_10(&self) -> bool {
        self.version == Version::V1_0
    }
    pub fn is_nx(&self) -> bool {
        matches!(self.class, Class::Nxt | Class::NxstReq | Class::NxstRep)
    }
    pub fn actions(&self) -> DecodeCtx {
        DecodeCtx::new(self.version)
    }
    /// A port number in the version's width.
    pub fn port(&mut self) -> Decode<crate::types::OfPort> {
        if self.is_10() {
            Ok(crate::types::OfPort::from_u16(self.r.u16()?))
        } else {
            crate::action::port_11(self.r.u32()?)
        }
    }
    /// The match of a standard message.
    pub fn matching(&mut self) -> Decode<Match> {
        if self.is_10() {
            v10::pull(&mut self.r)
        } else {
            oxm::pull_match(&mut self.r, oxm::Strictness::Strict)
        }
    }
}

/// As `decode`; of a list of statistics what comes before a bad entry is given with the error (for printing).
pub fn decode_lenient(bytes: &[u8]) -> Decode<(Message, Option<OfpError>)> {
    let (version, xid, raw, _, r) = Raw::decode(bytes)?;
    let mut b = Body { version, class: raw.class, r, xid, lenient: true, bad_entry: None };
    let message = body(raw.kind, &mut b, false)?;
    Ok((message, b.bad_entry))
}

pub(crate) fn decode_nested(bytes: &[u8], nested: bool) -> Decode<(Xid, Message)> {
    let (version, xid, raw, _, r) = Raw::decode(bytes)?;
    let mut b = Body { version, class: raw.class, r, xid, lenient: false, bad_entry: None };
    let message = body(raw.kind, &mut b, nested)?;
    Ok((xid, message))
}

fn body(kind: Kind, b: &mut Body<'_>, nested: bool) -> Decode<Message> {
    use Message as M;
    let empty = |b: &Body<'_>, m: Message| b.r.finish().map(|()| m);
    match kind {
        Kind::Hello => Ok(M::Hello(hello::decode(b))),
        Kind::Error => error::decode(b).map(M::Error),
        Kind::EchoRequest => Ok(M::EchoRequest(b.r.rest().to_vec())),
        Kind::EchoReply => Ok(M::EchoReply(b.r.rest().to_vec())),
        Kind::FeaturesRequest => empty(b, M::FeaturesRequest),
        Kind::FeaturesReply => hello::decode_features(b).map(M::FeaturesReply),
        Kind::GetConfigRequest => empty(b, M::GetConfigRequest),
        Kind::GetConfigReply => config::decode(b).map(M::GetConfigReply),
        Kind::SetConfig => config::decode(b).map(M::SetConfig),
        Kind::PacketIn => packet_in::decode(b).map(|p| M::PacketIn(Box::new(p))),
        Kind::PacketIn2 => packet_in::decode2(b, false).map(|p| M::PacketIn(Box::new(p))),
        Kind::Resume => packet_in::decode2(b, true).map(|p| M::Resume(Box::new(p))),
        Kind::FlowRemoved => flow_mod::decode_removed(b).map(|f| M::FlowRemoved(Box::new(f))),
        Kind::PortStatus => port::decode_status(b).map(M::PortStatus),
        Kind::PacketOut => packet_out::decode(b).map(|p| M::PacketOut(Box::new(p))),
        Kind::FlowMod => flow_mod::decode(b).map(|f| M::FlowMod(Box::new(f))),
        Kind::GroupMod => group::decode_mod(b).map(|g| M::GroupMod(Box::new(g))),
        Kind::PortMod => port::decode_mod(b).map(M::PortMod),
        Kind::TableMod => table::decode_mod(b).map(M::TableMod),
        Kind::BarrierRequest => empty(b, M::BarrierRequest),
        Kind::BarrierReply => empty(b, M::BarrierReply),
        Kind::QueueGetConfigRequest => queue::decode_config_request(b),
        Kind::QueueGetConfigReply => queue::decode_config_reply(b),
        Kind::RoleRequest => role::decode(b).map(M::RoleRequest),
        Kind::RoleReply => role::decode(b).map(M::RoleReply),
        Kind::RoleStatus => role::decode_status(b).map(M::RoleStatus),
        Kind::GetAsyncRequest => empty(b, M::GetAsyncRequest),
        Kind::GetAsyncReply => async_config::decode(b, b.version >= Version::V1_4).map(M::GetAsyncReply),
        Kind::SetAsync => async_config::decode(b, b.version >= Version::V1_4).map(M::SetAsync),
        Kind::SetAsyncConfig => async_config::decode(b, false).map(M::SetAsync),
        Kind::SetAsyncConfig2 => async_config::decode(b, true).map(M::SetAsync),
        Kind::MeterMod => meter::decode_mod(b).map(M::MeterMod),
        Kind::TableStatus => table::decode_status(b),
        Kind::RequestForward | Kind::BundleAdd if nested => Err(OfpError::OFPBRC_BAD_TYPE),
        Kind::RequestForward => bundle::decode_forward(b),
        Kind::BundleControl => bundle::decode_control(b).map(M::BundleControl),
        Kind::BundleAdd => bundle::decode_add(b).map(|a| M::BundleAdd(Box::new(a))),
        Kind::SetFlowFormat => nicira::decode_flow_format(b).map(M::SetFlowFormat),
        Kind::FlowModTableId => nicira::decode_flow_mod_table_id(b),
        Kind::SetPacketInFormat => packet_in::decode_format(b).map(M::SetPacketInFormat),
        Kind::FlowAge => Ok(M::FlowAge),
        Kind::SetControllerId => nicira::decode_controller_id(b),
        Kind::TlvTableMod => nicira::decode_tlv_mod(b).map(M::TlvTableMod),
        Kind::TlvTableRequest => empty(b, M::TlvTableRequest),
        Kind::TlvTableReply => nicira::decode_tlv_reply(b).map(M::TlvTableReply),
        Kind::CtFlushZone => nicira::decode_ct_flush_zone(b),
        Kind::CtFlush => nicira::decode_ct_flush(b).map(|c| M::CtFlush(Box::new(c))),
        Kind::FlowMonitorCancel => monitor::decode_cancel(b),
        Kind::FlowMonitorPaused => empty(b, M::FlowMonitorPaused),
        Kind::FlowMonitorResumed => empty(b, M::FlowMonitorResumed),
        other => stats(other, b),
    }
}

fn stats(kind: Kind, b: &mut Body<'_>) -> Decode<Message> {
    use Message as M;
    let empty = |b: &Body<'_>, m: Message| b.r.finish().map(|()| m);
    match kind {
        Kind::DescRequest => empty(b, M::DescRequest),
        Kind::DescReply => desc::decode(b).map(M::DescReply),
        Kind::FlowRequest => flow_stats::decode_request(b).map(|r| M::FlowStatsRequest(Box::new(r))),
        Kind::AggregateRequest => flow_stats::decode_request(b).map(|r| M::AggregateRequest(Box::new(r))),
        Kind::FlowReply => all(b, flow_stats::decode).map(M::FlowStatsReply),
        Kind::AggregateReply => flow_stats::decode_aggregate(b).map(M::AggregateReply),
        Kind::TableRequest => empty(b, M::TableStatsRequest),
        Kind::TableReply => all(b, table::decode_stats).map(M::TableStatsReply),
        Kind::PortRequest => port::decode_request(b).map(M::PortStatsRequest),
        Kind::PortReply => all(b, port::decode_stats).map(M::PortStatsReply),
        Kind::PortDescRequest => port::decode_desc_request(b).map(M::PortDescRequest),
        Kind::PortDescReply => all(b, port::decode_desc).map(M::PortDescReply),
        Kind::QueueRequest => queue::decode_request(b).map(M::QueueStatsRequest),
        Kind::QueueReply => all(b, queue::decode_stats).map(M::QueueStatsReply),
        Kind::QueueDescRequest => queue::decode_request(b).map(M::QueueDescRequest),
        Kind::QueueDescReply => all(b, queue::decode_desc).map(M::QueueDescReply),
        Kind::GroupRequest => group::decode_request(b).map(M::GroupStatsRequest),
        Kind::GroupReply => all(b, group::decode_stats).map(M::GroupStatsReply),
        Kind::GroupDescRequest => group::decode_desc_request(b).map(M::GroupDescRequest),
        Kind::GroupDescReply => all(b, group::decode_desc).map(M::GroupDescReply),
        Kind::GroupFeaturesRequest => empty(b, M::GroupFeaturesRequest),
        Kind::GroupFeaturesReply => group::decode_features(b).map(M::GroupFeaturesReply),
        Kind::MeterRequest => meter::decode_request(b).map(M::MeterStatsRequest),
        Kind::MeterReply => all(b, meter::decode_stats).map(M::MeterStatsReply),
        Kind::MeterConfigRequest => meter::decode_request(b).map(M::MeterConfigRequest),
        Kind::MeterConfigReply => all(b, meter::decode_config).map(M::MeterConfigReply),
        Kind::MeterFeaturesRequest => empty(b, M::MeterFeaturesRequest),
        Kind::MeterFeaturesReply => meter::decode_features(b).map(M::MeterFeaturesReply),
        Kind::TableFeaturesRequest => all(b, table::decode_features).map(M::TableFeaturesRequest),
        Kind::TableFeaturesReply => all(b, table::decode_features).map(M::TableFeaturesReply),
        Kind::TableDescRequest => empty(b, M::TableDescRequest(crate::types::TableId::ALL)),
        Kind::TableDescReply => all(b, table::decode_desc).map(M::TableDescReply),
        Kind::FlowMonitorRequest => all(b, monitor::decode_request).map(M::FlowMonitorRequest),
        Kind::FlowMonitorReply => all(b, monitor::decode_update).map(M::FlowMonitorReply),
        Kind::IpfixBridgeRequest => empty(b, M::IpfixBridgeRequest),
        Kind::IpfixBridgeReply => ipfix::decode(b).map(M::IpfixBridgeReply),
        Kind::IpfixFlowRequest => empty(b, M::IpfixFlowRequest),
        Kind::IpfixFlowReply => all(b, ipfix::decode).map(M::IpfixFlowReply),
        _ => Err(OfpError::OFPBRC_BAD_TYPE),
    }
}

/// Entries up to the end of the message.
fn all<T>(b: &mut Body<'_>, one: impl Fn(&mut Body<'_>) -> Decode<T>) -> Decode<Vec<T>> {
    let mut out = Vec::new();
    while !b.r.is_empty() {
        match one(b) {
            Ok(entry) => out.push(entry),
            Err(error) if b.lenient && !out.is_empty() => {
                b.bad_entry = Some(error);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(out)
}

/// How matches are written in OpenFlow 1.0, which has two ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MatchFormat {
    /// The standard's, and Nicira's for messages whose match it cannot express.
    #[default]
    Auto,
    /// The standard's, losing what it cannot express.
    Standard,
    /// Nicira's.
    Nxm,
}

/// Encodes a message; a multipart reply that is too long becomes several, one after the other. A message that
/// `version` does not have becomes nothing.
pub fn encode(version: Version, xid: Xid, message: &Message) -> Vec<u8> {
    encode_as(version, xid, message, MatchFormat::Auto)
}

/// As `encode`, choosing the match format of OpenFlow 1.0.
pub fn encode_as(version: Version, xid: Xid, message: &Message, format: MatchFormat) -> Vec<u8> {
    encode_part(version, xid, message, format, false)
}

/// As `encode_as`; `more` marks the last message of a multipart reply as not the last part.
pub fn encode_part(
    version: Version,
    xid: Xid,
    message: &Message,
    format: MatchFormat,
    more: bool,
) -> Vec<u8> {
    let mut e = Encoder { w: Vec::with_capacity(64), start: 0, raw: None, version, xid, format };
    encode_body(&mut e, message);
    e.close(more);
    e.w
}

/// What the encoders of the families get: the buffer and the message that is being written at its end.
pub(crate) struct Encoder {
    pub w: Vec<u8>,
    pub version: Version,
    pub xid: Xid,
    pub format: MatchFormat,
    start: usize,
    raw: Option<Raw>,
}

impl Encoder {
    /// Starts a message; false when the version does not have it.
    pub fn begin(&mut self, kind: Kind) -> bool {
        self.begin_as(kind, false)
    }

    /// As `begin`; `nx` prefers Nicira's encoding.
    pub fn begin_as(&mut self, kind: Kind, nx: bool) -> bool {
        let Some(raw) = Raw::pick(self.version, kind, nx) else { return false };
        self.start = self.w.len();
        self.raw = Some(raw);
        raw.start(&mut self.w, self.version, self.xid);
        true
    }

    fn close(&mut self, more: bool) {
        if let Some(raw) = self.raw {
            if more && raw.is_stats() {
                self.w.patch_u16(self.start + 10, STATS_MORE);
            }
            raw::finish(&mut self.w, self.start);
        }
    }

    /// Writes entries, continuing in a new part when one does not fit.
    pub fn entries<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Encoder, &T)) {
        for item in items {
            let at = self.w.len();
            put(self, item);
            if self.w.len() - self.start > MESSAGE_MAX && at > self.start + 24 {
                let entry = self.w.split_off(at);
                self.close(true);
                if let Some(raw) = self.raw {
                    self.start = self.w.len();
                    raw.start(&mut self.w, self.version, self.xid);
                }
                self.w.bytes(&entry);
            }
        }
    }

    pub fn is_10(&self) -> bool {
        self.version == Version::V1_0
    }

    /// A port in the version's width.
    pub fn port(&mut self, port: crate::types::OfPort) {
        if self.is_10() { self.w.u16(port.low16()) } else { self.w.u32(port.0) }
    }

    /// The match of a standard message.
    pub fn matching(&mut self, m: &Match) {
        match self.version {
            Version::V1_0 => v10::put(&mut self.w, m),
            Version::V1_1 => v11::put(&mut self.w, m),
            v => oxm::put_match(&mut self.w, m, v),
        }
    }

    /// Whether `m` is to be written as NXM (OpenFlow 1.0 only).
    pub fn use_nxm(&self, m: &Match) -> bool {
        self.is_10()
            && match self.format {
                MatchFormat::Auto => !v10::can_express(m),
                MatchFormat::Standard => false,
                MatchFormat::Nxm => true,
            }
    }

    pub fn actions(&self, m: &Match) -> EncodeCtx {
        EncodeCtx {
            version: self.version,
            has_vlan: m.mask.0.vlan.tci.get() & m.flow.vlan.tci.get() & flow::key::VLAN_CFI != 0,
            ip_proto: m.flow.nw_proto,
        }
    }
}

fn encode_body(e: &mut Encoder, message: &Message) {
    use Message as M;
    match message {
        M::Hello(h) => hello::encode(e, h),
        M::Error(err) => error::encode(e, err),
        M::EchoRequest(data) => plain(e, Kind::EchoRequest, data),
        M::EchoReply(data) => plain(e, Kind::EchoReply, data),
        M::FeaturesRequest => plain(e, Kind::FeaturesRequest, &[]),
        M::FeaturesReply(f) => hello::encode_features(e, f),
        M::GetConfigRequest => plain(e, Kind::GetConfigRequest, &[]),
        M::GetConfigReply(c) => config::encode(e, Kind::GetConfigReply, c),
        M::SetConfig(c) => config::encode(e, Kind::SetConfig, c),
        M::BarrierRequest => plain(e, Kind::BarrierRequest, &[]),
        M::BarrierReply => plain(e, Kind::BarrierReply, &[]),
        M::RoleRequest(r) => role::encode(e, Kind::RoleRequest, r),
        M::RoleReply(r) => role::encode(e, Kind::RoleReply, r),
        M::RoleStatus(r) => role::encode_status(e, r),
        M::GetAsyncRequest => plain(e, Kind::GetAsyncRequest, &[]),
        M::GetAsyncReply(a) => async_config::encode(e, Kind::GetAsyncReply, a),
        M::SetAsync(a) => async_config::encode(e, Kind::SetAsync, a),
        M::SetFlowFormat(f) => nicira::encode_u32(e, Kind::SetFlowFormat, *f as u32),
        M::FlowModTableId(on) => plain(e, Kind::FlowModTableId, &[u8::from(*on), 0, 0, 0, 0, 0, 0, 0]),
        M::SetPacketInFormat(f) => nicira::encode_u32(e, Kind::SetPacketInFormat, *f as u32),
        M::SetControllerId(id) => nicira::encode_u16_tail(e, Kind::SetControllerId, *id),
        M::FlowAge => plain(e, Kind::FlowAge, &[]),
        M::PacketIn(p) => packet_in::encode(e, p),
        M::Resume(p) => packet_in::encode_resume(e, p),
        M::FlowRemoved(f) => flow_mod::encode_removed(e, f),
        M::PortStatus(s) => port::encode_status(e, s),
        M::TableStatus(reason, desc) => table::encode_status(e, *reason, desc),
        M::RequestForward(inner) => bundle::encode_forward(e, inner),
        M::PacketOut(p) => packet_out::encode(e, p),
        M::FlowMod(f) => flow_mod::encode(e, f),
        M::GroupMod(g) => group::encode_mod(e, g),
        M::MeterMod(m) => meter::encode_mod(e, m),
        M::PortMod(p) => port::encode_mod(e, p),
        M::TableMod(t) => table::encode_mod(e, t),
        M::BundleControl(b) => bundle::encode_control(e, b),
        M::BundleAdd(b) => bundle::encode_add(e, b),
        M::TlvTableMod(t) => nicira::encode_tlv_mod(e, t),
        M::TlvTableRequest => plain(e, Kind::TlvTableRequest, &[]),
        M::TlvTableReply(t) => nicira::encode_tlv_reply(e, t),
        M::CtFlushZone(zone) => nicira::encode_u16_tail(e, Kind::CtFlushZone, *zone),
        M::CtFlush(c) => nicira::encode_ct_flush(e, c),
        M::QueueGetConfigRequest(p) => queue::encode_config_request(e, *p),
        M::QueueGetConfigReply(p, queues) => queue::encode_config_reply(e, *p, queues),
        M::FlowMonitorCancel(id) => nicira::encode_u32(e, Kind::FlowMonitorCancel, *id),
        M::FlowMonitorPaused => plain(e, Kind::FlowMonitorPaused, &[]),
        M::FlowMonitorResumed => plain(e, Kind::FlowMonitorResumed, &[]),
        other => encode_stats(e, other),
    }
}

fn encode_stats(e: &mut Encoder, message: &Message) {
    use Message as M;
    match message {
        M::DescRequest => plain(e, Kind::DescRequest, &[]),
        M::DescReply(d) => desc::encode(e, d),
        M::FlowStatsRequest(r) => flow_stats::encode_request(e, Kind::FlowRequest, r),
        M::AggregateRequest(r) => flow_stats::encode_request(e, Kind::AggregateRequest, r),
        M::FlowStatsReply(flows) => flow_stats::encode(e, flows),
        M::AggregateReply(a) => flow_stats::encode_aggregate(e, a),
        M::TableStatsRequest => plain(e, Kind::TableRequest, &[]),
        M::TableStatsReply(t) => table::encode_stats(e, t),
        M::PortStatsRequest(p) => port::encode_request(e, Kind::PortRequest, *p),
        M::PortStatsReply(p) => port::encode_stats(e, p),
        M::PortDescRequest(p) => port::encode_desc_request(e, *p),
        M::PortDescReply(p) => port::encode_desc_reply(e, p),
        M::QueueStatsRequest(q) => queue::encode_request(e, Kind::QueueRequest, q),
        M::QueueStatsReply(q) => queue::encode_stats(e, q),
        M::QueueDescRequest(q) => queue::encode_request(e, Kind::QueueDescRequest, q),
        M::QueueDescReply(q) => queue::encode_desc(e, q),
        M::GroupStatsRequest(id) => group::encode_request(e, Kind::GroupRequest, *id),
        M::GroupStatsReply(g) => group::encode_stats(e, g),
        M::GroupDescRequest(id) => group::encode_desc_request(e, *id),
        M::GroupDescReply(g) => group::encode_desc(e, g),
        M::GroupFeaturesRequest => plain(e, Kind::GroupFeaturesRequest, &[]),
        M::GroupFeaturesReply(f) => group::encode_features(e, f),
        M::MeterStatsRequest(id) => meter::encode_request(e, Kind::MeterRequest, *id),
        M::MeterStatsReply(m) => meter::encode_stats(e, m),
        M::MeterConfigRequest(id) => meter::encode_request(e, Kind::MeterConfigRequest, *id),
        M::MeterConfigReply(m) => meter::encode_config(e, m),
        M::MeterFeaturesRequest => plain(e, Kind::MeterFeaturesRequest, &[]),
        M::MeterFeaturesReply(f) => meter::encode_features(e, f),
        M::TableFeaturesRequest(t) => table::encode_features(e, Kind::TableFeaturesRequest, t),
        M::TableFeaturesReply(t) => table::encode_features(e, Kind::TableFeaturesReply, t),
        M::TableDescRequest(_) => plain(e, Kind::TableDescRequest, &[]),
        M::TableDescReply(t) => table::encode_desc(e, t),
        M::FlowMonitorRequest(r) => monitor::encode_request(e, r),
        M::FlowMonitorReply(u) => monitor::encode_updates(e, u),
        M::IpfixBridgeRequest => plain(e, Kind::IpfixBridgeRequest, &[]),
        M::IpfixBridgeReply(i) => ipfix::encode(e, Kind::IpfixBridgeReply, std::slice::from_ref(i)),
        M::IpfixFlowRequest => plain(e, Kind::IpfixFlowRequest, &[]),
        M::IpfixFlowReply(i) => ipfix::encode(e, Kind::IpfixFlowReply, i),
        _ => {}
    }
}

fn plain(e: &mut Encoder, kind: Kind, body: &[u8]) {
    if e.begin(kind) {
        e.w.bytes(body);
    }
}
