//! Match fields: what each is called, where it lies in a `Flow`, how to read, write and check it.
//!
//! A value is a `u128` with the field's bits right-justified, whatever its size and byte order, so that copying bits
//! between fields, registers and immediates is integer arithmetic. Slow plane (translation, flow mods, text); any thread.

mod oxm;
mod prereq;
mod subfield;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use oxm::{ERICOXM_OF, NXM_NX, NXM_OF, NXOXM_ET, NXOXM_NSH, ONFOXM_ET, OXM_OF, OXM_OF_PKT_REG, Oxm};
pub use subfield::{Subfield, SubfieldError};
pub use table::{FIELDS, Field};
pub use text::{
    CT_STATE_FLAGS, PortNames, TCP_FLAGS, ValueError, flags_text, flags_text_masked, parse_port, port_text,
};
pub(crate) use text::{mac_text, write_ipv4, write_ipv6};

use std::mem::offset_of;

use crate::key::{Flow, Mask, TUN_METADATA_LEN};
use crate::proto::ofpp;

/// A field's bits, right-justified.
pub type Value = u128;

/// Whether a match may leave single bits out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Masking {
    /// All bits or none.
    Exact,
    Bitwise,
}

/// Whether actions may change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Ro,
    Rw,
}

/// What must hold for a packet to have the field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prereq {
    None,
    Ethernet,
    Arp,
    VlanVid,
    Ipv4,
    Ipv6,
    IpAny,
    Ct,
    Mpls,
    Nsh,
    Tcp,
    Udp,
    Sctp,
    Icmpv4,
    Icmpv6,
    Nd,
    NdSolicit,
    NdAdvert,
}

/// How values are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text {
    Decimal,
    Hex,
    Mac,
    Ipv4,
    Ipv6,
    CtState,
    OfPort,
    OfPortOxm,
    Frag,
    TunnelFlags,
    TcpFlags,
    PacketType,
}

/// Where the bits are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loc {
    /// `mask << shift` of the integer in `len` bytes at `off`.
    Bits { off: usize, len: usize, host: bool, shift: u32, mask: u128 },
    /// An OpenFlow port: kept in 16-bit form, reserved numbers are widened in the 32-bit form.
    Port { off: usize, is_u16: bool },
    /// Registers `first..first + len`, the first one most significant.
    Regs { first: usize, len: usize },
    /// Tunnel option field: four bytes, and a bit in the presence map.
    Option { n: usize },
}

/// Everything that is known of a field.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    pub field: Field,
    pub name: &'static str,
    /// Second name, or empty.
    pub alias: &'static str,
    /// Size of a value on the wire.
    pub n_bytes: usize,
    /// Low bits of a value that may be set (for `vlan_vid` without the "tag present" bit).
    pub n_bits: u32,
    pub masking: Masking,
    pub access: Access,
    pub prereq: Prereq,
    pub text: Text,
    pub(crate) loc: Loc,
    /// NXM and OXM headers, oldest first; empty = not on the wire.
    pub headers: &'static [Oxm],
}

/// Bytes of a tunnel option field in the key.
const OPTION_LEN: usize = TUN_METADATA_LEN / 64;

impl Field {
    /// The field's row in the table.
    pub fn info(self) -> &'static Info {
        &table::INFO[self as usize]
    }
    pub fn name(self) -> &'static str {
        self.info().name
    }
    /// By name or alias.
    pub fn from_name(name: &str) -> Option<Field> {
        FIELDS.iter().copied().find(|f| {
            let info = f.info();
            info.name == name || (!name.is_empty() && info.alias == name)
        })
    }
    fn nth(base: Field, n: usize, len: usize) -> Option<Field> {
        (n < len).then(|| FIELDS[base as usize + n])
    }
    /// `reg<n>`.
    pub fn reg(n: usize) -> Option<Field> {
        Self::nth(Field::Reg0, n, 16)
    }
    pub fn xreg(n: usize) -> Option<Field> {
        Self::nth(Field::Xreg0, n, 8)
    }
    pub fn xxreg(n: usize) -> Option<Field> {
        Self::nth(Field::Xxreg0, n, 4)
    }
    pub fn tun_metadata(n: usize) -> Option<Field> {
        Self::nth(Field::TunMetadata0, n, 64)
    }
    pub fn is_maskable(self) -> bool {
        self.info().masking == Masking::Bitwise
    }
    pub fn is_writable(self) -> bool {
        self.info().access == Access::Rw
    }
    /// The index if the field is `tun_metadata<n>`.
    pub fn option_index(self) -> Option<usize> {
        match self.info().loc {
            Loc::Option { n } => Some(n),
            _ => None,
        }
    }
    /// All bits of a value that the key can hold.
    pub fn value_mask(self) -> Value {
        match self.info().loc {
            // ICMP type and code have 16 bits in the key, since they share the place of the ports.
            Loc::Bits { mask, .. } => mask & ones(self.info().n_bytes as u32 * 8),
            Loc::Port { is_u16, .. } => ones(if is_u16 { 16 } else { 32 }),
            Loc::Regs { len, .. } => ones(len as u32 * 32),
            Loc::Option { .. } => ones(OPTION_LEN as u32 * 8),
        }
    }

    /// The field's value in `flow`.
    pub fn get(self, flow: &Flow) -> Value {
        match self.info().loc {
            Loc::Bits { off, len, host, shift, mask } => read(flow, off, len, host) >> shift & mask,
            Loc::Port { off, is_u16 } => {
                let port = read(flow, off, 4, true);
                if is_u16 || port < Value::from(ofpp::MAX) || port > 0xffff {
                    port
                } else {
                    port | 0xffff_0000
                }
            }
            Loc::Regs { first, len } => {
                flow.regs[first..first + len].iter().fold(0, |v, &reg| v << 32 | Value::from(reg))
            }
            Loc::Option { n } => read(flow, option_off(n), OPTION_LEN, false),
        }
    }

    /// Replaces the field's value in `flow`; bits that the field does not have are ignored.
    pub fn set(self, flow: &mut Flow, value: Value) {
        match self.info().loc {
            Loc::Bits { off, len, host, shift, mask } => {
                let rest = read(flow, off, len, host) & !(mask << shift);
                write(flow, off, len, host, rest | (value & mask) << shift);
            }
            Loc::Port { off, .. } => write(flow, off, 4, true, narrow_port(value)),
            Loc::Regs { first, len } => {
                for (n, reg) in flow.regs[first..first + len].iter_mut().rev().enumerate() {
                    *reg = (value >> (32 * n)) as u32;
                }
            }
            Loc::Option { n } => {
                write(flow, option_off(n), OPTION_LEN, false, value);
                flow.tun_md_present |= 1 << n;
            }
        }
        // Writing a VLAN id or priority makes the packet a tagged one.
        if matches!(self, Field::DlVlan | Field::DlVlanPcp | Field::VlanPcp) {
            flow.vlan.tci = crate::Be16::new(flow.vlan.tci.get() | crate::key::VLAN_CFI);
        }
    }

    /// The field's bits in `mask`.
    pub fn get_mask(self, mask: &Mask) -> Value {
        match self.info().loc {
            Loc::Port { off, .. } => read(&mask.0, off, 4, true) & self.value_mask(),
            _ => self.get(&mask.0) & self.value_mask(),
        }
    }

    /// Replaces the field's bits in `mask`. A port is matched as a whole.
    pub fn set_mask(self, mask: &mut Mask, bits: Value) {
        match self.info().loc {
            Loc::Port { off, .. } => write(&mut mask.0, off, 4, true, if bits == 0 { 0 } else { u128::MAX }),
            Loc::Option { n } => {
                write(&mut mask.0, option_off(n), OPTION_LEN, false, bits);
                mask.0.tun_md_present |= 1 << n;
            }
            Loc::Bits { off, len, host, shift, mask: all } => {
                let bits = if bits & self.value_mask() == self.value_mask() { all } else { bits & all };
                let rest = read(&mask.0, off, len, host) & !(all << shift);
                write(&mut mask.0, off, len, host, rest | bits << shift);
            }
            Loc::Regs { .. } => self.set(&mut mask.0, bits),
        }
        if bits != 0 && matches!(self, Field::DlVlan | Field::DlVlanPcp | Field::VlanPcp) {
            mask.0.vlan.tci = crate::Be16::new(mask.0.vlan.tci.get() | crate::key::VLAN_CFI);
        }
    }

    /// Un-wildcards `bits` of the field: a translation has looked at them.
    pub fn look(self, mask: &mut Mask, bits: Value) {
        let old = self.get_mask(mask);
        self.set_mask(mask, old | bits);
    }
}

const fn option_off(n: usize) -> usize {
    offset_of!(Flow, tun_metadata) + n * OPTION_LEN
}

/// `n_bits` one bits.
pub const fn ones(n_bits: u32) -> Value {
    if n_bits >= 128 { Value::MAX } else { (1 << n_bits) - 1 }
}

/// The 16-bit form of an OpenFlow port given in either form.
fn narrow_port(value: Value) -> Value {
    if value >= Value::from(0xffff_0000 | ofpp::MAX) { value & 0xffff } else { value }
}

fn bytes(flow: &Flow) -> &[u8] {
    flow.lines().as_flattened().as_bytes()
}

/// The integer at `off`; one fixed-size load for each length that fields have.
fn read(flow: &Flow, off: usize, len: usize, host: bool) -> Value {
    macro_rules! load {
        ($int:ty) => {{
            let raw = bytes(flow)[off..][..size_of::<$int>()].first_chunk();
            let raw = raw.copied().unwrap_or_default();
            if host { <$int>::from_le_bytes(raw).into() } else { <$int>::from_be_bytes(raw).into() }
        }};
    }
    match len {
        1 => bytes(flow)[off].into(),
        2 => load!(u16),
        4 => load!(u32),
        8 => load!(u64),
        16 => load!(u128),
        _ => bytes(flow)[off..off + len].iter().fold(0, |value, &byte| value << 8 | Value::from(byte)),
    }
}

fn write(flow: &mut Flow, off: usize, len: usize, host: bool, value: Value) {
    let raw = &mut flow.lines_mut().as_flattened_mut().as_mut_bytes()[off..off + len];
    macro_rules! store {
        ($int:ty) => {{
            let value = value as $int;
            raw.copy_from_slice(&if host { value.to_le_bytes() } else { value.to_be_bytes() })
        }};
    }
    match len {
        1 => raw[0] = value as u8,
        2 => store!(u16),
        4 => store!(u32),
        8 => store!(u64),
        16 => store!(u128),
        _ => raw.copy_from_slice(&value.to_be_bytes()[16 - len..]),
    }
}

use zerocopy::IntoBytes;

const _: () = assert!(cfg!(target_endian = "little"), "host-order fields are read as little endian");
