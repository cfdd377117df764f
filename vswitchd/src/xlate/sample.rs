//! sample: a share of packets goes to the control plane's flow exporters.

use dpif::Action as DpAction;
use dpif::{Userspace, UserspaceKind};
use openflow::action::Sample;

use super::ctx::Ctx;

impl Ctx<'_, '_> {
    pub(super) fn sample(&mut self, s: &Sample) {
        self.commit();
        let mut userdata = Vec::new();
        for value in [s.collector_set_id, s.obs_domain_id, s.obs_point_id] {
            userdata.extend_from_slice(&value.to_be_bytes());
        }
        let upcall = Userspace { kind: UserspaceKind::FlowSample, cookie: 0, userdata };
        // From 65536ths to 2^32ths.
        let probability = u32::from(s.probability) << 16 | u32::from(s.probability);
        self.out
            .actions
            .push(DpAction::Sample { probability, actions: vec![DpAction::Userspace(Box::new(upcall))] });
    }
}
