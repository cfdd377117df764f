//! ct: connection tracking is the datapath's; the tracked packet comes back by recirculation.

use dpif::Action as DpAction;
use dpif::action::{Ct, CtNat, NatDirection};
use flow::{Be16, Be32, Flow};
use openflow::action::{Action, Conntrack, CtZoneSrc, Nat, NatKind};

use super::ctx::Ctx;
use super::{RecircKind, TraceKind};
use crate::recirc::Frozen;

const ALG_FTP: u16 = 21;
const ALG_TFTP: u16 = 69;

impl<'a> Ctx<'a, '_> {
    pub(super) fn ct(&mut self, ct: &'a Conntrack) {
        self.commit();
        let zone = match ct.zone {
            CtZoneSrc::Immediate(zone) => zone,
            CtZoneSrc::Field(src) => {
                src.look(&mut self.out.mask);
                src.get(&self.flow) as u16
            }
        };
        // Nested sets of mark and label are told to the datapath, not done here.
        let saved = Box::new(self.flow);
        (self.flow.ct_mark, self.flow.ct_label) = (0, [0; 16]);
        let saved_mask = (self.out.mask.0.ct_mark, self.out.mask.0.ct_label);
        (self.out.mask.0.ct_mark, self.out.mask.0.ct_label) = (0, [0; 16]);
        if ct.actions.iter().all(|a| matches!(a, Action::Nat(_))) {
            self.report(TraceKind::Action, || "drop".into());
        }
        let mut nat = None;
        for action in &ct.actions {
            match action {
                Action::Nat(n) => nat = Some(nat_of(n)),
                other => {
                    self.run_actions(std::slice::from_ref(other), false);
                }
            }
        }
        let m = &mut self.out.mask.0;
        let mark = (m.ct_mark != 0).then_some((self.flow.ct_mark & m.ct_mark, m.ct_mark));
        let label = (m.ct_label != [0; 16]).then_some((self.flow.ct_label, m.ct_label));
        m.ct_mark |= saved_mask.0;
        for (bits, old) in m.ct_label.iter_mut().zip(saved_mask.1) {
            *bits |= old;
        }
        let tracked = (zone, self.flow.ct_mark, self.flow.ct_label);
        self.flow = *saved;
        let helper = match ct.alg {
            ALG_FTP => Some("ftp".to_string()),
            ALG_TFTP => Some("tftp".to_string()),
            _ => None,
        };
        self.out.actions.push(DpAction::Ct(Box::new(Ct {
            commit: ct.commit,
            force: ct.force,
            zone,
            mark,
            label,
            helper,
            timeout: None,
            nat,
        })));
        if let Some(table) = ct.recirc_table {
            self.detail(|| {
                format!(
                    "A clone of the packet is forked to recirculate. The forked pipeline will be resumed at \
                     table {}.",
                    table.0
                )
            });
            let frozen = Frozen {
                table,
                lookup: true,
                action_set: Vec::new(),
                stack: Vec::new(),
                ..self.frozen(Vec::new())
            };
            // So the packet comes back, as far as one can know.
            (self.flow.ct_zone, self.flow.ct_mark, self.flow.ct_label) = tracked;
            self.recirculate(frozen, RecircKind::Conntrack);
        }
        self.detail(|| "Sets the packet to an untracked state, and clears all the conntrack fields.".into());
        self.clear_ct();
    }

    fn clear_ct(&mut self) {
        for flow in [&mut self.flow, &mut self.base] {
            (flow.ct_state, flow.ct_zone, flow.ct_mark, flow.ct_label) = (0, 0, 0, [0; 16]);
            (flow.ct_nw_src, flow.ct_nw_dst) = (Be32::ZERO, Be32::ZERO);
            (flow.ct_tp_src, flow.ct_tp_dst, flow.ct_nw_proto) = (Be16::ZERO, Be16::ZERO, 0);
            (flow.ct_ipv6_src, flow.ct_ipv6_dst) = ([0; 16], [0; 16]);
        }
    }

    pub(super) fn ct_clear(&mut self) {
        self.out.mask.0.ct_state = u32::MAX;
        if self.flow.ct_state != 0 {
            self.commit();
            self.out.actions.push(DpAction::CtClear);
        }
        self.clear_ct();
    }

    /// Runs `inner` with the original direction's addresses and ports in place of the packet's.
    pub(super) fn with_ct_tuple(&mut self, inner: impl FnOnce(&mut Self)) {
        let saved = Box::new(self.flow);
        let f = &mut self.flow;
        if f.ct_state == 0 {
            return self.warn(|| "resubmit(ct) with non-tracked or non-IP packet!".into());
        }
        (f.nw_proto, f.tp_src, f.tp_dst) = (f.ct_nw_proto, f.ct_tp_src, f.ct_tp_dst);
        (f.nw_src, f.nw_dst) = (f.ct_nw_src, f.ct_nw_dst);
        (f.ipv6_src, f.ipv6_dst) = (f.ct_ipv6_src, f.ct_ipv6_dst);
        self.base = self.flow;
        inner(self);
        let restore = |to: &mut Flow, from: &Flow| {
            (to.nw_proto, to.tp_src, to.tp_dst) = (from.nw_proto, from.tp_src, from.tp_dst);
            (to.nw_src, to.nw_dst) = (from.nw_src, from.nw_dst);
            (to.ipv6_src, to.ipv6_dst) = (from.ipv6_src, from.ipv6_dst);
        };
        restore(&mut self.flow, &saved);
        restore(&mut self.base, &saved);
    }
}

fn nat_of(nat: &Nat) -> CtNat {
    CtNat {
        direction: match nat.kind {
            NatKind::Tracked => None,
            NatKind::Src => Some(NatDirection::Src),
            NatKind::Dst => Some(NatDirection::Dst),
        },
        addr_min: nat.addr_min,
        addr_max: nat.addr_max,
        port_min: nat.port_min.unwrap_or(0),
        port_max: nat.port_max.unwrap_or(0),
        persistent: nat.persistent,
        hash: nat.hash,
        random: nat.random,
    }
}
