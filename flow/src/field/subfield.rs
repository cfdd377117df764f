//! `FIELD[a..b]`: a run of bits of a field, the operand of move, load, output and the stack.

use super::{Field, Value, ones};
use crate::key::{Flow, Mask};

/// Bits `lsb..lsb + n_bits` of `field`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Subfield {
    pub field: Field,
    pub lsb: u32,
    pub n_bits: u32,
}

/// Why text is no subfield; the wording is OVS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubfieldError {
    #[error("{0}: unknown field `{1}'")]
    Unknown(String, String),
    #[error("{0}: syntax error expecting [] or [<bit>] or [<start>..<end>]")]
    Syntax(String),
    #[error("{0}: starting bit {1} is after ending bit {2}")]
    Order(String, u32, u32),
    #[error("{0}: starting bit {1} is not valid because field is only {2} bits wide")]
    Start(String, u32, u32),
    #[error("{0}: ending bit {1} is not valid because field is only {2} bits wide")]
    End(String, u32, u32),
}

impl Subfield {
    /// All bits of `field`.
    pub fn whole(field: Field) -> Self {
        Self { field, lsb: 0, n_bits: field.info().n_bits }
    }
    fn bits(self) -> Value {
        ones(self.n_bits)
    }
    pub fn get(self, flow: &Flow) -> Value {
        self.field.get(flow) >> self.lsb & self.bits()
    }
    pub fn set(self, flow: &mut Flow, value: Value) {
        let rest = self.field.get(flow) & !(self.bits() << self.lsb);
        self.field.set(flow, rest | (value & self.bits()) << self.lsb);
    }
    pub fn get_mask(self, mask: &Mask) -> Value {
        self.field.get_mask(mask) >> self.lsb & self.bits()
    }
    /// Un-wildcards these bits.
    pub fn look(self, mask: &mut Mask) {
        self.field.look(mask, self.bits() << self.lsb);
    }

    /// Parses `NAME[a..b]`, `NAME[a]` or `NAME[]` at the start of `text`; NAME is a field or NXM/OXM name; without
    /// brackets it is the whole field. Returns what follows.
    pub fn parse_prefix(text: &str) -> Result<(Self, &str), SubfieldError> {
        let whole = || text.to_owned();
        let name_len = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
        let (name, rest) = text.split_at(name_len);
        let field = Field::from_oxm_name(name)
            .or_else(|| Field::from_name(name))
            .ok_or_else(|| SubfieldError::Unknown(whole(), name.to_owned()))?;
        let Some(rest) = rest.strip_prefix('[') else { return Ok((Self::whole(field), rest)) };
        let (range, rest) = rest.split_once(']').ok_or_else(|| SubfieldError::Syntax(whole()))?;
        let width = field.info().n_bits;
        let number = |s: &str| s.trim().parse::<u32>().map_err(|_| SubfieldError::Syntax(whole()));
        let (start, end) = match range.split_once("..") {
            _ if range.is_empty() => (0, width - 1),
            Some((a, b)) => (number(a)?, number(b)?),
            None => (number(range)?, number(range)?),
        };
        if start > end {
            return Err(SubfieldError::Order(whole(), start, end));
        }
        if start >= width {
            return Err(SubfieldError::Start(whole(), start, width));
        }
        if end >= width {
            return Err(SubfieldError::End(whole(), end, width));
        }
        Ok((Self { field, lsb: start, n_bits: end - start + 1 }, rest))
    }
}

impl std::str::FromStr for Subfield {
    type Err = SubfieldError;

    fn from_str(text: &str) -> Result<Self, SubfieldError> {
        match Self::parse_prefix(text)? {
            (subfield, "") => Ok(subfield),
            _ => Err(SubfieldError::Syntax(text.to_owned())),
        }
    }
}

/// As `ovs-ofctl` prints it: the oldest NXM or OXM name, then the bits.
impl std::fmt::Display for Subfield {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let info = self.field.info();
        f.write_str(info.headers.first().map_or(info.name, |h| h.name()))?;
        match (self.lsb, self.n_bits) {
            (0, n) if n == info.n_bits => f.write_str("[]"),
            (bit, 1) => write!(f, "[{bit}]"),
            (lsb, n) => write!(f, "[{lsb}..{}]", lsb + n - 1),
        }
    }
}
