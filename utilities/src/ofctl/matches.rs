//! Commands on matches as bytes and as lists of NXM entries: parse-nxm, parse-oxm, parse-ofp10-match,
//! parse-ofp11-match, check-vlan.

use std::io::{BufRead, Write};

use daemon::program::fatal;
use flow::{Field, Match};
use openflow::matching::oxm::{self, Head, Strictness};
use openflow::matching::{v10, v11};
use openflow::text;
use openflow::wire::Reader;
use openflow::{OfpError, Version};

use super::options::Options;

/// NXM_NX_COOKIE, which is no field of a packet.
const COOKIE: (u64, u8, &str) = (1 << 32, 30, "NXM_NX_COOKIE");

/// parse-nxm and parse-oxm: lists of entries in words on standard input; what decoding and encoding makes of them.
pub fn parse_nxm(o: &Options, version: Version) {
    let strictness = if o.strict { Strictness::Strict } else { Strictness::Loose };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            let _ = writeln!(out, "{line}");
            continue;
        }
        let shown = match parse_entries(text).map(|bytes| decode(&bytes, strictness)) {
            Ok(Ok((matching, cookie))) => entries_text(&matching, cookie, version),
            Ok(Err(e)) => format!("nx_pull_match() returned error {e}"),
            Err(e) => fatal(e),
        };
        let _ = writeln!(out, "{shown}");
    }
}

type Cookie = Option<(openflow::Cookie, u64)>;

fn decode(bytes: &[u8], strictness: Strictness) -> Result<(Match, Cookie), OfpError> {
    oxm::decode(bytes, strictness).map(|e| (e.matching, e.cookie))
}

/// `NAME(VALUE)`, `NAME_W(VALUE/MASK)` or a header in hexadecimal in place of the name, separated by commas.
fn parse_entries(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    if text == "<any>" {
        return Ok(out);
    }
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return Ok(out);
        }
        let (name, tail) = rest.split_once('(').ok_or_else(|| format!("{rest}: missing ( at end of name"))?;
        let (value, tail) = tail.split_once(')').ok_or_else(|| format!("{rest}: missing ) at end"))?;
        let (value, mask) = value.split_once('/').map_or((value, None), |(v, m)| (v, Some(m)));
        let bytes = |t: &str| text::packet_out::hex(t).ok_or_else(|| format!("{rest}: hex digits expected"));
        let (value, mask) = (bytes(value)?, mask.map(bytes).transpose()?);
        header(name, &value, mask.is_some(), &mut out)?;
        out.extend_from_slice(&value);
        out.extend(mask.into_iter().flatten());
        rest = tail;
    }
}

fn header(name: &str, value: &[u8], has_mask: bool, out: &mut Vec<u8>) -> Result<(), String> {
    let bare = name.strip_suffix("_W").filter(|_| has_mask).unwrap_or(name);
    let len = value.len() * (1 + usize::from(has_mask));
    let known = flow::field::FIELDS.iter().flat_map(|f| f.info().headers).find(|h| h.name() == bare);
    let (class, experimenter, number) = match known {
        Some(h) => (h.class(), h.experimenter(), h.number()),
        None if bare == COOKIE.2 => (1, 0, COOKIE.1),
        None => {
            let digits = u64::from_str_radix(name, 16).map_err(|_| format!("{name}: unknown field"))?;
            // The header as it is, whatever its length says.
            let bytes = digits.to_be_bytes();
            out.extend_from_slice(if name.len() > 8 { &bytes[..] } else { &bytes[4..] });
            return Ok(());
        }
    };
    Head { class, experimenter, number, has_mask, len }.put(out);
    Ok(())
}

/// The entries that `version` writes for a match, in words.
fn entries_text(matching: &Match, cookie: Cookie, version: Version) -> String {
    let mut bytes = Vec::new();
    oxm::encode(&mut bytes, matching, version);
    if let Some((cookie, mask)) = cookie {
        oxm::put_cookie(&mut bytes, cookie, mask);
    }
    let mut texts = Vec::new();
    let mut r = Reader::new(&bytes);
    while let Ok(head) = Head::pull(&mut r) {
        let Ok(body) = r.bytes(head.len) else { break };
        let hex = |b: &[u8]| b.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let (value, mask) = if head.has_mask { body.split_at(head.len / 2) } else { (body, &[][..]) };
        let name = name_of(head);
        texts.push(match head.has_mask {
            true => format!("{name}_W({}/{})", hex(value), hex(mask)),
            false => format!("{name}({})", hex(value)),
        });
    }
    if texts.is_empty() { "<any>".to_owned() } else { texts.join(", ") }
}

fn name_of(head: Head) -> String {
    let class = u64::from(head.class) << 32 | u64::from(head.experimenter);
    if (class, head.number) == (COOKIE.0, COOKIE.1) {
        return COOKIE.2.to_owned();
    }
    let headers = flow::field::FIELDS.iter().flat_map(|f| f.info().headers);
    let known = headers.into_iter().find(|h| h.0 == class && h.number() == head.number);
    known.map_or_else(|| format!("{}:{}", head.class, head.number), |h| h.name().to_owned())
}

/// The lines of standard input that hold bytes; others are passed through.
fn each_hex_line(len: usize, mut each: impl FnMut(&[u8])) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let text = line.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let Some(bytes) = text::packet_out::hex(text) else { fatal("Trailing garbage in hex data") };
        if bytes.len() != len {
            fatal(format!("Input is {} bytes, expected {len}", bytes.len()));
        }
        each(&bytes);
    }
}

fn differences(prefix: &str, a: &[u8], b: &[u8]) {
    for (n, (x, y)) in a.iter().zip(b).enumerate().filter(|(_, (x, y))| x != y) {
        println!("{prefix}{n:2}: {x:02x} -> {y:02x}");
    }
}

/// parse-ofp10-match.
pub fn parse_ofp10() {
    each_hex_line(v10::LEN, |bytes| match v10::pull(&mut Reader::new(bytes)) {
        Ok(m) => {
            println!("{}", m.format(32768, None));
            let mut back = Vec::new();
            v10::put(&mut back, &m);
            differences("", bytes, &back);
            println!();
        }
        Err(e) => println!("bad ofp10_match: {e}\n"),
    });
}

/// parse-ofp11-match.
pub fn parse_ofp11() {
    each_hex_line(v11::LEN, |bytes| match v11::pull(&mut Reader::new(bytes)) {
        Ok(m) => {
            println!("{}", m.format(32768, None));
            let mut back = Vec::new();
            v11::put(&mut back, &m);
            differences("", bytes, &back);
            println!();
        }
        Err(e) => println!("bad ofp11_match: {e}\n"),
    });
}

/// check-vlan TCI MASK: how each encoding carries a match on the tag.
pub fn check_vlan(tci: &str, mask: &str) {
    let number = |t: &str| u16::from_str_radix(t, 16).unwrap_or_else(|_| fatal(format!("{t}: bad number")));
    let mut m = Match::default();
    m.set_masked(Field::VlanTci, number(tci).into(), number(mask).into());
    let tci_of = |m: &Match| (m.flow.vlan.tci.get(), m.mask.0.vlan.tci.get());
    let raw = |m: &Match| {
        let (tci, mask) = tci_of(m);
        format!("{tci:04x}/{mask:04x}")
    };
    println!("{} -> {}", m.format(32768, None), raw(&m));
    // The text again.
    let text = m.format(32768, None);
    if let Ok(back) = Match::parse(&text, None)
        && tci_of(&back) != tci_of(&m)
    {
        println!("Text: {} != {}", raw(&back), raw(&m));
    }
    for (name, version) in [("NXM", Version::V1_0), ("OXM", Version::V1_2)] {
        let mut bytes = Vec::new();
        oxm::encode(&mut bytes, &m, version);
        let back = match decode(&bytes, Strictness::Strict) {
            Ok((m, _)) => m,
            Err(e) => fatal(format!("{name}: {e}")),
        };
        let pcp = if version == Version::V1_0 { "" } else { ",--" };
        println!("{name}: {} -> {}{pcp}", entries_text(&m, None, version), raw(&back));
    }
    let mut ten = Vec::new();
    v10::put(&mut ten, &m);
    let wildcards = u32::from_be_bytes([ten[0], ten[1], ten[2], ten[3]]);
    let bit = |n: u32| u8::from(wildcards >> n & 1 != 0);
    let back = v10::pull(&mut Reader::new(&ten)).unwrap_or_default();
    let vid = u16::from_be_bytes([ten[18], ten[19]]);
    println!("OF1.0: {vid:04x}/{},{:02x}/{} -> {}", bit(1), ten[20], bit(20), raw(&back));
    let mut eleven = Vec::new();
    v11::put(&mut eleven, &m);
    let wildcards = u32::from_be_bytes([eleven[8], eleven[9], eleven[10], eleven[11]]);
    let bit = |n: u32| u8::from(wildcards >> n & 1 != 0);
    let back = v11::pull(&mut Reader::new(&eleven)).unwrap_or_default();
    let vid = u16::from_be_bytes([eleven[36], eleven[37]]);
    println!("OF1.1: {vid:04x}/{},{:02x}/{} -> {}", bit(1), eleven[38], bit(2), raw(&back));
}
