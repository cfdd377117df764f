//! Actions as ovs-ofctl prints them.

use std::fmt::Write as _;

use super::{ct, learn};
use crate::action::*;
use crate::matching::Subfield;
use crate::types::{OfPort, TableId, Version};
use flow::field::{PortNames, port_text};

/// What changes the wording.
#[derive(Clone, Copy, Default)]
pub struct Style<'a> {
    /// Print ports by name.
    pub ports: Option<&'a dyn PortNames>,
    /// The version that the actions came in: 1.1+ says `pop_vlan`.
    pub version: Option<Version>,
}

impl Style<'_> {
    /// A port, reserved ones by name.
    pub fn port(&self, port: OfPort) -> String {
        port_text(port.0, self.ports)
    }
}

/// Appends `drop` or the actions separated by commas.
pub fn format(actions: &[Action], style: Style<'_>, out: &mut String) {
    if actions.is_empty() {
        return out.push_str("drop");
    }
    list(actions, style, out);
}

pub(super) fn list(actions: &[Action], style: Style<'_>, out: &mut String) {
    for (n, action) in actions.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        one(action, style, out);
    }
}

/// C's `%#x`.
pub(super) fn hex(v: impl Into<u128>) -> String {
    match v.into() {
        0 => "0".to_owned(),
        v => format!("{v:#x}"),
    }
}

fn mac(m: &[u8; 6]) -> String {
    m.map(|b| format!("{b:02x}")).join(":")
}

fn ip(a: [u8; 4]) -> std::net::Ipv4Addr {
    a.into()
}

pub(super) fn one(action: &Action, style: Style<'_>, out: &mut String) {
    let _ = match action {
        Action::Output { port: OfPort::CONTROLLER, max_len } => write!(out, "CONTROLLER:{max_len}"),
        Action::Output { port, .. } if port.0 < OfPort::MAX.0 => write!(out, "output:{}", style.port(*port)),
        Action::Output { port, .. } => write!(out, "{}", style.port(*port)),
        Action::OutputReg { src, .. } => write!(out, "output:{src}"),
        Action::OutputTrunc { port, max_len } => {
            write!(out, "output(port={},max_len={max_len})", style.port(*port))
        }
        Action::Controller(c) => return controller(c, out),
        Action::Enqueue { port, queue } => write!(out, "enqueue:{}:{}", style.port(*port), queue.0),
        Action::Group(id) => write!(out, "group:{}", id.0),
        Action::Bundle(b) => return bundle(b, style, out),
        Action::SetField(f) if f.load => return load(f, out),
        Action::SetField(f) => {
            out.push_str("set_field:");
            f.field.format(f.value, f.mask, style.ports, out);
            write!(out, "->{}", f.field.name())
        }
        Action::RegMove(m) => write!(out, "move:{}->{}", m.src, m.dst),
        Action::StackPush(s) => write!(out, "push:{s}"),
        Action::StackPop(s) => write!(out, "pop:{s}"),
        Action::SetVlanVid { vid, push_if_needed: true } => write!(out, "mod_vlan_vid:{vid}"),
        Action::SetVlanVid { vid, .. } => write!(out, "set_vlan_vid:{vid}"),
        Action::SetVlanPcp { pcp, push_if_needed: true } => write!(out, "mod_vlan_pcp:{pcp}"),
        Action::SetVlanPcp { pcp, .. } => write!(out, "set_vlan_pcp:{pcp}"),
        Action::PopVlan => write!(out, "pop_vlan"),
        Action::StripVlan => write!(out, "strip_vlan"),
        Action::PushVlan(tpid) => write!(out, "push_vlan:0x{tpid:04x}"),
        Action::SetEthSrc(m) => write!(out, "mod_dl_src:{}", mac(m)),
        Action::SetEthDst(m) => write!(out, "mod_dl_dst:{}", mac(m)),
        Action::SetIpv4Src(a) => write!(out, "mod_nw_src:{}", ip(*a)),
        Action::SetIpv4Dst(a) => write!(out, "mod_nw_dst:{}", ip(*a)),
        Action::SetIpDscp(tos) => write!(out, "mod_nw_tos:{tos}"),
        Action::SetIpEcn(ecn) => write!(out, "mod_nw_ecn:{ecn}"),
        Action::SetIpTtl(ttl) => write!(out, "mod_nw_ttl:{ttl}"),
        Action::SetL4Src(port) => write!(out, "mod_tp_src:{port}"),
        Action::SetL4Dst(port) => write!(out, "mod_tp_dst:{port}"),
        Action::DecTtl { ids, counted: true } => {
            let ids: Vec<String> = ids.iter().map(u16::to_string).collect();
            write!(out, "dec_ttl({})", ids.join(","))
        }
        Action::DecTtl { .. } => write!(out, "dec_ttl"),
        Action::SetMplsLabel(v) => write!(out, "set_mpls_label({v})"),
        Action::SetMplsTc(v) => write!(out, "set_mpls_tc({v})"),
        Action::SetMplsTtl(v) => write!(out, "set_mpls_ttl({v})"),
        Action::DecMplsTtl => write!(out, "dec_mpls_ttl"),
        Action::PushMpls(v) => write!(out, "push_mpls:0x{v:04x}"),
        Action::PopMpls(v) => write!(out, "pop_mpls:0x{v:04x}"),
        Action::DecNshTtl => write!(out, "dec_nsh_ttl"),
        Action::DeleteField(f) => write!(out, "delete_field:{}", f.name()),
        Action::SetTunnel { id, wide } => {
            let wide = if *wide || *id > u64::from(u32::MAX) { "64" } else { "" };
            write!(out, "set_tunnel{wide}:{}", hex(*id))
        }
        Action::SetQueue(q) => write!(out, "set_queue:{}", q.0),
        Action::PopQueue => write!(out, "pop_queue"),
        Action::FinTimeout { idle_s, hard_s } => return fin_timeout(*idle_s, *hard_s, out),
        Action::Resubmit(r) => return resubmit(r, style, out),
        Action::Learn(l) => return learn::format(l, style, out),
        Action::Conjunction { id, clause, n_clauses } => {
            write!(out, "conjunction({id},{}/{n_clauses})", u16::from(*clause) + 1)
        }
        Action::Multipath(m) => write!(
            out,
            "multipath({},{},{},{},{},{})",
            m.fields.name(),
            m.basis,
            m.algorithm.name(),
            u32::from(m.max_link) + 1,
            m.arg,
            m.dst
        ),
        Action::Note(note) => {
            let bytes: Vec<String> = note.iter().map(|b| format!("{b:02x}")).collect();
            write!(out, "note:{}", bytes.join("."))
        }
        Action::Exit => write!(out, "exit"),
        Action::Sample(s) => return sample(s, style, out),
        Action::Clone(inner) => return nested("clone", inner, style, out),
        Action::Ct(c) => return ct::format(c, style, out),
        Action::Nat(n) => return ct::format_nat(n, out),
        Action::CtClear => write!(out, "ct_clear"),
        Action::Encap(e) => return encap(e, out),
        Action::Decap { new_packet_type: None } => write!(out, "decap"),
        Action::Decap { new_packet_type: Some(t) } => {
            write!(out, "decap(packet_type(ns={},type={}))", t >> 16, hex(t & 0xffff))
        }
        Action::CheckPktLarger { len, dst } => write!(out, "check_pkt_larger({len})->{dst}"),
        Action::DebugSlow => write!(out, "debug_slow"),
        Action::DebugRecirc => write!(out, "debug_recirc"),
        Action::Meter(id) => write!(out, "meter:{}", id.0),
        Action::ClearActions => write!(out, "clear_actions"),
        Action::WriteActions(inner) => return nested("write_actions", inner, style, out),
        Action::WriteMetadata(m) if m.mask == u64::MAX => write!(out, "write_metadata:{}", hex(m.value)),
        Action::WriteMetadata(m) => write!(out, "write_metadata:{}/{}", hex(m.value), hex(m.mask)),
        Action::GotoTable(TableId(t)) => write!(out, "goto_table:{t}"),
    };
}

fn nested(name: &str, inner: &[Action], style: Style<'_>, out: &mut String) {
    out.push_str(name);
    out.push('(');
    format(inner, style, out);
    out.push(')');
}

fn controller(c: &Controller, out: &mut String) {
    if c.userdata.is_empty()
        && !c.pause
        && c.id == 0
        && c.reason == crate::msg::PacketInReason::Action
        && c.meter.is_none()
    {
        let _ = write!(out, "CONTROLLER:{}", c.max_len);
        return;
    }
    let mut parts = Vec::new();
    if c.reason != crate::msg::PacketInReason::Action {
        // The reason of the internal rules has no name that could be written.
        let is_internal = c.reason == crate::msg::PacketInReason::ImplicitMiss;
        parts.push(format!("reason={}", if is_internal { "" } else { c.reason.name() }));
    }
    if c.max_len != u16::MAX {
        parts.push(format!("max_len={}", c.max_len));
    }
    if c.id != 0 {
        parts.push(format!("id={}", c.id));
    }
    if !c.userdata.is_empty() {
        let bytes: Vec<String> = c.userdata.iter().map(|b| format!("{b:02x}")).collect();
        parts.push(format!("userdata={}", bytes.join(".")));
    }
    if c.pause {
        parts.push("pause".to_owned());
    }
    if let Some(meter) = c.meter {
        parts.push(format!("meter_id={}", meter.0));
    }
    let _ = write!(out, "controller({})", parts.join(","));
}

fn bundle(b: &Bundle, style: Style<'_>, out: &mut String) {
    let algorithm = match b.algorithm {
        BundleAlgorithm::ActiveBackup => "active_backup",
        BundleAlgorithm::Hrw => "hrw",
    };
    let name = if b.dst.is_some() { "bundle_load" } else { "bundle" };
    let dst = b.dst.map_or(String::new(), |d| format!("{d},"));
    let members: Vec<String> = b.members.iter().map(|p| style.port(*p)).collect();
    let _ = write!(
        out,
        "{name}({},{},{algorithm},ofport,{dst}members:{})",
        b.fields.name(),
        b.basis,
        members.join(",")
    );
}

fn load(f: &SetField, out: &mut String) {
    let lsb = f.mask.trailing_zeros().min(127);
    let n_bits = (f.mask >> lsb).trailing_ones();
    let dst = Subfield { field: f.field, lsb, n_bits };
    let _ = write!(out, "load:{}->{dst}", hex(f.value >> lsb));
}

fn fin_timeout(idle_s: u16, hard_s: u16, out: &mut String) {
    let mut parts = Vec::new();
    if idle_s != 0 {
        parts.push(format!("idle_timeout={idle_s}"));
    }
    if hard_s != 0 {
        parts.push(format!("hard_timeout={hard_s}"));
    }
    let _ = write!(out, "fin_timeout({})", parts.join(","));
}

fn resubmit(r: &Resubmit, style: Style<'_>, out: &mut String) {
    if r.in_port != OfPort::IN_PORT && r.table == TableId::ALL && !r.with_ct_orig {
        let _ = write!(out, "resubmit:{}", style.port(r.in_port));
        return;
    }
    out.push_str("resubmit(");
    if r.in_port != OfPort::IN_PORT {
        out.push_str(&style.port(r.in_port));
    }
    out.push(',');
    if r.table != TableId::ALL {
        let _ = write!(out, "{}", r.table.0);
    }
    out.push_str(if r.with_ct_orig { ",ct)" } else { ")" });
}

fn sample(s: &Sample, style: Style<'_>, out: &mut String) {
    let _ = write!(
        out,
        "sample(probability={},collector_set_id={},obs_domain_id={},obs_point_id={}",
        s.probability, s.collector_set_id, s.obs_domain_id, s.obs_point_id
    );
    if s.sampling_port != OfPort::NONE {
        let _ = write!(out, ",sampling_port={}", style.port(s.sampling_port));
    }
    out.push_str(match s.direction {
        SampleDirection::Default => ")",
        SampleDirection::Ingress => ",ingress)",
        SampleDirection::Egress => ",egress)",
    });
}

fn encap(e: &Encap, out: &mut String) {
    match e {
        Encap::Ethernet => out.push_str("encap(ethernet)"),
        Encap::Mpls(0x8847) => out.push_str("encap(mpls)"),
        Encap::Mpls(_) => out.push_str("encap(mpls_mc)"),
        Encap::Nsh { md_type: None, tlvs } if tlvs.is_empty() => out.push_str("encap(nsh)"),
        Encap::Nsh { md_type, tlvs } => {
            let mut parts: Vec<String> = md_type.iter().map(|t| format!("md_type={t}")).collect();
            for tlv in tlvs {
                let bytes: String = tlv.value.iter().map(|b| format!("{b:02x}")).collect();
                parts.push(format!("tlv(0x{:04x},{},0x{bytes})", tlv.class, tlv.kind));
            }
            let _ = write!(out, "encap(nsh({}))", parts.join(","));
        }
    }
}
