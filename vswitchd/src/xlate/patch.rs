//! Patch ports: the packet goes on in the peer's bridge, in the same translation.

use flow::Be64;
use openflow::{OfPort, TableId};

use super::ctx::{Ctx, narrow};
use super::{DEPTH_MAX, Effect, TraceKind, XlateError};
use crate::ofproto::snapshot::Port;

impl<'a> Ctx<'a, '_> {
    pub(super) fn output_patch(&mut self, port: &'a Port, _is_last: bool) {
        let Some((bridge, peer)) = self.input.snapshot.patch_peer(port) else {
            return self.warn(|| "Nonexistent patch port peer".into());
        };
        if self.limits.depth >= DEPTH_MAX {
            return self
                .fail(XlateError::RecursionTooDeep, || format!("over max translation depth {DEPTH_MAX}"));
        }
        self.out.effects.push(Effect::PatchTx(port.counters.clone()));
        self.out.effects.push(Effect::PatchRx(peer.counters.clone()));
        let saved = Box::new((self.flow, self.bridge, self.table, self.rule, self.cookie, self.mirrored));
        let saved_set = std::mem::take(&mut self.action_set);
        let saved_stack = std::mem::take(&mut self.stack);
        let (saved_exit, saved_in_group) = (self.exit, std::mem::take(&mut self.in_group));
        self.flow.in_port = narrow(peer.number);
        self.flow.metadata = Be64::ZERO;
        self.flow.regs = Default::default();
        self.flow.actset_output = narrow(OfPort::UNSET);
        let (n_actions, saved_base) = (self.out.actions.len(), self.base);
        self.bridge = bridge;
        self.mirrored = 0;
        self.looks_at_bridge();
        self.limits.depth += 1;
        let title = format!("bridge(\"{}\")", bridge.name);
        self.nested(
            TraceKind::Bridge,
            || title,
            |ctx| {
                if !ctx.is_special(peer.number) && ctx.may_receive(peer) {
                    ctx.mirror_ingress();
                    ctx.table = TableId(0);
                    ctx.first_table(TableId(0));
                    ctx.run_action_set();
                    if !ctx.bridge.protocols.port(peer.number).forwards() {
                        ctx.hold_back(peer.number, n_actions);
                        ctx.base = saved_base;
                    }
                }
            },
        );
        self.limits.depth -= 1;
        (self.flow, self.bridge, self.table, self.rule, self.cookie, self.mirrored) = *saved;
        self.action_set = saved_set;
        self.stack = saved_stack;
        self.in_group = saved_in_group;
        if !self.has_failed() {
            self.exit = saved_exit;
        }
    }
}
