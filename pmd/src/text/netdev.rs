//! `netdev-dpdk/*`, `netdev-dummy/*`, `dpdk/*`.

use std::sync::Arc;

use dpif::Ports;

use crate::Datapath;
use crate::dpdk::{eal, ethdev};
use crate::port::Port;

fn ports(datapath: &Datapath) -> Vec<Arc<Port>> {
    datapath.0.snapshot.load().ports.iter().flatten().cloned().collect()
}

fn is_dpdk(port: &Port) -> bool {
    port.kind.starts_with("dpdk")
}

fn is_dummy(port: &Port) -> bool {
    port.kind.starts_with("dummy")
}

pub(super) fn bond_show(_: &Datapath, args: &[String]) -> Result<String, String> {
    super::filter(args).map(|_| String::new())
}

pub(super) fn mempool_info(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    match args.first() {
        None => needs_dpdk(crate::dpdk::mempool::dump_all),
        Some(name) => {
            let port = ports(datapath).into_iter().find(|p| p.name == *name && is_dpdk(p));
            let port = port.ok_or_else(|| "Not a DPDK Interface".to_owned())?;
            port.device.mempool().map(|p| p.dump()).ok_or_else(|| "Not Allocated".to_owned())
        }
    }
}

pub(super) fn detach(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let device = &args[0];
    if !eal::is_initialized() {
        return Err(format!("Device '{device}' not found in DPDK"));
    }
    let Some(id) = ethdev::port_of(device) else {
        return Err(format!("Device '{device}' not found in DPDK"));
    };
    let uses = |p: &Port| p.device.status().status.get("port_no").is_some_and(|n| *n == id.to_string());
    let users: Vec<String> =
        ports(datapath).iter().filter(|p| p.kind == "dpdk" && uses(p)).map(|p| p.name.clone()).collect();
    if !users.is_empty() {
        return Err(format!(
            "Device '{device}' is being used by the following interfaces: {}. Remove them before detaching.",
            users.join(" ")
        ));
    }
    ethdev::detach(device)?;
    Ok(format!("All devices shared with device '{device}' have been detached"))
}

fn set_admin_state(
    datapath: &Datapath,
    args: &[String],
    is_kind: fn(&Port) -> bool,
    not_kind: &str,
) -> Result<String, String> {
    let (name, state) = match args {
        [state] => (None, state),
        [name, state, ..] => (Some(name), state),
        [] => return Err("Invalid Admin State".to_owned()),
    };
    let up = match state.to_ascii_lowercase().as_str() {
        "up" => true,
        "down" => false,
        _ => return Err("Invalid Admin State".to_owned()),
    };
    let chosen: Vec<_> =
        ports(datapath).into_iter().filter(|p| is_kind(p) && name.is_none_or(|n| p.name == *n)).collect();
    if chosen.is_empty() && name.is_some() {
        return Err(not_kind.to_owned());
    }
    for port in chosen {
        datapath.port_set_admin_up(port.no, up).map_err(|e| e.to_string())?;
    }
    Ok("OK".to_owned())
}

pub(super) fn set_dpdk_admin_state(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    set_admin_state(datapath, args, is_dpdk, "Not a DPDK Interface")
}

pub(super) fn set_dummy_admin_state(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    set_admin_state(datapath, args, is_dummy, "Unknown Dummy Interface")
}

/// Payload that a packet made of a flow gets: bytes 0, 1, 2 and so on.
const PAYLOAD_LEN: u8 = 64;

/// `netdev-dummy/receive NAME [--qid N] {PACKET | FLOW [--len N]}...`.
pub(super) fn receive(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let port = ports(datapath).into_iter().find(|p| p.name == args[0] && is_dummy(p));
    let port = port.ok_or_else(|| "no such dummy netdev".to_owned())?;
    let (mut packets, mut queue) = (Vec::<crate::Packet>::new(), 0);
    let mut words = args[1..].iter().peekable();
    while let Some(word) = words.next() {
        if word == "--qid" {
            queue = words.next().and_then(|q| q.parse().ok()).ok_or("bad rx queue id.")?;
            continue;
        }
        let mut len = None;
        if words.next_if(|w| *w == "--len").is_some() {
            len = Some(words.next().and_then(|l| l.parse::<usize>().ok()).ok_or("invalid --len")?);
        }
        let bytes = if is_hex(word) { padded(hex(word)?, len) } else { composed(datapath, word, len)? };
        packets.push(crate::Packet::from_bytes(&bytes).ok_or("packet too long")?);
    }
    for packet in packets {
        port.device.inject(queue, packet)?;
    }
    Ok(String::new())
}

/// `netdev-dummy/conn-state [NAME]`.
pub(super) fn conn_state(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let dummies = ports(datapath).into_iter().filter(|p| is_dummy(p));
    let chosen: Vec<_> = dummies.filter(|p| args.first().is_none_or(|name| p.name == *name)).collect();
    if let (Some(name), true) = (args.first(), chosen.is_empty()) {
        return Ok(format!("{name}: unknown\n"));
    }
    let line = |p: Arc<Port>| {
        let state = if p.device.is_connected()? { "connected" } else { "disconnected" };
        Some(format!("{}: {state}\n", p.name))
    };
    Ok(chosen.into_iter().filter_map(line).collect())
}

fn padded(mut bytes: Vec<u8>, len: Option<usize>) -> Vec<u8> {
    // More than a packet can hold is refused where the packet is made.
    let len = len.unwrap_or(0).min(usize::from(u16::MAX) + 1);
    bytes.resize(bytes.len().max(len), 0);
    bytes
}

/// A packet of a flow as `dpctl/dump-flows` prints one.
fn composed(datapath: &Datapath, text: &str, len: Option<usize>) -> Result<Vec<u8>, String> {
    if let Some(compose) = datapath.0.options.compose {
        return compose(text);
    }
    let names = PortNames(ports(datapath));
    let (flow, _) =
        dpif::text::parse_key(text, &names).map_err(|e| format!("bad packet or flow syntax: {e}"))?;
    let payload: Vec<u8> = match len {
        None => (0..PAYLOAD_LEN).collect(),
        Some(len) => {
            let headers = flow::packet::compose(&flow, &[]).len();
            vec![0; len.min(usize::from(u16::MAX)).saturating_sub(headers)]
        }
    };
    Ok(flow::packet::compose(&flow, &payload))
}

struct PortNames(Vec<Arc<Port>>);

impl dpif::text::Names for PortNames {
    fn name(&self, no: dpif::DpPort) -> Option<String> {
        self.0.iter().find(|p| p.no == no).map(|p| p.name.clone())
    }
    fn port(&self, name: &str) -> Option<dpif::DpPort> {
        self.0.iter().find(|p| p.name == name).map(|p| p.no)
    }
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit() || c.is_ascii_whitespace())
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    if !digits.len().is_multiple_of(2) {
        return Err("bad packet: an odd number of hexadecimal digits".to_owned());
    }
    Ok(digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect())
}

fn needs_dpdk(text: impl Fn() -> String) -> Result<String, String> {
    if eal::is_initialized() { Ok(text()) } else { Err("DPDK is not initialized".to_owned()) }
}

pub(super) fn log_list(_: &Datapath, _: &[String]) -> Result<String, String> {
    needs_dpdk(eal::log_list)
}

pub(super) fn log_set(_: &Datapath, args: &[String]) -> Result<String, String> {
    for arg in args {
        eal::log_set(arg)?;
    }
    Ok(String::new())
}

pub(super) fn lcore_list(_: &Datapath, _: &[String]) -> Result<String, String> {
    needs_dpdk(eal::lcore_list)
}

pub(super) fn malloc_stats(_: &Datapath, _: &[String]) -> Result<String, String> {
    needs_dpdk(eal::malloc_stats)
}
