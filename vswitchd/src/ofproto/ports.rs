//! The port table of a bridge: ports and bundles as configured, port mods, port status events.

use std::sync::Arc;

use openflow::msg::port::{PortConfig, PortState};
use openflow::msg::{PortDesc, PortMod, PortStatus, PortStatusReason};
use openflow::{OfPort, OfpError};

use super::config::{BundleId, BundleInput, MirrorInput, PortInput};
use super::mirror::Mirror;
use super::snapshot::{Bundle, Port, VlanSet};
use super::{Ofproto, State};

/// What port mods may change.
const CHANGEABLE: PortConfig = PortConfig::PORT_DOWN
    .union(PortConfig::NO_STP)
    .union(PortConfig::NO_RECV)
    .union(PortConfig::NO_RECV_STP)
    .union(PortConfig::NO_FLOOD)
    .union(PortConfig::NO_FWD)
    .union(PortConfig::NO_PACKET_IN);

impl Port {
    pub fn desc(&self) -> PortDesc {
        PortDesc {
            port: self.number,
            hw_addr: self.hw_addr,
            name: self.name.clone(),
            config: self.config,
            state: self.state,
            curr_speed_kbps: self.speed_kbps,
            max_speed_kbps: self.speed_kbps,
            ..PortDesc::default()
        }
    }
}

impl Port {
    /// True when nothing that translation or OpenFlow sees differs.
    fn is_same(&self, other: &Port) -> bool {
        self.desc() == other.desc()
            && (self.dp_port, &self.peer, self.mtu, self.bundle)
                == (other.dp_port, &other.peer, other.mtu, other.bundle)
    }
}

fn state_of(input: &PortInput) -> PortState {
    if input.link_up { PortState::LIVE } else { PortState::LINK_DOWN }
}

/// The port that `pm` changes.
pub(super) fn check_port_mod(state: &State, pm: &PortMod) -> Result<Arc<Port>, OfpError> {
    let old = state.ports.get(pm.port).cloned().ok_or(OfpError::OFPPMFC_BAD_PORT)?;
    if pm.hw_addr != [0; 6] && pm.hw_addr != old.hw_addr {
        return Err(OfpError::OFPPMFC_BAD_HW_ADDR);
    }
    Ok(old)
}

impl Ofproto {
    /// Adds the port, or brings it to what `input` says when the number is there already (its OpenFlow settings stay).
    pub fn port_set(&self, input: &PortInput) {
        let mut state = self.lock();
        let old = state.ports.get(input.number).cloned();
        let mut config = old.as_ref().map_or(PortConfig::empty(), |p| p.config);
        config.set(PortConfig::PORT_DOWN, !input.admin_up);
        let port = Port {
            number: input.number,
            name: input.name.clone(),
            dp_port: input.dp_port,
            peer: input.peer.clone(),
            hw_addr: input.hw_addr,
            config,
            state: state_of(input),
            speed_kbps: input.speed_kbps,
            mtu: input.mtu,
            bundle: old.as_ref().and_then(|p| p.bundle),
            created_ms: old.as_ref().map_or_else(|| self.now_ms(), |p| p.created_ms),
            counters: old.as_ref().map(|p| p.counters.clone()).unwrap_or_default(),
        };
        let reason = match &old {
            None => Some(PortStatusReason::Add),
            Some(old) => (old.desc() != port.desc()).then_some(PortStatusReason::Modify),
        };
        if old.as_deref().is_some_and(|old| old.is_same(&port)) {
            // Devices are asked again and again: no news is not published, or every megaflow would be translated again.
            return;
        }
        let desc = port.desc();
        Arc::make_mut(&mut state.ports).insert(port);
        self.publish_ports(&state, old.as_deref(), input.number);
        drop(state);
        if let Some(reason) = reason {
            self.sink().port_status(PortStatus { reason, desc });
        }
    }

    /// Takes the port away, also from its bundle.
    pub fn port_remove(&self, number: OfPort) {
        let mut state = self.lock();
        let ports = Arc::make_mut(&mut state.ports);
        let Some(old) = ports.remove(number) else { return };
        if let Some(bundle) = old.bundle.and_then(|id| ports.bundles.get_mut(&id)) {
            Arc::make_mut(bundle).members.retain(|m| *m != number);
        }
        self.publish_ports(&state, Some(&old), number);
        drop(state);
        self.sink().port_status(PortStatus { reason: PortStatusReason::Delete, desc: old.desc() });
    }

    /// Publishes the ports and the maps from datapath ports and patch names.
    fn publish_ports(&self, state: &State, old: Option<&Port>, number: OfPort) {
        self.world.publish(|snapshot| {
            let key = (self.id, number);
            let new = state.ports.get(number);
            let (dp_ports, patches) =
                (Arc::make_mut(&mut snapshot.dp_ports), Arc::make_mut(&mut snapshot.patches));
            if let Some(dp_port) = old.and_then(|p| p.dp_port).filter(|p| dp_ports.get(p) == Some(&key)) {
                dp_ports.remove(&dp_port);
            }
            if let Some(p) = old.filter(|p| patches.get(&p.name) == Some(&key)) {
                patches.remove(&p.name);
            }
            if let Some(port) = new {
                dp_ports.extend(port.dp_port.map(|p| (p, key)));
                patches.extend(port.peer.is_some().then(|| (port.name.clone(), key)));
            }
            let tables = snapshot.bridge(self.id).map(|b| b.tables.clone()).unwrap_or_default();
            snapshot.bridges.insert(self.id, Arc::new(self.view(state, tables)));
        });
    }

    /// Adds or changes the bundle called `input.name`.
    pub fn bundle_set(&self, input: &BundleInput) -> BundleId {
        let mut state = self.lock();
        let known = state.ports.bundles.values().find(|b| b.name == input.name).map(|b| b.id);
        let id = known.unwrap_or_else(|| {
            state.next_bundle += 1;
            BundleId(state.next_bundle - 1)
        });
        let ports = Arc::make_mut(&mut state.ports);
        let bundle = Bundle {
            id,
            name: input.name.clone(),
            vlan_mode: input.vlan_mode,
            tag: input.tag,
            trunks: VlanSet::of(&input.trunks),
            cvlans: VlanSet::of(&input.cvlans),
            qinq_ethtype: input.qinq_ethtype,
            priority_tags: input.priority_tags,
            protected: input.protected,
            members: input.members.clone(),
        };
        for port in ports.by_number.values_mut() {
            let is_member = bundle.members.contains(&port.number);
            if is_member != (port.bundle == Some(id)) {
                Arc::make_mut(port).bundle = is_member.then_some(id);
            }
        }
        let old = ports.bundles.insert(id, Arc::new(bundle));
        let vlan_changed = |old: &Bundle| old.tag != input.tag || old.vlan_mode != input.vlan_mode;
        if old.as_deref().is_some_and(vlan_changed) {
            self.macs.flush_bundle(id);
        }
        self.resolve_mirrors(&mut state);
        self.publish_view(&state, |_| ());
        id
    }

    /// Takes the bundle `name` away; its ports stay, without a bundle.
    pub fn bundle_remove(&self, name: &str) {
        let mut state = self.lock();
        let Some(id) = state.ports.bundles.values().find(|b| b.name == name).map(|b| b.id) else { return };
        let ports = Arc::make_mut(&mut state.ports);
        ports.bundles.remove(&id);
        for port in ports.by_number.values_mut().filter(|p| p.bundle == Some(id)) {
            Arc::make_mut(port).bundle = None;
        }
        self.macs.flush_bundle(id);
        self.resolve_mirrors(&mut state);
        self.publish_view(&state, |_| ());
    }

    /// Replaces all mirrors. Those whose output is missing wait for it.
    pub fn mirrors_set(&self, inputs: &[MirrorInput]) {
        let mut state = self.lock();
        state.mirror_inputs = inputs.to_vec();
        self.resolve_mirrors(&mut state);
        self.macs.flush();
        self.publish_view(&state, |_| ());
    }

    fn resolve_mirrors(&self, state: &mut State) {
        let resolved =
            state.mirror_inputs.iter().filter_map(|i| Mirror::resolve(i, &state.ports, &state.mirrors));
        state.mirrors = Arc::new(resolved.collect());
    }

    /// Packets and bytes of mirror `name`.
    pub fn mirror_stats(&self, name: &str) -> Option<(u64, u64)> {
        let state = self.lock();
        state.mirrors.iter().find(|m| m.name == name).map(|m| m.counters.read())
    }

    /// OFPT_PORT_MOD. The second value says whether the device must be brought up or down.
    pub fn port_mod(&self, pm: &PortMod) -> Result<Option<bool>, OfpError> {
        let mut state = self.lock();
        let old = check_port_mod(&state, pm)?;
        let mask = pm.mask & CHANGEABLE;
        let mut port = (*old).clone();
        port.config = (old.config - mask) | (pm.config & mask);
        let changed = old.config ^ port.config;
        if changed.is_empty() {
            return Ok(None);
        }
        let up = !port.config.contains(PortConfig::PORT_DOWN);
        let desc = port.desc();
        Arc::make_mut(&mut state.ports).by_number.insert(pm.port, Arc::new(port));
        self.publish_view(&state, |_| ());
        drop(state);
        self.sink().port_status(PortStatus { reason: PortStatusReason::Modify, desc });
        Ok(changed.contains(PortConfig::PORT_DOWN).then_some(up))
    }

    /// All ports by number, the local port last.
    pub fn port_descs(&self) -> Vec<PortDesc> {
        self.lock().ports.by_number.values().map(|p| p.desc()).collect()
    }

    /// All ports by number.
    pub fn ports(&self) -> Vec<Arc<Port>> {
        self.lock().ports.by_number.values().cloned().collect()
    }

    /// All ports in the order in which OVS lists their statistics.
    pub fn ports_listed(&self) -> Vec<Arc<Port>> {
        self.lock().ports.listed().cloned().collect()
    }
}
