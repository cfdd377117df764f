//! The end of a translation: the mask is brought to bits that the packet has, failures drop.

use flow::key::VLAN_CFI;
use flow::{Be16, Flow, Mask};

use super::ctx::Ctx;
use flow::proto::{eth, ip};

pub(super) fn finish(ctx: Ctx<'_, '_>) {
    let input_flow = ctx.input.flow;
    ctx.out.final_flow = ctx.flow;
    if ctx.has_failed() {
        ctx.out.actions.clear();
    }
    finish_mask(&mut ctx.out.mask, input_flow);
}

/// Leaves bits that a datapath key of this flow can have. What a packet does not have is decided by the types that
/// every mask holds, so leaving it out is right.
fn finish_mask(mask: &mut Mask, flow: &Flow) {
    let had_vlan = mask.0.vlan;
    let present = Mask::for_packet(flow);
    for (line, allowed) in mask.0.lines_mut().iter_mut().zip(present.0.lines()) {
        for (word, allowed) in line.iter_mut().zip(allowed) {
            *word &= allowed;
        }
    }
    let m = &mut mask.0;
    m.vlan = had_vlan;
    for vlan in [&mut m.vlan, &mut m.vlan_inner] {
        if !vlan.tci.is_zero() {
            vlan.tci = Be16::new(vlan.tci.get() | VLAN_CFI);
        }
    }
    let is_icmp = (flow.dl_type.get() == eth::IP && flow.nw_proto == ip::ICMP)
        || (flow.dl_type.get() == eth::IPV6 && flow.nw_proto == ip::ICMPV6);
    if is_icmp {
        // Types and codes are bytes; the high half of the 16-bit field is always zero.
        for bits in [&mut m.tp_src, &mut m.tp_dst] {
            *bits = Be16::new(bits.get() & 0xff);
        }
    }
    m.actset_output = 0;
    m.conj_id = 0;
    m.metadata = flow::Be64::ZERO;
    m.regs = Default::default();
    if m.tcp_flags != Be16::ZERO {
        m.tcp_flags = Be16::new(m.tcp_flags.get() & flow::proto::TCP_FLAGS_MASK);
    }
}
