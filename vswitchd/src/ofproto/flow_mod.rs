//! Flow mods: check -> plan -> commit -> publish. `plan` finds what a flow mod does to its tables and changes nothing;
//! `commit` does it and gives back how to undo it; a bundle is the same with several plans before one publication.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use flow::Match;
use flow::{Flow, Mask};
use openflow::action::Action;
use openflow::msg::{FlowMod, FlowModCommand, FlowModFlags, FlowRemoved, FlowRemovedReason, TableDesc};
use openflow::{Cookie, GroupId, OfPort, OfpError, TableId};

use super::check::{check_actions, outputs_to, refers_to_group};
use super::events::{FlowEvent, Origin};
use super::rule::{OF_PRIORITY_MAX, Rule, RuleInput};
use super::snapshot::N_TABLES;
use super::table::VacancyEvent;
use super::{Ofproto, State};
use crate::classifier::{MiniMatch, View};

/// What flow stats tell of a flow's flags.
const KEPT_FLAGS: FlowModFlags = FlowModFlags::SEND_FLOW_REM
    .union(FlowModFlags::CHECK_OVERLAP)
    .union(FlowModFlags::RESET_COUNTS)
    .union(FlowModFlags::NO_PKT_COUNTS)
    .union(FlowModFlags::NO_BYT_COUNTS);

/// What a flow mod does.
#[derive(Default)]
pub(super) struct Plan {
    add: Vec<Arc<Rule>>,
    /// New rule in place of the old of the same match and priority.
    modify: Vec<(Arc<Rule>, Arc<Rule>)>,
    remove: Vec<(Arc<Rule>, FlowRemovedReason)>,
}

/// One step that was done; undone in reverse order.
pub(super) enum Done {
    Added(Arc<Rule>),
    Replaced { old: Arc<Rule>, new: Arc<Rule>, is_modify: bool },
    Removed(Arc<Rule>, FlowRemovedReason),
}

impl Done {
    pub fn table(&self) -> u8 {
        match self {
            Done::Added(r) | Done::Removed(r, _) => r.table.0,
            Done::Replaced { new, .. } => new.table.0,
        }
    }
}

impl Done {
    /// For flow monitors; hidden rules are nobody's business.
    fn event(&self) -> Option<FlowEvent> {
        let (rule, event) = match self {
            Done::Added(rule) => (rule, FlowEvent::Added(rule.clone())),
            Done::Replaced { old, new, is_modify: true } => {
                (new, FlowEvent::Modified { old: old.clone(), new: new.clone() })
            }
            Done::Replaced { new, .. } => (new, FlowEvent::Added(new.clone())),
            Done::Removed(rule, reason) => (rule, FlowEvent::Removed(rule.clone(), *reason)),
        };
        (!rule.is_hidden()).then_some(event)
    }
}

impl Ofproto {
    /// Carries out one flow mod of the bridge itself.
    pub fn flow_mod(&self, fm: &FlowMod) -> Result<(), OfpError> {
        self.flow_mod_by(fm, None)
    }

    /// Carries out one flow mod that a connection asked for.
    pub fn flow_mod_by(&self, fm: &FlowMod, origin: Option<Origin>) -> Result<(), OfpError> {
        let mut state = self.lock();
        let done = self.flow_mod_locked(&mut state, fm)?;
        self.finish(state, done, origin);
        Ok(())
    }

    /// Carries out one of many flow mods that come together: `settle` makes them visible, so that a burst is published
    /// once. Whoever changes the bridge in between publishes them too.
    pub fn flow_mod_deferred(&self, fm: &FlowMod, origin: Option<Origin>) -> Result<(), OfpError> {
        let mut state = self.lock();
        let done = self.flow_mod_locked(&mut state, fm)?;
        if !done.is_empty() {
            state.unpublished.push((done, origin));
        }
        Ok(())
    }

    /// Publishes and tells what was deferred.
    pub fn settle(&self) {
        let state = self.lock();
        if !state.unpublished.is_empty() {
            self.finish(state, Vec::new(), None);
        }
    }

    /// The same for callers that must not wait; `None` when the bridge is busy.
    pub fn try_flow_mod(&self, fm: &FlowMod) -> Option<Result<(), OfpError>> {
        let mut state = self.try_lock()?;
        Some(self.flow_mod_locked(&mut state, fm).map(|done| self.finish(state, done, None)))
    }

    pub(super) fn flow_mod_locked(&self, state: &mut State, fm: &FlowMod) -> Result<Vec<Done>, OfpError> {
        check(state, fm)?;
        let plan = plan(state, fm, self.now_ms())?;
        Ok(commit(state, plan))
    }

    /// Publishes what was done and tells of it.
    pub(super) fn finish(
        &self,
        mut state: std::sync::MutexGuard<'_, State>,
        done: Vec<Done>,
        origin: Option<Origin>,
    ) {
        let mut all = std::mem::take(&mut state.unpublished);
        if !done.is_empty() {
            all.push((done, origin));
        }
        if all.is_empty() {
            return;
        }
        let touched: BTreeSet<u8> = all.iter().flat_map(|(done, _)| done).map(Done::table).collect();
        let statuses: Vec<_> = touched.iter().filter_map(|n| vacancy_status(&mut state, *n)).collect();
        self.publish_tables(&state, touched);
        // Whoever changes the bridge next waits for its turn to tell.
        let _turn = super::world::lock(&self.telling);
        drop(state);
        for (done, origin) in &all {
            self.tell(done, *origin);
        }
        for (event, desc) in statuses {
            self.sink().table_status(event as u8, desc);
        }
    }

    fn tell(&self, done: &[Done], origin: Option<Origin>) {
        let sink = self.sink();
        let events: Vec<FlowEvent> = done.iter().filter_map(Done::event).collect();
        if !events.is_empty() {
            sink.flow_events(&events, origin);
        }
        for step in done {
            if let Done::Removed(rule, reason) = step
                && !rule.is_hidden()
                && rule.flags.contains(FlowModFlags::SEND_FLOW_REM)
            {
                sink.flow_removed(removed_message(rule, *reason, self.now_ms()));
            }
        }
    }

    /// Adds a flow of any priority (hidden above 65535); the bridge's own flows use this.
    pub fn add_flow(&self, matching: &Match, priority: u32, actions: Vec<Action>) {
        let mut state = self.lock();
        let table = state.table_mut(TableId(0));
        let input = RuleInput {
            table: TableId(0),
            matching: MiniMatch::new(table.rules.intern_mask(&matching.mask), &matching.flow),
            priority,
            cookie: Cookie(0),
            idle_s: 0,
            hard_s: 0,
            importance: 0,
            flags: FlowModFlags::empty(),
            actions: actions.into(),
        };
        let rule = Arc::new(Rule::new(input, self.now_ms()));
        let done = commit(&mut state, Plan { add: vec![rule], ..Plan::default() });
        self.finish(state, done, None);
    }

    /// Removes a flow of table 0 by match and priority.
    pub fn delete_flow(&self, matching: &Match, priority: u32) {
        let mut state = self.lock();
        let view = state.table_mut(TableId(0)).rules.view();
        let found = view.find_strict(&matching.flow, &matching.mask, priority).cloned();
        let remove = found.into_iter().map(|r| (r, FlowRemovedReason::Delete)).collect();
        let done = commit(&mut state, Plan { remove, ..Plan::default() });
        self.finish(state, done, None);
    }

    /// Removes every flow but the hidden table's, groups and meters too, without telling controllers of the flows.
    pub fn flush(&self) {
        let mut state = self.lock();
        let ids: Vec<u8> = state.tables.keys().copied().filter(|n| *n != TableId::INTERNAL.0).collect();
        for id in &ids {
            let table = state.table_mut(TableId(*id));
            let all: Vec<_> = table.rules.view().iter().cloned().collect();
            for rule in all {
                table.rules.remove(&rule);
                rule.mark_removed();
            }
        }
        state.groups = Arc::default();
        self.publish_tables(&state, ids);
    }

    pub(super) fn evict_to_limit(&self, state: &mut State, id: TableId) {
        let mut done = Vec::new();
        loop {
            let table = state.table_mut(id);
            let over = table.config.flow_limit.is_some_and(|l| table.rules.view().len() > l as usize);
            let Some(victim) = over.then(|| table.victim()).flatten() else { break };
            done.extend(remove(state, victim, FlowRemovedReason::Eviction));
        }
        self.publish_tables(state, done.iter().map(Done::table).collect::<BTreeSet<_>>());
        self.tell(&done, None);
    }
}

/// The vacancy event of a table, if one has come about.
fn vacancy_status(state: &mut State, n: u8) -> Option<(VacancyEvent, TableDesc)> {
    let table = state.tables.get_mut(&n).filter(|t| t.vacancy.is_some())?;
    let event = table.vacancy_event()?;
    Some((event, table.desc(TableId(n))))
}

/// What OFPT_FLOW_REMOVED says of `rule`.
pub(super) fn removed_message(rule: &Rule, reason: FlowRemovedReason, now_ms: i64) -> FlowRemoved {
    let age_ms = (now_ms - rule.created_ms).max(0);
    FlowRemoved {
        matching: match_of(rule),
        cookie: rule.cookie,
        priority: rule.priority.min(OF_PRIORITY_MAX) as u16,
        reason,
        table: Some(rule.table),
        duration_s: (age_ms / 1000) as u32,
        duration_ns: (age_ms % 1000) as u32 * 1_000_000,
        idle_s: rule.idle_s.load(Relaxed),
        hard_s: rule.hard_s.load(Relaxed),
        packet_count: rule.stats.packets(),
        byte_count: rule.stats.bytes(),
    }
}

/// The match of `rule`, expanded.
pub fn match_of(rule: &Rule) -> Match {
    Match { flow: rule.matching.to_flow(), mask: rule.matching.mask.to_mask() }
}

/// Refuses what no state of the tables could make right.
fn check(state: &State, fm: &FlowMod) -> Result<(), OfpError> {
    let is_delete = matches!(fm.command, FlowModCommand::Delete | FlowModCommand::DeleteStrict);
    if fm.table != TableId::ALL && usize::from(fm.table.0) >= N_TABLES {
        return Err(OfpError::OFPFMFC_BAD_TABLE_ID);
    }
    if fm.table == TableId::INTERNAL && !fm.flags.contains(FlowModFlags::NO_READONLY) {
        return Err(OfpError::OFPBRC_EPERM);
    }
    if is_delete {
        return Ok(());
    }
    let table = if fm.table == TableId::ALL { TableId(0) } else { fm.table };
    check_actions(state, &fm.matching, table, &fm.actions)
}

fn plan(state: &mut State, fm: &FlowMod, now_ms: i64) -> Result<Plan, OfpError> {
    match fm.command {
        FlowModCommand::Add => plan_add(state, fm, now_ms),
        FlowModCommand::Modify | FlowModCommand::ModifyStrict => plan_modify(state, fm, now_ms),
        FlowModCommand::Delete | FlowModCommand::DeleteStrict => Ok(plan_delete(state, fm)),
    }
}

fn is_strict(command: FlowModCommand) -> bool {
    matches!(command, FlowModCommand::ModifyStrict | FlowModCommand::DeleteStrict)
}

fn plan_add(state: &mut State, fm: &FlowMod, now_ms: i64) -> Result<Plan, OfpError> {
    let id = if fm.table == TableId::ALL { TableId(0) } else { fm.table };
    let table = state.table_mut(id);
    let (flow, mask) = (fm.matching.flow.masked(&fm.matching.mask), fm.matching.mask);
    let matching = MiniMatch::new(table.rules.intern_mask(&mask), &flow);
    let priority = u32::from(fm.priority);
    let old = table.rules.find_strict(&matching, priority).cloned();
    let view = table.rules.view();
    if fm.flags.contains(FlowModFlags::CHECK_OVERLAP)
        && old.is_none()
        && view.find_overlap(&flow, &mask, priority).is_some()
    {
        return Err(OfpError::OFPFMFC_OVERLAP);
    }
    let mut plan = Plan::default();
    if old.is_none() && table.is_full() {
        let may_evict = table.config.evict || table.eviction.is_some();
        let victim = may_evict.then(|| table.victim()).flatten().ok_or(OfpError::OFPFMFC_TABLE_FULL)?;
        plan.remove.push((victim, FlowRemovedReason::Eviction));
    }
    let rule = Rule::new(
        RuleInput {
            table: id,
            matching,
            priority,
            cookie: fm.new_cookie,
            idle_s: fm.idle_s,
            hard_s: fm.hard_s,
            importance: fm.importance,
            flags: fm.flags & KEPT_FLAGS,
            actions: fm.actions.clone().into(),
        },
        now_ms,
    );
    let keep_counts = !fm.flags.contains(FlowModFlags::RESET_COUNTS);
    let rule = match &old {
        Some(old) if keep_counts => rule.with_counters_of(old),
        _ => rule,
    };
    plan.add.push(Arc::new(rule));
    Ok(plan)
}

fn plan_modify(state: &mut State, fm: &FlowMod, now_ms: i64) -> Result<Plan, OfpError> {
    let actions: Arc<[Action]> = fm.actions.clone().into();
    let found = select(state, fm);
    let mut plan = Plan::default();
    for old in found {
        let cookie = if fm.modify_cookie { fm.new_cookie } else { old.cookie };
        let mut new = old.modified(actions.clone(), cookie, now_ms);
        if fm.flags.contains(FlowModFlags::RESET_COUNTS) {
            new = new.with_reset_counts(now_ms);
        }
        plan.modify.push((old, Arc::new(new)));
    }
    // OpenFlow 1.0: a modify that finds nothing adds, unless it was restricted by cookie.
    if plan.modify.is_empty() && fm.cookie_mask == 0 && fm.modify_cookie {
        return plan_add(state, fm, now_ms);
    }
    Ok(plan)
}

fn plan_delete(state: &State, fm: &FlowMod) -> Plan {
    let remove = select(state, fm).into_iter().map(|r| (r, FlowRemovedReason::Delete)).collect();
    Plan { remove, ..Plan::default() }
}

/// Which rules a request means.
pub(super) struct Criteria<'a> {
    pub table: TableId,
    pub flow: &'a Flow,
    pub mask: &'a Mask,
    /// Only this priority and exactly this match.
    pub strict_priority: Option<u32>,
    pub cookie: Cookie,
    pub cookie_mask: u64,
    pub out_port: OfPort,
    pub out_group: GroupId,
}

impl Criteria<'_> {
    fn admits(&self, rule: &Rule) -> bool {
        !rule.is_hidden()
            && (rule.cookie.0 ^ self.cookie.0) & self.cookie_mask == 0
            && (self.out_port == OfPort::ANY || outputs_to(&rule.actions, self.out_port))
            && (self.out_group == GroupId::ANY || refers_to_group(&rule.actions, self.out_group))
    }

    /// Calls `visit` for the rules of `view` that are meant.
    pub fn visit(&self, view: &View<Rule>, mut visit: impl FnMut(&Arc<Rule>)) {
        match self.strict_priority {
            Some(priority) => view
                .find_strict(self.flow, self.mask, priority)
                .filter(|r| self.admits(r))
                .into_iter()
                .for_each(visit),
            None => view.for_each_within(self.flow, self.mask, |r| {
                if self.admits(r) {
                    visit(r);
                }
            }),
        }
    }

    /// True for tables that are meant: all but the internal one, or the one named.
    pub fn names_table(&self, id: u8) -> bool {
        if self.table == TableId::ALL { id != TableId::INTERNAL.0 } else { id == self.table.0 }
    }
}

fn select(state: &State, fm: &FlowMod) -> Vec<Arc<Rule>> {
    let is_delete = matches!(fm.command, FlowModCommand::Delete | FlowModCommand::DeleteStrict);
    let criteria = Criteria {
        table: fm.table,
        flow: &fm.matching.flow.masked(&fm.matching.mask),
        mask: &fm.matching.mask,
        strict_priority: is_strict(fm.command).then(|| fm.priority.into()),
        cookie: fm.cookie,
        cookie_mask: fm.cookie_mask,
        out_port: if is_delete { fm.out_port } else { OfPort::ANY },
        out_group: if is_delete { fm.out_group } else { GroupId::ANY },
    };
    let mut found = Vec::new();
    for (_, table) in state.tables.iter().filter(|(n, _)| criteria.names_table(**n)) {
        criteria.visit(table.rules.view(), |r| found.push(r.clone()));
    }
    found
}

/// Does what was planned.
pub(super) fn commit(state: &mut State, plan: Plan) -> Vec<Done> {
    let mut done = Vec::new();
    for (rule, reason) in plan.remove {
        done.extend(remove(state, rule, reason));
    }
    for (old, new) in plan.modify {
        insert(state, new.clone());
        old.mark_removed();
        done.push(Done::Replaced { old, new, is_modify: true });
    }
    for rule in plan.add {
        done.push(match insert(state, rule.clone()) {
            Some(old) => {
                old.mark_removed();
                Done::Replaced { old, new: rule, is_modify: false }
            }
            None => Done::Added(rule),
        });
    }
    done
}

pub(super) fn remove(state: &mut State, rule: Arc<Rule>, reason: FlowRemovedReason) -> Option<Done> {
    let removed = state.table_mut(rule.table).rules.remove(&rule)?;
    removed.mark_removed();
    Some(Done::Removed(removed, reason))
}

fn insert(state: &mut State, rule: Arc<Rule>) -> Option<Arc<Rule>> {
    let table = state.table_mut(rule.table);
    if rule.has_timeout() {
        table.timed.push(Arc::downgrade(&rule));
    }
    table.rules.insert(rule)
}

/// Takes back what `commit` did.
pub(super) fn undo(state: &mut State, done: Vec<Done>) {
    for step in done.into_iter().rev() {
        match step {
            Done::Added(rule) => {
                state.table_mut(rule.table).rules.remove(&rule);
                rule.mark_removed();
            }
            Done::Replaced { old, new, .. } => {
                old.mark_back();
                new.mark_removed();
                insert(state, old);
            }
            Done::Removed(rule, _) => {
                rule.mark_back();
                insert(state, rule);
            }
        }
    }
}
