//! The search for the winner of a flow, and which bits it depended on.

use std::sync::Arc;

use flow::{Flow, Mask};

use super::conj::Soft;
use super::mini::{N_PREFIX_FIELDS, N_STAGES, PREFIX_FIELDS, StageHash, prefix_value, set_prefix};
use super::trie::Prefixes;
use super::{Entry, Subtable, View};

/// Tables with more subtables than this rule them out at the price of more bits in the mask.
const MANY_SUBTABLES: usize = 64;

/// Subtables of up to so many rules are first compared rule by rule: often bits that the mask has anyway decide.
const FEW_RULES: usize = 8;

/// What the tries say of one flow, as tables that a scan over many subtables reads quickly.
struct Tries {
    found: [Prefixes; N_PREFIX_FIELDS],
    /// By field and prefix length: false when the trie rules it out by bits that the mask has anyway.
    open: [[bool; PREFIX_LEN_MAX + 1]; N_PREFIX_FIELDS],
    /// Worth it even when the proof takes more bits than the subtable itself would.
    eager: bool,
}

const PREFIX_LEN_MAX: usize = 128;

impl Tries {
    fn new<R>(view: &View<R>, flow: &Flow, mask: &Mask) -> Self {
        let found = std::array::from_fn(|n| {
            if view.tries[n].is_empty() {
                return Prefixes::default();
            }
            view.tries[n].lookup(prefix_value(flow, n), (PREFIX_FIELDS[n].size * 8) as u8)
        });
        let open = [[true; PREFIX_LEN_MAX + 1]; N_PREFIX_FIELDS];
        let mut tries = Self { found, open, eager: view.order.len() > MANY_SUBTABLES };
        for n in 0..N_PREFIX_FIELDS {
            if !view.tries[n].is_empty() && has_prefix(mask, n, tries.found[n].n_checked) {
                tries.close(n);
            }
        }
        tries
    }

    /// The mask has all bits that this field's trie looked at.
    fn close(&mut self, n: usize) {
        let width = PREFIX_FIELDS[n].size * 8;
        for len in 1..=width {
            self.open[n][len] = self.found[n].contains(len as u8);
        }
    }

    #[inline]
    fn rules_out(&self, lens: &[u8; N_PREFIX_FIELDS]) -> bool {
        let open = |n: usize| self.open[n][usize::from(lens[n]).min(PREFIX_LEN_MAX)];
        !(open(0) & open(1) & open(2) & open(3) & open(4) & open(5))
    }
}

impl<R: Entry> View<R> {
    /// The highest-priority rule that `flow` matches. Every bit that decided this is added to `mask`.
    pub fn lookup(&self, flow: &Flow, mask: &mut Mask) -> Option<&Arc<R>> {
        if self.n_conjunctive == 0 {
            return self.search(flow, mask, None);
        }
        let mut soft = Vec::new();
        let hard = self.search(flow, mask, Some(&mut soft));
        self.resolve(flow, mask, hard, soft)
    }

    /// The best rule that is not part of a conjunction; rules that are go to `soft`, if wanted.
    pub(super) fn search<'a>(
        &'a self,
        flow: &Flow,
        mask: &mut Mask,
        mut soft: Option<&mut Vec<Soft<'a, R>>>,
    ) -> Option<&'a Arc<R>> {
        let mut tries = Tries::new(self, flow, mask);
        let mut best: Option<&Arc<R>> = None;
        for ordered in self.order.iter() {
            if best.is_some_and(|b| b.priority() >= ordered.max_priority) {
                break;
            }
            if tries.rules_out(&ordered.prefix_lens) {
                continue;
            }
            let Some(sub) = self.subtable(ordered.slot) else { continue };
            let Some((chain, at)) = self.probe(sub, flow, mask, &mut tries) else { continue };
            let found = &chain[at];
            if found.conjunctions().is_empty() {
                if best.is_none_or(|b| b.priority() < found.priority()) {
                    best = Some(found);
                }
            } else if let Some(soft) = soft.as_deref_mut() {
                soft.push(Soft { chain, at });
            }
        }
        best
    }

    /// The rules of `sub` that share the flow's hash, and the place of the first that it matches.
    fn probe<'a>(
        &self,
        sub: &'a Subtable<R>,
        flow: &Flow,
        mask: &mut Mask,
        tries: &mut Tries,
    ) -> Option<(&'a [Arc<R>], usize)> {
        if sub.rules.len() <= FEW_RULES && sub.rules.all(|r| r.matching().differs_within(flow, mask)) {
            return None;
        }
        let mut hash = StageHash::default();
        for stage in 0..=sub.last_stage {
            if !sub.mask.has_stage(stage) {
                continue;
            }
            if stage_ruled_out(sub, stage, mask, tries) {
                return None;
            }
            hash = sub.mask.hash_stage(hash, stage, flow);
            if stage < sub.last_stage && sub.stages[stage].get(hash.get()).is_empty() {
                sub.mask.union_into(mask, stage);
                return None;
            }
        }
        sub.mask.union_into(mask, N_STAGES - 1);
        let chain = sub.rules.get(hash.get());
        chain.iter().position(|r| r.matching().matches(flow)).map(|at| (chain, at))
    }
}

/// True when a trie of a field of `stage` shows that no rule of `sub` can match; adds the bits that show it.
fn stage_ruled_out<R>(sub: &Subtable<R>, stage: usize, mask: &mut Mask, tries: &mut Tries) -> bool {
    let fields = PREFIX_FIELDS.iter().enumerate().filter(|(_, f)| f.stage == stage);
    for (n, _) in fields {
        let (len, found) = (sub.mask.prefix_lens[n], tries.found[n]);
        let cheap = tries.eager || found.n_checked <= len;
        if len != 0 && cheap && !found.contains(len) {
            set_prefix(mask, n, found.n_checked);
            tries.close(n);
            return true;
        }
    }
    false
}

fn has_prefix(mask: &Mask, n: usize, len: u8) -> bool {
    prefix_value(&mask.0, n).leading_ones() >= len.into()
}
