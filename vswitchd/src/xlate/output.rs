//! Output: to ports, reserved ports, subfields, queues.

use dpif::Action as DpAction;
use dpif::action::Set;
use openflow::msg::PacketInReason;
use openflow::msg::port::PortConfig;
use openflow::{OfPort, QueueId, TableId};

use super::ctx::Ctx;
use crate::protocol::view::STP_ADDRESS;
use flow::Subfield;

impl<'a> Ctx<'a, '_> {
    pub(super) fn output(&mut self, port: OfPort, max_len: u16, is_last: bool) {
        self.output_truncated(port, max_len, None, is_last);
    }

    /// `output:P` for any P; `trunc` cuts the packet to so many bytes.
    fn output_truncated(&mut self, port: OfPort, max_len: u16, trunc: Option<u32>, is_last: bool) {
        match port {
            OfPort::IN_PORT => self.output_port(self.in_port(), trunc, is_last),
            OfPort::TABLE => self.table_action(self.in_port(), TableId(0), true),
            OfPort::NORMAL => self.normal(),
            OfPort::FLOOD => self.flood(false),
            OfPort::ALL => self.flood(true),
            OfPort::CONTROLLER => {
                let reason = self.implicit_reason();
                self.send_to_controller(max_len, 0, reason, &[]);
            }
            OfPort::NONE => {}
            _ if port == self.in_port() => self.warn(|| "skipping output to input port".into()),
            _ => self.output_port(port, trunc, is_last),
        }
    }

    /// The reason of a packet-in by an output action.
    fn implicit_reason(&self) -> PacketInReason {
        if self.in_group {
            PacketInReason::Group
        } else if self.in_action_set {
            PacketInReason::ActionSet
        } else {
            PacketInReason::Action
        }
    }

    /// To one port of this bridge, in whatever state the flow is now.
    pub(super) fn output_port(&mut self, number: OfPort, trunc: Option<u32>, is_last: bool) {
        let Some(port) = self.port(number) else {
            return self.warn(|| "Nonexistent output port".into());
        };
        if port.config.contains(PortConfig::NO_FWD) {
            return self.detail(|| "OFPPC_NO_FWD set, skipping output".into());
        }
        if !self.may_leave(number) {
            return;
        }
        if let Some(max) = trunc {
            self.out.actions.push(DpAction::Trunc { len_max: max });
        }
        if port.peer.is_some() {
            self.mirror_egress(port);
            return self.output_patch(port, is_last);
        }
        let Some(dp_port) = port.dp_port else {
            return self.warn(|| "Nonexistent output port".into());
        };
        self.commit();
        self.out.actions.push(DpAction::Output(dp_port));
        self.mirror_egress(port);
    }

    /// False when a spanning tree keeps packets from leaving by `number`. Its own messages pass.
    fn may_leave(&mut self, number: OfPort) -> bool {
        let Some(tree) = self.bridge.protocols.port(number).tree.filter(|t| !t.forwards) else { return true };
        if self.base.dl_dst == STP_ADDRESS {
            return true;
        }
        let name = if tree.rapid { "RSTP" } else { "STP" };
        self.detail(|| format!("{name} not in forwarding state, skipping output"));
        false
    }

    /// To all ports but the one it came from; FLOOD leaves out ports that are set to.
    fn flood(&mut self, all: bool) {
        let in_port = self.in_port();
        for port in self.bridge.ports.listed() {
            if port.number != in_port && (all || !port.config.contains(PortConfig::NO_FLOOD)) {
                self.output_port(port.number, None, false);
            }
        }
    }

    /// `output:F[a..b]`.
    pub(super) fn output_reg(&mut self, src: Subfield, max_len: u16) {
        if !self.look_present(src.field) {
            return;
        }
        src.look(self.mask());
        let value = src.get(&self.flow);
        let Ok(port) = u16::try_from(value) else {
            return self.warn(|| format!("output port {value} is out of range"));
        };
        self.detail(|| format!("output port is {port}"));
        self.output(OfPort::from_u16(port), max_len, false);
    }

    pub(super) fn output_trunc(&mut self, port: OfPort, max_len: u32) {
        match port {
            OfPort::TABLE
            | OfPort::NORMAL
            | OfPort::FLOOD
            | OfPort::ALL
            | OfPort::CONTROLLER
            | OfPort::NONE => {
                self.warn(|| "output_trunc does not support this port".into());
            }
            _ => self.output_truncated(port, 0, Some(max_len), false),
        }
    }

    pub(super) fn enqueue(&mut self, port: OfPort, queue: QueueId) {
        let port = if port == OfPort::IN_PORT { self.in_port() } else { port };
        if port == self.in_port() {
            return;
        }
        let saved = std::mem::replace(&mut self.flow.skb_priority, queue_priority(queue));
        self.output_port(port, None, false);
        self.flow.skb_priority = saved;
    }

    pub(super) fn set_queue(&mut self, queue: QueueId) {
        self.flow.skb_priority = queue_priority(queue);
    }

    pub(super) fn pop_queue(&mut self) {
        self.flow.skb_priority = self.input.flow.skb_priority;
    }

    /// Emits what changed of priority and mark.
    pub(super) fn commit_marks(&mut self) {
        if self.flow.skb_priority != self.base.skb_priority {
            let value = self.flow.skb_priority;
            self.out.actions.push(DpAction::Set(Set::SkbPriority { value, mask: u32::MAX }));
            self.base.skb_priority = value;
        }
        if self.flow.pkt_mark != self.base.pkt_mark {
            let mask = self.out.mask.0.pkt_mark;
            let mask = if mask == 0 { u32::MAX } else { mask };
            self.out.actions.push(DpAction::Set(Set::SkbMark { value: self.flow.pkt_mark & mask, mask }));
            self.base.pkt_mark = self.flow.pkt_mark;
        }
    }
}

/// Traffic class of a queue, as the userspace datapath numbers them.
fn queue_priority(queue: QueueId) -> u32 {
    queue.0
}
