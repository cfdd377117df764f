//! The action set: written while tables are walked, run at the end in the order that OpenFlow gives.

use openflow::OfPort;
use openflow::action::Action;

use super::TraceKind;
use super::actions::{Flowing, action_text};
use super::ctx::{Ctx, narrow};

/// Actions of an action set at most.
const SET_LEN_MAX: usize = 4096;

/// Place of an action in the order of execution; `None` for those that may not be in a set.
fn rank(action: &Action) -> Option<u8> {
    Some(match action {
        Action::StripVlan | Action::PopVlan => 0,
        Action::Decap { .. } => 1,
        Action::PopMpls(_) => 2,
        Action::Encap(_) => 3,
        Action::PushMpls(_) => 4,
        Action::PushVlan(_) => 5,
        Action::DecTtl { .. } => 6,
        Action::DecMplsTtl => 7,
        Action::DecNshTtl => 8,
        Action::SetField(_)
        | Action::RegMove(_)
        | Action::SetEthSrc(_)
        | Action::SetEthDst(_)
        | Action::SetIpDscp(_)
        | Action::SetIpEcn(_)
        | Action::SetIpTtl(_)
        | Action::SetIpv4Src(_)
        | Action::SetIpv4Dst(_)
        | Action::SetL4Src(_)
        | Action::SetL4Dst(_)
        | Action::SetMplsLabel(_)
        | Action::SetMplsTc(_)
        | Action::SetMplsTtl(_)
        | Action::SetTunnel { .. }
        | Action::SetVlanPcp { .. }
        | Action::SetVlanVid { .. } => SETS,
        Action::SetQueue(_) => 21,
        Action::Group(_) => FINAL,
        Action::Output { .. } | Action::Controller(_) => FINAL + 1,
        Action::Resubmit(_) => FINAL + 2,
        Action::Ct(_) => FINAL + 3,
        _ => return None,
    })
}

/// Sets and moves: all of them, as written.
const SETS: u8 = 20;
/// Only the first of these that there is.
const FINAL: u8 = 30;

/// The actions of a set as they run: of each kind the last one, sets as written, one way out.
pub fn ordered<'a>(set: &[&'a Action]) -> Vec<&'a Action> {
    let mut kinds: std::collections::BTreeMap<u8, Vec<&'a Action>> = Default::default();
    for &action in set {
        let Some(rank) = rank(action) else { continue };
        let same = kinds.entry(rank).or_default();
        if rank != SETS {
            same.clear();
        }
        same.push(action);
    }
    let way_out = kinds.split_off(&FINAL);
    if way_out.is_empty() {
        return Vec::new();
    }
    let first_out = way_out.into_values().take(1).flatten();
    kinds.into_values().flatten().chain(first_out).collect()
}

impl<'a> Ctx<'a, '_> {
    pub(super) fn write_actions(&mut self, list: &'a [Action]) {
        if self.action_set.len() + list.len() <= SET_LEN_MAX {
            self.action_set.extend(list);
        }
        self.note_output();
        self.report_action_set("is");
    }

    pub(super) fn clear_actions(&mut self) {
        self.report_action_set("was");
        self.action_set.clear();
        self.note_output();
    }

    /// Keeps `actset_output` right.
    fn note_output(&mut self) {
        let has_group = self.action_set.iter().any(|a| matches!(a, Action::Group(_)));
        let output = self.action_set.iter().rev().find_map(|a| match a {
            Action::Output { port, .. } => Some(*port),
            _ => None,
        });
        let port = if has_group { OfPort::UNSET } else { output.unwrap_or(OfPort::UNSET) };
        self.flow.actset_output = narrow(port);
    }

    fn report_action_set(&mut self, verb: &str) {
        if !self.tracing() {
            return;
        }
        let texts: Vec<String> = ordered(&self.action_set).into_iter().map(action_text).collect();
        self.detail(|| {
            if texts.is_empty() {
                format!("action set {verb} empty")
            } else {
                format!("action set {verb}: {}", texts.join(","))
            }
        });
    }

    /// Runs and empties the set.
    pub(super) fn run_action_set(&mut self) {
        if self.has_failed() || self.freezing.is_some() {
            return;
        }
        let set = std::mem::take(&mut self.action_set);
        let ordered = ordered(&set);
        if ordered.is_empty() {
            return;
        }
        self.exit = false;
        self.in_action_set = true;
        self.nested(TraceKind::Table, || "--. Executing action set:".into(), |ctx| ctx.run_refs(&ordered));
        self.in_action_set = false;
    }

    /// Runs actions that are not stored side by side.
    pub(super) fn run_refs(&mut self, actions: &[&'a Action]) {
        for action in actions {
            if self.run_actions(std::slice::from_ref(*action), false) == Flowing::Stop || self.exit {
                break;
            }
        }
    }
}
