//! Matches on the wire: NXM and OXM entries, the fixed structures of OpenFlow 1.0 and 1.1, and which of them a
//! version uses. The types themselves are crate `flow`'s.

pub mod oxm;
pub mod v10;
pub mod v11;

pub use flow::Match;
pub use flow::field::{Field, Subfield, Value as FieldValue};

use crate::types::Version;
use flow::field::FIELDS;

/// The same bits under another name, which `version` does not use on the wire.
fn is_alias(field: Field, version: Version) -> bool {
    let oxm = version >= Version::V1_2;
    match field {
        Field::InPort | Field::VlanTci | Field::NwTos => oxm,
        Field::InPortOxm | Field::VlanVid | Field::VlanPcp | Field::IpDscp => !oxm,
        Field::DlVlan | Field::DlVlanPcp => true,
        f if (Field::Reg0..=Field::Reg15).contains(&f) => version >= Version::V1_5,
        f if (Field::Xreg0..=Field::Xreg7).contains(&f) => version < Version::V1_5,
        f => (Field::Xxreg0..=Field::Xxreg3).contains(&f),
    }
}

/// The fields of `matching` as `version` writes them, each after its prerequisites: field, value, mask.
pub fn fields(matching: &Match, version: Version) -> Vec<(Field, FieldValue, FieldValue)> {
    let (packet, mask) = (&matching.flow, &matching.mask);
    let mut out = Vec::new();
    for &field in FIELDS {
        let m = field.get_mask(mask);
        // Fields of connections share their place with nothing: they go out even when the peer will refuse them.
        let is_ct = field.info().prereq == flow::field::Prereq::Ct;
        if m != 0
            && !field.info().headers.is_empty()
            && !is_alias(field, version)
            && (is_ct || field.is_present(packet))
        {
            out.push((field, field.get(packet) & m, m));
        }
    }
    out
}
