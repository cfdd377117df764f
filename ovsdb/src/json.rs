//! JSON as OVSDB needs it: a bounded parser, OVS's number rules, and OVS's way of writing.
//!
//! Objects are written with sorted names; reals with 15 significant digits, as OVS prints them.

use serde_json::{Number, Value};

/// Nesting that OVS accepts; deeper input is refused before it is parsed.
pub const DEPTH_MAX: usize = 1000;

/// Why a text is not JSON that we take.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    #[error("input exceeds maximum nesting depth {DEPTH_MAX}")]
    Depth,
    #[error("null bytes not supported in quoted strings")]
    Null,
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
}

/// Parses one JSON value that fills `text`.
///
/// # Errors
/// Bad JSON, bad UTF-8, nesting beyond [`DEPTH_MAX`], or a NUL in a string.
pub fn parse(text: &[u8]) -> Result<Value, ParseError> {
    check_depth(text)?;
    let mut de = serde_json::Deserializer::from_slice(text);
    de.disable_recursion_limit();
    let value = serde::Deserialize::deserialize(&mut de)?;
    de.end()?;
    Ok(value)
}

/// Scans brackets outside strings, so that the recursive parser cannot be driven deep.
fn check_depth(text: &[u8]) -> Result<(), ParseError> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, &b) in text.iter().enumerate() {
        if in_string {
            match b {
                _ if escaped => {
                    escaped = false;
                    if b == b'u' && text[at + 1..].starts_with(b"0000") {
                        return Err(ParseError::Null);
                    }
                }
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match b {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(ParseError::Depth);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// A JSON number as OVS sees it: integral values in the range of i64 are integers, however written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Num {
    Integer(i64),
    Real(f64),
}

/// Classifies `n`.
pub fn number(n: &Number) -> Num {
    if let Some(i) = n.as_i64() {
        return Num::Integer(i);
    }
    let f = n.as_f64().unwrap_or(f64::MAX);
    let integral = f.fract() == 0.0 && (-9.223_372_036_854_775e18..=9.223_372_036_854_775e18).contains(&f);
    if integral { Num::Integer(f as i64) } else { Num::Real(f) }
}

/// Writes `v` compactly, object names sorted.
pub fn to_string(v: &Value) -> String {
    let mut out = String::new();
    write(v, &mut out);
    out
}

/// Appends `v` compactly to `out`.
pub fn write(v: &Value, out: &mut String) {
    match v {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => match number(n) {
            Num::Integer(i) => write_integer(i, out),
            Num::Real(f) => write_real(f, out),
        },
        Value::String(s) => write_str(s, out),
        Value::Array(a) => {
            out.push('[');
            for (i, e) in a.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(e, out);
            }
            out.push(']');
        }
        Value::Object(m) => {
            out.push('{');
            for (i, (k, e)) in m.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_str(k, out);
                out.push(':');
                write(e, out);
            }
            out.push('}');
        }
    }
}

/// Appends `v` indented as `--pretty` prints it: two columns per level, closing brackets in line.
pub fn write_pretty(v: &Value, level: usize, out: &mut String) {
    fn element(first: bool, level: usize, out: &mut String) {
        out.push_str(if first { "\n" } else { ",\n" });
        out.extend(std::iter::repeat_n(' ', 2 * level));
    }
    match v {
        Value::Array(a) => {
            out.push('[');
            for (i, e) in a.iter().enumerate() {
                element(i == 0, level + 1, out);
                write_pretty(e, level + 1, out);
            }
            out.push(']');
        }
        Value::Object(m) => {
            out.push('{');
            for (i, (k, e)) in m.iter().enumerate() {
                element(i == 0, level + 1, out);
                write_str(k, out);
                out.push_str(": ");
                write_pretty(e, level + 1, out);
            }
            out.push('}');
        }
        _ => write(v, out),
    }
}

/// Appends a decimal integer.
pub fn write_integer(i: i64, out: &mut String) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut n = i.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    if i < 0 {
        out.push('-');
    }
    out.extend(digits[at..].iter().map(|&b| char::from(b)));
}

/// Appends a real as C's `%.15g` does.
pub fn write_real(f: f64, out: &mut String) {
    const DIGITS: i32 = 15;
    if f == 0.0 || !f.is_finite() {
        out.push_str(if f.is_finite() { "0" } else { "null" });
        return;
    }
    let sci = format!("{:.*e}", (DIGITS - 1) as usize, f);
    let (mantissa, exp) = sci.split_once('e').unwrap_or((&sci, "0"));
    let exp: i32 = exp.parse().unwrap_or(0);
    if (-4..DIGITS).contains(&exp) {
        let fixed = format!("{:.*}", (DIGITS - 1 - exp) as usize, f);
        out.push_str(strip_zeros(&fixed));
    } else {
        out.push_str(strip_zeros(mantissa));
        let sign = if exp < 0 { '-' } else { '+' };
        out.push_str(&format!("e{sign}{:02}", exp.abs()));
    }
}

fn strip_zeros(s: &str) -> &str {
    if s.contains('.') { s.trim_end_matches('0').trim_end_matches('.') } else { s }
}

/// Appends a quoted string.
pub fn write_str(s: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, b) in s.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.push_str(&s[from..at]);
        from = at + 1;
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            8 => out.push_str("\\b"),
            9 => out.push_str("\\t"),
            10 => out.push_str("\\n"),
            12 => out.push_str("\\f"),
            13 => out.push_str("\\r"),
            _ => out.push_str(&format!("\\u{b:04x}")),
        }
    }
    out.push_str(&s[from..]);
    out.push('"');
}

/// Whether `s` is an `<id>` of RFC 7047: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_id(s: &str) -> bool {
    let mut bytes = s.bytes();
    matches!(bytes.next(), Some(b) if b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(f: f64) -> String {
        let mut s = String::new();
        write_real(f, &mut s);
        s
    }

    #[test]
    fn reals_print_as_c_does() {
        let cases = [
            (1.5, "1.5"),
            (1e20, "1e+20"),
            (0.1, "0.1"),
            (1e-5, "1e-05"),
            (123456789012345680.0, "1.23456789012346e+17"),
            (-2.25, "-2.25"),
            (1e14, "100000000000000"),
        ];
        for (f, text) in cases {
            assert_eq!(real(f), text);
        }
    }

    #[test]
    fn integral_reals_are_integers() {
        let n = |s: &str| match parse(s.as_bytes()).unwrap() {
            Value::Number(n) => number(&n),
            other => panic!("{other}"),
        };
        assert_eq!(n("2.0"), Num::Integer(2));
        assert_eq!(n("5e0"), Num::Integer(5));
        assert_eq!(n("1.5"), Num::Real(1.5));
        assert_eq!(n("99999999999999999999"), Num::Real(1e20));
        assert_eq!(n("-9223372036854775808"), Num::Integer(i64::MIN));
    }

    #[test]
    fn depth_is_bounded_and_strings_do_not_count() {
        let deep = |n: usize| [b"[".repeat(n), b"]".repeat(n)].concat();
        assert!(parse(&deep(DEPTH_MAX)).is_ok());
        assert!(matches!(parse(&deep(DEPTH_MAX + 1)), Err(ParseError::Depth)));
        assert!(parse(format!("\"{}\"", "[".repeat(5000)).as_bytes()).is_ok());
        assert!(matches!(parse(br#""a\u0000b""#), Err(ParseError::Null)));
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn strings_are_escaped() {
        let mut s = String::new();
        write_str("a\"\\\n\u{1}é", &mut s);
        assert_eq!(s, "\"a\\\"\\\\\\n\\u0001é\"");
    }
}
