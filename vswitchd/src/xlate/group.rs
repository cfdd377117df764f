//! Groups: all, indirect, select, fast failover.

use std::sync::Arc;

use flow::hash::visible;
use openflow::action::Action;
use openflow::msg::GroupType;
use openflow::{GroupId, OfPort};

use super::action_set::ordered;
use super::ctx::Ctx;
use super::{DEPTH_MAX, Effect, TraceKind, XlateError};
use crate::ofproto::group::{Group, GroupBucket};

impl<'a> Ctx<'a, '_> {
    pub(super) fn group(&mut self, id: GroupId, _is_last: bool) {
        if self.limits.depth >= DEPTH_MAX {
            return self.fail(XlateError::RecursionTooDeep, || "group recursion too deep".into());
        }
        let Some(group) = self.bridge.groups.get(&id) else {
            return self.warn(|| format!("output to nonexistent group {}", id.0));
        };
        self.out.effects.push(Effect::Counters(group.counters.clone()));
        let was_in_group = std::mem::replace(&mut self.in_group, true);
        match group.kind {
            GroupType::All | GroupType::Indirect => {
                for bucket in &group.buckets {
                    self.bucket(bucket);
                }
            }
            GroupType::FastFailover => {
                let live = group.buckets.iter().find(|b| self.is_live(b, 0));
                self.chosen(live);
            }
            GroupType::Select => {
                let chosen = self.select(group);
                self.chosen(chosen);
            }
        }
        self.in_group = was_in_group;
    }

    fn chosen(&mut self, bucket: Option<&'a GroupBucket>) {
        match bucket {
            Some(bucket) => {
                self.detail(|| format!("using bucket {}", bucket.bucket.bucket_id));
                self.bucket(bucket);
            }
            None => self.detail(|| "no live bucket".into()),
        }
    }

    /// Runs one bucket as an action set; header changes end with it.
    fn bucket(&mut self, bucket: &'a GroupBucket) {
        let actions: Vec<&'a Action> = bucket.bucket.actions.iter().collect();
        let actions = ordered(&actions);
        let saved_flow = self.flow;
        let saved_set = std::mem::take(&mut self.action_set);
        let saved_exit = self.exit;
        self.out.effects.push(Effect::Counters(bucket.counters.clone()));
        self.limits.depth += 1;
        self.nested(
            TraceKind::Bucket,
            || format!("bucket {}", bucket.bucket.bucket_id),
            |ctx| {
                ctx.run_refs(&actions);
            },
        );
        self.limits.depth -= 1;
        self.flow = saved_flow;
        self.action_set = saved_set;
        if !self.has_failed() {
            self.exit = saved_exit;
        }
    }

    /// A bucket without anything to watch is live in select groups; watched ports and groups decide otherwise.
    fn is_live(&self, bucket: &GroupBucket, depth: u32) -> bool {
        let b = &bucket.bucket;
        let port = (b.watch_port != OfPort::ANY).then(|| self.is_usable(b.watch_port));
        let group = (b.watch_group != GroupId::ANY).then(|| self.is_group_live(b.watch_group, depth + 1));
        match (port, group) {
            (None, None) => false,
            (port, group) => port.unwrap_or(false) || group.unwrap_or(false),
        }
    }

    fn is_group_live(&self, id: GroupId, depth: u32) -> bool {
        let group = self.bridge.groups.get(&id);
        depth < DEPTH_MAX && group.is_some_and(|g| g.buckets.iter().any(|b| self.is_live(b, depth)))
    }

    fn is_watched(bucket: &GroupBucket) -> bool {
        bucket.bucket.watch_port != OfPort::ANY || bucket.bucket.watch_group != GroupId::ANY
    }

    /// Highest random weight over a hash of the packet: the same flow always meets the same bucket, and a change of
    /// buckets moves few flows.
    fn select(&mut self, group: &'a Arc<Group>) -> Option<&'a GroupBucket> {
        let by_fields = group.selection.method == "hash" && !group.selection.fields.is_empty();
        let hash = if by_fields { self.hash_selected(group) } else { self.select_hash(group) };
        let live = |b: &&GroupBucket| b.bucket.weight > 0 && (!Self::is_watched(b) || self.is_live(b, 0));
        let live = group.buckets.iter().filter(live);
        if by_fields {
            // A choice that the controller made and that shows: the one that OVS makes.
            return live.max_by_key(|b| {
                u64::from(visible::two_words(b.bucket.bucket_id, hash) & 0xffff) * u64::from(b.bucket.weight)
            });
        }
        let score = |b: &&GroupBucket| {
            let h = visible::bytes(&b.bucket.bucket_id.to_be_bytes(), hash);
            // -ln(uniform) / weight, smallest wins: shares are proportional to weights.
            let uniform = (f64::from(h) + 1.0) / (f64::from(u32::MAX) + 2.0);
            -uniform.ln() / f64::from(b.bucket.weight)
        };
        live.min_by(|a, b| score(a).total_cmp(&score(b)))
    }

    /// `selection_method=hash,fields(...)`.
    fn hash_selected(&mut self, group: &Group) -> u32 {
        let mut hash = visible::finish(visible::add64(0, group.selection.param), 8);
        for (field, mask) in &group.selection.fields {
            if self.look_present(*field) {
                field.look(&mut self.out.mask, *mask);
                let value = (field.get(&self.flow) & mask).to_be_bytes();
                hash = visible::bytes(&value[value.len() - field.info().n_bytes..], hash);
            }
        }
        hash
    }

    fn select_hash(&mut self, group: &Group) -> u32 {
        let basis = group.selection.param as u32;
        self.look_symmetric_l4();
        visible::symmetric_l4(&self.flow, basis)
    }
}
