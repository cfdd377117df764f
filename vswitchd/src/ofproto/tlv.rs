//! The TLV table: which Geneve options `tun_metadata0..63` stand for (NXT_TLV_TABLE_MOD).
//!
//! A flow key has four bytes for each of the 64 fields, so an option of more is refused; OVS shares 256 bytes among
//! them as it likes.

use std::collections::BTreeMap;
use std::sync::Arc;

use openflow::OfpError;
use openflow::msg::nicira::TlvCommand;
use openflow::msg::{TlvMap, TlvTableMod, TlvTableReply};

use super::Ofproto;
use super::State;

/// Fields that options can be mapped to.
const FIELDS_MAX: u16 = 64;
/// Bytes of all options.
const SPACE_MAX: u32 = flow::key::TUN_METADATA_LEN as u32;
/// Bytes that a field has in the flow key.
const OPTION_LEN_MAX: u8 = (flow::key::TUN_METADATA_LEN / FIELDS_MAX as usize) as u8;

/// The mappings by field number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlvTable(BTreeMap<u16, TlvMap>);

impl TlvTable {
    /// The mapping of an option, if it has one.
    pub fn find(&self, class: u16, kind: u8) -> Option<&TlvMap> {
        self.0.values().find(|m| (m.class, m.kind) == (class, kind))
    }

    pub fn iter(&self) -> impl Iterator<Item = &TlvMap> {
        self.0.values()
    }

    fn add(&mut self, map: TlvMap) -> Result<(), OfpError> {
        if map.index >= FIELDS_MAX {
            return Err(OfpError::NXTTMFC_BAD_FIELD_IDX);
        }
        if map.len == 0 || !map.len.is_multiple_of(4) || map.len > OPTION_LEN_MAX {
            return Err(OfpError::NXTTMFC_BAD_OPT_LEN);
        }
        if self.0.contains_key(&map.index) {
            return Err(OfpError::NXTTMFC_ALREADY_MAPPED);
        }
        if self.find(map.class, map.kind).is_some() {
            return Err(OfpError::NXTTMFC_DUP_ENTRY);
        }
        self.0.insert(map.index, map);
        Ok(())
    }

    fn remove(&mut self, map: TlvMap) -> Result<(), OfpError> {
        if map.index >= FIELDS_MAX {
            return Err(OfpError::NXTTMFC_BAD_FIELD_IDX);
        }
        self.0.remove(&map.index);
        Ok(())
    }
}

impl Ofproto {
    /// NXT_TLV_TABLE_MOD: all of its mappings or none.
    pub fn tlv_mod(&self, mod_: &TlvTableMod) -> Result<(), OfpError> {
        let mut state = self.lock();
        let mut next = TlvTable::clone(&state.tlvs);
        match mod_.command {
            TlvCommand::Add => mod_.maps.iter().try_for_each(|m| next.add(*m))?,
            TlvCommand::Delete => mod_.maps.iter().try_for_each(|m| next.remove(*m))?,
            TlvCommand::Clear => next.0.clear(),
        }
        let gone = |n: u16| state.tlvs.0.contains_key(&n) && !next.0.contains_key(&n);
        if (0..FIELDS_MAX).any(|n| gone(n) && is_used(&state, n)) {
            return Err(OfpError::NXTTMFC_INVALID_TLV_DEL);
        }
        state.tlvs = Arc::new(next);
        self.publish_view(&state, |_| ());
        Ok(())
    }

    pub fn tlv_table(&self) -> TlvTableReply {
        let state = self.lock();
        TlvTableReply {
            max_option_space: SPACE_MAX,
            max_fields: FIELDS_MAX,
            maps: state.tlvs.iter().copied().collect(),
        }
    }
}

/// True when a flow matches on the field.
fn is_used(state: &State, n: u16) -> bool {
    let Some(field) = flow::Field::tun_metadata(n.into()) else { return false };
    let rules = state.tables.values().flat_map(|t| t.rules.view().iter());
    rules.into_iter().any(|rule| field.get(&rule.matching.mask.to_mask().0) != 0)
}
