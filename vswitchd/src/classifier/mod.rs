//! The OpenFlow classifier: tuple space search with priorities, over persistent structures. Slow path only (misses,
//! revalidation, traces, flow-mods). One writer changes a [`Classifier`]; any number of readers hold clones of its
//! [`View`], which never change, need no lock and share all unchanged parts.
//!
//! ```text
//!  View --- order: (max priority, prefix lengths, slot), highest priority first
//!       \-- slots: Subtable (one per mask) --- stage indices: does any rule agree so far?
//!       |                                  \-- rules: HAMT, hash of masked flow -> rules, by priority
//!       \-- tries: which prefix lengths does nw_src... match? rules out whole subtables
//! ```
//!
//! A lookup returns the winner and adds to the caller's mask every bit that it depended on; any packet that agrees
//! in those bits has the same winner. It tries to look at few bits, since they become the megaflow.

mod conj;
pub mod hamt;
mod lookup;
pub mod mini;
#[cfg(test)]
mod tests;
pub mod trie;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use flow::{Flow, Mask};

pub use conj::Conjunction;
use hamt::Hamt;
pub use mini::{MiniMask, MiniMatch};
use mini::{N_PREFIX_FIELDS, N_STAGES, StageHash, prefix_value};
use trie::Trie;

/// What the classifier needs to know of a rule.
pub trait Entry {
    fn matching(&self) -> &MiniMatch;
    fn priority(&self) -> u32;
    /// Non-empty: the rule is one clause of conjunctive matches and never a winner itself.
    fn conjunctions(&self) -> &[Conjunction] {
        &[]
    }
}

/// Rules of one mask.
struct Subtable<R> {
    mask: Arc<MiniMask>,
    last_stage: usize,
    rules: Hamt<Arc<R>>,
    /// For stages before the last: hash so far -> number of rules.
    stages: [Hamt<u32>; N_STAGES - 1],
}

impl<R> Clone for Subtable<R> {
    fn clone(&self) -> Self {
        Self {
            mask: self.mask.clone(),
            last_stage: self.last_stage,
            rules: self.rules.clone(),
            stages: self.stages.clone(),
        }
    }
}

/// Subtables per chunk of `View::slots`.
const CHUNK_LEN: usize = 32;
type Chunk<R> = [Option<Arc<Subtable<R>>>; CHUNK_LEN];

/// What a lookup reads of a subtable before it decides to touch it.
#[derive(Clone, Copy)]
struct Ordered {
    max_priority: u32,
    slot: u32,
    prefix_lens: [u8; N_PREFIX_FIELDS],
}

/// An immutable state of a classifier.
pub struct View<R> {
    order: Arc<Vec<Ordered>>,
    slots: Vec<Arc<Chunk<R>>>,
    tries: [Trie; N_PREFIX_FIELDS],
    len: usize,
    n_conjunctive: usize,
}

impl<R> Clone for View<R> {
    fn clone(&self) -> Self {
        Self {
            order: self.order.clone(),
            slots: self.slots.clone(),
            tries: self.tries.clone(),
            len: self.len,
            n_conjunctive: self.n_conjunctive,
        }
    }
}

impl<R> Default for View<R> {
    fn default() -> Self {
        Self { order: Arc::default(), slots: Vec::new(), tries: Default::default(), len: 0, n_conjunctive: 0 }
    }
}

impl<R: Entry> View<R> {
    /// Rules.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Distinct masks.
    pub fn n_subtables(&self) -> usize {
        self.order.len()
    }

    fn subtable(&self, slot: u32) -> Option<&Subtable<R>> {
        self.slots.get(slot as usize / CHUNK_LEN)?[slot as usize % CHUNK_LEN].as_deref()
    }

    fn subtables(&self) -> impl Iterator<Item = &Subtable<R>> {
        self.order.iter().filter_map(|o| self.subtable(o.slot))
    }

    /// All rules, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<R>> {
        self.subtables().flat_map(|s| s.rules.iter())
    }

    /// The rule of exactly this match and priority.
    pub fn find_strict(&self, flow: &Flow, mask: &Mask, priority: u32) -> Option<&Arc<R>> {
        let sub = self.subtables().find(|s| s.mask.is_within(mask) && s.mask.covers(mask))?;
        let same = sub.rules.get(sub.mask.hash(flow)).iter();
        same.into_iter().find(|r| r.priority() == priority && r.matching().matches(flow))
    }

    /// Calls `visit` for each rule whose matches are all matches of (`flow`, `mask`): OpenFlow's loose selection.
    pub fn for_each_within<'a>(&'a self, flow: &Flow, mask: &Mask, mut visit: impl FnMut(&'a Arc<R>)) {
        for sub in self.subtables().filter(|s| s.mask.covers(mask)) {
            let inside = |r: &&Arc<R>| r.matching().overlaps(flow, mask);
            if sub.mask.is_within(mask) {
                sub.rules.get(sub.mask.hash(flow)).iter().filter(inside).for_each(&mut visit);
            } else {
                sub.rules.iter().filter(inside).for_each(&mut visit);
            }
        }
    }

    /// A rule of this priority that some packet of (`flow`, `mask`) could also match.
    pub fn find_overlap(&self, flow: &Flow, mask: &Mask, priority: u32) -> Option<&Arc<R>> {
        let candidates = self.order.iter().take_while(|o| o.max_priority >= priority);
        candidates
            .filter_map(|o| self.subtable(o.slot))
            .flat_map(|s| s.rules.iter())
            .find(|r| r.priority() == priority && r.matching().overlaps(flow, mask))
    }
}

/// Writer's bookkeeping of a subtable.
struct Book {
    slot: u32,
    /// Priority -> rules of it.
    priorities: BTreeMap<u32, usize>,
}

/// The writer's side.
pub struct Classifier<R> {
    view: View<R>,
    books: HashMap<Arc<MiniMask>, Book>,
    free_slots: Vec<u32>,
    changed: Mutex<Changed<R>>,
}

/// Rules that came or went since they were last asked for.
enum Changed<R> {
    These(Vec<Arc<R>>),
    TooMany,
}

/// Rules in [`Changed`].
const CHANGED_MAX: usize = 64;

impl<R> Default for Classifier<R> {
    fn default() -> Self {
        Self {
            view: View::default(),
            books: HashMap::new(),
            free_slots: Vec::new(),
            changed: Mutex::new(Changed::These(Vec::new())),
        }
    }
}

impl<R: Entry> Classifier<R> {
    /// The present state; clone it to keep it.
    pub fn view(&self) -> &View<R> {
        &self.view
    }

    /// The shared form of `mask` if a subtable has it, else a new one. Use it for rules to be inserted.
    pub fn intern_mask(&self, mask: &Mask) -> Arc<MiniMask> {
        let mini = MiniMask::new(mask);
        self.books.get_key_value(&mini).map_or_else(|| Arc::new(mini), |(shared, _)| shared.clone())
    }

    /// The rule of exactly this match and priority, by one hash probe.
    pub fn find_strict(&self, matching: &MiniMatch, priority: u32) -> Option<&Arc<R>> {
        let book = self.books.get(&matching.mask)?;
        let sub = self.view.subtable(book.slot)?;
        let same = sub.rules.get(sub.mask.hash(&matching.to_flow()));
        same.iter().find(|r| r.priority() == priority && r.matching() == matching)
    }

    fn note(&mut self, rule: &Arc<R>) {
        let changed = self.changed.get_mut().unwrap_or_else(|e| e.into_inner());
        match changed {
            Changed::These(rules) if rules.len() < CHANGED_MAX => rules.push(rule.clone()),
            _ => *changed = Changed::TooMany,
        }
    }

    /// The rules that came or went since the last call; `None` = too many to tell.
    pub fn take_changed(&self) -> Option<Vec<Arc<R>>> {
        let mut changed = self.changed.lock().unwrap_or_else(|e| e.into_inner());
        match std::mem::replace(&mut *changed, Changed::These(Vec::new())) {
            Changed::These(rules) => Some(rules),
            Changed::TooMany => None,
        }
    }

    /// Adds `rule`; returns the rule of the same match and priority that it replaces.
    pub fn insert(&mut self, rule: Arc<R>) -> Option<Arc<R>> {
        self.note(&rule);
        let mask = rule.matching().mask.clone();
        let flow = rule.matching().to_flow();
        let priority = rule.priority();
        let n_conj = usize::from(!rule.conjunctions().is_empty());
        let slot = self.subtable_for(&mask);
        let sub = subtable_mut(&mut self.view.slots, slot)?;
        let replaced = sub.rules.edit(sub.mask.hash(&flow), |leaf| {
            let same = |r: &Arc<R>| r.priority() == priority && r.matching() == rule.matching();
            if let Some(old) = leaf.iter_mut().find(|r| same(r)) {
                return Some(std::mem::replace(old, rule));
            }
            let at = leaf.iter().position(|r| r.priority() < priority).unwrap_or(leaf.len());
            leaf.insert(at, rule);
            None
        });
        self.view.n_conjunctive += n_conj;
        if let Some(old) = &replaced {
            self.view.n_conjunctive -= usize::from(!old.conjunctions().is_empty());
            return replaced;
        }
        self.view.len += 1;
        index_stages(sub, &flow, true);
        for (n, trie) in self.view.tries.iter_mut().enumerate().filter(|&(n, _)| mask.prefix_lens[n] > 0) {
            trie.insert(prefix_value(&flow, n), mask.prefix_lens[n]);
        }
        self.count_priority(&mask, priority, true);
        None
    }

    /// Takes out the rule of the match and priority of `rule`.
    pub fn remove(&mut self, rule: &R) -> Option<Arc<R>> {
        let matching = rule.matching();
        let flow = matching.to_flow();
        let slot = self.books.get(&matching.mask)?.slot;
        let sub = subtable_mut(&mut self.view.slots, slot)?;
        let removed = sub.rules.edit(sub.mask.hash(&flow), |leaf| {
            let same = |r: &Arc<R>| r.priority() == rule.priority() && r.matching() == matching;
            leaf.iter().position(same).map(|at| leaf.remove(at))
        })?;
        index_stages(sub, &flow, false);
        let lens = sub.mask.prefix_lens;
        self.note(&removed);
        self.view.len -= 1;
        self.view.n_conjunctive -= usize::from(!removed.conjunctions().is_empty());
        for (n, trie) in self.view.tries.iter_mut().enumerate().filter(|&(n, _)| lens[n] > 0) {
            trie.remove(prefix_value(&flow, n), lens[n]);
        }
        self.count_priority(&matching.mask, removed.priority(), false);
        Some(removed)
    }

    /// The slot of the subtable of `mask`, made if there is none.
    fn subtable_for(&mut self, mask: &Arc<MiniMask>) -> u32 {
        if let Some(book) = self.books.get(mask) {
            return book.slot;
        }
        let slot = self.free_slots.pop().unwrap_or(self.books.len() as u32);
        while self.view.slots.len() <= slot as usize / CHUNK_LEN {
            self.view.slots.push(Arc::new([const { None }; CHUNK_LEN]));
        }
        let sub = Subtable {
            mask: mask.clone(),
            last_stage: mask.last_stage(),
            rules: Hamt::default(),
            stages: Default::default(),
        };
        let chunk = Arc::make_mut(&mut self.view.slots[slot as usize / CHUNK_LEN]);
        chunk[slot as usize % CHUNK_LEN] = Some(Arc::new(sub));
        self.books.insert(mask.clone(), Book { slot, priorities: BTreeMap::new() });
        slot
    }

    /// Books a rule in or out, and keeps the order of the subtables and their existence right.
    fn count_priority(&mut self, mask: &Arc<MiniMask>, priority: u32, add: bool) {
        let Some(book) = self.books.get_mut(mask) else { return };
        let old_max = book.priorities.keys().next_back().copied();
        if add {
            *book.priorities.entry(priority).or_default() += 1;
        } else if let Some(n) = book.priorities.get_mut(&priority) {
            *n -= 1;
            if *n == 0 {
                book.priorities.remove(&priority);
            }
        }
        let (slot, max) = (book.slot, book.priorities.keys().next_back().copied());
        if max != old_max {
            self.reorder(slot, mask.prefix_lens, max);
        }
        if max.is_none() {
            self.books.remove(mask);
            self.free_slots.push(slot);
            if let Some(chunk) = self.view.slots.get_mut(slot as usize / CHUNK_LEN) {
                Arc::make_mut(chunk)[slot as usize % CHUNK_LEN] = None;
            }
        }
    }

    fn reorder(&mut self, slot: u32, prefix_lens: [u8; N_PREFIX_FIELDS], max: Option<u32>) {
        let order = Arc::make_mut(&mut self.view.order);
        order.retain(|o| o.slot != slot);
        if let Some(max_priority) = max {
            let at = order.partition_point(|o| o.max_priority >= max_priority);
            order.insert(at, Ordered { max_priority, slot, prefix_lens });
        }
    }
}

fn subtable_mut<R>(slots: &mut [Arc<Chunk<R>>], slot: u32) -> Option<&mut Subtable<R>> {
    let chunk = Arc::make_mut(slots.get_mut(slot as usize / CHUNK_LEN)?);
    chunk[slot as usize % CHUNK_LEN].as_mut().map(Arc::make_mut)
}

/// Counts a rule in or out of the indices of the stages before the last.
fn index_stages<R>(sub: &mut Subtable<R>, flow: &Flow, add: bool) {
    let mut hash = StageHash::default();
    for stage in 0..sub.last_stage {
        if !sub.mask.has_stage(stage) {
            continue;
        }
        hash = sub.mask.hash_stage(hash, stage, flow);
        sub.stages[stage].edit(hash.get(), |leaf| match (leaf.first_mut(), add) {
            (None, true) => leaf.push(1),
            (Some(n), true) => *n += 1,
            (Some(n), false) if *n > 1 => *n -= 1,
            (_, false) => leaf.clear(),
        });
    }
}
