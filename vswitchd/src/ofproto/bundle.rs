//! Bundles: several changes that happen all or not at all, and become visible at once.

use openflow::OfpError;
use openflow::msg::{FlowMod, GroupMod};

use super::flow_mod::{Done, undo};
use super::{Ofproto, group};
use std::sync::Arc;

/// A change of tables or groups.
#[derive(Clone, PartialEq, Debug)]
pub enum BundleItem {
    Flow(Box<FlowMod>),
    Group(Box<GroupMod>),
}

impl Ofproto {
    /// Carries out all of `items`, or none: then the index of the item that was refused comes with the reason.
    pub fn bundle_commit(&self, items: &[BundleItem]) -> Result<(), (usize, OfpError)> {
        let mut state = self.lock();
        let groups_before = state.groups.clone();
        let mut done: Vec<Done> = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let step = match item {
                BundleItem::Flow(fm) => self.flow_mod_locked(&mut state, fm),
                BundleItem::Group(gm) => self.group_mod_locked(&mut state, gm),
            };
            match step {
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
        self.finish(state, done);
        Ok(())
    }

    pub(super) fn group_mod_locked(
        &self,
        state: &mut super::State,
        gm: &openflow::msg::GroupMod,
    ) -> Result<Vec<Done>, OfpError> {
        for bucket in &gm.buckets {
            super::check::check_bucket(state, &bucket.actions)?;
        }
        let (next, deleted) = group::plan(&state.groups, gm, self.now_ms())?;
        state.groups = Arc::new(next);
        Ok(self.remove_flows_of_groups(state, &deleted))
    }
}
