//! `encap(...)` and `decap(...)`.

use super::raw::{self, Code};
use super::{Action, Encap, NshTlv};
use crate::error::OfpError;
use crate::wire::{Decode, Put, Reader};

/// Packet types: Ethernet, NSH as ethertype, "the next protocol of the header".
const PT_ETH: u32 = 0;
const PT_NSH: u32 = 0x0001_894f;
const PT_MPLS: u32 = 0x0001_8847;
const PT_MPLS_MC: u32 = 0x0001_8848;
/// Decap: the packet type that the removed header says.
const PT_USE_NEXT_PROTO: u32 = 0x0000_fffe;
const CLASS_NSH: u16 = 4;
const PROP_MD_TYPE: u8 = 1;
const PROP_TLV: u8 = 2;

pub(super) fn decode_encap(r: &mut Reader<'_>) -> Decode<Action> {
    r.skip(2)?;
    let packet_type = r.u32()?;
    let mut props = Reader::with(r.rest(), OfpError::NXBAC_BAD_ED_PROP);
    let encap = match packet_type {
        PT_ETH => Encap::Ethernet,
        PT_MPLS | PT_MPLS_MC => Encap::Mpls(packet_type as u16),
        PT_NSH => return nsh(&mut props),
        _ => return Err(OfpError::NXBAC_BAD_HEADER_TYPE),
    };
    if props.is_empty() { Ok(Action::Encap(Box::new(encap))) } else { Err(OfpError::NXBAC_UNKNOWN_ED_PROP) }
}

fn nsh(props: &mut Reader<'_>) -> Decode<Action> {
    let (mut md_type, mut tlvs) = (None, Vec::new());
    while !props.is_empty() {
        let mut head = props.clone();
        let class = head.u16()?;
        let kind = head.u8()?;
        let len = usize::from(head.u8()?);
        if len < 4 || len > props.len() {
            return Err(OfpError::NXBAC_BAD_ED_PROP);
        }
        let mut body = props.sub(len)?;
        body.skip(4)?;
        props.skip_up_to(len.next_multiple_of(8) - len);
        match (class, kind) {
            (CLASS_NSH, PROP_MD_TYPE) => md_type = Some(body.u8()?),
            (CLASS_NSH, PROP_TLV) => {
                let (class, kind, len) = (body.u16()?, body.u8()?, usize::from(body.u8()?));
                tlvs.push(NshTlv { class, kind, value: body.bytes(len)?.to_vec() });
            }
            _ => return Err(OfpError::NXBAC_UNKNOWN_ED_PROP),
        }
    }
    Ok(Action::Encap(Box::new(Encap::Nsh { md_type, tlvs })))
}

pub(super) fn decode_decap(r: &mut Reader<'_>) -> Decode<Action> {
    r.skip(2)?;
    let packet_type = r.u32()?;
    Ok(Action::Decap { new_packet_type: (packet_type != PT_USE_NEXT_PROTO).then_some(packet_type) })
}

pub(super) fn encode_encap(w: &mut Vec<u8>, e: &Encap) {
    raw::put(w, Code::Nx(46), |w| {
        w.zeros(2);
        match e {
            Encap::Ethernet => w.u32(PT_ETH),
            Encap::Mpls(ethertype) => w.u32(1 << 16 | u32::from(*ethertype)),
            Encap::Nsh { md_type, tlvs } => {
                w.u32(PT_NSH);
                if let Some(md_type) = md_type {
                    put_prop(w, PROP_MD_TYPE, |w| {
                        w.u8(*md_type);
                        w.zeros(3);
                    });
                }
                for tlv in tlvs {
                    put_prop(w, PROP_TLV, |w| {
                        w.u16(tlv.class);
                        w.u8(tlv.kind);
                        w.u8(tlv.value.len() as u8);
                        w.bytes(&tlv.value);
                    });
                }
            }
        }
    });
}

fn put_prop(w: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = w.len();
    w.u16(CLASS_NSH);
    w.u8(kind);
    w.u8(0);
    body(w);
    w[start + 3] = (w.len() - start) as u8;
    w.pad(start, 8);
}

pub(super) fn encode_decap(w: &mut Vec<u8>, new: Option<u32>) {
    raw::put(w, Code::Nx(47), |w| {
        w.zeros(2);
        w.u32(new.unwrap_or(PT_USE_NEXT_PROTO));
    });
}
