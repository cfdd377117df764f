//! Flow timeouts.

use std::sync::Arc;
use std::sync::Weak;

use openflow::msg::FlowRemovedReason;

use super::Ofproto;
use super::flow_mod::remove;
use super::rule::Rule;

impl Ofproto {
    /// Removes flows whose idle or hard timeout has passed. Push megaflow counters first.
    pub fn expire(&self) {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let mut passed: Vec<(Arc<Rule>, FlowRemovedReason)> = Vec::new();
        for table in state.tables.values_mut() {
            table.timed.retain(|weak| {
                let Some(rule) = Weak::upgrade(weak).filter(|r| !r.is_removed()) else { return false };
                passed.extend(rule.expired(now_ms).map(|reason| (rule, reason)));
                true
            });
        }
        let done: Vec<_> = passed.into_iter().filter_map(|(r, why)| remove(&mut state, r, why)).collect();
        self.finish(state, done, None);
    }
}
