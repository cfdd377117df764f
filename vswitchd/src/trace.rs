//! `ofproto/trace`: the fate of one packet or flow, explained. The translation is the real one; its effects are thrown
//! away unless a packet is given (or `-generate`), as OVS has it.

use std::collections::VecDeque;
use std::sync::Arc;

use dpif::DpPort;
use dpif::text::{Names, Numbers, format_actions, parse_key};
use flow::field::{Field, PortNames};
use flow::key::VLAN_CFI;
use flow::matching::{DEFAULT_PRIORITY, KeyValues, PROTOCOLS, Protocol};
use flow::parse::{Meta, parse_whole};
use flow::proto::ct;
use flow::{Flow, Mask, Match};
use openflow::OfPort;
use openflow::action::Action;

use crate::ofproto::World;
use crate::ofproto::snapshot::{BridgeId, BridgeView, Snapshot};
use crate::recirc::Recirc;
use crate::xlate::effect::Traffic;
use crate::xlate::{self, Effect, Input, Output, RecircKind, Start, TracedRecirc, slow};

/// Recirculations that one trace follows.
const RECIRCS_MAX: usize = 100;
const RULE_LEN: usize = 79;
/// ct_state of a packet that comes back from conntrack, unless `--ct-next` says otherwise.
const CT_STATE_DEFAULT: u32 = ct::TRK | ct::NEW;

/// What to trace.
#[derive(Clone, Debug)]
pub struct Request {
    pub bridge: BridgeId,
    /// The bridge's name: ids are of one datapath each.
    pub name: String,
    /// With an OpenFlow port.
    pub flow: Flow,
    pub packet: Option<Vec<u8>>,
    /// Learn from it.
    pub side_effects: bool,
    pub names: bool,
    /// ct_state of each return from conntrack, in order.
    pub ct_next: VecDeque<u32>,
    /// `ofproto/trace-packet-out`: these actions instead of the tables.
    pub actions: Option<Vec<Action>>,
}

/// Reads the arguments of `ofproto/trace`.
pub fn parse(worlds: &[Arc<World>], args: &[String]) -> Result<Request, String> {
    let mut request = Request {
        bridge: BridgeId(u32::MAX),
        name: String::new(),
        flow: Flow::ZERO,
        packet: None,
        side_effects: false,
        names: false,
        ct_next: VecDeque::new(),
        actions: None,
    };
    let mut words: Vec<&str> = Vec::new();
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "-generate" | "--generate" => request.side_effects = true,
            "-consistent" | "--consistent" => {}
            "--names" => request.names = true,
            "--no-names" => request.names = false,
            "--ct-next" => request.ct_next.push_back(parse_ct_state(args.next())?),
            "--l7" | "--l7-len" => drop(args.next()),
            word => words.push(word),
        }
    }
    if let [.., last] = words[..]
        && words.len() > 1
        && let Some(packet) = parse_hex(last)
    {
        words.pop();
        request.packet = Some(packet);
        request.side_effects = true;
    }
    place(worlds, &words, &mut request)?;
    if let Some(packet) = &request.packet {
        let meta = Meta::received(packet.len(), request.flow.in_port);
        request.flow = parse_whole(packet, &meta).0;
    }
    Ok(request)
}

/// `[dp] odp_flow` or `bridge br_flow`.
fn place(worlds: &[Arc<World>], words: &[&str], request: &mut Request) -> Result<(), String> {
    let (first, text) = match words {
        [text] => (None, *text),
        [first, text] => (Some(*first), *text),
        _ => return Err("Syntax error".into()),
    };
    let names = WorldNames(worlds);
    if let Ok((key, _)) = parse_key(text, &names) {
        let world = match first {
            None => worlds.first(),
            Some(name) => worlds.iter().find(|w| is_named(w, name)),
        };
        let snapshot = world.ok_or("Cannot find the datapath")?.snapshot_full();
        let (bridge, port) = snapshot.port_of(DpPort(key.in_port)).ok_or("Invalid datapath flow")?;
        request.bridge = bridge.id;
        request.name.clone_from(&bridge.name);
        request.flow = key;
        request.flow.in_port = u32::from(port.low16());
        return Ok(());
    }
    let Some(name) = first else {
        return Err(format!("syntax error at {text} (or the bridge name was omitted)"));
    };
    let found = worlds.iter().find_map(|w| w.snapshot_full().bridge_by_name(name).cloned());
    let bridge = found.ok_or_else(|| format!("{name}: unknown bridge"))?;
    request.flow =
        exact_flow(text, &OfNames(&bridge)).map_err(|e| format!("Bad openflow flow syntax: {text}: {e}"))?;
    request.bridge = bridge.id;
    request.name.clone_from(&bridge.name);
    for vlan in [&mut request.flow.vlan, &mut request.flow.vlan_inner] {
        // Text names a tag by id and priority; on the wire it has a type, too.
        if vlan.tci.get() & VLAN_CFI != 0 && vlan.tpid.is_zero() {
            vlan.tpid = flow::Be16::new(flow::proto::eth::VLAN);
        }
    }
    Ok(())
}

/// One packet's flow in the words of `ovs-ofctl`. Each field needs the packet to be of its kind by the time it is named.
fn exact_flow(text: &str, ports: &OfNames<'_>) -> Result<Flow, String> {
    let mut flow = Flow { in_port: u32::from(OfPort::NONE.low16()), ..Flow::ZERO };
    for (key, value) in KeyValues::new(text) {
        match PROTOCOLS.iter().find(|p| p.name == key) {
            Some(protocol) => set_protocol(&mut flow, protocol)?,
            None => set_field(&mut flow, key, value, ports)?,
        }
    }
    Ok(flow)
}

fn set_protocol(flow: &mut Flow, protocol: &Protocol) -> Result<(), String> {
    if !flow.dl_type.is_zero() {
        return Err("Ethernet type set multiple times".into());
    }
    flow.dl_type = flow::Be16::new(protocol.dl_type);
    if protocol.nw_proto != 0 {
        flow.nw_proto = protocol.nw_proto;
    }
    Ok(())
}

fn set_field(flow: &mut Flow, key: &str, value: &str, ports: &OfNames<'_>) -> Result<(), String> {
    let field = Field::from_name(key).ok_or_else(|| format!("unknown field {key}"))?;
    if !field.is_present(flow) {
        return Err(format!("prerequisites not met for setting {key}"));
    }
    if !matches!(field, Field::InPort | Field::InPortOxm) && field.get(flow) != 0 {
        return Err(format!("field {key} set multiple times"));
    }
    let wrong = |why: String| format!("bad value for {key} ({why})");
    field.parse(value, Some(ports)).map_err(|e| wrong(e.to_string())).and_then(|(_, mask)| {
        let is_exact = mask == field.value_mask() || !value.contains('/');
        is_exact.then_some(()).ok_or_else(|| wrong(format!("{value}: wildcards not allowed here")))
    })?;
    let mut matching = Match { flow: *flow, mask: Mask::NONE };
    matching.parse_pair(key, value, Some(ports)).map_err(|e| wrong(e.to_string()))?;
    *flow = matching.flow;
    Ok(())
}

fn is_named(world: &World, name: &str) -> bool {
    let Some(datapath) = world.datapath() else { return false };
    let (kind, dp) = datapath.type_and_name();
    name == dp || name == format!("{kind}@{dp}")
}

fn parse_ct_state(text: Option<&str>) -> Result<u32, String> {
    let text = text.ok_or("Missing argument for option --ct-next")?;
    let mut state = 0;
    for name in text.split([',', '|']) {
        let bits = flow::field::CT_STATE_FLAGS.iter().find(|(n, _)| *n == name);
        state |= bits.ok_or_else(|| format!("{name}: unknown connection tracking state flag"))?.1;
    }
    Ok(state | ct::TRK)
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    if digits.len() < 28 || !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// The text of a trace.
pub fn run(world: &World, request: &Request) -> String {
    let mut text = String::new();
    let mut ct_next = request.ct_next.clone();
    let mut todo: VecDeque<TracedRecirc> = VecDeque::new();
    let mut out = Output::default();
    // Ids in actions that were traced stay valid to the end.
    let mut kept: Vec<Arc<Recirc>> = Vec::new();
    one(world, request, &request.flow, None, &mut out, &mut text);
    for n in 0.. {
        todo.append(&mut out.traced_recircs.drain(..).collect());
        kept.append(&mut out.recircs);
        let Some(next) = todo.pop_front() else { break };
        if n >= RECIRCS_MAX {
            break;
        }
        let Some(recirc) = world.recirc.get(next.id) else { continue };
        let mut flow = *next.flow;
        flow.recirc_id = next.id;
        head(&next, &mut flow, &mut ct_next, &mut text);
        one(world, request, &flow, Some(&recirc), &mut out, &mut text);
    }
    text
}

/// The heading of what follows a recirculation.
fn head(next: &TracedRecirc, flow: &mut Flow, ct_next: &mut VecDeque<u32>, text: &mut String) {
    let rule = "=".repeat(RULE_LEN);
    let what = match next.kind {
        RecircKind::Conntrack => {
            let given = ct_next.pop_front();
            flow.ct_state = given.unwrap_or(CT_STATE_DEFAULT);
            match given {
                None => {
                    " - resume conntrack with default ct_state=trk|new (use --ct-next to customize)".into()
                }
                Some(state) => format!(" - resume conntrack with ct_state={}", ct_state_text(state)),
            }
        }
        RecircKind::Other => String::new(),
    };
    text.push_str(&format!("\n{rule}\nrecirc({:#x}){what}\n{rule}\n\n", next.id));
}

fn ct_state_text(state: u32) -> String {
    let names = flow::field::CT_STATE_FLAGS.iter().filter(|(_, bit)| state & bit != 0).map(|(n, _)| *n);
    names.collect::<Vec<_>>().join("|")
}

fn one(
    world: &World,
    request: &Request,
    flow: &Flow,
    recirc: Option<&Arc<Recirc>>,
    out: &mut Output,
    text: &mut String,
) {
    let snapshot = world.snapshot_full();
    let id = recirc.map_or(request.bridge, |r| r.frozen.bridge);
    let Some(bridge) = snapshot.bridge(id) else { return };
    let start = match (recirc, &request.actions) {
        (Some(recirc), _) => Start::Frozen(&recirc.frozen),
        (None, Some(actions)) => Start::Actions(actions),
        (None, None) => Start::Pipeline,
    };
    let input = Input {
        snapshot: &snapshot,
        recirc: &world.recirc,
        bridge,
        flow,
        packet: request.packet.as_deref(),
        now_ms: world.clock.now_ms(),
        start,
        may_learn: request.side_effects,
        trace: true,
    };
    xlate::translate(&input, out);
    if request.side_effects {
        learn(world, out);
    }
    report(&snapshot, bridge, request, flow, out, text);
}

/// Applies what a packet teaches, without counting it.
fn learn(world: &World, out: &Output) {
    let traffic = Traffic { used_ms: world.clock.now_ms(), ..Traffic::default() };
    let lessons = out.effects.iter().filter(|e| matches!(e, Effect::LearnMac(_) | Effect::LearnFlow(_)));
    lessons.for_each(|e| e.apply(&traffic, world));
}

fn report(
    snapshot: &Snapshot,
    bridge: &BridgeView,
    request: &Request,
    flow: &Flow,
    out: &Output,
    text: &mut String,
) {
    use std::fmt::Write as _;
    let of_names = OfNames(bridge);
    let ports: Option<&dyn PortNames> = request.names.then_some(&of_names);
    let dp_names = SnapshotNames(snapshot);
    let names: &dyn Names = if request.names { &dp_names } else { &Numbers };
    let line = |m: &Match| m.format(DEFAULT_PRIORITY, ports);
    let _ = writeln!(text, "Flow: {}", line(&Match::of_packet(flow)));
    text.push_str(&out.trace.as_ref().map(xlate::Trace::text).unwrap_or_default());
    let last = normal_form(&out.final_flow);
    let last = if last == normal_form(flow) { "unchanged".into() } else { line(&Match::of_packet(&last)) };
    let _ = writeln!(text, "\nFinal flow: {last}");
    let mut mask = out.mask;
    for (tag, bits) in [(flow.vlan, &mut mask.0.vlan), (flow.vlan_inner, &mut mask.0.vlan_inner)] {
        if tag.tci.is_zero() {
            // That a tag is not there is told by its absence.
            *bits = Default::default();
        }
    }
    let _ = writeln!(text, "Megaflow: {}", line(&Match::new(flow, &mask)));
    let actions = if out.actions.is_empty() { "drop".into() } else { format_actions(&out.actions, names) };
    let _ = writeln!(text, "Datapath actions: {actions}");
    if let Some(error) = out.error {
        let _ = writeln!(text, "Translation failed ({error}), packet is dropped.");
    } else if out.slow != 0 {
        text.push_str("This flow is handled by the userspace slow path because it:\n");
        for (_, _, why) in slow::REASONS.iter().filter(|(bit, ..)| out.slow & bit != 0) {
            let _ = writeln!(text, "  - {why}.");
        }
    }
}

/// Without what only the pipeline has and no text tells.
fn normal_form(flow: &Flow) -> Flow {
    Flow { actset_output: 0, conj_id: 0, ..*flow }
}

/// OpenFlow port names of a bridge.
pub struct OfNames<'a>(pub &'a BridgeView);

impl PortNames for OfNames<'_> {
    fn name(&self, port: u32) -> Option<String> {
        self.0.ports.get(OfPort::from_u16(port as u16)).map(|p| p.name.clone())
    }
    fn number(&self, name: &str) -> Option<u32> {
        self.0.ports.by_name(name).map(|p| u32::from(p.number.low16()))
    }
}

/// Datapath port names.
pub struct SnapshotNames<'a>(pub &'a Snapshot);

impl Names for SnapshotNames<'_> {
    fn name(&self, port: DpPort) -> Option<String> {
        let (bridge, number) = self.0.port_of(port)?;
        Some(bridge.ports.get(number)?.name.clone())
    }
    fn port(&self, name: &str) -> Option<DpPort> {
        self.0.bridges.values().find_map(|b| b.ports.by_name(name)?.dp_port)
    }
}

struct WorldNames<'a>(&'a [Arc<World>]);

impl Names for WorldNames<'_> {
    fn name(&self, _: DpPort) -> Option<String> {
        None
    }
    fn port(&self, name: &str) -> Option<DpPort> {
        self.0.iter().find_map(|w| SnapshotNames(&w.snapshot()).port(name))
    }
}
