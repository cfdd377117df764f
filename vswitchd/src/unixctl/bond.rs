//! `bond/*`: the bonds that are configured. Every bond works as active-backup: its first working member carries all.

use std::fmt::Write as _;
use std::sync::Arc;

use transport::unixctl::Registry;

use crate::bridge::apply::port_status;
use crate::bridge::status::format_mac;
use crate::bridge::switch::{LiveBond, Switch};

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let s = switch.clone();
    registry.add("bond/list", "", 0..=0, move |_| {
        let mut text = String::from("bond\ttype\trecircID\tmembers\n");
        for bond in s.bonds() {
            let _ = writeln!(text, "{}\t{}\t0\t{}", bond.name, bond.config.mode, bond.members.join(", "));
        }
        Ok(text)
    });
    let s = switch.clone();
    registry.add("bond/show", "[port]", 0..=1, move |args| {
        let mut bonds = s.bonds();
        if let Some(name) = args.first() {
            bonds.retain(|b| b.name == *name);
            if bonds.is_empty() {
                return Err("no such bond".into());
            }
        }
        Ok(bonds.iter().map(|bond| show(&s, bond)).collect())
    });
}

fn show(switch: &Switch, bond: &LiveBond) -> String {
    let c = &bond.config;
    let mut text = format!(
        "---- {} ----\nbond_mode: {}\nbond may use recirculation: no, Recirc-ID : -1\nbond-hash-basis: {}\n\
         lb_output action: disabled, bond-id: -1\nupdelay: {} ms\ndowndelay: {} ms\n",
        bond.name, c.mode, c.basis, c.up_delay_ms, c.down_delay_ms
    );
    let primary = c.primary.as_deref().unwrap_or("<none>");
    let _ = write!(text, "lacp_status: off\nlacp_fallback_ab: false\nactive-backup primary: {primary}\n");
    let active = bond.members.first();
    let mac = active.map_or([0; 6], |name| mac_of(switch, name));
    match active {
        Some(name) => {
            let _ = writeln!(text, "active member mac: {}({name})", format_mac(mac));
        }
        None => text.push_str("active member mac: 00:00:00:00:00:00(none)\n"),
    }
    for member in &bond.members {
        let _ = write!(text, "\nmember {member}: enabled\n");
        if Some(member) == active {
            text.push_str("  active member\n");
        }
        text.push_str("  may_enable: true\n");
    }
    text.push('\n');
    text
}

fn mac_of(switch: &Switch, interface: &str) -> [u8; 6] {
    let actual = switch.actual();
    let Some((bridge, attached)) = actual.attached(interface) else { return [0; 6] };
    let iface = actual.bridges.get(bridge).and_then(|b| b.interfaces.get(interface));
    let live = switch.bridge(bridge);
    match (iface, live) {
        (Some(iface), Some(live)) => {
            port_status(live.backer.datapath.as_ref(), &iface.applied, attached.dp_port).mac
        }
        _ => [0; 6],
    }
}
