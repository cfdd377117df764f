//! VLAN tags: the actions on them, and how a bundle's mode maps tags between the wire and the bridge.

use flow::key::{VLAN_CFI, Vlan};
use flow::proto::eth;
use flow::{Be16, Flow};

use super::ctx::Ctx;
use crate::ofproto::config::{PriorityTags, VlanMode};
use crate::ofproto::snapshot::Bundle;

const VID_MASK: u16 = 0x0fff;
const PCP_MASK: u16 = 0xe000;
const PCP_SHIFT: u16 = 13;
/// The mask of a tag of which every bit counts.
pub(super) const EXACT: Vlan = Vlan { tpid: Be16::MAX, tci: Be16::MAX };

/// A tag as NORMAL thinks of it: `vid` 0 = no VLAN.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tag {
    pub vid: u16,
    pub tpid: u16,
    /// In place (bits 13..16).
    pub pcp: u16,
}

/// Outer and inner tag.
pub type Tags = [Tag; 2];

/// The tags of `flow`.
pub fn extract(flow: &Flow) -> Tags {
    [flow.vlan, flow.vlan_inner].map(|v| {
        let tci = v.tci.get();
        if !eth::is_vlan(v.tpid.get()) || tci & VLAN_CFI == 0 {
            return Tag::default();
        }
        Tag { vid: tci & VID_MASK, tpid: v.tpid.get(), pcp: tci & PCP_MASK }
    })
}

/// Writes `tags` into `flow`.
pub fn put(flow: &mut Flow, tags: &Tags, priority_tags: PriorityTags) {
    let wire = |tag: &Tag, priority_tags| {
        let tci = tag.vid | tag.pcp;
        let tagged = tci != 0 || priority_tags == PriorityTags::Always;
        if !tagged {
            return Vlan::default();
        }
        let tpid = if tag.tpid == 0 { eth::VLAN } else { tag.tpid };
        Vlan { tpid: Be16::new(tpid), tci: Be16::new(tci | VLAN_CFI) }
    };
    flow.vlan = wire(&tags[0], priority_tags);
    flow.vlan_inner = wire(&tags[1], PriorityTags::Never);
}

/// From the wire of `bundle` to the bridge.
pub fn from_wire(bundle: &Bundle, tags: &Tags) -> Tags {
    let outer = tags[0];
    match bundle.vlan_mode {
        VlanMode::Access => [Tag { vid: bundle.tag, tpid: eth::VLAN, pcp: outer.pcp }, Tag::default()],
        VlanMode::Trunk => *tags,
        VlanMode::NativeTagged | VlanMode::NativeUntagged if outer.vid != 0 => *tags,
        VlanMode::NativeTagged | VlanMode::NativeUntagged => {
            [Tag { vid: bundle.tag, tpid: eth::VLAN, pcp: outer.pcp }, tags[1]]
        }
        VlanMode::Dot1qTunnel => [Tag { vid: bundle.tag, tpid: bundle.qinq_ethtype, pcp: 0 }, outer],
    }
}

/// From the bridge to the wire of `bundle`.
pub fn to_wire(bundle: &Bundle, tags: &Tags) -> Tags {
    let popped = [tags[1], Tag::default()];
    match bundle.vlan_mode {
        VlanMode::Access => [Tag::default(); 2],
        VlanMode::Trunk | VlanMode::NativeTagged => *tags,
        VlanMode::NativeUntagged if tags[0].vid == bundle.tag => popped,
        VlanMode::NativeUntagged => *tags,
        VlanMode::Dot1qTunnel => popped,
    }
}

/// True when packets with `tags` may leave by `bundle`.
pub fn may_leave(bundle: &Bundle, tags: &Tags) -> bool {
    match bundle.vlan_mode {
        VlanMode::Access => tags[0].vid == bundle.tag && tags[1].vid == 0,
        VlanMode::Dot1qTunnel => {
            tags[0].vid == bundle.tag && bundle.cvlans.as_ref().is_none_or(|c| c.contains(tags[1].vid))
        }
        _ => bundle.carries(tags[0].vid),
    }
}

/// Why a packet with VLAN `vid` may not come in by `bundle`.
pub fn refusal(bundle: &Bundle, vid: u16) -> Option<String> {
    let name = &bundle.name;
    match bundle.vlan_mode {
        VlanMode::Access if vid != 0 => Some(format!(
            "dropping VLAN {vid} tagged packet received on port {name} configured as VLAN {} access port",
            bundle.tag
        )),
        VlanMode::Access => None,
        VlanMode::NativeTagged | VlanMode::NativeUntagged if vid == 0 => None,
        VlanMode::Dot1qTunnel => {
            let excluded = bundle.cvlans.as_ref().is_some_and(|c| !c.contains(vid));
            excluded.then(|| {
                format!(
                    "dropping VLAN {vid} packet received on dot1q-tunnel port {name} that excludes this VLAN"
                )
            })
        }
        _ if !bundle.carries(vid) => Some(format!(
            "dropping VLAN {vid} packet received on port {name} not configured for trunking VLAN {vid}"
        )),
        _ => None,
    }
}

impl Ctx<'_, '_> {
    pub(super) fn look_vlan(&mut self, bits: u16) {
        let tci = &mut self.out.mask.0.vlan.tci;
        *tci = Be16::new(tci.get() | bits | VLAN_CFI);
    }

    fn is_tagged(&self) -> bool {
        self.flow.vlan.tci.get() & VLAN_CFI != 0
    }

    /// Replaces `bits` of the outer tag.
    fn set_tci(&mut self, bits: u16, value: u16, push_if_needed: bool) {
        self.look_vlan(bits);
        if !self.is_tagged() && !push_if_needed {
            return;
        }
        if !self.is_tagged() {
            self.flow.vlan.tpid = Be16::new(eth::VLAN);
        }
        let tci = self.flow.vlan.tci.get();
        self.flow.vlan.tci = Be16::new((tci & !bits) | value | VLAN_CFI);
    }

    pub(super) fn set_vlan_vid(&mut self, vid: u16, push_if_needed: bool) {
        self.set_tci(VID_MASK, vid & VID_MASK, push_if_needed);
    }

    pub(super) fn set_vlan_pcp(&mut self, pcp: u8, push_if_needed: bool) {
        self.set_tci(PCP_MASK, u16::from(pcp & 7) << PCP_SHIFT, push_if_needed);
    }

    pub(super) fn push_vlan(&mut self, ethertype: u16) {
        self.look_tags();
        self.flow.vlan_inner = self.flow.vlan;
        self.flow.vlan = Vlan { tpid: Be16::new(ethertype), tci: Be16::new(VLAN_CFI) };
    }

    /// The tag itself is looked at when the change is committed; what counts here is whether another one comes to light.
    pub(super) fn pop_vlan(&mut self) {
        if self.has_inner_tag() {
            self.out.mask.0.vlan_inner = EXACT;
        }
        self.flow.vlan = std::mem::take(&mut self.flow.vlan_inner);
    }

    /// Un-wildcards the tags that are there, before another is pushed over them.
    fn look_tags(&mut self) {
        if self.is_tagged() {
            self.out.mask.0.vlan = EXACT;
        }
        if self.has_inner_tag() {
            self.out.mask.0.vlan_inner = EXACT;
        }
    }

    /// True when a second tag is there; notes that this mattered, where a packet may have one.
    pub(super) fn has_inner_tag(&mut self) -> bool {
        const ONE_TAG: u32 = 1;
        let limit = self.input.snapshot.vlan_limit;
        if self.input.flow.vlan.tci.get() & VLAN_CFI != 0 && limit != ONE_TAG {
            let inner = &mut self.out.mask.0.vlan_inner.tci;
            *inner = Be16::new(inner.get() | VLAN_CFI);
        }
        self.flow.vlan_inner.tci.get() & VLAN_CFI != 0
    }
}
