//! Numbers in text: decimal, hexadecimal (`0x`) and octal (`0`), as C's strtoul reads them with base 0.

/// An unsigned number that fills the whole of `s`.
pub fn parse_u64(s: &str) -> Option<u64> {
    let (digits, radix) = match s.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&s[2..], 16),
        [b'0', _, ..] => (&s[1..], 8),
        _ => (s, 10),
    };
    if digits.is_empty() || digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// As `parse_u64`, in 32 bits.
pub fn parse_u32(s: &str) -> Option<u32> {
    parse_u64(s)?.try_into().ok()
}

/// As `parse_u64`, in 16 bits.
pub fn parse_u16(s: &str) -> Option<u16> {
    parse_u64(s)?.try_into().ok()
}

/// As `parse_u64`, in 8 bits.
pub fn parse_u8(s: &str) -> Option<u8> {
    parse_u64(s)?.try_into().ok()
}
