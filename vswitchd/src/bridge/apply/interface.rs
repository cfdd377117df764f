//! Interfaces: opening, changing and closing devices, and their OpenFlow ports.

use std::sync::atomic::Ordering::Relaxed;

use dpif::{Datapath, DpPort, PortError, PortSpec, PortStats, PortStatus};
use openflow::OfPort;

use super::super::actual::{ActualInterface, Attached};
use super::super::desire::{Backing, Bridge, Interface};
use super::super::switch::LiveBridge;
use super::Applier;
use crate::ofproto::PortInput;

impl Applier {
    pub(super) fn attach(&mut self, wanted: Option<&Bridge>, name: &str) {
        let Some(wanted) = wanted else { return };
        let Some(live) = self.switch.bridge(&wanted.name) else { return };
        let Some(iface) = wanted.ports.values().find_map(|p| p.interfaces.get(name)) else { return };
        let outcome = self.open(&live, wanted, iface);
        let mut actual = self.switch.actual_mut();
        let Some(bridge) = actual.bridges.get_mut(&wanted.name) else { return };
        let before = bridge.interfaces.get(name).and_then(|i| i.outcome.as_ref().err());
        match &outcome {
            Ok(attached) => tracing::info!(
                target: "bridge",
                "bridge {}: added interface {name} on port {}", wanted.name, attached.ofport.low16()
            ),
            // A port that keeps failing in the same way is said once.
            Err(error) if before != Some(error) => tracing::warn!(target: "bridge", "{error}"),
            Err(_) => {}
        }
        bridge.interfaces.insert(name.into(), ActualInterface { applied: iface.clone(), outcome });
    }

    fn open(&mut self, live: &LiveBridge, wanted: &Bridge, iface: &Interface) -> Result<Attached, String> {
        let backing = iface.backing.as_ref().map_err(Clone::clone)?;
        let dp_port = match backing {
            Backing::Patch { .. } => None,
            Backing::Datapath(spec) => {
                let spec = local_spec(spec, iface, wanted, live);
                let wish = (live.backer.kind == "dummy").then(|| number_in(&iface.name)).flatten();
                let opened = live.backer.datapath.port_open(&spec, wish);
                Some(opened.map_err(|e| error_text(&iface.name, &e))?)
            }
        };
        let number = match iface.is_local {
            true => Some(OfPort::LOCAL),
            false => {
                let numbers = self.numbers.entry(wanted.name.clone()).or_default();
                let kept = self.kept_numbers.remove(&iface.name);
                numbers.take(iface.ofport_request.or(kept).or(iface.ofport_before))
            }
        };
        let Some(ofport) = number else {
            if let Some(dp_port) = dp_port {
                let _ = live.backer.datapath.port_remove(dp_port);
            }
            return Err(format!("{}: no OpenFlow port number is free", iface.name));
        };
        match kernel_ifindex(&iface.name).filter(|_| iface.kind == "system") {
            Some(index) => drop(self.kernel.insert(iface.name.clone(), index)),
            None => drop(self.kernel.remove(&iface.name)),
        }
        let attached = Attached { ofport, dp_port };
        set_port(live, iface, attached);
        if let Some(dp_port) = dp_port {
            self.opened.push((live.backer.kind, dp_port));
        }
        Ok(attached)
    }

    pub(super) fn reconfigure(&mut self, wanted: Option<&Bridge>, name: &str) {
        let Some(wanted) = wanted else { return };
        let Some(live) = self.switch.bridge(&wanted.name) else { return };
        let Some(iface) = wanted.ports.values().find_map(|p| p.interfaces.get(name)) else { return };
        let attached =
            match self.switch.actual().bridges.get(&wanted.name).and_then(|b| b.interfaces.get(name)) {
                Some(ActualInterface { outcome: Ok(attached), .. }) => *attached,
                _ => return,
            };
        if let (Ok(Backing::Datapath(spec)), Some(dp_port)) = (&iface.backing, attached.dp_port) {
            let mut spec = local_spec(spec, iface, wanted, &live);
            if iface.is_local {
                // `set_addresses` has the last word on the address.
                spec.mac = live.backer.datapath.port_status(dp_port).ok().map(|s| s.mac).or(spec.mac);
            }
            if let Err(error) = live.backer.datapath.port_reconfigure(dp_port, &spec) {
                let text = error_text(name, &error);
                tracing::warn!(target: "bridge", "{text}");
                self.fail(&wanted.name, iface, text);
                return;
            }
        }
        set_port(&live, iface, attached);
    }

    pub(super) fn detach(&mut self, bridge: &str, name: &str) {
        let Some(live) = self.switch.bridge(bridge) else { return };
        let known = self.switch.actual_mut().bridges.get_mut(bridge).and_then(|b| b.interfaces.remove(name));
        let Some(ActualInterface { outcome: Ok(attached), .. }) = known else { return };
        live.ofproto.port_remove(attached.ofport);
        if let Some(dp_port) = attached.dp_port
            && let Err(error) = live.backer.datapath.port_remove(dp_port)
        {
            tracing::warn!(target: "dpif", "{bridge}: failed to delete port {name}: {error}");
        }
        if let Some(numbers) = self.numbers.get_mut(bridge) {
            numbers.release(attached.ofport);
        }
        tracing::info!(
            target: "bridge",
            "bridge {bridge}: deleted interface {name} on port {}", attached.ofport.low16()
        );
    }

    /// The kernel interface of a `system` port was deleted, or another one has its name now.
    fn is_gone(&self, iface: &Interface) -> bool {
        let before = self.kernel.get(&iface.name).filter(|_| iface.kind == "system");
        before.is_some_and(|index| kernel_ifindex(&iface.name) != Some(*index))
    }

    /// Takes the interface off and leaves `error` in its place.
    fn fail(&mut self, bridge: &str, iface: &Interface, error: String) {
        if let Some((_, attached)) = self.switch.actual().attached(&iface.name) {
            self.kept_numbers.insert(iface.name.clone(), attached.ofport.0);
        }
        self.detach(bridge, &iface.name);
        if let Some(bridge) = self.switch.actual_mut().bridges.get_mut(bridge) {
            let failed = ActualInterface { applied: iface.clone(), outcome: Err(error) };
            bridge.interfaces.insert(iface.name.clone(), failed);
        }
    }

    /// Reads the state of all devices again and tells `Ofproto` what changed.
    pub fn refresh_ports(&mut self) {
        for live in self.switch.bridges() {
            let actual = self.switch.actual();
            let Some(bridge) = actual.bridges.get(&live.name) else { continue };
            let attached: Vec<(Interface, Attached)> = bridge
                .interfaces
                .values()
                .filter_map(|i| Some((i.applied.clone(), *i.outcome.as_ref().ok()?)))
                .collect();
            drop(actual);
            for (iface, attached) in attached {
                if self.is_gone(&iface) {
                    let error = format!("could not open network device {} (No such device)", iface.name);
                    tracing::warn!(target: "bridge", "{error}");
                    self.fail(&live.name, &iface, error);
                } else {
                    set_port(&live, &iface, attached);
                }
            }
        }
    }
}

/// The local port starts with the bridge's address; the datapath `dummy` has its own kind of internal port.
fn local_spec(spec: &PortSpec, iface: &Interface, wanted: &Bridge, live: &LiveBridge) -> PortSpec {
    let mut spec = spec.clone();
    if iface.is_local {
        spec.mac = Some(wanted.hwaddr.unwrap_or(wanted.default_mac));
    }
    if spec.kind == "internal" && live.backer.kind == "dummy" {
        spec.kind = "dummy-internal".into();
    }
    spec
}

/// Gives `Ofproto` the port as it is now.
fn set_port(live: &LiveBridge, iface: &Interface, attached: Attached) {
    let status = port_status(live.backer.datapath.as_ref(), iface, attached.dp_port);
    let peer = match &iface.backing {
        Ok(Backing::Patch { peer }) => Some(peer.clone()),
        _ => None,
    };
    live.ofproto.port_set(&PortInput {
        number: attached.ofport,
        name: iface.name.clone(),
        dp_port: attached.dp_port,
        peer,
        hw_addr: status.mac,
        link_up: status.link_up,
        admin_up: status.admin_up,
        speed_kbps: status.link_speed_bps.map_or(0, |bps| u32::try_from(bps / 1000).unwrap_or(u32::MAX)),
        mtu: status.mtu,
    });
}

/// The state of an attached port; a patch port is always up and has an address made from its row.
pub fn port_status(datapath: &dyn Datapath, iface: &Interface, dp_port: Option<DpPort>) -> PortStatus {
    match dp_port {
        Some(dp_port) => datapath.port_status(dp_port).unwrap_or_default(),
        None => {
            let b = iface.uuid.as_bytes();
            PortStatus {
                mac: [b[0] & !1 | 2, b[1], b[2], b[3], b[4], b[5]],
                admin_up: true,
                link_up: true,
                ..PortStatus::default()
            }
        }
    }
}

/// The datapath number that a port of the dummy datapath gets by its name, so that tests can foresee it: the first number in
/// the name, plus 100 in names that start with `br`.
fn number_in(name: &str) -> Option<DpPort> {
    const BRIDGES_FROM: u32 = 100;
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number: u32 = digits[..end].parse().ok()?;
    let number = number.checked_add(if name.starts_with("br") { BRIDGES_FROM } else { 0 })?;
    (number > 0).then_some(DpPort(number))
}

/// The kernel's index of interface `name`.
pub fn kernel_ifindex(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// The counters of an attached port.
pub fn port_stats(live: &LiveBridge, attached: Attached) -> Option<PortStats> {
    if let Some(dp_port) = attached.dp_port {
        return live.backer.datapath.port_stats(dp_port).ok();
    }
    let port = live.ofproto.ports().into_iter().find(|p| p.number == attached.ofport)?;
    Some(PortStats {
        rx_packets: port.counters.rx_packets.load(Relaxed),
        rx_bytes: port.counters.rx_bytes.load(Relaxed),
        tx_packets: port.counters.tx_packets.load(Relaxed),
        tx_bytes: port.counters.tx_bytes.load(Relaxed),
        ..PortStats::default()
    })
}

/// The text of `Interface.error`.
fn error_text(name: &str, error: &PortError) -> String {
    let text = error.to_string();
    if text.contains(name) { text } else { format!("could not open network device {name} ({text})") }
}
