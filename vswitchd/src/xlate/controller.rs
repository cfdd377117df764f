//! Packets to controllers: the datapath hands them back as upcalls, with the id of a state that holds what the
//! packet-in tells.

use dpif::Action as DpAction;
use dpif::{Userspace, UserspaceKind};
use openflow::Cookie;
use openflow::action::{Action, Controller};
use openflow::msg::PacketInReason;

use super::ctx::Ctx;
use super::{TraceKind, XlateError};
use crate::recirc::{ControllerState, Frozen};

impl<'a> Ctx<'a, '_> {
    pub(super) fn controller(&mut self, c: &'a Controller, rest: &'a [Action]) {
        let pause = c.pause.then_some(rest);
        self.send_to_controller(c.max_len, c.id, c.reason, &c.userdata, c.pause, pause);
        if c.pause {
            self.exit = true;
        }
    }

    /// The table-miss packet-in.
    pub(super) fn table_miss_packet_in(&mut self) {
        self.report(TraceKind::Action, || "controller(reason=)".into());
        self.send_to_controller(u16::MAX, 0, PacketInReason::ImplicitMiss, &[], false, None);
    }

    /// Emits a controller upcall; `rest` is what a continuation goes on with.
    pub(super) fn send_to_controller(
        &mut self,
        max_len: u16,
        controller_id: u16,
        reason: PacketInReason,
        userdata: &[u8],
        pause: bool,
        rest: Option<&'a [Action]>,
    ) {
        self.commit();
        let by_table_miss = reason == PacketInReason::Action && self.rule.is_some_and(|r| r.is_table_miss());
        let reason = if by_table_miss { PacketInReason::ExplicitMiss } else { reason };
        let controller = ControllerState { reason, userdata: userdata.to_vec(), pause };
        let frozen = Frozen {
            controller: Some(controller),
            ..self.frozen(rest.map(<[Action]>::to_vec).unwrap_or_default())
        };
        let Some(recirc) = self.input.recirc.freeze(frozen) else {
            return self.fail(XlateError::NoRecircContext, || "no recirculation id is free".into());
        };
        let cookie = if self.cookie == Cookie(u64::MAX) { Cookie(0) } else { self.cookie };
        let mut userdata = vec![u8::from(!self.input.may_learn), u8::from(pause)];
        userdata.extend_from_slice(&cookie.0.to_be_bytes());
        self.out.actions.push(DpAction::Userspace(Box::new(Userspace {
            kind: UserspaceKind::Controller { reason: reason as u8, max_len, controller_id },
            cookie: recirc.id.into(),
            userdata,
        })));
        self.out.recircs.push(recirc);
    }
}
