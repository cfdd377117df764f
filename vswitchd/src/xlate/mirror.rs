//! Mirrors: copies of packets that came in or go out by selected ports. Each mirror gets a packet once.

use dpif::Action as DpAction;

use super::Effect;
use super::ctx::Ctx;
use super::vlan::{self, Tags};
use crate::ofproto::config::BundleId;
use crate::ofproto::mirror::{Mirror, MirrorOut};
use crate::ofproto::snapshot::Port;

/// Mirrors of a bridge that count; the rest are ignored.
pub const MIRRORS_MAX: usize = 32;

impl<'a> Ctx<'a, '_> {
    /// Copies for mirrors that select the port it came in on.
    pub(super) fn mirror_ingress(&mut self) {
        if self.bridge.mirrors.is_empty() {
            return;
        }
        let Some(bundle) = self.bridge.ports.bundle_of(self.in_port()) else { return };
        let wire = vlan::extract(&self.flow);
        let m = &mut self.out.mask.0;
        m.vlan.tci = flow::Be16::new(m.vlan.tci.get() | 0x0fff | flow::key::VLAN_CFI);
        if vlan::refusal(bundle, wire[0].vid).is_some() {
            return;
        }
        let tags = vlan::from_wire(bundle, &wire);
        self.mirror(&tags, bundle.id, |m| m.selects_src(bundle.id));
    }

    /// Copies for mirrors that select the port it goes out by.
    pub(super) fn mirror_egress(&mut self, port: &'a Port) {
        if self.bridge.mirrors.is_empty() {
            return;
        }
        let Some(bundle) = port.bundle.and_then(|id| self.bridge.ports.bundle(id)) else { return };
        let tags = vlan::from_wire(bundle, &vlan::extract(&self.flow));
        self.mirror(&tags, bundle.id, |m| m.selects_dst(bundle.id));
    }

    fn mirror(&mut self, tags: &Tags, bundle: BundleId, selects: impl Fn(&Mirror) -> bool) {
        let mirrors: &'a [Mirror] = &self.bridge.mirrors;
        for (n, mirror) in mirrors.iter().enumerate().take(MIRRORS_MAX) {
            let bit = 1u64 << n;
            let is_own_output = mirror.out == MirrorOut::Bundle(bundle);
            let selected = selects(mirror) && mirror.selects_vlan(tags[0].vid);
            if self.mirrored & bit != 0 || is_own_output || !selected {
                continue;
            }
            self.mirrored |= bit;
            self.out.effects.push(Effect::Counters(mirror.counters.clone()));
            self.mirror_to(mirror, tags);
        }
    }

    fn mirror_to(&mut self, mirror: &'a Mirror, tags: &Tags) {
        let saved = self.mirrored;
        // What is mirrored is not mirrored again.
        self.mirrored = u64::MAX;
        if mirror.snaplen != 0 {
            self.out.actions.push(DpAction::Trunc { len_max: mirror.snaplen.into() });
        }
        match mirror.out {
            MirrorOut::Bundle(id) => {
                if let Some(bundle) = self.bridge.ports.bundle(id) {
                    self.output_normal(bundle, tags);
                }
            }
            MirrorOut::Vlan(vlan) if tags[0].vid != vlan && !super::normal::is_reserved(self.flow.dl_dst) => {
                let mut tags = *tags;
                tags[0].vid = vlan;
                for bundle in self.bridge.ports.bundles.values() {
                    if vlan::may_leave(bundle, &tags) && !bundle.members.contains(&self.in_port()) {
                        self.output_normal(bundle, &tags);
                    }
                }
            }
            MirrorOut::Vlan(_) => {}
        }
        self.mirrored = saved;
    }
}
