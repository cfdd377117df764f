//! Stopping a translation that needs the datapath's answer (recirculation), and the state to go on with.

use dpif::Action as DpAction;
use openflow::action::Action;

use super::ctx::{Ctx, widen};
use super::{RecircKind, TracedRecirc, XlateError};
use crate::recirc::Frozen;

impl<'a> Ctx<'a, '_> {
    /// The state as it is, to go on with `actions`.
    pub(super) fn frozen(&self, actions: Vec<Action>) -> Frozen {
        let mut metadata = Box::new(flow::Flow::ZERO);
        super::start::restore_metadata(&mut metadata, &self.flow);
        Frozen {
            bridge: self.bridge.id,
            table: self.table,
            in_port: widen(self.flow.in_port),
            metadata,
            stack: self.stack.clone(),
            lookup: false,
            actions,
            action_set: self.action_set.iter().map(|a| (*a).clone()).collect(),
            cookie: self.cookie,
            bond: None,
            controller: None,
        }
    }

    /// Stops here: lists that are running add what is left of them.
    pub(super) fn start_freezing(&mut self) {
        self.freezing = Some(Vec::new());
    }

    /// Emits the recirculation that goes on with what is left, if translation was stopped.
    pub(super) fn finish_freezing(&mut self) {
        let Some(rest) = self.freezing.take() else { return };
        if self.has_failed() {
            return;
        }
        if let Some(pause) = self.pausing.take() {
            return self.send_paused(pause, rest);
        }
        let frozen = self.frozen(rest);
        self.recirculate(frozen, RecircKind::Other);
    }

    pub(super) fn recirculate(&mut self, frozen: Frozen, kind: RecircKind) {
        self.commit();
        match self.input.recirc.freeze(frozen) {
            Some(recirc) => {
                self.out.actions.push(DpAction::Recirc(recirc.id));
                if self.tracing() && kind == RecircKind::Conntrack {
                    let flow = Box::new(self.flow);
                    self.out.traced_recircs.push(TracedRecirc { id: recirc.id, flow, kind });
                }
                self.out.recircs.push(recirc);
            }
            None => self.fail(XlateError::NoRecircContext, || "no recirculation id is free".into()),
        }
    }
}
