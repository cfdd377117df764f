//! `Match`: a flow with a mask, as flow tables, flow mods and megaflows are written. Text in `ovs-ofctl` syntax both
//! ways (`text`, `parse`), normalisation (`normalize`). The datapath's own syntax is in `odp`. Slow plane; any thread.

mod normalize;
mod packet;
mod parse;
#[cfg(test)]
mod tests;
mod text;

pub use parse::{KeyValues, MatchError, PROTOCOLS, Protocol};
pub use text::DEFAULT_PRIORITY;

use crate::field::{Field, Value};
use crate::key::{Be16, Be32, Flow, Mask};
use crate::proto::packet_type;

/// Value and mask; bits of the value outside the mask are zero.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Match {
    pub flow: Flow,
    pub mask: Mask,
}

/// `dl_vlan` value that means "no tag" (OpenFlow 1.0).
const VLAN_NONE: Value = 0xffff;

impl Match {
    /// Matches every packet.
    pub const ANY: Match = Match { flow: Flow::ZERO, mask: Mask::NONE };

    /// The canonical form of `flow` under `mask`.
    pub fn new(flow: &Flow, mask: &Mask) -> Self {
        Self { flow: flow.masked(mask), mask: *mask }
    }

    pub fn flow(&self) -> &Flow {
        &self.flow
    }
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    pub fn matches(&self, flow: &Flow) -> bool {
        self.mask.matches(&self.flow, flow)
    }

    /// Matches `field` exactly.
    pub fn set(&mut self, field: Field, value: Value) {
        self.set_masked(field, value, field.value_mask());
    }

    /// Matches the bits `mask` of `field`; no bits = wildcards the field.
    pub fn set_masked(&mut self, field: Field, value: Value, mask: Value) {
        if field == Field::DlVlan && value == VLAN_NONE && mask != 0 {
            self.flow.vlan.tci = Be16::ZERO;
            self.mask.0.vlan.tci = Be16::MAX;
            return;
        }
        let all = field.value_mask();
        field.set_mask(&mut self.mask, mask & all);
        let value = if mask & all == all { value } else { value & mask };
        field.set(&mut self.flow, value);
        if mask == 0 {
            self.flow = self.flow.masked(&self.mask);
        }
    }

    /// The field's value and mask.
    pub fn get(&self, field: Field) -> (Value, Value) {
        (field.get(&self.flow), field.get_mask(&self.mask))
    }

    /// True for a match on plain Ethernet packets, which text leaves out.
    pub fn has_default_packet_type(&self) -> bool {
        self.mask.0.packet_type == Be32::MAX && self.flow.packet_type.get() == packet_type::ETHERNET
    }

    /// True when every packet that this matches has `field`.
    pub fn has_prerequisites(&self, field: Field) -> bool {
        let mut looked = Mask::NONE;
        field.look_present(&self.flow, &mut looked) && {
            // The type of a packet is Ethernet unless the match says otherwise.
            if self.mask.0.packet_type.is_zero() {
                looked.0.packet_type = Be32::ZERO;
            }
            // Fields that are zero by default are met by any packet only when they are matched.
            let ct = looked.0.ct_state;
            looked.0.ct_state = 0;
            looked.0.nw_frag = 0;
            self.mask.covers(&looked) && (ct == 0 || self.mask.0.ct_state & self.flow.ct_state != 0)
        }
    }
}
