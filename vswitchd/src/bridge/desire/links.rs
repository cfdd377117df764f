//! BFD and CFM settings of an interface.

use super::super::rows::{self, StringMap};
use super::{flag, number, parse_mac};
use crate::protocol::{bfd, cfm};

/// Protocols on an interface.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Links {
    pub bfd: Option<bfd::Config>,
    pub cfm: Option<cfm::Config>,
    pub lldp: bool,
}

/// No end may be faster.
const BFD_INTERVAL_MS_MIN: i64 = 100;

pub(super) fn links(row: &rows::Interface) -> Links {
    Links { bfd: bfd(&row.bfd), cfm: cfm(row), lldp: flag(&row.lldp, "enable", false) }
}

fn bfd(c: &StringMap) -> Option<bfd::Config> {
    if !flag(c, "enable", false) {
        return None;
    }
    let ms =
        |key: &str, default: i64| number(c, key, 0..=i64::from(i32::MAX), default).max(BFD_INTERVAL_MS_MIN);
    let min_rx_ms = ms("min_rx", 1000);
    let decay = number(c, "decay_min_rx", 0..=i64::from(i32::MAX), 0);
    let mac = |key: &str| c.get(key).and_then(|s| parse_mac(s));
    let ip = |key: &str| c.get(key)?.parse::<std::net::Ipv4Addr>().ok().map(|a| a.octets());
    let default = bfd::packet::Addresses::default();
    Some(bfd::Config {
        min_tx_ms: ms("min_tx", 100),
        min_rx_ms,
        decay_min_rx_ms: if decay == 0 { 0 } else { decay.max(min_rx_ms) },
        mult: number(c, "mult", 1..=255, 3) as u8,
        forwarding_if_rx: flag(c, "forwarding_if_rx", false),
        cpath_down: flag(c, "cpath_down", false),
        addresses: bfd::packet::Addresses {
            src_mac: mac("bfd_local_src_mac"),
            dst_mac: mac("bfd_local_dst_mac").unwrap_or(default.dst_mac),
            src_ip: ip("bfd_src_ip").unwrap_or(default.src_ip),
            dst_ip: ip("bfd_dst_ip").unwrap_or(default.dst_ip),
        },
        remote_dst_mac: mac("bfd_remote_dst_mac"),
    })
}

fn cfm(row: &rows::Interface) -> Option<cfm::Config> {
    let c = &row.other_config;
    let mpid = u64::try_from(row.cfm_mpid?).ok()?;
    let vlan = match c.get("cfm_ccm_vlan").map(String::as_str) {
        // Any VLAN will do; zero stands for "a tag without VLAN".
        Some("random") | None => None,
        Some(_) => Some(number(c, "cfm_ccm_vlan", 0..=4095, 0) as u16).filter(|v| *v != 0),
    };
    Some(cfm::Config {
        mpid,
        interval_ms: number(c, "cfm_interval", 1..=i64::from(i32::MAX), 1000),
        extended: flag(c, "cfm_extended", false),
        demand: flag(c, "cfm_demand", false),
        opstate_up: c.get("cfm_opstate").is_none_or(|s| !s.eq_ignore_ascii_case("down")),
        vlan,
        pcp: number(c, "cfm_ccm_pcp", 0..=7, 0) as u8,
    })
}
