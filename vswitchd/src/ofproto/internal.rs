//! The hidden table 254: what happens to packets that no flow handles. Kept as rules so that their counters show.

use std::sync::Arc;

use flow::{Flow, Mask};
use openflow::action::{Action, Controller};
use openflow::msg::{FlowModFlags, PacketInReason};
use openflow::{Cookie, TableId};

use super::Ofproto;
use super::rule::{Rule, RuleInput};
use crate::classifier::MiniMatch;

/// The register-0 value of each internal rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Internal {
    /// To the controller.
    Miss = 1,
    NoPacketIn = 2,
    DropFrags = 3,
}

impl Ofproto {
    pub(super) fn add_internal_rules(&self) {
        let to_controller = Action::Controller(Box::new(Controller {
            reason: PacketInReason::ImplicitMiss,
            ..Controller::default()
        }));
        let mut recirc = Mask::NONE;
        recirc.0.recirc_id = u32::MAX;
        self.add_internal(2, &Flow::ZERO, &recirc, vec![]);
        for (which, actions) in [
            (Internal::Miss, vec![to_controller]),
            (Internal::NoPacketIn, vec![]),
            (Internal::DropFrags, vec![]),
        ] {
            let (mut flow, mut mask) = (Flow::ZERO, Mask::NONE);
            flow.regs[0] = which as u32;
            mask.0.regs[0] = u32::MAX;
            self.add_internal(0, &flow, &mask, actions);
        }
    }

    fn add_internal(&self, priority: u32, flow: &Flow, mask: &Mask, actions: Vec<Action>) {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let table = state.table_mut(TableId::INTERNAL);
        let input = RuleInput {
            table: TableId::INTERNAL,
            matching: MiniMatch::new(table.rules.intern_mask(mask), flow),
            priority,
            cookie: Cookie(0),
            idle_s: 0,
            hard_s: 0,
            importance: 0,
            flags: FlowModFlags::empty(),
            actions: actions.into(),
        };
        table.rules.insert(Arc::new(Rule::new(input, now_ms)));
    }
}
