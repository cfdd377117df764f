//! Commands that talk to nobody: parse-flow(s), parse-group, parse-actions, ofp-print, ofp-parse, print-error.

use std::io::{BufRead, Read};

use daemon::program::fatal;
use openflow::codec::{self, MatchFormat};
use openflow::msg::{ErrorMsg, FlowMod, FlowModCommand, GroupModCommand, Message};
use openflow::raw::Header;
use openflow::text::{self, Protocols};
use openflow::{OfpError, Version};

use super::conn::next_xid;
use super::flows;
use super::options::Options;

struct NoPorts;

impl flow::field::PortNames for NoPorts {
    fn number(&self, _: &str) -> Option<u32> {
        None
    }
    fn name(&self, _: u32) -> Option<String> {
        None
    }
}

/// parse-flow.
pub fn parse_flow(o: &Options, text: &str) {
    let parsed = text::flow::parse(text, FlowModCommand::Add, Some(&NoPorts)).unwrap_or_else(|e| fatal(e));
    show_flows(o, vec![parsed.flow], parsed.usable);
}

/// parse-flows.
pub fn parse_flows(o: &Options, file: &str) {
    let (lines, usable) = flows::read_file(file, Some(FlowModCommand::Add), &NoPorts);
    show_flows(o, lines.into_iter().map(|l| l.flow).collect(), usable);
}

fn show_flows(o: &Options, flows: Vec<FlowMod>, usable: Protocols) {
    println!("usable protocols: {usable}");
    let both = usable & o.allowed();
    let Some(chosen) = both.first() else { fatal("no usable protocol") };
    let version = chosen.version().unwrap_or(Version::V1_0);
    println!("chosen protocol: {chosen}");
    let format = if chosen.intersects(Protocols::NXM_ANY) { MatchFormat::Nxm } else { MatchFormat::Standard };
    for f in flows {
        let bytes = codec::encode_as(version, next_xid(), &Message::FlowMod(Box::new(f)), format);
        print!("{}", openflow::print::message(&bytes, super::print_options(o)));
    }
}

/// parse-group.
pub fn parse_group(o: &Options, text: &str) {
    let parsed = text::group::parse(text, GroupModCommand::Add, Some(&NoPorts));
    let (g, usable) = parsed.unwrap_or_else(|e| fatal(e));
    let version = (usable & o.allowed()).version().unwrap_or(Version::V1_0);
    let bytes = codec::encode(version, next_xid(), &Message::GroupMod(Box::new(g)));
    print!("{}", openflow::print::message(&bytes, super::print_options(o)));
}

fn stdin_lines() -> impl Iterator<Item = String> {
    std::io::stdin().lock().lines().map_while(Result::ok).filter(|l| {
        let t = l.trim();
        !t.is_empty() && !t.starts_with('#')
    })
}

/// The version that an argument names.
pub fn version_arg(name: &str) -> Version {
    Version::from_name(name).unwrap_or_else(|| fatal(format!("{name}: not a valid OpenFlow version")))
}

/// parse-actions, parse-instructions: hex on standard input, one list a line.
pub fn parse_actions(version: &str, instructions: bool) {
    let version = version_arg(version);
    for line in stdin_lines() {
        let hex = line.split(" # ").next().unwrap_or_default().split("&&").next().unwrap_or_default();
        let Some(bytes) = text::packet_out::hex(hex) else { fatal("Trailing garbage in hex data") };
        let ctx = openflow::action::DecodeCtx::new(version);
        let decoded = if instructions {
            openflow::action::instruction::decode(&mut openflow::wire::Reader::new(&bytes), ctx)
        } else {
            openflow::action::list::decode(&bytes, ctx)
        };
        match decoded {
            Ok(actions) => {
                let mut out = "actions=".to_owned();
                let style = text::actions::Style { ports: None, version: Some(version) };
                text::actions::format(&actions, style, &mut out);
                println!("{out}");
            }
            Err(e) => println!("bad {version:?} actions: {e}\n", version = version.name()),
        }
    }
}

/// ofp-print HEX [VERBOSITY].
pub fn ofp_print(hex: &str, verbosity: Option<&String>) {
    let text = if hex == "-" {
        let mut all = String::new();
        let _ = std::io::stdin().read_to_string(&mut all);
        all
    } else {
        hex.to_owned()
    };
    let Some(bytes) = text::packet_out::hex(&text) else { fatal("trailing garbage following hex bytes") };
    let verbosity = verbosity.map_or(2, |v| v.parse().unwrap_or(2));
    let options = openflow::print::Options { verbosity, ..Default::default() };
    print!("{}", openflow::print::message(&bytes, options));
}

/// ofp-parse FILE: messages one after the other.
pub fn ofp_parse(o: &Options, file: &str) {
    let bytes = if file == "-" {
        let mut all = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut all);
        all
    } else {
        std::fs::read(file).unwrap_or_else(|e| fatal(format!("{file}: open ({})", transport::strerror(&e))))
    };
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let size = openflow::raw::Header::parse(rest).map_or(0, |h| usize::from(h.size));
        if size < 8 || size > rest.len() {
            fatal(format!("{file}: unexpected end of file"));
        }
        let (message, tail) = rest.split_at(size);
        rest = tail;
        let options = openflow::print::Options { verbosity: o.verbosity + 2, ..Default::default() };
        print!("{}", openflow::print::message(message, options));
    }
}

/// encode-error-reply NAME REQUEST.
pub fn encode_error(name: &str, request: &str) {
    let error = OfpError::from_name(name).unwrap_or_else(|| fatal(format!("unknown error \"{name}\"")));
    let Some(request) = text::packet_out::hex(request) else { fatal("Trailing garbage in hex data") };
    let Some(header) = Header::parse(&request) else { fatal("Request is too short") };
    let version = Version::from_wire(header.version).unwrap_or(Version::V1_0);
    let reply = Message::Error(ErrorMsg::reply(error, &request));
    print!("{}", openflow::print::packet::hex(&codec::encode(version, header.xid, &reply)));
}

/// encode-hello BITMAP.
pub fn encode_hello(bitmap: &str) {
    let bits = text::number::parse_u32(bitmap).unwrap_or(0);
    let versions = openflow::VersionSet(bits);
    let version = versions.highest().unwrap_or(Version::V1_0);
    let bytes = codec::encode(version, next_xid(), &Message::Hello(openflow::msg::Hello { versions }));
    print!("{}", openflow::print::packet::hex(&bytes));
    let options = openflow::print::Options::default();
    print!("{}", openflow::print::message(&bytes, options));
}

/// parse-key-value TEXT...: the pairs that each text is split into.
pub fn parse_key_value(texts: &[String]) {
    for text in texts {
        let pairs = text::actions::key_values(text);
        let one = |(k, v): &(String, String)| if v.is_empty() { k.clone() } else { format!("{k}={v}") };
        println!("{}", pairs.iter().map(one).collect::<Vec<_>>().join(", "));
    }
}

/// print-error NAME.
pub fn print_error(name: &str) {
    let error = OfpError::from_name(name).unwrap_or_else(|| fatal(format!("unknown error \"{name}\"")));
    for v in Version::ALL {
        if let Some(c) = error.code(v) {
            let vendor = if c.vendor == 0 { "0".to_owned() } else { format!("{:#x}", c.vendor) };
            println!("OpenFlow {}: vendor {vendor}, type {}, code {}", v.number(), c.kind, c.code);
        }
    }
}
