//! MPLS: label stack actions and their commit. Popping the last label uncovers headers that the key does not have, so
//! translation goes on after a recirculation.

use dpif::Action as DpAction;
use dpif::action::Set;
use flow::key::MPLS_LABELS_MAX;
use flow::proto::{eth, mpls};
use flow::{Be16, Be32, Flow};
use openflow::msg::PacketInReason;

use super::XlateError;
use super::actions::Flowing;
use super::ctx::Ctx;

const LABEL_SHIFT: u32 = 12;
const TC_SHIFT: u32 = 9;
const TTL_DEFAULT: u32 = 64;

fn n_labels(flow: &Flow) -> usize {
    if !eth::is_mpls(flow.dl_type.get()) {
        return 0;
    }
    let bottom = flow.mpls.iter().position(|l| l.get() & mpls::BOS != 0);
    bottom.map_or(MPLS_LABELS_MAX, |n| n + 1)
}

impl Ctx<'_, '_> {
    fn set_lse(&mut self, bits: u32, value: u32) {
        if eth::is_mpls(self.flow.dl_type.get()) {
            let m = &mut self.out.mask.0.mpls[0];
            *m = Be32::new(m.get() | bits);
            let lse = &mut self.flow.mpls[0];
            *lse = Be32::new((lse.get() & !bits) | (value & bits));
        }
    }

    pub(super) fn set_mpls_label(&mut self, label: u32) {
        self.set_lse(mpls::LABEL_MASK, label << LABEL_SHIFT);
    }
    pub(super) fn set_mpls_tc(&mut self, tc: u8) {
        self.set_lse(mpls::TC_MASK, u32::from(tc) << TC_SHIFT);
    }
    pub(super) fn set_mpls_ttl(&mut self, ttl: u8) {
        self.set_lse(mpls::TTL_MASK, ttl.into());
    }

    pub(super) fn dec_mpls_ttl(&mut self) -> Flowing {
        if !eth::is_mpls(self.flow.dl_type.get()) {
            return Flowing::On;
        }
        let ttl = self.flow.mpls[0].get() & mpls::TTL_MASK;
        if ttl > 1 {
            self.set_lse(mpls::TTL_MASK, ttl - 1);
            return Flowing::On;
        }
        self.set_lse(mpls::TTL_MASK, ttl);
        self.send_to_controller(u16::MAX, 0, PacketInReason::InvalidTtl, &[]);
        self.warn(|| "MPLS decrement TTL exception".into());
        Flowing::Stop
    }

    pub(super) fn push_mpls(&mut self, ethertype: u16) {
        let n = n_labels(&self.flow);
        if n >= MPLS_LABELS_MAX {
            return self.fail(XlateError::TooManyMplsLabels, || "too many MPLS labels".into());
        }
        self.look_labels();
        let lse = if n > 0 {
            self.flow.mpls[0].get() & !mpls::BOS
        } else {
            self.commit();
            let ip = matches!(self.flow.dl_type.get(), eth::IP | eth::IPV6);
            if ip {
                self.out.mask.0.nw_ttl = 0xff;
                self.out.mask.0.nw_tos |= flow::proto::ip::DSCP_MASK;
            }
            let ttl = if ip { self.flow.nw_ttl.into() } else { TTL_DEFAULT };
            let tc = if ip { u32::from((self.flow.nw_tos & flow::proto::ip::DSCP_MASK) >> 2 & 7) } else { 0 };
            tc << TC_SHIFT | mpls::BOS | ttl
        };
        self.flow.mpls.rotate_right(1);
        self.flow.mpls[0] = Be32::new(lse);
        self.flow.dl_type = Be16::new(ethertype);
        if n == 0 {
            clear_l3(&mut self.flow);
        }
    }

    pub(super) fn pop_mpls(&mut self, ethertype: u16) {
        let n = n_labels(&self.flow);
        if n == 0 {
            return;
        }
        self.look_labels();
        if n > 1 {
            self.flow.mpls.rotate_left(1);
            self.flow.mpls[MPLS_LABELS_MAX - 1] = Be32::ZERO;
        } else {
            self.flow.mpls = Default::default();
        }
        self.flow.dl_type = Be16::new(ethertype);
        if n == 1 && self.was_mpls {
            self.start_freezing();
        }
    }

    fn look_labels(&mut self) {
        if eth::is_mpls(self.input.flow.dl_type.get()) {
            self.out.mask.0.mpls = [Be32::MAX; MPLS_LABELS_MAX];
        }
    }

    /// Takes off and puts on labels until the stacks agree from the bottom, then sets the top.
    pub(super) fn commit_mpls(&mut self) {
        let (want, have) = (n_labels(&self.flow), n_labels(&self.base));
        if want == have && self.flow.mpls == self.base.mpls {
            return;
        }
        let mut stack: Vec<u32> = self.base.mpls[..have].iter().map(|l| l.get()).collect();
        let target: Vec<u32> = self.flow.mpls[..want].iter().map(|l| l.get()).collect();
        let ethertype = self.flow.dl_type;
        while stack.len() > target.len() {
            stack.remove(0);
            let next = if stack.is_empty() { ethertype } else { self.base.dl_type };
            self.out.actions.push(DpAction::PopMpls { ethertype: next });
        }
        while stack.len() < target.len() {
            let lse = target[target.len() - stack.len() - 1];
            stack.insert(0, lse);
            self.out.actions.push(DpAction::PushMpls { ethertype, lse: Be32::new(lse) });
        }
        if let (Some(top), Some(wanted)) = (stack.first(), target.first())
            && top != wanted
        {
            let mask = Be32::new(!mpls::BOS);
            self.out.actions.push(DpAction::Set(Set::Mpls { lse: Be32::new(*wanted), mask }));
        }
        self.base.mpls = self.flow.mpls;
        self.base.dl_type = self.flow.dl_type;
    }
}

/// What lies under labels is not known any more.
fn clear_l3(flow: &mut Flow) {
    let old = *flow;
    *flow = Flow::ZERO;
    (flow.in_port, flow.recirc_id, flow.dl_dst, flow.dl_src) =
        (old.in_port, old.recirc_id, old.dl_dst, old.dl_src);
    (flow.vlan, flow.vlan_inner, flow.dl_type, flow.mpls) = (old.vlan, old.vlan_inner, old.dl_type, old.mpls);
    (flow.packet_type, flow.pkt_mark, flow.skb_priority) = (old.packet_type, old.pkt_mark, old.skb_priority);
    (flow.ct_state, flow.ct_zone, flow.ct_mark, flow.ct_label) =
        (old.ct_state, old.ct_zone, old.ct_mark, old.ct_label);
    (flow.metadata, flow.regs, flow.actset_output) = (old.metadata, old.regs, old.actset_output);
    (flow.tun_id, flow.tun_src, flow.tun_dst) = (old.tun_id, old.tun_src, old.tun_dst);
}
