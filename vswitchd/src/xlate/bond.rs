//! Bonds in NORMAL: which packets a member lets in, and by which member a packet leaves.

use dpif::Action as DpAction;
use dpif::action::HashAlgorithm;
use openflow::OfPort;

use super::Effect;
use super::ctx::Ctx;
use super::effect::{BondTraffic, MacDependency};
use crate::ofproto::config::BundleId;
use crate::ofproto::snapshot::Bundle;
use crate::protocol::bond::{Admission, Mode, View};

/// How a packet leaves by a bundle.
pub(super) enum Exit {
    Member(OfPort),
    /// Hashed by the datapath; it comes back with this recirculation id.
    Recirculate(u32),
}

impl<'a> Ctx<'a, '_> {
    fn bond(&self, bundle: BundleId) -> Option<&'a View> {
        self.bridge.protocols.bonds.get(&bundle)
    }

    /// False for a packet that a bond must not let in.
    pub(super) fn is_admitted(&mut self, bundle: &Bundle, vlan: u16, in_port: OfPort) -> bool {
        let Some(bond) = self.bond(bundle.id) else { return true };
        match bond.admit(in_port, self.flow.dl_dst) {
            Admission::Accept => true,
            Admission::Drop => {
                self.detail(|| "bonding refused admissibility, dropping".into());
                false
            }
            Admission::DropIfMoved => {
                let macs = self.bridge.macs.clone();
                let dependency = MacDependency::new(&macs, vlan, self.flow.dl_src);
                self.out.effects.push(Effect::LooksUpMac(dependency));
                let known = macs.lookup(vlan, self.flow.dl_src).map(|(bundle, _)| bundle);
                let is_elsewhere = known.is_some_and(|known| known != bundle.id);
                if !is_elsewhere {
                    return true;
                }
                let has_moved = self.is_gratuitous_arp()
                    && !macs.is_grat_arp_locked(vlan, self.flow.dl_src, self.input.now_ms);
                if !has_moved {
                    self.detail(|| "SLB bond thinks this packet looped back, dropping".into());
                }
                has_moved
            }
        }
    }

    /// By which member a packet in VLAN `vlan` leaves; `None` when none is usable.
    pub(super) fn choose_exit(&mut self, bundle: &Bundle, vlan: u16) -> Option<Exit> {
        let Some(bond) = self.bond(bundle.id) else {
            return bundle.members.first().copied().map(Exit::Member);
        };
        let mode = bond.effective_mode()?;
        if mode == Mode::ActiveBackup {
            return bond.active.map(Exit::Member);
        }
        if bond.enabled.is_empty() {
            return None;
        }
        if let (Mode::BalanceTcp, Some(recirc)) = (mode, &bond.recirc) {
            self.out.recircs.push(recirc.clone());
            return Some(Exit::Recirculate(recirc.id));
        }
        if mode == Mode::BalanceTcp {
            self.look_symmetric_l4();
        } else {
            self.out.mask.0.dl_src = [0xff; 6];
        }
        let bucket = bond.bucket(&self.flow, vlan);
        self.by_bucket(bond, bucket).map(Exit::Member)
    }

    fn by_bucket(&mut self, bond: &View, bucket: usize) -> Option<OfPort> {
        let buckets = bond.buckets.clone();
        let member = buckets.member(bucket);
        self.out.effects.push(Effect::Bond(Box::new(BondTraffic { buckets, bucket })));
        member
    }

    /// Sends the packet round for its hash.
    pub(super) fn recirculate_for_bond(&mut self, id: u32, bundle: &Bundle) {
        self.commit();
        let basis = self.bond(bundle.id).map_or(0, |b| b.basis);
        self.out.actions.push(DpAction::Hash { algorithm: HashAlgorithm::L4, basis });
        self.out.actions.push(DpAction::Recirc(id));
    }

    /// The packet is back with a hash.
    pub(super) fn thaw_bond(&mut self, bundle: BundleId) {
        let Some(bond) = self.bond(bundle) else { return };
        self.out.mask.0.dp_hash |= 0xff;
        let bucket = (self.flow.dp_hash & 0xff) as usize;
        if let Some(member) = self.by_bucket(bond, bucket) {
            self.output_port(member, None, true);
        }
    }
}
