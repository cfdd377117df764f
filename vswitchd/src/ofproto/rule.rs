//! A flow of a table. Immutable but for counters and times, so that snapshots, megaflows and traces share it; a
//! modify makes a new `Rule` that takes over the counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU64, Ordering::Relaxed};

use openflow::action::Action;
use openflow::msg::{FlowModFlags, FlowRemovedReason};
use openflow::{Cookie, TableId};

use crate::classifier::{Conjunction, Entry, MiniMatch};

/// Highest priority that OpenFlow can give; rules above it are hidden from controllers.
pub const OF_PRIORITY_MAX: u32 = 0xffff;

/// Counters, credited from megaflows.
#[derive(Default, Debug)]
pub struct RuleStats {
    packets: AtomicU64,
    bytes: AtomicU64,
    /// `Clock` ms of the last packet (of the creation at first).
    used_ms: AtomicI64,
}

impl RuleStats {
    fn at(now_ms: i64) -> Self {
        Self { used_ms: AtomicI64::new(now_ms), ..Self::default() }
    }

    pub fn credit(&self, packets: u64, bytes: u64, used_ms: i64) {
        self.packets.fetch_add(packets, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        self.used_ms.fetch_max(used_ms, Relaxed);
    }
    pub fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
    pub fn used_ms(&self) -> i64 {
        self.used_ms.load(Relaxed)
    }
}

#[derive(Debug)]
pub struct Rule {
    pub table: TableId,
    pub matching: MiniMatch,
    pub priority: u32,
    pub cookie: Cookie,
    /// 0 = never. Atomic because fin_timeout shortens them.
    pub idle_s: AtomicU16,
    pub hard_s: AtomicU16,
    pub importance: u16,
    /// Only those that flow stats tell.
    pub flags: FlowModFlags,
    pub actions: Arc<[Action]>,
    conjunctions: Box<[Conjunction]>,
    pub created_ms: i64,
    /// Last flow-mod that touched it.
    pub modified_ms: AtomicI64,
    pub stats: Arc<RuleStats>,
    /// Taken out of its table.
    removed: AtomicBool,
}

/// What a new rule is made of.
pub struct RuleInput {
    pub table: TableId,
    pub matching: MiniMatch,
    pub priority: u32,
    pub cookie: Cookie,
    pub idle_s: u16,
    pub hard_s: u16,
    pub importance: u16,
    pub flags: FlowModFlags,
    pub actions: Arc<[Action]>,
}

impl Rule {
    /// The table-miss entry of OpenFlow 1.3 (5.4): priority 0, any packet.
    pub fn is_table_miss(&self) -> bool {
        self.priority == 0 && self.matching.mask.is_within(&flow::Mask::NONE)
    }

    pub fn new(input: RuleInput, now_ms: i64) -> Self {
        Self {
            table: input.table,
            matching: input.matching,
            priority: input.priority,
            cookie: input.cookie,
            idle_s: input.idle_s.into(),
            hard_s: input.hard_s.into(),
            importance: input.importance,
            flags: input.flags,
            conjunctions: conjunctions(&input.actions),
            actions: input.actions,
            created_ms: now_ms,
            modified_ms: now_ms.into(),
            stats: Arc::new(RuleStats::at(now_ms)),
            removed: false.into(),
        }
    }

    /// The same flow with other actions (and cookie): keeps age, timeouts and counters.
    pub fn modified(&self, actions: Arc<[Action]>, cookie: Cookie, now_ms: i64) -> Self {
        Self {
            table: self.table,
            matching: self.matching.clone(),
            priority: self.priority,
            cookie,
            idle_s: self.idle_s.load(Relaxed).into(),
            hard_s: self.hard_s.load(Relaxed).into(),
            importance: self.importance,
            flags: self.flags,
            conjunctions: conjunctions(&actions),
            actions,
            created_ms: self.created_ms,
            modified_ms: now_ms.into(),
            stats: self.stats.clone(),
            removed: false.into(),
        }
    }

    /// Starts the counters and the age anew (reset_counts).
    pub fn with_reset_counts(mut self, now_ms: i64) -> Self {
        self.stats = Arc::new(RuleStats::at(now_ms));
        self.created_ms = now_ms;
        self
    }

    /// Takes over counters of a rule that this one replaces.
    pub fn with_counters_of(mut self, old: &Rule) -> Self {
        self.stats = old.stats.clone();
        self
    }

    /// Not to be told to controllers.
    pub fn is_hidden(&self) -> bool {
        self.priority > OF_PRIORITY_MAX
    }

    pub fn is_removed(&self) -> bool {
        self.removed.load(Relaxed)
    }

    pub(super) fn mark_removed(&self) {
        self.removed.store(true, Relaxed);
    }

    /// Back in its table: the bundle that removed it failed.
    pub(super) fn mark_back(&self) {
        self.removed.store(false, Relaxed);
    }

    /// The timeout that has passed at `now_ms`, if any.
    pub fn expired(&self, now_ms: i64) -> Option<FlowRemovedReason> {
        let passed = |since: i64, s: u16| s > 0 && now_ms >= since + i64::from(s) * 1000;
        if passed(self.modified_ms.load(Relaxed), self.hard_s.load(Relaxed)) {
            Some(FlowRemovedReason::HardTimeout)
        } else if passed(self.stats.used_ms(), self.idle_s.load(Relaxed)) {
            Some(FlowRemovedReason::IdleTimeout)
        } else {
            None
        }
    }

    pub fn has_timeout(&self) -> bool {
        self.idle_s.load(Relaxed) != 0 || self.hard_s.load(Relaxed) != 0
    }

    /// Shortens the timeouts (fin_timeout); 0 = leave.
    pub fn reduce_timeouts(&self, idle_s: u16, hard_s: u16) {
        let shorten = |of: &AtomicU16, to: u16| {
            let old = of.load(Relaxed);
            if to != 0 && (old == 0 || to < old) {
                of.store(to, Relaxed);
            }
        };
        shorten(&self.idle_s, idle_s);
        shorten(&self.hard_s, hard_s);
    }
}

fn conjunctions(actions: &[Action]) -> Box<[Conjunction]> {
    let conj = |a: &Action| match *a {
        Action::Conjunction { id, clause, n_clauses } => Some(Conjunction { id, clause, n_clauses }),
        _ => None,
    };
    actions.iter().filter_map(conj).collect()
}

impl Entry for Rule {
    fn matching(&self) -> &MiniMatch {
        &self.matching
    }
    fn priority(&self) -> u32 {
        self.priority
    }
    fn conjunctions(&self) -> &[Conjunction] {
        &self.conjunctions
    }
}
