//! Packets to controllers: the datapath hands them back as upcalls, with the id of a state that holds what the
//! packet-in tells.

use dpif::Action as DpAction;
use dpif::{Userspace, UserspaceKind};
use openflow::Cookie;
use openflow::action::{Action, Controller};
use openflow::msg::PacketInReason;

use super::ctx::{Ctx, Pause};
use super::{TraceKind, XlateError};
use crate::recirc::{ControllerState, Frozen};

impl<'a> Ctx<'a, '_> {
    pub(super) fn controller(&mut self, c: &'a Controller) {
        if c.pause {
            // What is left of every list that is running goes with the packet.
            self.pausing = Some(Pause { controller: c, table: self.table, cookie: self.cookie });
            return self.start_freezing();
        }
        self.send_to_controller(c.max_len, c.id, c.reason, &c.userdata);
    }

    /// Emits the packet-in of a `controller(pause)`, with `rest` to go on with.
    pub(super) fn send_paused(&mut self, pause: Pause<'a>, rest: Vec<Action>) {
        let c = pause.controller;
        let controller = ControllerState { reason: c.reason, userdata: c.userdata.clone(), pause: true };
        let frozen = Frozen {
            controller: Some(controller),
            table: pause.table,
            cookie: pause.cookie,
            ..self.frozen(rest)
        };
        self.emit_controller(c.max_len, c.id, frozen);
    }

    /// The table-miss packet-in.
    pub(super) fn table_miss_packet_in(&mut self) {
        self.report(TraceKind::Action, || "controller(reason=)".into());
        self.send_to_controller(u16::MAX, 0, PacketInReason::ImplicitMiss, &[]);
    }

    /// Emits a controller upcall.
    pub(super) fn send_to_controller(
        &mut self,
        max_len: u16,
        controller_id: u16,
        reason: PacketInReason,
        userdata: &[u8],
    ) {
        let by_table_miss = reason == PacketInReason::Action && self.rule.is_some_and(|r| r.is_table_miss());
        let reason = if by_table_miss { PacketInReason::ExplicitMiss } else { reason };
        let controller = ControllerState { reason, userdata: userdata.to_vec(), pause: false };
        let frozen = Frozen { controller: Some(controller), ..self.frozen(Vec::new()) };
        self.emit_controller(max_len, controller_id, frozen);
    }

    fn emit_controller(&mut self, max_len: u16, controller_id: u16, frozen: Frozen) {
        self.commit();
        let cookie = if frozen.cookie == Cookie(u64::MAX) { Cookie(0) } else { frozen.cookie };
        let (reason, pause) = match &frozen.controller {
            Some(c) => (c.reason, c.pause),
            None => (PacketInReason::Action, false),
        };
        let Some(recirc) = self.input.recirc.freeze(frozen) else {
            return self.fail(XlateError::NoRecircContext, || "no recirculation id is free".into());
        };
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
