//! `dpif/*`: bridges and their ports in the datapath.

use std::fmt::Write as _;
use std::sync::Arc;

use dpif::{DpPort, PortStatus};
use transport::unixctl::Registry;

use super::flows::{self, PortNames, Style};
use crate::bridge::apply::port_status;
use crate::bridge::desire::Backing;
use crate::bridge::switch::{Backer, LiveBridge, Switch};

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let s = switch.clone();
    registry.add("dpif/show", "", 0..=0, move |_| Ok(show(&s)));
    let s = switch.clone();
    registry.add("dpif/dump-dps", "", 0..=0, move |_| {
        Ok(s.bridges().iter().map(|b| format!("{}@{}\n", b.backer.kind, b.name)).collect())
    });
    let s = switch.clone();
    registry.add("dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1..=usize::MAX, move |args| {
        dump_flows(&s, args)
    });
    let s = switch.clone();
    registry.add("dpif/show-dp-features", "bridge", 1..=1, move |args| {
        super::find(&s, &args[0])?;
        Ok(FEATURES.iter().map(|(name, value)| format!("{name}: {value}\n")).collect())
    });
}

/// What `dpif/show-dp-features` says of this datapath.
const FEATURES: &[(&str, &str)] = &[
    ("Masked set action", "Yes"),
    ("Tunnel push pop", "No"),
    ("Ufid", "Yes"),
    ("Truncate action", "Yes"),
    ("Clone action", "Yes"),
    ("Sample nesting", "10"),
    ("Conntrack eventmask", "No"),
    ("Conntrack clear", "No"),
    ("Max dp_hash algorithm", "1"),
    ("Check pkt length action", "Yes"),
    ("Conntrack timeout policy", "No"),
    ("Explicit Drop action", "Yes"),
    ("Optimized Balance TCP mode", "No"),
    ("Conntrack all-zero IP SNAT", "No"),
    ("MPLS Label add", "No"),
    ("Max VLAN headers", "2"),
    ("Max MPLS depth", "3"),
    ("Recirc", "Yes"),
    ("CT state", "No"),
    ("CT zone", "No"),
    ("CT mark", "No"),
    ("CT label", "No"),
    ("CT state NAT", "No"),
    ("CT orig tuple", "No"),
    ("CT orig tuple for IPv6", "No"),
    ("IPv6 ND Extension", "Yes"),
];

fn show(switch: &Switch) -> String {
    let mut text = String::new();
    for backer in switch.backers() {
        let bridges: Vec<_> = switch.bridges().into_iter().filter(|b| b.backer.kind == backer.kind).collect();
        if !bridges.is_empty() {
            show_backer(switch, backer, &bridges, &mut text);
        }
    }
    text
}

fn show_backer(switch: &Switch, backer: &Backer, bridges: &[Arc<LiveBridge>], text: &mut String) {
    let stats = backer.datapath.stats();
    let _ = writeln!(text, "{}@{}: hit:{} missed:{}", backer.kind, backer.name, stats.hit, stats.missed);
    let actual = switch.actual();
    for live in bridges {
        let _ = writeln!(text, "  {}:", live.name);
        let Some(bridge) = actual.bridges.get(&live.name) else { continue };
        for (name, iface) in &bridge.interfaces {
            let Ok(attached) = &iface.outcome else { continue };
            let number = attached.dp_port.map_or_else(|| "none".to_string(), |p| p.to_string());
            let status = port_status(backer.datapath.as_ref(), &iface.applied, attached.dp_port);
            let kind = match &iface.applied.backing {
                Ok(Backing::Patch { peer }) => format!("patch: peer={peer}"),
                _ => kind_text(&status, &iface.applied.kind),
            };
            let _ = writeln!(text, "    {name} {}/{number}: ({kind})", attached.ofport.low16());
        }
    }
}

/// `dpdk: mtu=1500, n_rxq=1`: the type and what it was set to.
pub(super) fn kind_text(status: &PortStatus, kind: &str) -> String {
    let kind = if status.shown_kind.is_empty() { kind } else { &status.shown_kind };
    if status.config.is_empty() {
        return kind.to_string();
    }
    let config: Vec<String> = status.config.iter().map(|(k, v)| format!("{k}={v}")).collect();
    format!("{kind}: {}", config.join(", "))
}

fn dump_flows(switch: &Switch, args: &[String]) -> Result<String, String> {
    let Some((name, options)) = args.split_last() else { return Err("no such bridge".into()) };
    let live = super::find(switch, name)?;
    let mut style = Style::default();
    for option in options {
        match option.as_str() {
            "-m" => style = Style { more: true, names: true },
            "--names" => style.names = true,
            "--no-names" => style.names = false,
            other => return Err(format!("{other}: unknown option")),
        }
    }
    let ports: Vec<DpPort> = live.ofproto.ports().iter().filter_map(|p| p.dp_port).collect();
    let datapath = live.backer.datapath.as_ref();
    let names = PortNames::new(datapath, style.names);
    let now_ms = switch.clock.now_ms();
    let mut text = String::new();
    datapath.flow_dump(&mut |flow| {
        if !ports.contains(&DpPort(flow.key().in_port)) {
            return;
        }
        let (key, stats) = (flows::key(flow, style, " ", &names), flows::stats(&flow.stats(), now_ms));
        let _ = writeln!(text, "{key}, {stats}, actions:{}", flows::actions(flow, &names));
    });
    Ok(text)
}
