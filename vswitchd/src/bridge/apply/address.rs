//! The bridge's own Ethernet address and its datapath id.

use super::super::desire::{Backing, Bridge};
use super::Applier;

impl Applier {
    /// Chooses both anew, since ports may have come or gone; tells the address.
    pub(super) fn set_addresses(&mut self, wanted: &Bridge) -> Option<[u8; 6]> {
        let live = self.switch.bridge(&wanted.name)?;
        let datapath = &live.backer.datapath;
        let actual = self.switch.actual();
        let bridge = actual.bridges.get(&wanted.name)?;
        let mut ports = Vec::new();
        let mut local = None;
        for iface in bridge.interfaces.values() {
            let Some(dp_port) = iface.outcome.as_ref().ok().and_then(|a| a.dp_port) else { continue };
            if iface.applied.is_local {
                local = Some((dp_port, iface.applied.backing.clone()));
            } else if let Ok(status) = datapath.port_status(dp_port) {
                ports.push(status.mac);
            }
        }
        drop(actual);
        let mac = wanted.hwaddr.or_else(|| lowest(&ports)).unwrap_or(wanted.default_mac);
        if let Some((dp_port, Ok(Backing::Datapath(mut spec)))) = local
            && datapath.port_status(dp_port).is_ok_and(|s| s.mac != mac)
        {
            spec.mac = Some(mac);
            if live.backer.kind == "dummy" {
                spec.kind = "dummy-internal".into();
            }
            if let Err(error) = datapath.port_reconfigure(dp_port, &spec) {
                tracing::warn!(target: "bridge", rl = 5, "bridge {}: failed to set address: {error}", wanted.name);
            }
        }
        let id = wanted.datapath_id.unwrap_or_else(|| from_mac(mac));
        if live.service.datapath_id() != id {
            tracing::info!(target: "bridge", "bridge {}: using datapath ID {id:016x}", wanted.name);
            live.service.set_datapath_id(id);
        }
        Some(mac)
    }
}

/// The lowest address that is worldwide unique: neither multicast, nor zero, nor locally administered.
fn lowest(macs: &[[u8; 6]]) -> Option<[u8; 6]> {
    macs.iter().filter(|m| m[0] & 3 == 0 && **m != [0; 6]).min().copied()
}

fn from_mac(mac: [u8; 6]) -> u64 {
    mac.iter().fold(0, |id, byte| id << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_global_unicast_addresses_name_a_bridge() {
        let macs =
            [[0xaa, 0x55, 0, 0, 0, 1], [0x01, 0, 0, 0, 0, 1], [0; 6], [4, 0, 0, 0, 0, 9], [0, 0, 0, 0, 0, 7]];
        assert_eq!(lowest(&macs), Some([0, 0, 0, 0, 0, 7]));
        assert_eq!(lowest(&macs[..3]), None);
        assert_eq!(from_mac([0xda, 0x77, 0xac, 0x23, 0xd6, 0x49]), 0xda77_ac23_d649);
    }
}
