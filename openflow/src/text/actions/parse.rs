//! Reading action lists.

use super::split::{Item, arguments, items};
use super::{DEPTH_MAX, ct, learn};
use crate::action::*;
use crate::matching::{Field, FieldValue, Subfield};
use crate::msg::PacketInReason;
use crate::text::number::{parse_u8, parse_u16, parse_u32, parse_u64};
use crate::text::{Parse, Protocols, bad};
use crate::types::{GroupId, MeterId, OfPort, QueueId, TableId};
use flow::field::{PortNames, ones, parse_port};

/// What reading actions depends on and finds out.
pub struct Parser<'a> {
    pub ports: Option<&'a dyn PortNames>,
    /// Narrowed by actions that some versions cannot carry.
    pub usable: Protocols,
    depth: u8,
    in_ct: bool,
}

impl<'a> Parser<'a> {
    pub fn new(ports: Option<&'a dyn PortNames>) -> Self {
        Parser { ports, usable: Protocols::ANY, depth: 0, in_ct: false }
    }

    fn nested(&mut self, text: &str) -> Parse<Vec<Action>> {
        if self.depth >= DEPTH_MAX {
            return Err(bad!("Action nested too deeply"));
        }
        self.depth += 1;
        let out = list(text, self, false);
        self.depth -= 1;
        out
    }

    pub(super) fn nested_in_ct(&mut self, text: &str) -> Parse<Vec<Action>> {
        let outer = std::mem::replace(&mut self.in_ct, true);
        let out = self.nested(text);
        self.in_ct = outer;
        let out = out?;
        let ok = |a: &Action| match a {
            Action::SetField(f) => matches!(f.field, Field::CtMark | Field::CtLabel),
            Action::RegMove(m) => matches!(m.dst.field, Field::CtMark | Field::CtLabel),
            Action::Nat(_) => true,
            _ => false,
        };
        match out.iter().find(|a| !ok(a)) {
            None => Ok(out),
            Some(Action::SetField(_) | Action::RegMove(_)) => {
                Err(bad!("cannot set fields other than ct_mark and ct_label inside ct"))
            }
            Some(_) => Err(bad!("ct action doesn't support nested action")),
        }
    }

    /// A port to send to.
    fn port(&self, text: &str) -> Option<OfPort> {
        port(text, self.ports)
    }
}

/// A port number or name.
pub(crate) fn port(text: &str, ports: Option<&dyn PortNames>) -> Option<OfPort> {
    parse_port(text, ports).map(|p| u16::try_from(p).map_or(OfPort(p), OfPort::from_u16))
}

/// Reads actions and instructions. An empty text is no action, and so is `drop`.
pub fn parse_instructions(text: &str, p: &mut Parser<'_>) -> Parse<Vec<Action>> {
    let actions = list(text, p, true)?;
    check_order(&actions)?;
    check_conjunction(&actions)?;
    Ok(actions)
}

/// Reads actions without instructions (packet-out, buckets).
pub fn parse(text: &str, p: &mut Parser<'_>) -> Parse<Vec<Action>> {
    let actions = list(text, p, false)?;
    check_conjunction(&actions)?;
    Ok(actions)
}

fn list(text: &str, p: &mut Parser<'_>, instructions: bool) -> Parse<Vec<Action>> {
    let mut out = Vec::new();
    let mut dropped = false;
    for item in items(text) {
        if item.key.eq_ignore_ascii_case("drop") {
            dropped = true;
            continue;
        }
        match item.key {
            "apply_actions" => return Err(bad!("apply_actions is the default instruction")),
            _ => out.push(one(item, p)?),
        }
        if let Some(last) = out.last()
            && instruction::rank(last) != 1
            && !instructions
            && !matches!(last, Action::Meter(_) | Action::WriteMetadata(_))
        {
            return Err(bad!("{} instruction not allowed here", item.key));
        }
    }
    if dropped && !out.is_empty() {
        return Err(bad!("\"drop\" must not be accompanied by any other action or instruction"));
    }
    Ok(out)
}

const RANKS: [&str; 6] =
    ["meter", "apply_actions", "clear_actions", "write_actions", "write_metadata", "goto_table"];

fn check_order(actions: &[Action]) -> Parse<()> {
    for pair in actions.windows(2) {
        let (a, b) = (instruction::rank(&pair[0]), instruction::rank(&pair[1]));
        let (name_a, name_b) = (RANKS[usize::from(a)], RANKS[usize::from(b)]);
        if a > b {
            return Err(bad!(
                "invalid instruction ordering: {name_b} must appear before {name_a}, for OpenFlow 1.1+ compatibility"
            ));
        }
        if a == b && a != 1 {
            return Err(bad!("duplicate {name_a} instruction not allowed, for OpenFlow 1.1+ compatibility"));
        }
    }
    Ok(())
}

fn check_conjunction(actions: &[Action]) -> Parse<()> {
    if !actions.iter().any(|a| matches!(a, Action::Conjunction { .. })) {
        return Ok(());
    }
    match actions.iter().find(|a| !matches!(a, Action::Conjunction { .. } | Action::Note(_))) {
        None => Ok(()),
        Some(other) => Err(bad!(
            "\"conjunction\" actions may be used along with \"note\" but not any other kind of action \
             (such as the \"{}\" action used here)",
            name_of(other)
        )),
    }
}

fn name_of(action: &Action) -> String {
    let mut text = String::new();
    super::print::one(action, super::Style::default(), &mut text);
    let end = text.find([':', '(']).unwrap_or(text.len());
    text.truncate(end);
    text
}

/// A subfield; errors in OVS's words.
pub(super) fn subfield(text: &str) -> Parse<Subfield> {
    text.trim().parse().map_err(|e: flow::field::SubfieldError| bad!("{e}"))
}

fn writable(text: &str) -> Parse<Subfield> {
    let s = subfield(text)?;
    if s.field.is_writable() { Ok(s) } else { Err(bad!("{} is read-only", s.field.name())) }
}

fn number<T: TryFrom<u64>>(v: &str, what: &str) -> Parse<T> {
    parse_u64(v).and_then(|n| T::try_from(n).ok()).ok_or_else(|| bad!("invalid {what} \"{v}\""))
}

fn n32(v: &str) -> Parse<u32> {
    parse_u32(v).ok_or_else(|| bad!("invalid numeric format {v}"))
}

fn mac(v: &str) -> Parse<[u8; 6]> {
    let bad_mac = || bad!("{v}: invalid Ethernet address");
    let parts: Vec<u8> =
        v.split(':').map(|p| u8::from_str_radix(p, 16).ok()).collect::<Option<_>>().ok_or_else(bad_mac)?;
    parts.try_into().map_err(|_| bad_mac())
}

fn ipv4(v: &str) -> Parse<[u8; 4]> {
    v.parse::<std::net::Ipv4Addr>().map(|a| a.octets()).map_err(|_| bad!("{v}: invalid IP address"))
}

fn vlan_vid(v: &str) -> Parse<u16> {
    let vid: u16 = number(v, "VLAN VID")?;
    if vid & !0xfff == 0 { Ok(vid) } else { Err(bad!("{v}: not a valid VLAN VID")) }
}

fn vlan_pcp(v: &str) -> Parse<u8> {
    let pcp: u8 = number(v, "VLAN PCP")?;
    if pcp < 8 { Ok(pcp) } else { Err(bad!("{v}: not a valid VLAN PCP")) }
}

fn one(item: Item<'_>, p: &mut Parser<'_>) -> Parse<Action> {
    let v = item.value;
    Ok(match item.key {
        "output" => return output(v, p),
        "controller" | "CONTROLLER" => return controller(v),
        "enqueue" => return enqueue(v, p),
        "group" => Action::Group(GroupId(n32(v)?)),
        "bundle" => return bundle(v, false, p),
        "bundle_load" => return bundle(v, true, p),
        "set_field" => return set_field(v, p),
        "load" | "reg_load" => return load(v, p),
        "move" => return reg_move(v, p),
        "push" => Action::StackPush(subfield(v)?),
        "pop" => Action::StackPop(writable(v)?),
        "mod_vlan_vid" => Action::SetVlanVid { vid: vlan_vid(v)?, push_if_needed: true },
        "set_vlan_vid" => Action::SetVlanVid { vid: vlan_vid(v)?, push_if_needed: false },
        "mod_vlan_pcp" => Action::SetVlanPcp { pcp: vlan_pcp(v)?, push_if_needed: true },
        "set_vlan_pcp" => Action::SetVlanPcp { pcp: vlan_pcp(v)?, push_if_needed: false },
        "strip_vlan" => Action::StripVlan,
        "pop_vlan" => Action::PopVlan,
        "push_vlan" => {
            p.usable &= Protocols::OF11_UP;
            let tpid: u16 = number(v, "ethertype")?;
            if tpid != 0x8100 && tpid != 0x88a8 {
                return Err(bad!("{v}: not a valid VLAN ethertype"));
            }
            Action::PushVlan(tpid)
        }
        "mod_dl_src" => Action::SetEthSrc(mac(v)?),
        "mod_dl_dst" => Action::SetEthDst(mac(v)?),
        "mod_nw_src" => Action::SetIpv4Src(ipv4(v)?),
        "mod_nw_dst" => Action::SetIpv4Dst(ipv4(v)?),
        "mod_nw_tos" => {
            let tos: u8 = number(v, "TOS")?;
            if tos & 3 != 0 {
                return Err(bad!("{v}: not a valid TOS"));
            }
            Action::SetIpDscp(tos)
        }
        "mod_nw_ecn" => {
            let ecn: u8 = number(v, "ECN")?;
            if ecn > 3 {
                return Err(bad!("{v}: not a valid ECN"));
            }
            Action::SetIpEcn(ecn)
        }
        "mod_nw_ttl" => Action::SetIpTtl(number(v, "TTL")?),
        "mod_tp_src" => Action::SetL4Src(number(v, "source port")?),
        "mod_tp_dst" => Action::SetL4Dst(number(v, "destination port")?),
        "dec_ttl" => return dec_ttl(v),
        "set_mpls_label" => Action::SetMplsLabel(if v.is_empty() {
            return Err(bad!("set_mpls_label: expected label."));
        } else {
            n32(v)? & 0xfffff
        }),
        "set_mpls_tc" => Action::SetMplsTc(number::<u8>(v, "TC")? & 7),
        "set_mpls_ttl" => Action::SetMplsTtl(number(v, "TTL")?),
        "dec_mpls_ttl" => Action::DecMplsTtl,
        "push_mpls" => Action::PushMpls(number(v, "push_mpls")?),
        "pop_mpls" => Action::PopMpls(number(v, "pop_mpls")?),
        "dec_nsh_ttl" => Action::DecNshTtl,
        "delete_field" => {
            let s = subfield(v)?;
            if s.field.option_index().is_none() {
                return Err(bad!("{v}: delete_field only works for tun_metadata"));
            }
            Action::DeleteField(s.field)
        }
        "set_tunnel" | "set_tunnel64" => {
            let id = parse_u64(v).ok_or_else(|| bad!("invalid numeric format {v}"))?;
            Action::SetTunnel { id, wide: item.key == "set_tunnel64" || id > u64::from(u32::MAX) }
        }
        "set_queue" => Action::SetQueue(QueueId(n32(v)?)),
        "pop_queue" => Action::PopQueue,
        "fin_timeout" => return fin_timeout(v),
        "resubmit" => return resubmit(v, p),
        "learn" => return learn::parse(v, p),
        "conjunction" => return conjunction(v),
        "multipath" => return multipath(v),
        "note" => Action::Note(note(v)?),
        "exit" => Action::Exit,
        "sample" => return sample(v, p),
        "clone" => Action::Clone(p.nested(v)?),
        "ct" => return ct::parse(v, p),
        "nat" => return ct::nat(v),
        "ct_clear" => Action::CtClear,
        "encap" => {
            p.usable &= Protocols::OF13_UP;
            return encap(v);
        }
        "decap" => {
            p.usable &= Protocols::OF13_UP;
            return decap(v);
        }
        "check_pkt_larger" => {
            let dst = writable(item.tail)?;
            if dst.n_bits != 1 {
                return Err(bad!("Only 1-bit destination field is allowed"));
            }
            Action::CheckPktLarger { len: number(v, "check_pkt_larger")?, dst }
        }
        "debug_slow" => Action::DebugSlow,
        "debug_recirc" => Action::DebugRecirc,
        "meter" => {
            p.usable &= Protocols::OF13_UP;
            Action::Meter(MeterId(n32(v)?))
        }
        "clear_actions" => Action::ClearActions,
        "write_actions" => Action::WriteActions(p.nested(v)?),
        "write_metadata" => {
            p.usable &= Protocols::NXM_OF11_UP;
            let (value, mask) = v.split_once('/').unwrap_or((v, "0xffffffffffffffff"));
            let n = |s: &str| parse_u64(s).ok_or_else(|| bad!("invalid numeric format {s}"));
            Action::WriteMetadata(Box::new(Metadata { value: n(value)?, mask: n(mask)? }))
        }
        "goto_table" => {
            let table = parse_u8(v).filter(|&t| t != 255).ok_or_else(|| bad!("unknown table \"{v}\""))?;
            Action::GotoTable(TableId(table))
        }
        key => return bare_port(key, item, p),
    })
}

/// `NORMAL`, `LOCAL`, a number or a port name alone.
fn bare_port(key: &str, item: Item<'_>, p: &Parser<'_>) -> Parse<Action> {
    match p.port(key) {
        Some(port) if item.value.is_empty() => {
            if matches!(port, OfPort::NONE | OfPort::UNSET) {
                return Err(bad!("unknown action {key}"));
            }
            Ok(Action::Output { port, max_len: if port == OfPort::CONTROLLER { u16::MAX } else { 0 } })
        }
        _ => Err(bad!("unknown action {key}")),
    }
}

fn output(v: &str, p: &Parser<'_>) -> Parse<Action> {
    if v.contains("port=") {
        let (mut port, mut max_len) = (None, 0);
        for item in items(v) {
            match item.key {
                "port" => {
                    port = Some(
                        p.port(item.value)
                            .ok_or_else(|| bad!("output to unknown truncate port: {}", item.value))?,
                    )
                }
                "max_len" => max_len = number(item.value, "max_len")?,
                other => return Err(bad!("invalid key '{other}' in output_trunc argument")),
            }
        }
        if max_len < 14 {
            return Err(bad!("max_len {max_len} is less than the minimum value 14"));
        }
        let port = port.ok_or_else(|| bad!("output to unknown truncate port: {v}"))?;
        return Ok(Action::OutputTrunc { port, max_len });
    }
    if let Some(port) = p.port(v) {
        return Ok(Action::Output { port, max_len: if port == OfPort::CONTROLLER { u16::MAX } else { 0 } });
    }
    match v.parse::<Subfield>() {
        Ok(src) if !v.is_empty() => Ok(Action::OutputReg { src, max_len: u16::MAX }),
        _ => Err(bad!("{v}: output to unknown port")),
    }
}

fn controller(v: &str) -> Parse<Action> {
    if v.is_empty() {
        return Ok(Action::Output { port: OfPort::CONTROLLER, max_len: u16::MAX });
    }
    if v.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Action::Output { port: OfPort::CONTROLLER, max_len: number(v, "max_len")? });
    }
    let mut c = Controller::default();
    for item in items(v) {
        let v = item.value;
        match item.key {
            "reason" => {
                c.reason = PacketInReason::from_name(v).ok_or_else(|| bad!("unknown reason \"{v}\""))?;
            }
            "max_len" => c.max_len = number(v, "max_len")?,
            "id" => c.id = number(v, "id")?,
            "userdata" => {
                c.userdata = note(v).map_err(|_| bad!("bad hex digit in `controller' action `userdata'"))?
            }
            "pause" => c.pause = true,
            "meter_id" => c.meter = Some(MeterId(n32(v)?)),
            other => return Err(bad!("unknown key \"{other}\" parsing controller action")),
        }
    }
    if c.id == 0
        && c.reason == PacketInReason::Action
        && c.userdata.is_empty()
        && !c.pause
        && c.meter.is_none()
    {
        return Ok(Action::Output { port: OfPort::CONTROLLER, max_len: c.max_len });
    }
    Ok(Action::Controller(Box::new(c)))
}

fn enqueue(v: &str, p: &Parser<'_>) -> Parse<Action> {
    let mut args = arguments(v);
    let (Some(port), Some(queue)) = (args.next(), args.next()) else {
        return Err(bad!("\"enqueue\" syntax is \"enqueue:PORT:QUEUE\" or \"enqueue(PORT,QUEUE)\""));
    };
    let port = p.port(port).ok_or_else(|| bad!("{port}: enqueue to unknown port"))?;
    Ok(Action::Enqueue { port, queue: QueueId(n32(queue)?) })
}

fn hash_fields(v: &str) -> Option<HashFields> {
    HashFields::ALL.iter().find(|(_, name)| *name == v).map(|(f, _)| *f)
}

fn bundle(v: &str, has_dst: bool, p: &Parser<'_>) -> Parse<Action> {
    let short = || bad!("{v}: not enough arguments to bundle action");
    let (head, members) = v.split_once("members:").or_else(|| v.split_once("slaves:")).ok_or_else(|| {
        if v.split(',').count() < 4 {
            short()
        } else {
            bad!("{v}: missing member delimiter, expected `members'")
        }
    })?;
    let mut args = head.split([',', ' ']).map(str::trim).filter(|s| !s.is_empty());
    let mut next = || args.next().ok_or_else(short);
    let (fields, basis, algorithm, kind) = (next()?, next()?, next()?, next()?);
    let fields = hash_fields(fields).ok_or_else(|| bad!("{v}: unknown fields `{fields}'"))?;
    let algorithm = match algorithm {
        "active_backup" => BundleAlgorithm::ActiveBackup,
        "hrw" => BundleAlgorithm::Hrw,
        other => return Err(bad!("{v}: unknown algorithm `{other}'")),
    };
    if !kind.eq_ignore_ascii_case("ofport") {
        return Err(bad!("{v}: unknown member_type `{kind}'"));
    }
    let dst = if has_dst {
        let dst = writable(next()?)?;
        if dst.n_bits < 16 {
            return Err(bad!("{v}: bundle_load destination must be at least 16 bits wide"));
        }
        Some(dst)
    } else {
        None
    };
    let members = members
        .split([',', ' ', ']', '['])
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(|m| p.port(m).ok_or_else(|| bad!("{m}: bad port number")))
        .collect::<Parse<Vec<_>>>()?;
    if members.len() > crate::action::bundle::MEMBERS_MAX {
        return Err(bad!("too many members"));
    }
    let basis = number(basis, "basis")?;
    Ok(Action::Bundle(Box::new(Bundle { algorithm, fields, basis, dst, members })))
}

fn set_field(v: &str, p: &mut Parser<'_>) -> Parse<Action> {
    let (value, key) = v.split_once("->").ok_or_else(|| bad!("{v}: missing `->'"))?;
    let (value, key) = (value.trim(), key.trim());
    if key.is_empty() {
        return Err(bad!("{v}: missing field name following `->'"));
    }
    let field = Field::from_name(key)
        .or_else(|| Field::from_oxm_name(key))
        .ok_or_else(|| bad!("{key} is not a valid OXM field name"))?;
    if !field.is_writable() {
        return Err(bad!("{key} is read-only"));
    }
    let (value, mask) = field.parse(value, p.ports).map_err(|e| bad!("{e}"))?;
    let all = field.value_mask();
    let mask = mask & all;
    let value = if mask == all { value } else { value & mask };
    if value & !all != 0 {
        return Err(bad!(
            "{v}: {} is not a valid value for field {key}",
            v.split("->").next().unwrap_or_default()
        ));
    }
    check_ct(field, p)?;
    p.usable &= Protocols::for_set(field, mask == all);
    Ok(Action::SetField(Box::new(SetField { field, value, mask, load: false })))
}

fn check_ct(field: Field, p: &Parser<'_>) -> Parse<()> {
    let is_ct = matches!(field, Field::CtMark | Field::CtLabel);
    if is_ct && !p.in_ct {
        return Err(bad!("cannot set CT fields outside of ct action"));
    }
    Ok(())
}

fn load(v: &str, p: &mut Parser<'_>) -> Parse<Action> {
    let (value, dst) = v.split_once("->").ok_or_else(|| bad!("{v}: missing `->' following value"))?;
    let dst = writable(dst)?;
    check_ct(dst.field, p)?;
    let value = value.trim();
    let parsed = match value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")) {
        Some(hex) => FieldValue::from_str_radix(hex, 16).ok(),
        None => parse_u64(value).map(FieldValue::from),
    };
    let parsed = match parsed {
        Some(parsed) => parsed,
        None => dst
            .field
            .parse(value, p.ports)
            .map(|(v, _)| v)
            .map_err(|_| bad!("{v}: cannot parse integer value"))?,
    };
    if parsed & !ones(dst.n_bits) != 0 {
        return Err(bad!("{v}: value {parsed:#x} does not fit into {} bits", dst.n_bits));
    }
    Ok(field::set(dst, parsed, true))
}

fn reg_move(v: &str, p: &Parser<'_>) -> Parse<Action> {
    let (src, dst) = v.split_once("->").ok_or_else(|| bad!("{v}: missing `->' following source"))?;
    let (src, dst) = (subfield(src)?, writable(dst)?);
    check_ct(dst.field, p)?;
    if src.n_bits != dst.n_bits {
        return Err(bad!(
            "{v}: source field is {} bits wide but destination is {} bits wide",
            src.n_bits,
            dst.n_bits
        ));
    }
    Ok(Action::RegMove(Box::new(RegMove { src, dst })))
}

fn dec_ttl(v: &str) -> Parse<Action> {
    if v.is_empty() {
        return Ok(Action::DecTtl { ids: vec![0], counted: false });
    }
    let ids = arguments(v).map(|id| number(id, "id")).collect::<Parse<Vec<u16>>>()?;
    if ids.is_empty() {
        return Err(bad!("dec_ttl_cnt_ids: expected at least one controller id."));
    }
    Ok(Action::DecTtl { ids, counted: true })
}

fn fin_timeout(v: &str) -> Parse<Action> {
    let (mut idle_s, mut hard_s) = (0, 0);
    for item in items(v) {
        match item.key {
            "idle_timeout" => idle_s = number(item.value, "idle_timeout")?,
            "hard_timeout" => hard_s = number(item.value, "hard_timeout")?,
            other => return Err(bad!("invalid key '{other}' in 'fin_timeout' argument")),
        }
    }
    Ok(Action::FinTimeout { idle_s, hard_s })
}

fn resubmit(v: &str, p: &Parser<'_>) -> Parse<Action> {
    let mut args = v.split(',').map(str::trim);
    let in_port = match args.next() {
        None | Some("") => OfPort::IN_PORT,
        Some(port) => p.port(port).ok_or_else(|| bad!("{port}: resubmit to unknown port"))?,
    };
    let table = match args.next() {
        None | Some("") => TableId::ALL,
        Some(table) => TableId(parse_u8(table).ok_or_else(|| bad!("{table}: resubmit to unknown table"))?),
    };
    let with_ct_orig = match args.next() {
        None | Some("") => false,
        Some("ct") => true,
        Some(other) => return Err(bad!("{other}: unknown parameter")),
    };
    if in_port == OfPort::IN_PORT && table == TableId::ALL {
        return Err(bad!("at least one \"in_port\" or \"table\" must be specified on resubmit"));
    }
    Ok(Action::Resubmit(Resubmit { in_port, table, with_ct_orig, portonly: false }))
}

fn conjunction(v: &str) -> Parse<Action> {
    let syntax = || bad!("invalid conjunction \"{v}\"");
    let (id, clause) = v.split_once(',').ok_or_else(syntax)?;
    let (k, n) = clause.split_once('/').ok_or_else(syntax)?;
    let id = n32(id.trim())?;
    let (k, n) = (parse_u8(k.trim()).ok_or_else(syntax)?, parse_u8(n.trim()).ok_or_else(syntax)?);
    if n < 2 {
        return Err(bad!("conjunction must have at least 2 clauses"));
    }
    if n > 64 {
        return Err(bad!("conjunction must have at most 64 clauses"));
    }
    if k < 1 {
        return Err(bad!("clause index must be positive"));
    }
    if k > n {
        return Err(bad!("clause index must be less than or equal to number of clauses"));
    }
    Ok(Action::Conjunction { id, clause: k - 1, n_clauses: n })
}

fn multipath(v: &str) -> Parse<Action> {
    let args: Vec<&str> = v.split([',', ' ']).map(str::trim).filter(|s| !s.is_empty()).collect();
    let [fields, basis, algorithm, n_links, arg, dst] = args[..] else {
        return Err(bad!("{v}: not enough arguments to multipath action"));
    };
    let fields = hash_fields(fields).ok_or_else(|| bad!("{v}: unknown fields `{fields}'"))?;
    let algorithm = MultipathAlgorithm::ALL
        .iter()
        .find(|(_, name)| *name == algorithm)
        .ok_or_else(|| bad!("{v}: unknown algorithm `{algorithm}'"))?
        .0;
    let n: u32 = number(n_links, "n_links")?;
    if !(1..=65536).contains(&n) {
        return Err(bad!("{v}: n_links {n} is not in valid range 1 to 65536"));
    }
    let dst = writable(dst)?;
    if dst.n_bits < 16 && n > 1 << dst.n_bits {
        return Err(bad!(
            "{v}: {}-bit destination field has {} possible values, less than specified n_links {n}",
            dst.n_bits,
            1u32 << dst.n_bits
        ));
    }
    Ok(Action::Multipath(Box::new(Multipath {
        fields,
        basis: number(basis, "basis")?,
        algorithm,
        max_link: (n - 1) as u16,
        arg: number(arg, "arg")?,
        dst,
    })))
}

fn note(v: &str) -> Parse<Vec<u8>> {
    let digits: Vec<u8> = v.bytes().filter(|&b| b != b'.').collect();
    let err = || bad!("bad hex digit in `note' argument");
    if !digits.len().is_multiple_of(2) {
        return Err(err());
    }
    digits
        .chunks(2)
        .map(|pair| {
            std::str::from_utf8(pair).ok().and_then(|s| u8::from_str_radix(s, 16).ok()).ok_or_else(err)
        })
        .collect()
}

fn sample(v: &str, p: &Parser<'_>) -> Parse<Action> {
    let mut s = Sample {
        probability: 0,
        collector_set_id: 0,
        obs_domain_id: 0,
        obs_point_id: 0,
        sampling_port: OfPort::NONE,
        direction: SampleDirection::Default,
    };
    for item in items(v) {
        let v = item.value;
        match item.key {
            "probability" => {
                s.probability = number(v, "probability")?;
                if s.probability == 0 {
                    return Err(bad!("invalid probability value \"{v}\""));
                }
            }
            "collector_set_id" => s.collector_set_id = n32(v)?,
            "obs_domain_id" => s.obs_domain_id = n32(v)?,
            "obs_point_id" => s.obs_point_id = n32(v)?,
            "sampling_port" => s.sampling_port = p.port(v).ok_or_else(|| bad!("{v}: unknown port"))?,
            "ingress" => s.direction = SampleDirection::Ingress,
            "egress" => s.direction = SampleDirection::Egress,
            other => return Err(bad!("invalid key \"{other}\" in \"sample\" argument")),
        }
    }
    if s.probability == 0 {
        return Err(bad!("non-zero \"probability\" must be specified on sample"));
    }
    Ok(Action::Sample(Box::new(s)))
}

fn encap(v: &str) -> Parse<Action> {
    let mut parsed = items(v);
    let item = parsed.next().ok_or_else(|| bad!("Missing encap hdr: {v}"))?;
    let e = match item.key {
        "ethernet" => Encap::Ethernet,
        "mpls" => Encap::Mpls(0x8847),
        "mpls_mc" => Encap::Mpls(0x8848),
        "nsh" => nsh(item.value)?,
        _ => return Err(bad!("Encap hdr not supported: {v}")),
    };
    Ok(Action::Encap(Box::new(e)))
}

fn nsh(v: &str) -> Parse<Encap> {
    let (mut md_type, mut tlvs) = (None, Vec::new());
    for item in items(v) {
        match item.key {
            "md_type" => match parse_u8(item.value) {
                Some(t @ (1 | 2)) => md_type = Some(t),
                _ => return Err(bad!("invalid md_type")),
            },
            "tlv" => {
                let args: Vec<&str> = item.value.split(',').map(str::trim).collect();
                let [class, kind, value] = args[..] else {
                    return Err(bad!("Invalid NSH TLV header: {}", item.value));
                };
                let err = || bad!("Invalid NSH TLV header: {}", item.value);
                let digits = value.strip_prefix("0x").unwrap_or(value);
                let even = if digits.len() % 2 == 0 { digits.to_owned() } else { format!("0{digits}") };
                tlvs.push(NshTlv {
                    class: parse_u16(class).ok_or_else(err)?,
                    kind: parse_u8(kind).ok_or_else(err)?,
                    value: note(&even).map_err(|_| err())?,
                });
            }
            other => return Err(bad!("Invalid property: {other}")),
        }
    }
    Ok(Encap::Nsh { md_type, tlvs })
}

fn decap(v: &str) -> Parse<Action> {
    let Some(item) = items(v).next() else { return Ok(Action::Decap { new_packet_type: None }) };
    if item.key != "packet_type" {
        return Err(bad!("Invalid decap argument: {}", item.key));
    }
    let (mut ns, mut kind) = (None, None);
    for part in items(item.value) {
        match part.key {
            "ns" => ns = parse_u16(part.value),
            "type" => kind = parse_u16(part.value),
            _ => {}
        }
    }
    let (Some(ns), Some(kind)) = (ns, kind) else {
        return Err(bad!("Missing packet_type attribute ns or type"));
    };
    Ok(Action::Decap { new_packet_type: Some(u32::from(ns) << 16 | u32::from(kind)) })
}
