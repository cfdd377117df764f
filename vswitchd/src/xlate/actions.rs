//! The dispatch of actions: one line each; the families have a file each.

use openflow::action::Action;

use super::ctx::Ctx;
use super::{NESTING_MAX, TraceKind, XlateError};

/// Whether a list goes on after an action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flowing {
    On,
    /// No more of this list.
    Stop,
}

impl<'a> Ctx<'a, '_> {
    /// Runs a list. `is_last`: nothing follows it in the whole translation.
    pub(super) fn run_actions(&mut self, actions: &'a [Action], is_last: bool) -> Flowing {
        if self.limits.nesting >= NESTING_MAX {
            self.fail(XlateError::RecursionTooDeep, || "lists of actions nested too deep".into());
            return Flowing::Stop;
        }
        self.limits.nesting += 1;
        let mut end = Flowing::On;
        if actions.is_empty() {
            self.report(TraceKind::Action, || "drop".into());
        }
        for (n, action) in actions.iter().enumerate() {
            if self.exit {
                break;
            }
            let rest = &actions[n + 1..];
            if self.tracing() {
                let text = action_text(action);
                self.report(TraceKind::Action, || text);
            }
            end = self.run_action(action, rest, is_last && rest.is_empty());
            if let Some(frozen) = &mut self.freezing {
                frozen.extend_from_slice(rest);
                break;
            }
            if end == Flowing::Stop {
                break;
            }
        }
        self.limits.nesting -= 1;
        end
    }

    fn run_action(&mut self, action: &'a Action, rest: &'a [Action], is_last: bool) -> Flowing {
        match action {
            Action::Output { port, max_len } => self.output(*port, *max_len, is_last),
            Action::OutputReg { src, max_len } => self.output_reg(*src, *max_len),
            Action::OutputTrunc { port, max_len } => self.output_trunc(*port, *max_len),
            Action::Controller(c) => self.controller(c),
            Action::Enqueue { port, queue } => self.enqueue(*port, *queue),
            Action::Group(id) => self.group(*id, is_last),
            Action::Bundle(b) => self.bundle(b),

            Action::SetField(s) => self.set_field(s),
            Action::RegMove(m) => self.reg_move(m),
            Action::StackPush(s) => self.stack_push(*s),
            Action::StackPop(s) => self.stack_pop(*s),
            Action::SetVlanVid { vid, push_if_needed } => self.set_vlan_vid(*vid, *push_if_needed),
            Action::SetVlanPcp { pcp, push_if_needed } => self.set_vlan_pcp(*pcp, *push_if_needed),
            Action::StripVlan | Action::PopVlan => self.pop_vlan(),
            Action::PushVlan(ethertype) => self.push_vlan(*ethertype),
            Action::SetEthSrc(mac) => self.set_eth_src(*mac),
            Action::SetEthDst(mac) => self.set_eth_dst(*mac),
            Action::SetIpv4Src(addr) => self.set_ipv4_src(*addr),
            Action::SetIpv4Dst(addr) => self.set_ipv4_dst(*addr),
            Action::SetIpDscp(tos) => self.set_ip_dscp(*tos),
            Action::SetIpEcn(ecn) => self.set_ip_ecn(*ecn),
            Action::SetIpTtl(ttl) => self.set_ip_ttl(*ttl),
            Action::SetL4Src(port) => self.set_l4(*port, true),
            Action::SetL4Dst(port) => self.set_l4(*port, false),
            Action::DecTtl { ids, .. } => return self.dec_ttl(ids),
            Action::SetMplsLabel(label) => self.set_mpls_label(*label),
            Action::SetMplsTc(tc) => self.set_mpls_tc(*tc),
            Action::SetMplsTtl(ttl) => self.set_mpls_ttl(*ttl),
            Action::DecMplsTtl => return self.dec_mpls_ttl(),
            Action::PushMpls(ethertype) => self.push_mpls(*ethertype),
            Action::PopMpls(ethertype) => self.pop_mpls(*ethertype),
            Action::DecNshTtl => return self.dec_nsh_ttl(),
            Action::DeleteField(field) => self.delete_field(*field),

            Action::SetTunnel { id, .. } => self.flow.tun_id = flow::Be64::new(*id),
            Action::SetQueue(queue) => self.set_queue(*queue),
            Action::PopQueue => self.pop_queue(),
            Action::FinTimeout { idle_s, hard_s } => self.fin_timeout(*idle_s, *hard_s),

            Action::Resubmit(r) => self.resubmit(r),
            Action::Learn(l) => self.learn(l),
            Action::Conjunction { .. } => {
                self.warn(|| "conjunction action found: the rule should not have been a winner".into());
            }
            Action::Multipath(m) => self.multipath(m),
            Action::Note(_) => {}
            Action::Exit => self.exit = true,
            Action::Sample(s) => self.sample(s),
            Action::Clone(list) => self.clone_actions(list),
            Action::Ct(ct) => self.ct(ct),
            Action::Nat(_) => {}
            Action::CtClear => self.ct_clear(),
            Action::Encap(_) | Action::Decap { .. } => {
                self.fail(XlateError::UnsupportedPacketType, || "encap and decap are not supported".into());
            }
            Action::CheckPktLarger { len, dst } => return self.check_pkt_larger(*len, *dst, rest),
            Action::DebugSlow => self.out.slow |= super::slow::ACTION,
            Action::DebugRecirc => self.start_freezing(),

            Action::Meter(id) => self.meter(*id),
            Action::ClearActions => self.clear_actions(),
            Action::WriteActions(list) => self.write_actions(list),
            Action::WriteMetadata(m) => self.write_metadata(m.value, m.mask),
            Action::GotoTable(table) => self.goto_table(*table),
        }
        Flowing::On
    }
}

pub(super) use crate::text::action as action_text;
