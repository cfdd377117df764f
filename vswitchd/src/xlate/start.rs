//! Where a translation begins, and what is done around the actions: receiving, mirrors, the action set, the mask.

use flow::{Flow, Mask};
use openflow::msg::port::PortConfig;
use openflow::{Cookie, OfPort, TableId};

use super::ctx::{Ctx, Limits, narrow};
use super::{Input, Output, Start, Trace, TraceKind, finish};
use crate::ofproto::snapshot::Port;
use crate::protocol::view::STP_ADDRESS;
use crate::recirc::Frozen;

pub(super) fn run(input: &Input<'_>, out: &mut Output) {
    out.trace = input.trace.then(Trace::default);
    let mut flow = *input.flow;
    flow.actset_output = narrow(OfPort::UNSET);
    let mut ctx = Ctx {
        input,
        out,
        bridge: input.bridge,
        flow,
        base: flow,
        table: TableId(0),
        rule: None,
        cookie: Cookie(u64::MAX),
        limits: Limits::default(),
        exit: false,
        in_group: false,
        in_action_set: false,
        stack: Vec::new(),
        action_set: Vec::new(),
        freezing: None,
        pausing: None,
        mirrored: 0,
        was_mpls: flow::proto::eth::is_mpls(flow.dl_type.get()),
    };
    always_looked_at(&mut ctx.out.mask, &flow);
    ctx.looks_at_bridge();
    let title = format_args!("bridge(\"{}\")", input.bridge.name).to_string();
    ctx.nested(
        TraceKind::Bridge,
        || title,
        |ctx| match input.start {
            Start::Pipeline => ctx.start_pipeline(),
            Start::Actions(actions) => {
                ctx.run_actions(actions, true);
                ctx.run_action_set();
            }
            Start::Frozen(frozen) => ctx.thaw(frozen),
        },
    );
    ctx.finish_freezing();
    finish::finish(ctx);
}

/// Bits that every megaflow has.
fn always_looked_at(mask: &mut Mask, flow: &Flow) {
    let m = &mut mask.0;
    m.in_port = u32::MAX;
    m.recirc_id = u32::MAX;
    m.packet_type = flow::Be32::MAX;
    m.dl_type = flow::Be16::MAX;
    if matches!(flow.dl_type.get(), flow::proto::eth::IP | flow::proto::eth::IPV6) {
        m.nw_frag = flow::key::NW_FRAG_ANY | flow::key::NW_FRAG_LATER;
    }
}

impl<'a> Ctx<'a, '_> {
    fn start_pipeline(&mut self) {
        if self.is_special(self.in_port()) {
            return self.pass_first_table(TableId(0));
        }
        let port = self.port(self.in_port());
        if port.is_some_and(|p| !self.may_receive(p)) {
            self.detail(|| "port is not allowed to receive, dropping".into());
            return;
        }
        self.mirror_ingress();
        self.first_table(TableId(0));
        self.run_action_set();
        self.hold_back(self.in_port(), 0);
    }

    /// A spanning tree does not let `port` forward: NORMAL has seen the packet and learned, but nothing leaves. Actions
    /// from number `n` on are those of the packet.
    pub(super) fn hold_back(&mut self, port: OfPort, n: usize) {
        if !self.bridge.protocols.port(port).forwards() && self.out.actions.len() > n {
            self.out.actions.truncate(n);
            self.freezing = None;
            self.detail(|| "port is not in forwarding state, dropping".into());
        }
    }

    /// Port settings that drop what comes in.
    pub(super) fn may_receive(&mut self, port: &Port) -> bool {
        let view = self.bridge.protocols.port(port.number);
        if !view.forwards() && !view.learns() {
            return false;
        }
        let stp = port.config.intersects(PortConfig::NO_RECV | PortConfig::NO_RECV_STP);
        if !stp {
            return true;
        }
        self.out.mask.0.dl_dst = [0xff; 6];
        let wanted =
            if self.flow.dl_dst == STP_ADDRESS { PortConfig::NO_RECV_STP } else { PortConfig::NO_RECV };
        !port.config.contains(wanted)
    }

    fn thaw(&mut self, frozen: &'a Frozen) {
        if let Some(bundle) = frozen.bond {
            return self.thaw_bond(bundle);
        }
        self.table = frozen.table;
        self.cookie = frozen.cookie;
        self.stack.extend(&frozen.stack);
        self.action_set.extend(&frozen.action_set);
        restore_metadata(&mut self.flow, &frozen.metadata);
        self.flow.in_port = narrow(frozen.in_port);
        self.base = self.flow;
        let table = frozen.table;
        self.nested(
            TraceKind::Thaw,
            || "thaw".into(),
            |ctx| {
                ctx.report(TraceKind::Thaw, || format!("Resuming from table {}", table.0));
            },
        );
        if frozen.lookup {
            self.first_table(table);
        } else {
            self.run_actions(&frozen.actions, true);
        }
        self.run_action_set();
    }
}

/// Copies what a packet loses on its way through the datapath.
pub fn restore_metadata(flow: &mut Flow, saved: &Flow) {
    flow.metadata = saved.metadata;
    flow.regs = saved.regs;
    flow.actset_output = saved.actset_output;
}

/// Zeroes what a datapath key does not have.
pub fn clear_pipeline(flow: &mut Flow) {
    flow.metadata = flow::Be64::ZERO;
    flow.regs = Default::default();
    (flow.actset_output, flow.conj_id) = (0, 0);
}
