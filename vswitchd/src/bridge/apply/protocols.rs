//! What the configuration asks of a bridge's protocols, in the terms of `protocol::Config`. Pure.

use openflow::OfPort;

use super::super::actual::ActualBridge;
use super::super::desire::{Bridge, Interface, Port};
use super::trees::{self, Numbers};
use crate::protocol::config::{BundleConfig, Config, PortConfig};
use crate::protocol::{lacp, lldp, rstp, stp};

/// The protocols of `wanted`, whose ports are attached as `actual` says; `mac` is the bridge's address.
pub(super) fn protocols(wanted: &Bridge, actual: &ActualBridge, mac: [u8; 6]) -> Config {
    let mut config = Config {
        mac,
        stp: wanted.trees.stp.as_ref().map(|t| trees::stp(t, mac)),
        rstp: wanted.trees.rstp.as_ref().map(|t| trees::rstp(t, mac)),
        mcast: wanted.mcast_snooping,
        ..Config::default()
    };
    let mut stp_numbers = Numbers::new(wanted, stp::PORTS_MAX, |p| p.trees.stp.as_ref());
    let mut rstp_numbers = Numbers::new(wanted, rstp::PORTS_MAX, |p| p.trees.rstp.as_ref());
    for port in wanted.ports.values() {
        let members: Vec<(OfPort, &Interface)> =
            port.interfaces.values().filter_map(|i| Some((ofport(actual, i)?, i))).collect();
        if members.is_empty() {
            continue;
        }
        for (number, iface) in &members {
            let mut of_port = port_config(iface, *number);
            of_port.lldp = iface.links.lldp.then(|| lldp(wanted, iface, mac));
            if trees::takes_part(wanted, port) {
                of_port.stp = config.stp.as_ref().and_then(|_| trees::stp_port(port, &mut stp_numbers));
                of_port.rstp = config.rstp.as_ref().and_then(|_| trees::rstp_port(port, &mut rstp_numbers));
            }
            config.ports.insert(*number, of_port);
        }
        config.bundles.insert(port.name.clone(), bundle(port, &members, mac));
    }
    config
}

fn lldp(wanted: &Bridge, iface: &Interface, mac: [u8; 6]) -> lldp::Config {
    let mapping = |(isid, vlan): (&i64, &i64)| Some((u32::try_from(*isid).ok()?, u16::try_from(*vlan).ok()?));
    lldp::Config {
        port_name: iface.name.clone(),
        chassis_mac: mac,
        system_name: wanted.auto_attach.system_name.clone(),
        system_description: wanted.auto_attach.system_description.clone(),
        mappings: wanted.auto_attach.mappings.iter().filter_map(mapping).collect(),
    }
}

fn ofport(actual: &ActualBridge, iface: &Interface) -> Option<OfPort> {
    Some(actual.interfaces.get(&iface.name)?.outcome.as_ref().ok()?.ofport)
}

fn port_config(iface: &Interface, number: OfPort) -> PortConfig {
    PortConfig {
        name: iface.name.clone(),
        lacp: lacp::MemberConfig {
            name: iface.name.clone(),
            port_id: if iface.lacp.port_id == 0 { number.low16() } else { iface.lacp.port_id },
            port_priority: iface.lacp.port_priority,
            key: iface.lacp.key,
        },
        bfd: iface.links.bfd.clone(),
        cfm: iface.links.cfm.clone(),
        ..PortConfig::default()
    }
}

fn bundle(port: &Port, members: &[(OfPort, &Interface)], mac: [u8; 6]) -> BundleConfig {
    let lacp = port.lacp.as_ref().map(|lacp| lacp::Config {
        active: lacp.active,
        system_id: lacp.system_id.unwrap_or(mac),
        system_priority: lacp.system_priority,
        fast: lacp.fast,
        fallback_ab: lacp.fallback_ab,
    });
    let flag = |key: &str| port.other_config.get(key).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    BundleConfig {
        members: members.iter().map(|(n, _)| *n).collect(),
        bond: port.bond.clone(),
        lacp,
        mcast_flood: flag("mcast-snooping-flood"),
        mcast_flood_reports: flag("mcast-snooping-flood-reports"),
    }
}
