//! Messages as ovs-ofctl prints them: header line, then the body in the words of its family.

mod basic;
mod flow;
mod group;
pub mod packet;
mod stats;
mod tables;

pub use basic::frag_name;
pub use flow::{FlowStyle, flow_stats};
pub use group::{group_desc, group_mod};
pub use tables::all_features;

use std::fmt::Write as _;

use crate::codec;
use crate::error::OfpError;
use crate::msg::Message;
use crate::raw::{Header, Raw, STATS_MORE};
use crate::text::actions::Style;
use crate::types::{OfPort, Version};
use ::flow::field::PortNames;

/// What to print, and how.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// 0 = one line where possible; 3 and more add bytes.
    pub verbosity: u8,
    pub ports: Option<&'a dyn PortNames>,
}

/// A printer at work: the text so far and the message's version.
pub(crate) struct Printer<'a> {
    pub out: String,
    pub version: Version,
    pub options: Options<'a>,
}

impl<'a> Printer<'a> {
    pub fn style(&self) -> Style<'a> {
        Style { ports: self.options.ports, version: Some(self.version) }
    }
    pub fn port(&self, port: OfPort) -> String {
        self.style().port(port)
    }
    pub fn put(&mut self, text: impl std::fmt::Display) {
        let _ = write!(self.out, "{text}");
    }
    pub fn actions(&mut self, actions: &[crate::action::Action]) {
        crate::text::actions::format(actions, self.style(), &mut self.out);
    }
    pub fn matching(&mut self, m: &crate::matching::Match) {
        let text = m.format(32768, self.options.ports);
        self.put(text);
    }
}

/// Seconds and nanoseconds as `1.500s`.
pub(crate) fn duration(s: u32, ns: u32) -> String {
    if ns == 0 {
        return format!("{s}s");
    }
    let fraction = format!("{ns:09}");
    // Milliseconds when nothing finer is there, else all digits that matter.
    let digits = fraction.trim_end_matches('0');
    format!("{s}.{}s", if digits.len() < 3 { &fraction[..3] } else { digits })
}

/// One message, ending with a newline.
pub fn message(bytes: &[u8], options: Options<'_>) -> String {
    let dump = || hex_dump(bytes);
    if bytes.is_empty() {
        return "OpenFlow message is empty\n".to_owned();
    }
    let Some(header) = Header::parse(bytes) else {
        return format!("OpenFlow packet too short (only {} bytes):\n{}", bytes.len(), dump());
    };
    let size = usize::from(header.size);
    if size > bytes.len() {
        let head = Raw::identify(bytes).map(|(v, xid, raw, ..)| head_line(raw, v, xid) + "\n");
        let head = head.unwrap_or_default();
        return format!("{head}(***truncated to {} bytes from {size}***)\n{}", bytes.len(), dump());
    }
    if size < bytes.len() {
        return format!("(***only uses {size} bytes out of {}***)\n{}", bytes.len(), dump());
    }
    let (version, xid, raw, flags, _) = match Raw::decode(bytes) {
        Ok(found) => found,
        Err(error) => return failed(String::new(), error, bytes),
    };
    let mut p = Printer { out: String::new(), version, options };
    p.put(head_line(raw, version, xid));
    if raw.is_stats() && flags != 0 {
        p.put(" flags=");
        if flags & STATS_MORE != 0 {
            p.put("[more]");
        }
        if flags & !STATS_MORE != 0 {
            p.put(format_args!("[***unknown flags 0x{:04x}***]", flags & !STATS_MORE));
        }
    }
    let start = p.out.clone();
    match codec::decode_lenient(bytes) {
        // Codes that nobody knows cannot be told in words.
        Ok((Message::Error(e), _)) if e.error.is_err() => {
            return failed(start, OfpError::OFPBRC_BAD_LEN, bytes);
        }
        Ok((message, None)) => body(&mut p, &message),
        Ok((message, Some(error))) => {
            body(&mut p, &message);
            if !p.out.ends_with('\n') {
                p.out.push('\n');
            }
            return p.out + &failed(String::new(), error, bytes);
        }
        // What a bundle holds may be bad without the bundle's message being so.
        Err(error) => match basic::bad_bundle_member(&mut p, raw, bytes) {
            true => {}
            false => return failed(start, error, bytes),
        },
    }
    if !p.out.ends_with('\n') {
        p.out.push('\n');
    }
    if options.verbosity >= 5 {
        p.out.push_str(&dump());
    }
    p.out
}

/// `OFPT_FLOW_MOD (OF1.3) (xid=0x2):`.
pub(crate) fn head_line(raw: Raw, version: Version, xid: u32) -> String {
    let suffix = if version == Version::V1_0 { String::new() } else { format!(" (OF{})", version.number()) };
    format!("{}{suffix} (xid={xid:#x}):", raw.name())
}

fn failed(start: String, error: OfpError, bytes: &[u8]) -> String {
    let space = if start.is_empty() { "" } else { " " };
    format!("{start}{space}***decode error: {error}***\n{}", hex_dump(bytes))
}

/// 16 bytes a line: offset, hex, text.
pub fn hex_dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (n, line) in bytes.chunks(16).enumerate() {
        let _ = write!(out, "{:08x}  ", n * 16);
        for i in 0..16 {
            let sep = if i == 7 { '-' } else { ' ' };
            let _ = match line.get(i) {
                Some(b) => write!(out, "{b:02x}{sep}"),
                None => write!(out, "   "),
            };
        }
        out.push('|');
        out.extend((0..16).map(|i| match line.get(i) {
            Some(&b) if (0x20..0x7f).contains(&b) => char::from(b),
            Some(_) => '.',
            None => ' ',
        }));
        out.push_str("|\n");
    }
    out
}

/// The body after the header line's colon.
pub(crate) fn body(p: &mut Printer<'_>, message: &Message) {
    use Message as M;
    match message {
        M::Hello(h) => basic::hello(p, h),
        M::Error(e) => basic::error(p, e),
        M::EchoRequest(data) | M::EchoReply(data) => basic::echo(p, data),
        M::FeaturesReply(f) => basic::features(p, f),
        M::GetConfigReply(c) | M::SetConfig(c) => basic::config(p, c),
        M::RoleRequest(r) | M::RoleReply(r) => basic::role(p, r),
        M::RoleStatus(r) => basic::role_status(p, r),
        M::GetAsyncReply(a) | M::SetAsync(a) => basic::async_config(p, a),
        M::SetFlowFormat(f) => p.put(match f {
            crate::msg::FlowFormat::OpenFlow10 => " format=openflow10",
            crate::msg::FlowFormat::Nxm => " format=nxm",
        }),
        M::FlowModTableId(on) => p.put(if *on { " enable" } else { " disable" }),
        M::SetPacketInFormat(f) => p.put(format_args!(" format={}", basic::packet_in_format(*f))),
        M::SetControllerId(id) => p.put(format_args!(" id={id}")),
        M::PacketIn(pin) | M::Resume(pin) => basic::packet_in(p, pin),
        M::PacketOut(out) => basic::packet_out(p, out),
        M::PortStatus(s) => basic::port_status(p, s),
        M::PortMod(m) => basic::port_mod(p, m),
        M::FlowMod(f) => flow::flow_mod(p, f),
        M::FlowRemoved(f) => flow::flow_removed(p, f),
        M::FlowStatsRequest(q) | M::AggregateRequest(q) => flow::request(p, q),
        M::FlowStatsReply(flows) => flow::reply(p, flows),
        M::AggregateReply(a) => flow::aggregate(p, a),
        M::FlowMonitorRequest(q) => flow::monitor_request(p, q),
        M::FlowMonitorReply(u) => flow::monitor_reply(p, u),
        M::FlowMonitorCancel(id) => p.put(format_args!(" id={id}")),
        M::GroupMod(g) => group::print_mod(p, g),
        M::GroupDescReply(g) => group::print_desc(p, g),
        M::GroupStatsReply(g) => group::print_stats(p, g),
        M::GroupFeaturesReply(f) => group::print_features(p, f),
        M::GroupDescRequest(id) | M::GroupStatsRequest(id) => group::print_request(p, *id),
        M::MeterMod(m) => group::meter_mod(p, m),
        M::MeterStatsRequest(id) | M::MeterConfigRequest(id) => p.put(format_args!(" meter={id}")),
        M::MeterConfigReply(m) => group::meter_config(p, m),
        M::MeterStatsReply(m) => group::meter_stats(p, m),
        M::MeterFeaturesReply(f) => group::meter_features(p, f),
        M::BundleControl(b) => basic::bundle_control(p, b),
        M::BundleAdd(b) => basic::bundle_add(p, b),
        M::RequestForward(inner) => basic::request_forward(p, inner),
        M::DescReply(d) => stats::desc(p, d),
        M::PortStatsRequest(port) => p.put(format_args!(" port_no={}", p.port(*port))),
        M::PortStatsReply(s) => stats::ports(p, s),
        M::PortDescRequest(port) => p.put(format_args!(" port={}", p.port(*port))),
        M::PortDescReply(ports) => {
            p.put("\n");
            basic::ports(p, ports);
        }
        M::QueueStatsRequest(q) => stats::queue_request(p, q),
        M::QueueDescRequest(q) => p.put(format_args!(" port={}", p.port(q.port))),
        M::QueueStatsReply(q) => stats::queues(p, q),
        M::QueueDescReply(q) => stats::queue_descs(p, q),
        M::QueueGetConfigRequest(port) => p.put(format_args!(" port={}", p.port(*port))),
        M::QueueGetConfigReply(port, q) => stats::queue_config(p, *port, q),
        M::TableStatsReply(t) => tables::stats(p, t),
        M::TableFeaturesRequest(t) | M::TableFeaturesReply(t) => tables::features(p, t),
        M::TableDescReply(t) => tables::descs(p, t),
        M::TableStatus(reason, t) => tables::status(p, *reason, t),
        M::TableMod(t) => tables::table_mod(p, t),
        M::TlvTableMod(t) => basic::tlv_mod(p, t),
        M::TlvTableReply(t) => basic::tlv_reply(p, t),
        M::CtFlushZone(zone) => p.put(format_args!(" zone_id={zone}")),
        M::CtFlush(c) => basic::ct_flush(p, c),
        M::IpfixBridgeReply(s) => stats::ipfix_bridge(p, s),
        M::IpfixFlowReply(s) => stats::ipfix_flow(p, s),
        _ => {}
    }
}
