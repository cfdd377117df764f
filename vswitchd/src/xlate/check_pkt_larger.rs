//! check_pkt_larger: the datapath compares, so what follows is translated twice, once for each answer.

use dpif::Action as DpAction;
use flow::Subfield;
use openflow::action::Action;

use super::actions::Flowing;
use super::ctx::Ctx;

impl<'a> Ctx<'a, '_> {
    pub(super) fn check_pkt_larger(&mut self, len: u16, dst: Subfield, rest: &'a [Action]) -> Flowing {
        self.commit();
        let saved = Box::new((self.flow, self.base));
        let (stack, set, exit) = (self.stack.clone(), self.action_set.clone(), self.exit);
        let mut branch = |answer: u128| {
            (self.flow, self.base) = *saved;
            self.stack.clone_from(&stack);
            self.action_set.clone_from(&set);
            self.exit = exit && self.exit;
            let before = std::mem::take(&mut self.out.actions);
            dst.set(&mut self.flow, answer);
            self.run_actions(rest, true);
            self.finish_freezing();
            std::mem::replace(&mut self.out.actions, before)
        };
        let greater = branch(1);
        let less_equal = branch(0);
        self.out.actions.push(DpAction::CheckPktLen { len, greater, less_equal });
        (self.flow, self.base) = *saved;
        (self.stack, self.action_set) = (stack, set);
        if !self.has_failed() {
            self.exit = exit;
        }
        Flowing::Stop
    }
}
