//! Lookups: which rule of a table a flow meets, and running its actions; resubmit and goto_table.

use std::sync::Arc;

use flow::Be16;
use openflow::action::Resubmit;
use openflow::msg::FragMode;
use openflow::msg::port::PortConfig;
use openflow::{OfPort, TableId};

use super::ctx::{Ctx, narrow};
use super::{ACTIONS_MAX, DEPTH_MAX, Effect, NESTING_MAX, RESUBMITS_MAX, TraceKind, XlateError};
use crate::ofproto::changes::Lookup;
use crate::ofproto::rule::Rule;
use crate::ofproto::snapshot::{N_TABLES, TableMissAction};

/// What a lookup came to.
#[derive(Clone, Copy)]
enum Found<'a> {
    Rule(&'a Arc<Rule>, TableId),
    /// No rule, and nothing to be done about it.
    Drop(TableId),
    /// No rule: to the controllers.
    Controller(TableId),
}

impl<'a> Ctx<'a, '_> {
    /// The first lookup of a bridge: its reports stay open, so that the action set is told under it.
    pub(super) fn first_table(&mut self, table: TableId) {
        let found = self.found_first(table);
        self.enter(found);
    }

    /// The same for a packet that a protocol takes: what it meets is told, and not done.
    pub(super) fn pass_first_table(&mut self, table: TableId) {
        self.found_first(table);
    }

    fn found_first(&mut self, table: TableId) -> Found<'a> {
        let found = self.lookup(self.in_port(), table, true);
        self.limits.resubmits += 1;
        let text = self.found_text(found);
        if let Some(trace) = &mut self.out.trace {
            let place = trace.add(TraceKind::Table, text);
            trace.go(place);
        }
        found
    }

    /// Looks up in `table` as if the packet had come in on `in_port`, and runs what is found.
    pub(super) fn table_action(&mut self, in_port: OfPort, table: TableId, honor_miss: bool) {
        if usize::from(table.0) >= N_TABLES || !self.may_resubmit() {
            return;
        }
        let old_table = self.table;
        let deepens = u32::from(table <= old_table);
        let found = self.lookup(in_port, table, honor_miss);
        self.limits.resubmits += 1;
        self.limits.depth += deepens;
        self.limits.nesting += 1;
        let text = self.found_text(found);
        self.nested(TraceKind::Table, || text, |ctx| ctx.enter(found));
        self.limits.nesting -= 1;
        self.limits.depth -= deepens;
        self.table = old_table;
    }

    fn may_resubmit(&mut self) -> bool {
        if self.limits.depth >= DEPTH_MAX || self.limits.nesting >= NESTING_MAX {
            self.fail(XlateError::RecursionTooDeep, || format!("over max translation depth {DEPTH_MAX}"));
        } else if self.limits.resubmits >= RESUBMITS_MAX {
            self.fail(XlateError::TooManyResubmits, || format!("over {RESUBMITS_MAX} resubmit actions"));
        } else if self.out.actions.len() > ACTIONS_MAX {
            self.fail(XlateError::TooManyResubmits, || "resubmits yielded over 64 kB of actions".into());
        } else {
            return true;
        }
        false
    }

    fn lookup(&mut self, in_port: OfPort, first: TableId, honor_miss: bool) -> Found<'a> {
        let saved_port = std::mem::replace(&mut self.flow.in_port, narrow(in_port));
        let is_plain = self.is_plain();
        let saved_l4 = (self.flow.tp_src, self.flow.tp_dst);
        if self.flow.nw_frag & flow::key::NW_FRAG_ANY != 0 {
            match self.bridge.config.frag {
                FragMode::NxMatch => {}
                FragMode::Drop => {
                    self.flow.in_port = saved_port;
                    return Found::Drop(first);
                }
                FragMode::Normal | FragMode::Reassemble => {
                    (self.flow.tp_src, self.flow.tp_dst) = (Be16::ZERO, Be16::ZERO);
                }
            }
        }
        let found = self.lookup_tables(first, honor_miss, is_plain);
        (self.flow.tp_src, self.flow.tp_dst) = saved_l4;
        self.flow.in_port = saved_port;
        found
    }

    /// The flow is still as the packet came, but for registers and metadata.
    fn is_plain(&self) -> bool {
        const HEADERS: std::ops::Range<usize> = 0..flow::key::N_DP_LINES;
        self.flow.nw_frag == 0 && self.flow.lines()[HEADERS] == self.input.flow.lines()[HEADERS]
    }

    fn looks_at(&mut self, table: Option<TableId>, is_plain: bool) {
        let lookup = Lookup { bridge: self.bridge.id, table, is_plain };
        if !self.out.lookups.contains(&lookup) {
            self.out.lookups.push(lookup);
        }
    }

    /// The translation depends on this bridge's ports and settings.
    pub(super) fn looks_at_bridge(&mut self) {
        self.looks_at(None, true);
    }

    fn lookup_tables(&mut self, first: TableId, honor_miss: bool, is_plain: bool) -> Found<'a> {
        let mut id = first;
        loop {
            self.looks_at(Some(id), is_plain);
            let table = self.bridge.tables.get(id);
            let rule = table.and_then(|t| t.rules.lookup(&self.flow, &mut self.out.mask));
            if let Some(table) = table {
                let counters = table.counters.clone();
                let hit = rule.is_some();
                self.out.effects.push(if hit {
                    Effect::TableHit(counters)
                } else {
                    Effect::TableMiss(counters)
                });
            }
            if let Some(rule) = rule {
                return Found::Rule(rule, id);
            }
            if !honor_miss {
                return Found::Drop(id);
            }
            match table.map_or(TableMissAction::Default, |t| t.miss) {
                TableMissAction::Default if !self.bridge.config.packet_in_on_miss => return Found::Drop(id),
                TableMissAction::Default | TableMissAction::Controller => return self.miss_to_controller(id),
                TableMissAction::Drop => return Found::Drop(id),
                TableMissAction::Continue if usize::from(id.0) + 2 >= N_TABLES => return Found::Drop(id),
                TableMissAction::Continue => id = TableId(id.0 + 1),
            }
        }
    }

    fn miss_to_controller(&self, id: TableId) -> Found<'a> {
        let refused = self.port(self.in_port()).is_some_and(|p| p.config.contains(PortConfig::NO_PACKET_IN));
        if refused { Found::Drop(id) } else { Found::Controller(id) }
    }

    /// For the trace; empty without one.
    fn found_text(&self, found: Found<'_>) -> String {
        match found {
            _ if !self.tracing() => String::new(),
            Found::Rule(rule, id) => format!("{:2}. {}", id.0, rule_text(rule)),
            Found::Drop(id) => format!("{:2}. No match.", id.0),
            Found::Controller(id) => format!("{:2}. No match, and a \"packet-in\" is called for.", id.0),
        }
    }

    fn enter(&mut self, found: Found<'a>) {
        let (rule, id) = match found {
            Found::Rule(rule, id) => (rule, id),
            Found::Drop(id) => {
                self.table = id;
                self.report(TraceKind::Action, || "drop".into());
                return;
            }
            Found::Controller(id) => {
                self.table = id;
                return self.table_miss_packet_in();
            }
        };
        let saved = (self.rule, self.cookie);
        (self.table, self.rule, self.cookie) = (id, Some(rule), rule.cookie);
        self.out.effects.push(Effect::Rule(rule.clone()));
        self.run_actions(&rule.actions, true);
        (self.rule, self.cookie) = saved;
    }

    pub(super) fn resubmit(&mut self, resubmit: &Resubmit) {
        let in_port = if resubmit.in_port == OfPort::IN_PORT { self.in_port() } else { resubmit.in_port };
        let table = if resubmit.table == TableId::ALL { self.table } else { resubmit.table };
        if resubmit.with_ct_orig {
            return self.with_ct_tuple(|ctx| ctx.table_action(in_port, table, false));
        }
        self.table_action(in_port, table, false);
    }

    pub(super) fn goto_table(&mut self, table: TableId) {
        self.table_action(self.in_port(), table, true);
    }
}

/// `MATCH, priority P[, cookie C]`.
fn rule_text(rule: &Rule) -> String {
    let matching = crate::ofproto::match_of(rule).to_string();
    let comma = if matching.is_empty() { "" } else { ", " };
    let cookie = if rule.cookie.0 == 0 { String::new() } else { format!(", cookie {:#x}", rule.cookie.0) };
    format!("{matching}{comma}priority {}{cookie}", rule.priority)
}
