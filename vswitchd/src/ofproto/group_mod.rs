//! Group and meter mods, and their statistics.

use std::sync::Arc;

use openflow::msg::{FlowRemovedReason, GroupDesc, GroupMod, GroupStats, MeterConfig, MeterMod, MeterStats};
use openflow::{GroupId, MeterId, OfpError};

use super::check::{refers_to_group, refers_to_meter};
use super::events::Origin;
use super::flow_mod::{Done, remove};
use super::meter::{self, Meter};
use super::rule::Rule;
use super::{Ofproto, State};

impl Ofproto {
    /// OFPT_GROUP_MOD. Flows that use a deleted group go.
    pub fn group_mod(&self, gm: &GroupMod) -> Result<(), OfpError> {
        self.group_mod_by(gm, None)
    }

    /// The same for a connection that asks for it.
    pub fn group_mod_by(&self, gm: &GroupMod, origin: Option<Origin>) -> Result<(), OfpError> {
        let mut state = self.lock();
        let done = self.group_mod_locked(&mut state, gm)?;
        self.publish_view(&state, |_| ());
        self.finish(state, done, origin);
        Ok(())
    }

    pub(super) fn remove_flows_of_groups(&self, state: &mut State, groups: &[GroupId]) -> Vec<Done> {
        let uses = |r: &Rule| groups.iter().any(|g| refers_to_group(&r.actions, *g));
        if groups.is_empty() { Vec::new() } else { remove_flows(state, uses, FlowRemovedReason::GroupDelete) }
    }

    /// `GroupId::ALL` for all groups.
    pub fn group_descs(&self, id: GroupId) -> Vec<GroupDesc> {
        let state = self.lock();
        state.groups.values().filter(|g| id == GroupId::ALL || g.id == id).map(|g| g.desc()).collect()
    }

    /// `GroupId::ALL` for all groups.
    pub fn group_stats(&self, id: GroupId) -> Vec<GroupStats> {
        self.world.push_stats();
        let state = self.lock();
        let now_ms = self.now_ms();
        let refs = |id| {
            let rules = state.tables.values().flat_map(|t| t.rules.view().iter());
            rules.filter(|r| refers_to_group(&r.actions, id)).count() as u32
        };
        let wanted = state.groups.values().filter(|g| id == GroupId::ALL || g.id == id);
        wanted.map(|g| g.stats(refs(g.id), now_ms)).collect()
    }

    /// OFPT_METER_MOD. Flows that use a deleted meter go.
    pub fn meter_mod(&self, mm: &MeterMod) -> Result<(), OfpError> {
        self.meter_mod_by(mm, None)
    }

    /// The same for a connection that asks for it.
    pub fn meter_mod_by(&self, mm: &MeterMod, origin: Option<Origin>) -> Result<(), OfpError> {
        let mut state = self.lock();
        let (next, change) = meter::plan(&state.meters, mm, self.now_ms(), || self.world.new_dp_meter())?;
        let datapath = self.world.datapath();
        if let (Some(dp), Some(meter)) = (datapath, &change.set) {
            dp.meter_set(meter.dp_meter, Some(meter.to_dp())).map_err(|_| OfpError::OFPMMFC_BAD_BAND)?;
        }
        state.meters = Arc::new(next);
        let gone: Vec<MeterId> = change.deleted.iter().map(|m| m.config.meter_id).collect();
        let uses = |r: &Rule| gone.iter().any(|m| refers_to_meter(&r.actions, *m));
        let done = if gone.is_empty() {
            Vec::new()
        } else {
            remove_flows(&mut state, uses, FlowRemovedReason::MeterDelete)
        };
        self.publish_view(&state, |_| ());
        self.finish(state, done, origin);
        for meter in &change.deleted {
            let _ = datapath.map(|dp| dp.meter_set(meter.dp_meter, None));
        }
        Ok(())
    }

    /// `MeterId::ALL` for all meters.
    pub fn meter_configs(&self, id: MeterId) -> Vec<MeterConfig> {
        self.meters(id).iter().map(|m| m.config.clone()).collect()
    }

    /// `MeterId::ALL` for all meters.
    pub fn meter_stats(&self, id: MeterId) -> Vec<MeterStats> {
        let dp = |m: &Meter| self.world.datapath()?.meter_stats(m.dp_meter);
        self.meters(id).iter().map(|m| m.stats(dp(m).unwrap_or_default(), self.now_ms())).collect()
    }

    fn meters(&self, id: MeterId) -> Vec<Arc<Meter>> {
        let state = self.lock();
        let wanted = |m: &&Arc<Meter>| id == MeterId::ALL || m.config.meter_id == id;
        state.meters.values().filter(wanted).cloned().collect()
    }
}

fn remove_flows(state: &mut State, picks: impl Fn(&Rule) -> bool, reason: FlowRemovedReason) -> Vec<Done> {
    let rules = state.tables.values().flat_map(|t| t.rules.view().iter());
    let picked: Vec<Arc<Rule>> = rules.filter(|r| picks(r)).cloned().collect();
    picked.into_iter().filter_map(|rule| remove(state, rule, reason)).collect()
}
