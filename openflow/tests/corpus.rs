//! Messages recorded between Debian's ovs-ofctl and its switch, in every version (`messages.hex`, one a line): what is
//! decoded, encoded and decoded again is the same; changed and cut messages are refused or printed, never a panic;
//! and where Debian's tool is installed, both print the same.

use std::io::Write;
use std::process::Command;

use openflow::codec::{self, MatchFormat};
use openflow::print::{self, Options};

const MESSAGES: &str = include_str!("messages.hex");
const OVS_OFCTL: &str = "/usr/bin/ovs-ofctl";
/// Changed messages per recorded one.
const MUTATIONS: usize = 40;
const SEED: u64 = 0x6f76_7300;

fn messages() -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    MESSAGES.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

/// A small generator: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

#[test]
fn decoding_and_encoding_lose_nothing() {
    let mut n = 0;
    for bytes in messages() {
        let Ok((xid, message)) = codec::decode(&bytes) else { continue };
        let version = openflow::Version::from_wire(bytes[0]).unwrap();
        let is_nicira = bytes[1] == 4 || bytes.get(8..10) == Some(&[0xff, 0xff]);
        let format = if is_nicira { MatchFormat::Nxm } else { MatchFormat::Standard };
        let again = codec::encode_as(version, xid, &message, format);
        let back = codec::decode(&again).unwrap_or_else(|e| panic!("{e}: {message:?}\n{again:02x?}"));
        assert_eq!(back, (xid, message), "{version:?}");
        n += 1;
    }
    assert!(n > messages().len() * 9 / 10, "only {n} could be decoded");
}

#[test]
fn changed_messages_are_refused_or_printed() {
    let mut random = Random(SEED);
    let mut refused = 0;
    for bytes in messages() {
        for _ in 0..MUTATIONS {
            let mut bad = bytes.clone();
            for _ in 0..1 + random.next(3) {
                let at = 8 + random.next(bad.len().saturating_sub(8));
                if let Some(b) = bad.get_mut(at) {
                    *b = [0, 1, 4, 8, 0x7f, 0xff, random.next(256) as u8][random.next(7)];
                }
            }
            match random.next(6) {
                0 => bad.truncate(8 + random.next(bad.len())),
                1 => bad.extend((0..random.next(9)).map(|n| n as u8)),
                2 => bad[0] = 1 + random.next(6) as u8,
                _ => {}
            }
            let len = (bad.len() as u16).to_be_bytes();
            bad[2..4].copy_from_slice(&len);
            refused += usize::from(codec::decode(&bad).is_err());
            let text = print::message(&bad, Options { verbosity: random.next(5) as u8, ports: None });
            assert!(text.ends_with('\n'), "{text}");
        }
    }
    assert!(refused > 1000, "mutations hardly ever matter: {refused} refused");
}

/// What Debian's tool prints of each, from one run: echo requests stand between them.
fn theirs(messages: &[Vec<u8>]) -> Vec<String> {
    let mark = |n: usize| [&[1, 2, 0, 8, 0x7f][..], &(n as u32).to_be_bytes()[1..]].concat();
    let mut file = tempfile();
    for (n, bytes) in messages.iter().enumerate() {
        file.1.write_all(&mark(n)).unwrap();
        file.1.write_all(bytes).unwrap();
    }
    let output = Command::new(OVS_OFCTL).args(["ofp-parse", &file.0]).output().unwrap();
    std::fs::remove_file(&file.0).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts = text.split("OFPT_ECHO_REQUEST (xid=0x7f").skip(1);
    let body = |part: &str| part.split_once('\n').map(|(_, body)| body.to_owned()).unwrap_or_default();
    let parts: Vec<String> = parts.by_ref().map(body).collect();
    assert_eq!(parts.len(), messages.len(), "{}", String::from_utf8_lossy(&output.stderr));
    parts
}

fn tempfile() -> (String, std::fs::File) {
    let path = std::env::temp_dir().join(format!("openflow-corpus-{}", std::process::id()));
    (path.to_string_lossy().into_owned(), std::fs::File::create(&path).unwrap())
}

#[test]
fn messages_are_printed_as_debians_tool_prints_them() {
    if !std::path::Path::new(OVS_OFCTL).exists() {
        eprintln!("SKIPPED: no {OVS_OFCTL} to compare with");
        return;
    }
    let messages = messages();
    let mut differences = Vec::new();
    for (bytes, want) in messages.iter().zip(theirs(&messages)) {
        let ours = print::message(bytes, Options { verbosity: 2, ports: None });
        if ours != want {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            differences.push(format!("{hex}\n--- Debian\n{want}+++ ours\n{ours}"));
        }
    }
    let n = differences.len();
    differences.truncate(5);
    assert!(n == 0, "{n} of {} differ:\n{}", messages.len(), differences.join("\n"));
}
