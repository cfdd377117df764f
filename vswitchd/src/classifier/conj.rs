//! Conjunctive matches: rules that each satisfy one clause of `conjunction(id, k/n)`. When all n clauses of an id are
//! satisfied at one priority, the flow is looked up again with `conj_id` = id.

use std::collections::BTreeMap;
use std::sync::Arc;

use flow::{Flow, Mask};

use super::{Entry, View};

/// `conjunction(id, clause/n_clauses)`; `clause` counts from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conjunction {
    pub id: u32,
    pub clause: u8,
    pub n_clauses: u8,
}

/// A conjunctive rule that the flow matches, and the rules behind it in the same chain.
pub(super) struct Soft<'a, R> {
    pub chain: &'a [Arc<R>],
    pub at: usize,
}

impl<'a, R: Entry> Soft<'a, R> {
    fn rule(&self) -> &'a Arc<R> {
        &self.chain[self.at]
    }

    fn priority(&self) -> u32 {
        self.rule().priority()
    }

    /// Moves to the next rule of lower priority that the flow matches.
    fn advance(&mut self, flow: &Flow) -> bool {
        let rest = self.chain.iter().enumerate().skip(self.at + 1);
        let next = rest.into_iter().find(|(_, r)| r.matching().matches(flow)).map(|(at, _)| at);
        self.at = next.unwrap_or(self.at);
        next.is_some()
    }
}

impl<R: Entry> View<R> {
    /// The winner among `hard` and the conjunctions that the `softs` complete.
    pub(super) fn resolve<'a>(
        &'a self,
        flow: &Flow,
        mask: &mut Mask,
        mut hard: Option<&'a Arc<R>>,
        mut softs: Vec<Soft<'a, R>>,
    ) -> Option<&'a Arc<R>> {
        loop {
            softs.retain(|s| hard.is_none_or(|h| s.priority() > h.priority()));
            softs.sort_by_key(|s| std::cmp::Reverse(s.priority()));
            let Some(priority) = softs.first().map(Soft::priority) else { return hard };
            let n = softs.partition_point(|s| s.priority() == priority);
            if let Some(id) = complete(&softs[..n]) {
                let mut with_id = *flow;
                with_id.conj_id = id;
                if let Some(winner) = self.search(&with_id, mask, None) {
                    return Some(winner);
                }
            }
            let mut lower = softs.split_off(n);
            for mut soft in softs {
                if !soft.advance(flow) {
                    continue;
                }
                if !soft.rule().conjunctions().is_empty() {
                    lower.push(soft);
                } else if hard.is_none_or(|h| h.priority() < soft.priority()) {
                    hard = Some(soft.rule());
                }
            }
            softs = lower;
        }
    }
}

/// The lowest id all of whose clauses are satisfied.
fn complete<R: Entry>(softs: &[Soft<'_, R>]) -> Option<u32> {
    let mut clauses: BTreeMap<u32, u64> = BTreeMap::new();
    let all = softs.iter().flat_map(|s| s.rule().conjunctions());
    for c in all.clone() {
        *clauses.entry(c.id).or_default() |= 1u64.checked_shl(c.clause.into()).unwrap_or(0);
    }
    let full = |n: u8| u64::MAX.checked_shr(64u32.saturating_sub(n.into())).unwrap_or(0);
    all.filter(|c| clauses.get(&c.id) == Some(&full(c.n_clauses))).map(|c| c.id).min()
}
