//! Bundles: several changes that happen all or not at all, and become visible at once.

use std::sync::Arc;

use openflow::OfpError;
use openflow::msg::{FlowMod, GroupMod, PacketOut, PortMod};

use super::events::Origin;
use super::flow_mod::{Done, undo};
use super::{Ofproto, State, group};

/// One message of a bundle.
#[derive(Clone, PartialEq, Debug)]
pub enum BundleItem {
    Flow(Box<FlowMod>),
    Group(Box<GroupMod>),
    /// Checked with the others, carried out by the caller after them: ports cannot be changed back.
    Port(PortMod),
    /// The same: a packet cannot be called back.
    Packet(Box<PacketOut>),
}

impl Ofproto {
    /// Carries out all of `items`, or none: then the index of the item that was refused comes with the reason. Port mods
    /// and packet-outs are only checked.
    pub fn bundle_commit(
        &self,
        items: &[BundleItem],
        origin: Option<Origin>,
    ) -> Result<(), (usize, OfpError)> {
        let mut state = self.lock();
        let groups_before = state.groups.clone();
        let mut done: Vec<Done> = Vec::new();
        for (n, item) in items.iter().enumerate() {
            match self.bundle_step(&mut state, item) {
                Ok(steps) => done.extend(steps),
                Err(error) => {
                    undo(&mut state, done);
                    state.groups = groups_before;
                    return Err((n, error));
                }
            }
        }
        if !Arc::ptr_eq(&groups_before, &state.groups) {
            self.publish_view(&state, |_| ());
        }
        self.finish(state, done, origin);
        Ok(())
    }

    fn bundle_step(&self, state: &mut State, item: &BundleItem) -> Result<Vec<Done>, OfpError> {
        match item {
            BundleItem::Flow(fm) => self.flow_mod_locked(state, fm),
            BundleItem::Group(gm) => self.group_mod_locked(state, gm),
            BundleItem::Port(pm) => super::ports::check_port_mod(state, pm).map(|_| Vec::new()),
            BundleItem::Packet(po) => super::packet_out::check(state, po).map(|()| Vec::new()),
        }
    }

    pub(super) fn group_mod_locked(&self, state: &mut State, gm: &GroupMod) -> Result<Vec<Done>, OfpError> {
        for bucket in &gm.buckets {
            super::check::check_bucket(state, &bucket.actions)?;
        }
        let (next, deleted) = group::plan(&state.groups, gm, self.now_ms())?;
        state.groups = Arc::new(next);
        Ok(self.remove_flows_of_groups(state, &deleted))
    }
}
