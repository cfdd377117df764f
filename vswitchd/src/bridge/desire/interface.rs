//! One interface: a device of the datapath, a patch port, or a kind that only gives an error.

use dpif::PortSpec;
use dpif::port::Policing;

use super::super::rows::{self, Uuid};
use super::{LacpMember, Links, lacp, links, parse_mac};

/// OVS's defaults when a rate is set and no burst.
const BURST_KB_DEFAULT: u32 = 8000;
const BURST_KPKTS_DEFAULT: u32 = 16;
/// Numbers above are reserved in the 16-bit space of OpenFlow 1.0.
const OFPORT_REQUEST_MAX: i64 = 65279;

/// Tunnel types of the schema's documentation.
const TUNNEL_KINDS: &[&str] =
    &["bareudp", "erspan", "geneve", "gre", "gtpu", "ip6erspan", "ip6gre", "lisp", "stt", "vxlan"];

/// An interface as wanted.
#[derive(Clone, PartialEq, Debug)]
pub struct Interface {
    pub uuid: Uuid,
    pub name: String,
    /// `Interface.type`; `internal` for the local port, `system` when empty.
    pub kind: String,
    pub is_local: bool,
    pub ofport_request: Option<u32>,
    /// The number of an earlier run, taken again when free.
    pub ofport_before: Option<u32>,
    /// What it stands on, or the text for `Interface.error`.
    pub backing: Result<Backing, String>,
    pub lacp: LacpMember,
    pub links: Links,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Backing {
    /// A port of the datapath.
    Datapath(PortSpec),
    /// The near end of a patch cable.
    Patch { peer: String },
}

pub(super) fn desire(
    uuid: Uuid,
    row: &rows::Interface,
    bridge: &str,
    warnings: &mut Vec<String>,
) -> Interface {
    let is_local = row.name == bridge;
    let kind = match row.kind.as_str() {
        _ if is_local => "internal",
        "" => "system",
        kind => kind,
    };
    Interface {
        uuid,
        name: row.name.clone(),
        kind: kind.to_string(),
        is_local,
        ofport_request: row.ofport_request.filter(|n| (1..=OFPORT_REQUEST_MAX).contains(n)).map(|n| n as u32),
        ofport_before: row.ofport.filter(|n| (1..=OFPORT_REQUEST_MAX).contains(n)).map(|n| n as u32),
        backing: backing(row, kind, is_local, warnings),
        lacp: lacp::lacp_member(row),
        links: links::links(row),
    }
}

fn backing(
    row: &rows::Interface,
    kind: &str,
    is_local: bool,
    warnings: &mut Vec<String>,
) -> Result<Backing, String> {
    let name = &row.name;
    if kind == "patch" {
        return match row.options.get("peer") {
            None => Err(format!("{name}: patch type requires valid 'peer' argument")),
            Some(peer) if peer == name => Err(format!("{name}: patch peer must not be self")),
            Some(peer) => Ok(Backing::Patch { peer: peer.clone() }),
        };
    }
    if TUNNEL_KINDS.contains(&kind) {
        return Err(format!(
            "could not open network device {name} (tunnel type {kind} is not supported yet)"
        ));
    }
    let spec = PortSpec {
        name: name.clone(),
        kind: kind.to_string(),
        options: row.options.clone(),
        other_config: row.other_config.clone(),
        mtu_request: row.mtu_request.and_then(|n| u32::try_from(n).ok()),
        mac: if is_local { None } else { mac(row, warnings) },
        policing: policing(row),
        qos: None,
    };
    Ok(Backing::Datapath(spec))
}

fn mac(row: &rows::Interface, warnings: &mut Vec<String>) -> Option<[u8; 6]> {
    let mac = parse_mac(row.mac.as_deref()?)?;
    if mac[0] & 1 != 0 {
        warnings.push(format!("interface {}: cannot set MAC to multicast address", row.name));
        return None;
    }
    (mac != [0; 6]).then_some(mac)
}

fn policing(row: &rows::Interface) -> Policing {
    let clip = |n: i64| u32::try_from(n.max(0)).unwrap_or(u32::MAX);
    let burst = |rate: u32, burst: u32, default: u32| if rate != 0 && burst == 0 { default } else { burst };
    let (kbps, kpps) = (clip(row.ingress_policing_rate), clip(row.ingress_policing_kpkts_rate));
    Policing {
        rate_kbps: kbps,
        burst_kb: burst(kbps, clip(row.ingress_policing_burst), BURST_KB_DEFAULT),
        rate_kpps: kpps,
        burst_kpkts: burst(kpps, clip(row.ingress_policing_kpkts_burst), BURST_KPKTS_DEFAULT),
    }
}
