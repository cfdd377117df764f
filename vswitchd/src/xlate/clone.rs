//! clone: a list whose changes end with it.

use dpif::Action as DpAction;
use openflow::action::Action;

use super::ctx::Ctx;

/// Actions whose effect on the packet cannot be taken back by setting headers again.
fn is_irreversible(actions: &[Action]) -> bool {
    actions.iter().any(|a| match a {
        Action::Meter(_)
        | Action::Ct(_)
        | Action::CtClear
        | Action::PopMpls(_)
        | Action::PushMpls(_)
        | Action::Encap(_)
        | Action::Decap { .. }
        | Action::OutputTrunc { .. }
        | Action::CheckPktLarger { .. }
        | Action::DebugRecirc => true,
        Action::Clone(list) => is_irreversible(list),
        _ => false,
    })
}

impl<'a> Ctx<'a, '_> {
    pub(super) fn clone_actions(&mut self, list: &'a [Action]) {
        let saved_flow = Box::new(self.flow);
        let saved_stack = self.stack.clone();
        let saved_set = self.action_set.clone();
        if is_irreversible(list) {
            self.clone_in_datapath(list);
        } else {
            self.run_actions(list, false);
        }
        self.flow = *saved_flow;
        self.stack = saved_stack;
        self.action_set = saved_set;
        // `exit` in a clone ends everything, as OVS has it.
    }

    fn clone_in_datapath(&mut self, list: &'a [Action]) {
        self.commit();
        let saved_base = Box::new(self.base);
        let before = std::mem::take(&mut self.out.actions);
        self.run_actions(list, true);
        self.finish_freezing();
        let inner = std::mem::replace(&mut self.out.actions, before);
        if !inner.is_empty() {
            self.out.actions.push(DpAction::Clone(inner));
        }
        self.base = *saved_base;
    }
}
