//! Mirrors as translation sees them: bundles and VLANs by id instead of by name.

use openflow::OfPort;

use super::config::{BundleId, MirrorInput};
use super::group::Counters;
use super::snapshot::{Ports, VlanSet};

use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Mirror {
    pub name: String,
    pub select_all: bool,
    pub src: BTreeSet<BundleId>,
    pub dst: BTreeSet<BundleId>,
    /// `None` = all.
    pub vlans: Option<VlanSet>,
    pub out: MirrorOut,
    /// 0 = whole packets.
    pub snaplen: u16,
    pub counters: Arc<Counters>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MirrorOut {
    Bundle(BundleId),
    Vlan(u16),
}

impl Mirror {
    /// `None` when the output is not there (yet). Counters go on under the same name.
    pub fn resolve(input: &MirrorInput, ports: &Ports, old: &[Mirror]) -> Option<Mirror> {
        let id = |name: &String| ports.bundles.values().find(|b| b.name == *name).map(|b| b.id);
        let out = match (&input.out_bundle, input.out_vlan) {
            (Some(name), _) => MirrorOut::Bundle(id(name)?),
            (None, Some(vlan)) => MirrorOut::Vlan(vlan),
            (None, None) => return None,
        };
        let before = old.iter().find(|m| m.name == input.name);
        Some(Mirror {
            name: input.name.clone(),
            select_all: input.select_all,
            src: input.src_bundles.iter().filter_map(id).collect(),
            dst: input.dst_bundles.iter().filter_map(id).collect(),
            vlans: VlanSet::of(&input.vlans),
            out,
            snaplen: input.snaplen,
            counters: before.map_or_else(Arc::default, |m| m.counters.clone()),
        })
    }

    pub fn selects_src(&self, bundle: BundleId) -> bool {
        self.select_all || self.src.contains(&bundle)
    }
    pub fn selects_dst(&self, bundle: BundleId) -> bool {
        self.select_all || self.dst.contains(&bundle)
    }
    pub fn selects_vlan(&self, vlan: u16) -> bool {
        self.vlans.as_ref().is_none_or(|v| v.contains(vlan))
    }

    /// True when `port` only carries mirrored packets.
    pub fn is_output(mirrors: &[Mirror], ports: &Ports, port: OfPort) -> bool {
        ports.bundle_of(port).is_some_and(|b| mirrors.iter().any(|m| m.out == MirrorOut::Bundle(b.id)))
    }
}
