//! `tcp,nw_src=10.0.0.0/8,tp_dst=80` to `Match`.

use super::Match;
use crate::field::{Field, PortNames, ValueError};
use crate::proto::{eth, ip};

/// Why a match text is refused; the wording is OVS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    #[error(transparent)]
    Value(#[from] ValueError),
    #[error("field {0} missing value")]
    MissingValue(String),
    #[error("unknown keyword {0}")]
    Keyword(String),
}

/// A shorthand word: Ethernet type and IP protocol (0 = any).
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    pub name: &'static str,
    pub dl_type: u16,
    pub nw_proto: u8,
}

const fn word(name: &'static str, dl_type: u16, nw_proto: u8) -> Protocol {
    Protocol { name, dl_type, nw_proto }
}

/// All shorthand words.
pub const PROTOCOLS: &[Protocol] = &[
    word("ip", eth::IP, 0),
    word("ipv4", eth::IP, 0),
    word("ip4", eth::IP, 0),
    word("arp", eth::ARP, 0),
    word("icmp", eth::IP, ip::ICMP),
    word("tcp", eth::IP, ip::TCP),
    word("udp", eth::IP, ip::UDP),
    word("sctp", eth::IP, ip::SCTP),
    word("ipv6", eth::IPV6, 0),
    word("ip6", eth::IPV6, 0),
    word("icmp6", eth::IPV6, ip::ICMPV6),
    word("tcp6", eth::IPV6, ip::TCP),
    word("udp6", eth::IPV6, ip::UDP),
    word("sctp6", eth::IPV6, ip::SCTP),
    word("rarp", eth::RARP, 0),
    word("mpls", eth::MPLS, 0),
    word("mplsm", eth::MPLS_MCAST, 0),
];

impl Match {
    /// Parses a whole match. Fields without their prerequisites are kept; call `normalize` where OVS would.
    pub fn parse(text: &str, ports: Option<&dyn PortNames>) -> Result<Match, MatchError> {
        let mut out = Match::ANY;
        for (key, value) in KeyValues::new(text) {
            if !out.parse_pair(key, value, ports)? {
                return Err(if value.is_empty() {
                    MatchError::MissingValue(key.to_owned())
                } else {
                    MatchError::Keyword(key.to_owned())
                });
            }
        }
        Ok(out)
    }

    /// Adds one `key=value` (or shorthand word, empty value) to the match; `false` when `key` is neither.
    pub fn parse_pair(
        &mut self,
        key: &str,
        value: &str,
        ports: Option<&dyn PortNames>,
    ) -> Result<bool, MatchError> {
        if let Some(protocol) = PROTOCOLS.iter().find(|p| p.name == key) {
            self.set(Field::EthType, protocol.dl_type.into());
            if protocol.nw_proto != 0 {
                self.set(Field::NwProto, protocol.nw_proto.into());
            }
            return Ok(true);
        }
        if key == "eth" {
            self.set(Field::PacketType, 0);
            return Ok(true);
        }
        let Some(field) = Field::from_name(key) else { return Ok(false) };
        if value.is_empty() && field.option_index().is_none() {
            // A field without value is a wildcard, which a port cannot be written as.
            if matches!(field, Field::InPort | Field::InPortOxm | Field::ActsetOutput) {
                return Err(ValueError::Port("0/0".to_owned(), field.name()).into());
            }
            return Ok(true);
        }
        let (value, mask) = field.parse(value, ports)?;
        self.set_masked(field, value, mask);
        Ok(true)
    }
}

/// Splits `k=v,k(v),k:v k` into pairs; parentheses in a value are kept together, those around it removed when they
/// follow the key directly.
pub struct KeyValues<'a> {
    rest: &'a str,
}

const SEPARATORS: [char; 5] = [',', ' ', '\t', '\r', '\n'];

impl<'a> KeyValues<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { rest: text }
    }
    /// What has not been split yet.
    pub fn rest(&self) -> &'a str {
        self.rest
    }
}

impl<'a> Iterator for KeyValues<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.trim_start_matches(SEPARATORS);
        if text.is_empty() {
            self.rest = text;
            return None;
        }
        let is_end = |c: char| SEPARATORS.contains(&c) || matches!(c, ':' | '=' | '(');
        let (key, after) = text.split_at(text.find(is_end).unwrap_or(text.len()));
        let value = match after.bytes().next() {
            Some(b':' | b'=') => {
                let len = value_len(&after[1..], false);
                self.rest = &after[1 + len..];
                &after[1..1 + len]
            }
            Some(b'(') => {
                let len = value_len(&after[1..], true);
                self.rest = after.get(len + 2..).unwrap_or("");
                &after[1..1 + len]
            }
            _ => {
                self.rest = after;
                ""
            }
        };
        Some((key, value))
    }
}

/// Bytes up to the closing parenthesis, or to a separator outside parentheses.
fn value_len(text: &str, in_parens: bool) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 && in_parens => return at,
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 && !in_parens && SEPARATORS.contains(&c) => return at,
            _ => {}
        }
    }
    text.len()
}
