//! Values as text: each format of the field table, both ways, in OVS's syntax and words.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Field, Text, Value, ones};
use crate::proto::{ct, ofpp, tun};

/// Names of OpenFlow ports, for texts that show or take them.
pub trait PortNames {
    fn number(&self, name: &str) -> Option<u32>;
    fn name(&self, port: u32) -> Option<String>;
}

/// Why a value is refused; the wording is OVS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("{0}: bad syntax for {1} value")]
    Syntax(String, &'static str),
    #[error("{0}: value too large for {1}-byte field {2}")]
    TooLarge(String, usize, &'static str),
    #[error("{0}: invalid Ethernet address")]
    Ethernet(String),
    #[error("{0}: invalid IP address")]
    Ipv4(String),
    #[error("{0}: invalid IPv6 address")]
    Ipv6(String),
    #[error("{0}: IPv{1} network prefix bits not between 0 and {2}, inclusive")]
    Prefix(String, u8, u32),
    #[error("{0}: mask too large for {1}-byte field {2}")]
    MaskTooLarge(String, usize, &'static str),
    #[error("{0}: invalid or unknown port for {1}")]
    Port(String, &'static str),
    #[error("{0}: port value out of range for {1}")]
    PortOxm(String, &'static str),
    #[error(
        "{0}: unknown fragment type (valid types are \"no\", \"yes\", \"first\", \"later\", \"not_later\""
    )]
    Frag(String),
    #[error("{0}: unknown {1} flag(s)")]
    Flag(String, &'static str),
    #[error("{0}: Each {1} flag can be specified only once")]
    FlagTwice(String, &'static str),
    #[error("{0}: {1} flag must be preceded by '+' (for SET) or '-' (NOT SET)")]
    FlagSign(String, &'static str),
    #[error("{0}: packet_type not in parenthesis (expected (ns,type))")]
    PacketType(String),
    #[error("{0}: invalid mask for field {1}")]
    Mask(String, &'static str),
}

type Pair = (Value, Value);
type Result<T> = std::result::Result<T, ValueError>;

/// `ct_state` bits by name.
pub const CT_STATE_FLAGS: &[(&str, u32)] = &[
    ("new", ct::NEW),
    ("est", ct::EST),
    ("rel", ct::REL),
    ("rpl", ct::RPL),
    ("inv", ct::INV),
    ("trk", ct::TRK),
    ("snat", ct::SNAT),
    ("dnat", ct::DNAT),
];

/// `tcp_flags` bits by name.
pub const TCP_FLAGS: &[(&str, u32)] = &[
    ("fin", 0x001),
    ("syn", 0x002),
    ("rst", 0x004),
    ("psh", 0x008),
    ("ack", 0x010),
    ("urg", 0x020),
    ("ece", 0x040),
    ("cwr", 0x080),
    ("ns", 0x100),
    ("[200]", 0x200),
    ("[400]", 0x400),
    ("[800]", 0x800),
];

const TUN_FLAGS: &[(&str, u32)] = &[("oam", tun::OAM as u32)];

const FRAG: &[(&str, Pair)] =
    &[("no", (0, 3)), ("yes", (1, 1)), ("first", (1, 3)), ("later", (3, 3)), ("not_later", (0, 2))];

impl Field {
    /// Parses `V`, `V/M` or the field's own syntax into (value, mask). `*` and the empty text match anything.
    pub fn parse(self, text: &str, ports: Option<&dyn PortNames>) -> Result<Pair> {
        if text == "*" || text.is_empty() {
            return Ok((0, 0));
        }
        let info = self.info();
        let (value, mask) = match info.text {
            Text::Decimal | Text::Hex => self.parse_integer(text)?,
            Text::Mac => parse_mac(text)?,
            Text::Ipv4 => parse_ipv4(text)?,
            Text::Ipv6 => parse_ipv6(text)?,
            Text::CtState => parse_flags(text, "ct_state", CT_STATE_FLAGS, ct::ALL, ones(32))?,
            Text::TcpFlags => parse_flags(text, "TCP", TCP_FLAGS, 0xfff, 0xfff)?,
            Text::TunnelFlags => parse_flags(text, "tunnel", TUN_FLAGS, tun::OAM.into(), tun::OAM.into())?,
            Text::OfPort | Text::OfPortOxm => {
                let error = if info.text == Text::OfPort { ValueError::Port } else { ValueError::PortOxm };
                let port = parse_port(text, ports).ok_or_else(|| error(text.to_owned(), info.name))?;
                (wide(self, port), self.value_mask())
            }
            Text::Frag => FRAG
                .iter()
                .find(|(name, _)| *name == text)
                .map(|(_, pair)| *pair)
                .ok_or_else(|| ValueError::Frag(text.to_owned()))?,
            Text::PacketType => parse_packet_type(text)?,
        };
        let all = self.value_mask();
        if !self.is_maskable() && mask & all != 0 && mask & all != all {
            return Err(ValueError::Mask(text.to_owned(), info.name));
        }
        Ok((value, mask))
    }

    fn parse_integer(self, text: &str) -> Result<Pair> {
        let info = self.info();
        let number = |s: &str| {
            let value = parse_number(s).ok_or_else(|| ValueError::Syntax(text.to_owned(), info.name))?;
            // Only hexadecimal numbers may have more than 64 bits.
            let is_long_decimal = value > u64::MAX.into() && !s.starts_with("0x") && !s.starts_with("0X");
            if is_long_decimal || value.checked_shr(info.n_bytes as u32 * 8).unwrap_or(0) != 0 {
                return Err(ValueError::TooLarge(text.to_owned(), info.n_bytes, info.name));
            }
            Ok(value)
        };
        match text.split_once('/') {
            Some((value, mask)) => {
                let mask = number(mask).map_err(|e| match e {
                    ValueError::TooLarge(text, n, name) => ValueError::MaskTooLarge(text, n, name),
                    other => other,
                });
                Ok((number(value)?, mask?))
            }
            None => Ok((number(text)?, ones(info.n_bytes as u32 * 8))),
        }
    }

    /// Appends `V` or `V/M` in the field's format, as `set_field` and `dump-flows` of registers show it.
    pub fn format(self, value: Value, mask: Value, ports: Option<&dyn PortNames>, out: &mut String) {
        let all = self.value_mask();
        if mask & all == 0 {
            return out.push_str("ANY");
        }
        let exact = mask & all == all;
        let _ = match self.info().text {
            Text::OfPort | Text::OfPortOxm if exact => {
                out.push_str(&port_text(value as u32, ports));
                Ok(())
            }
            Text::Decimal | Text::OfPort | Text::OfPortOxm if exact => write!(out, "{value}"),
            Text::Decimal | Text::OfPort | Text::OfPortOxm => write!(out, "{value}/{}", hex(mask)),
            Text::Hex if exact => write!(out, "{}", hex(value)),
            Text::Hex => write!(out, "{}/{}", hex(value), hex(mask)),
            Text::Mac => write_mac(out, value, mask),
            Text::Ipv4 => write_ipv4(out, value as u32, mask as u32),
            Text::Ipv6 => write_ipv6(out, value, mask),
            Text::CtState => write_flags(out, CT_STATE_FLAGS, value, mask, ct::ALL),
            Text::TcpFlags => write_flags(out, TCP_FLAGS, value, mask, 0xfff),
            Text::TunnelFlags => write_flags(out, TUN_FLAGS, value, mask, tun::OAM.into()),
            Text::Frag => match FRAG.iter().find(|(_, pair)| *pair == (value, mask & all)) {
                Some((name, _)) => write!(out, "{name}"),
                None => write!(out, "<error>"),
            },
            Text::PacketType => write!(out, "({},{:#x})", value >> 16, value & 0xffff),
        };
    }
}

/// A number as C's `%#x` shows it: 0 has no prefix.
struct Hex(Value);

fn hex(value: Value) -> Hex {
    Hex(value)
}

impl std::fmt::Display for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { f.write_str("0") } else { write!(f, "{:#x}", self.0) }
    }
}

/// Decimal, `0x` hexadecimal or `0` octal.
pub(crate) fn parse_number(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    if hex.unwrap_or(digits).starts_with('+') {
        return None;
    }
    let value = match hex {
        Some(hex) => Value::from_str_radix(hex, 16).ok()?,
        None if digits.len() > 1 && digits.starts_with('0') => Value::from_str_radix(digits, 8).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}

fn parse_mac(text: &str) -> Result<Pair> {
    let error = || ValueError::Ethernet(text.to_owned());
    let one = |s: &str| -> Result<Value> {
        let mut value = 0;
        let mut n = 0;
        for part in s.split(':') {
            if part.is_empty() || part.len() > 2 || n == 6 {
                return Err(error());
            }
            value = value << 8 | Value::from(u8::from_str_radix(part, 16).map_err(|_| error())?);
            n += 1;
        }
        if n == 6 { Ok(value) } else { Err(error()) }
    };
    match text.split_once('/') {
        Some((value, mask)) => Ok((one(value)?, one(mask)?)),
        None => Ok((one(text)?, ones(48))),
    }
}

/// Four numbers and three dots; as in OVS only the low byte of each number counts.
fn ipv4(text: &str) -> Option<u32> {
    let mut address = 0;
    let mut n = 0;
    for part in text.split('.') {
        if part.is_empty() || part.len() > 9 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        address = address << 8 | (part.parse::<u32>().ok()? & 0xff);
        n += 1;
    }
    (n == 4).then_some(address)
}

fn prefix_mask(prefix: u32, width: u32) -> Value {
    ones(width) & !ones(width - prefix)
}

fn parse_ipv4(text: &str) -> Result<Pair> {
    let error = || ValueError::Ipv4(text.to_owned());
    let Some((address, mask)) = text.split_once('/') else {
        return Ok((ipv4(text).ok_or_else(error)?.into(), ones(32)));
    };
    let address = ipv4(address).ok_or_else(error)?.into();
    if let Some(mask) = ipv4(mask) {
        return Ok((address, mask.into()));
    }
    let prefix: u32 = mask.parse().map_err(|_| error())?;
    if prefix > 32 {
        return Err(ValueError::Prefix(text.to_owned(), 4, 32));
    }
    Ok((address, prefix_mask(prefix, 32)))
}

fn parse_ipv6(text: &str) -> Result<Pair> {
    let error = || ValueError::Ipv6(text.to_owned());
    let one = |s: &str| s.parse::<Ipv6Addr>().map(|a| a.to_bits());
    let Some((address, mask)) = text.split_once('/') else {
        return Ok((one(text).map_err(|_| error())?, Value::MAX));
    };
    let address = one(address).map_err(|_| error())?;
    // A leading number is a prefix length, even where an address was meant.
    let n_digits = mask.bytes().take_while(u8::is_ascii_digit).count();
    if n_digits == 0 {
        return Ok((address, one(mask).map_err(|_| error())?));
    }
    let (digits, rest) = mask.split_at(n_digits);
    let prefix: u32 = digits.parse().unwrap_or(u32::MAX);
    if prefix <= 128 && !rest.is_empty() {
        return Err(error());
    }
    if prefix > 128 {
        return Err(ValueError::Prefix(text.to_owned(), 6, 128));
    }
    Ok((address, prefix_mask(prefix, 128)))
}

const OF_PORTS: &[(&str, u32)] = &[
    ("UNSET", ofpp::UNSET),
    ("IN_PORT", ofpp::IN_PORT),
    ("TABLE", ofpp::TABLE),
    ("NORMAL", ofpp::NORMAL),
    ("FLOOD", ofpp::FLOOD),
    ("ALL", ofpp::ALL),
    ("CONTROLLER", ofpp::CONTROLLER),
    ("LOCAL", ofpp::LOCAL),
    ("NONE", ofpp::NONE),
    ("ANY", ofpp::NONE),
];

/// A decimal port number (16-bit or 32-bit form), reserved name in any case, or name that `ports` knows; in 16-bit form.
pub fn parse_port(text: &str, ports: Option<&dyn PortNames>) -> Option<u32> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let number: u32 = text.parse().ok()?;
        return match number {
            0..=0xffff => Some(number),
            0xffff_ff00.. => Some(number & 0xffff),
            _ => None,
        };
    }
    let reserved = OF_PORTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|&(_, port)| port);
    let unquoted = || text.strip_prefix('"')?.strip_suffix('"');
    reserved.or_else(|| ports?.number(unquoted().unwrap_or(text)))
}

/// A port as text: reserved name, name that `ports` gives (quoted when it could be taken for something else), number.
pub fn port_text(port: u32, ports: Option<&dyn PortNames>) -> String {
    let port = if port >= 0xffff_0000 | ofpp::MAX { port & 0xffff } else { port };
    let reserved = OF_PORTS.iter().rev().find(|&&(_, p)| p == port);
    if let Some((name, _)) = reserved {
        return (*name).to_owned();
    }
    match ports.and_then(|p| p.name(port)) {
        Some(name) if name.starts_with(|c: char| c.is_ascii_alphabetic()) && is_plain(&name) => name,
        Some(name) => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
        None => port.to_string(),
    }
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !OF_PORTS.iter().any(|(reserved, _)| reserved.eq_ignore_ascii_case(name))
}

fn wide(field: Field, port: u32) -> Value {
    let wide = field.info().text == Text::OfPortOxm && port >= ofpp::MAX;
    Value::from(if wide { port | 0xffff_0000 } else { port })
}

fn parse_packet_type(text: &str) -> Result<Pair> {
    let error = || ValueError::PacketType(text.to_owned());
    let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).ok_or_else(error)?;
    let (ns, kind) = inner.split_once(',').ok_or_else(error)?;
    let number = |s: &str| parse_number(s.trim()).filter(|&n| n <= 0xffff).ok_or_else(error);
    Ok((number(ns)? << 16 | number(kind)?, ones(32)))
}

/// `+a-b` (masked), `a|b` (exact), a number, or `V/M`.
fn parse_flags(
    text: &str,
    what: &'static str,
    names: &[(&str, u32)],
    allowed: u32,
    exact: Value,
) -> Result<Pair> {
    let unknown = |s: &str| ValueError::Flag(s.to_owned(), what);
    let bit = |s: &str| names.iter().find(|(n, _)| *n == s).map(|&(_, b)| Value::from(b));
    if text.starts_with(['+', '-']) {
        let (mut value, mut mask) = (0, 0);
        let mut rest = text;
        while !rest.is_empty() {
            let sign = rest.starts_with('+');
            if !rest.starts_with(['+', '-']) {
                return Err(ValueError::FlagSign(rest.to_owned(), what));
            }
            let end = rest[1..].find(['+', '-']).map_or(rest.len(), |n| n + 1);
            let name = &rest[1..end];
            let bit = bit(name).ok_or_else(|| unknown(name))?;
            if mask & bit != 0 {
                return Err(ValueError::FlagTwice(name.to_owned(), what));
            }
            mask |= bit;
            value |= if sign { bit } else { 0 };
            rest = &rest[end..];
        }
        return Ok((value, mask));
    }
    let number = |s: &str| match parse_number(s) {
        Some(n) if n & !Value::from(allowed) == 0 => Ok(n),
        Some(_) | None => Err(unknown(s)),
    };
    if let Some((value, mask)) = text.split_once('/') {
        return Ok((number(value)?, number(mask)?));
    }
    if parse_number(text).is_some() {
        return Ok((number(text)?, exact));
    }
    let mut value = 0;
    for name in text.split('|') {
        value |= bit(name).ok_or_else(|| unknown(name))?;
    }
    Ok((value, exact))
}

/// `a|b`, or `0` for none.
pub fn flags_text(names: &[(&str, u32)], value: u32) -> String {
    let mut set: Vec<String> =
        names.iter().filter(|(_, b)| value & b != 0).map(|(n, _)| (*n).to_owned()).collect();
    let rest = names.iter().fold(value, |v, (_, b)| v & !b);
    if rest != 0 {
        set.push(format!("{rest:#x}"));
    }
    if set.is_empty() { "0".to_owned() } else { set.join("|") }
}

/// `+a-b` for the bits of `mask`.
pub fn flags_text_masked(names: &[(&str, u32)], value: u32, mask: u32) -> String {
    let mut text = String::new();
    for (name, bit) in names.iter().filter(|(_, b)| mask & b != 0) {
        text.push(if value & bit != 0 { '+' } else { '-' });
        text.push_str(name);
    }
    text
}

fn write_flags(
    out: &mut String,
    names: &[(&str, u32)],
    value: Value,
    mask: Value,
    all: u32,
) -> std::fmt::Result {
    let mask = mask as u32 & all;
    out.push_str(&if mask == all {
        flags_text(names, value as u32)
    } else {
        flags_text_masked(names, value as u32, mask)
    });
    Ok(())
}

/// `aa:bb:cc:dd:ee:ff` of 48 bits.
pub(crate) fn mac_text(value: Value) -> String {
    let b = (value as u64).to_be_bytes();
    format!("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", b[2], b[3], b[4], b[5], b[6], b[7])
}

fn write_mac(out: &mut String, value: Value, mask: Value) -> std::fmt::Result {
    out.push_str(&mac_text(value));
    if mask & ones(48) != ones(48) {
        write!(out, "/{}", mac_text(mask))?;
    }
    Ok(())
}

pub(crate) fn write_ipv4(out: &mut String, value: u32, mask: u32) -> std::fmt::Result {
    write!(out, "{}", Ipv4Addr::from_bits(value))?;
    match mask.leading_ones() {
        32 => Ok(()),
        n if mask.checked_shl(n).unwrap_or(0) == 0 => write!(out, "/{n}"),
        _ => write!(out, "/{}", Ipv4Addr::from_bits(mask)),
    }
}

pub(crate) fn write_ipv6(out: &mut String, value: Value, mask: Value) -> std::fmt::Result {
    write!(out, "{}", Ipv6Addr::from_bits(value))?;
    match mask.leading_ones() {
        128 => Ok(()),
        n if mask.checked_shl(n).unwrap_or(0) == 0 => write!(out, "/{n}"),
        _ => write!(out, "/{}", Ipv6Addr::from_bits(mask)),
    }
}
