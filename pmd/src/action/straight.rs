//! Programs that only rewrite headers and then send to one port, which most are: run over the packets in the burst's own
//! arrays, one operation at a time, without an `Item` per packet. Hot plane.

use dpif::{Action, DpPort};
use flow::Flow;
use flow::packet::{Offsets, l2, l3};

use super::Op;
use super::compile::op;
use super::exec::{push_header, rewrite_header};
use crate::megaflow::bits;
use crate::packet::{BURST, Packet};

/// See the module text.
pub struct Straight {
    ops: Box<[Op]>,
    port: DpPort,
}

/// The packets of a burst, as parallel arrays.
struct Packets<'a> {
    packets: &'a mut [Option<Packet>; BURST],
    offsets: &'a mut [Offsets; BURST],
    keys: &'a [Flow; BURST],
}

impl Straight {
    /// `actions` as a straight program, if they are one.
    pub(super) fn of(actions: &[Action]) -> Option<Straight> {
        let (last, rewrites) = actions.split_last()?;
        let &Action::Output(port) = last else { return None };
        let ops: Box<[Op]> = rewrites.iter().map(|action| op(action, false, 0)).collect();
        let is_rewrite = |op: &Op| {
            matches!(
                op,
                Op::SetEth { .. }
                    | Op::SetIpv4(_)
                    | Op::SetTtl(_)
                    | Op::SetIpv6(_)
                    | Op::SetPorts { .. }
                    | Op::SetIcmp { .. }
                    | Op::SetArp(_)
                    | Op::SetNd(_)
                    | Op::SetNdReserved { .. }
                    | Op::SetMpls { .. }
                    | Op::PushVlan(_)
                    | Op::PopVlan
                    | Op::PushMpls { .. }
                    | Op::PopMpls { .. }
            )
        };
        ops.iter().all(is_rewrite).then_some(Straight { ops, port })
    }

    /// Where the packets go afterwards.
    #[inline(always)]
    pub fn port(&self) -> DpPort {
        self.port
    }

    /// Rewrites the packets of `group` and returns the bits of those for which there was room.
    #[inline]
    pub fn rewrite(
        &self,
        packets: &mut [Option<Packet>; BURST],
        offsets: &mut [Offsets; BURST],
        keys: &[Flow; BURST],
        group: u32,
    ) -> u32 {
        let mut on = Packets { packets, offsets, keys };
        self.ops.iter().fold(group, |left, op| on.step(op, left))
    }
}

impl Packets<'_> {
    fn step(&mut self, op: &Op, group: u32) -> u32 {
        match op {
            Op::SetEth { value, mask } => self.each(group, |p, _, _| {
                l2::set_eth(p.data_mut(), value, mask);
            }),
            Op::SetTtl(ttl) => self.each(group, |p, o, _| {
                l3::set_ttl(p.data_mut(), o, *ttl);
            }),
            Op::SetIpv4(set) => self.each(group, |p, o, _| {
                l3::set_ipv4(p.data_mut(), o, set);
            }),
            Op::PushVlan(tag) => {
                return self.each_that_can(group, |p, o| {
                    p.push_front(l2::VLAN_TAG_LEN).then_some(())?;
                    l2::push_vlan(p.data_mut(), o, *tag)
                });
            }
            Op::PushMpls { .. } => return self.each_that_can(group, |p, o| push_header(op, p, o)),
            _ => self.each(group, |p, o, key| {
                rewrite_header(op, p, o, key.nw_proto);
            }),
        }
        group
    }

    /// A packet that does not have the header is left as it is, as OVS does.
    #[inline(always)]
    fn each(&mut self, group: u32, mut rewrite: impl FnMut(&mut Packet, &mut Offsets, &Flow)) {
        for at in bits(group) {
            if let Some(packet) = &mut self.packets[at] {
                rewrite(packet, &mut self.offsets[at], &self.keys[at]);
            }
        }
    }

    #[inline(always)]
    fn each_that_can(
        &mut self,
        group: u32,
        mut rewrite: impl FnMut(&mut Packet, &mut Offsets) -> Option<()>,
    ) -> u32 {
        let mut left = group;
        for at in bits(group) {
            let done = self.packets[at].as_mut().and_then(|p| rewrite(p, &mut self.offsets[at]));
            left &= !(u32::from(done.is_none()) << at);
        }
        left
    }
}
