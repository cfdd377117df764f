//! Continuity check messages (802.1ag 21.6), in the standard form and in that of OVS, whose padding holds a wider end
//! point id, the operational state and the interval in ms.

use super::super::frame::Reader;

const OPCODE: u8 = 1;
const TLV_OFFSET: u8 = 70;
const FLAG_RDI: u8 = 0x80;
const MAID_LEN: usize = 48;
const EXTENSION_LEN: usize = 16;
/// End points of the standard form.
const MPID_MAX: u64 = 8191;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ccm {
    pub maid: [u8; MAID_LEN],
    pub mpid: u64,
    pub sequence: u32,
    pub rdi: bool,
    pub interval_code: u8,
    /// Extended form only.
    pub interval_ms: Option<i64>,
    pub opstate_up: bool,
}

/// Domain "ovs", association "ovs", both as character strings.
pub fn maid() -> [u8; MAID_LEN] {
    const MD_STRING: u8 = 4;
    const MA_STRING: u8 = 2;
    let mut maid = [0; MAID_LEN];
    maid[..5].copy_from_slice(&[MD_STRING, 3, b'o', b'v', b's']);
    maid[5..10].copy_from_slice(&[MA_STRING, 3, b'o', b'v', b's']);
    maid
}

impl Ccm {
    pub fn emit(&self, extended: bool) -> Vec<u8> {
        let rdi = if self.rdi { FLAG_RDI } else { 0 };
        let mut out = vec![0, OPCODE, self.interval_code | rdi, TLV_OFFSET];
        out.extend(self.sequence.to_be_bytes());
        let short = if extended { u16::MAX } else { self.mpid.min(MPID_MAX) as u16 };
        out.extend(short.to_be_bytes());
        out.extend(self.maid);
        if extended {
            // The standard intervals are told by their code alone.
            let ms = self.interval_ms.filter(|_| self.interval_code == 0).unwrap_or(0);
            out.extend(u16::try_from(ms).unwrap_or(u16::MAX).to_be_bytes());
            out.extend(self.mpid.to_be_bytes());
            out.push(u8::from(!self.opstate_up));
            out.extend([0; 5]);
        } else {
            out.extend([0; EXTENSION_LEN]);
        }
        // End TLV.
        out.push(0);
        out
    }

    pub fn parse(payload: &[u8], extended: bool) -> Option<Ccm> {
        let mut r = Reader(payload);
        let (_level, opcode, flags, _offset) = (r.u8()?, r.u8()?, r.u8()?, r.u8()?);
        if opcode != OPCODE {
            return None;
        }
        let (sequence, short, maid) = (r.u32()?, r.u16()?, r.array()?);
        let mut extension = Reader(r.bytes(EXTENSION_LEN)?);
        let interval_ms = i64::from(extension.u16()?);
        let (wide, down) = (extension.u64()?, extension.u8()?);
        Some(Ccm {
            maid,
            mpid: if extended { wide } else { short.into() },
            sequence,
            rdi: flags & FLAG_RDI != 0,
            interval_code: flags & 7,
            interval_ms: (extended && flags & 7 == 0).then_some(interval_ms),
            opstate_up: !extended || down == 0,
        })
    }
}
