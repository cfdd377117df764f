//! Commands on groups, meters, TLV mappings, zones and bundles.

use daemon::program::fatal;
use openflow::msg::group::BUCKET_ALL;
use openflow::msg::nicira::{TlvCommand, TlvMap, TlvTableMod};
use openflow::msg::{
    FlowModCommand, GroupMod, GroupModCommand, GroupType, Message, MeterModCommand, Selection,
};
use openflow::text::{self, Protocols};
use openflow::{GroupId, MeterId, Version};

use super::conn::{Conn, decode_or_die, print_error};
use super::names::Names;
use super::options::Options;
use super::{flows, show};

fn parse_group(text: &str, command: GroupModCommand, names: &Names, place: &str) -> (GroupMod, Protocols) {
    text::group::parse(text, command, Some(names)).unwrap_or_else(|e| fatal(format!("{place}{e}")))
}

/// add-group, mod-group, insert-buckets, remove-buckets; with a file add-groups.
pub fn modify(o: &Options, bridge: &str, text: &str, command: GroupModCommand, is_file: bool) {
    let names = Names::new(bridge, o.versions);
    let mut usable = Protocols::ANY;
    let mut groups = Vec::new();
    if is_file {
        for (n, line) in flows::lines(text) {
            let (given, body) = text::group::split_command(&line);
            let (g, p) = parse_group(body, given.unwrap_or(command), &names, &format!("{text}:{n}: "));
            usable &= p;
            groups.push(Message::GroupMod(Box::new(g)));
        }
    } else {
        let (g, p) = parse_group(text, command, &names, "");
        usable = p;
        groups.push(Message::GroupMod(Box::new(g)));
    }
    send(o, bridge, groups, usable);
}

fn send(o: &Options, bridge: &str, messages: Vec<Message>, usable: Protocols) {
    if o.bundle {
        let mut conn = flows::open(o, bridge, usable & Protocols::OF14_UP);
        return flows::bundle(&mut conn, messages.into_iter());
    }
    let mut conn = flows::open(o, bridge, usable);
    if let Err((error, _)) = conn.modify(messages.into_iter()) {
        print_error(&error);
    }
}

/// del-groups.
pub fn delete(o: &Options, bridge: &str, text: Option<&String>) {
    let names = Names::new(bridge, o.versions);
    let g = match text {
        Some(text) => parse_group(text, GroupModCommand::Delete, &names, "").0,
        None => GroupMod {
            command: GroupModCommand::Delete,
            kind: GroupType::All,
            group_id: GroupId::ALL,
            command_bucket_id: BUCKET_ALL,
            buckets: Vec::new(),
            selection: Selection::default(),
        },
    };
    send(o, bridge, vec![Message::GroupMod(Box::new(g))], Protocols::ANY);
}

fn group_id(text: Option<&String>) -> GroupId {
    match text {
        None => GroupId::ALL,
        Some(t) => text::flow::group(t.strip_prefix("group_id=").unwrap_or(t)).unwrap_or_else(|e| fatal(e)),
    }
}

/// dump-groups.
pub fn dump(o: &Options, bridge: &str, text: Option<&String>) {
    show::stats(o, bridge, &Message::GroupDescRequest(group_id(text)));
}

/// dump-group-stats.
pub fn dump_stats(o: &Options, bridge: &str, text: Option<&String>) {
    show::stats(o, bridge, &Message::GroupStatsRequest(group_id(text)));
}

const METERS: Protocols = Protocols::OF13_UP;

/// add-meter, mod-meter, del-meters.
pub fn meter(o: &Options, bridge: &str, text: &str, command: MeterModCommand) {
    let m = text::meter::parse(text, command).unwrap_or_else(|e| fatal(e));
    flows::open(o, bridge, METERS).modify_or_die(Message::MeterMod(m));
}

/// dump-meters, meter-stats, meter-features.
pub fn meter_query(o: &Options, bridge: &str, text: Option<&String>, make: fn(MeterId) -> Message) {
    let id = text.map_or(MeterId::ALL, |t| {
        text::meter::parse(t, MeterModCommand::Delete).unwrap_or_else(|e| fatal(e)).config.meter_id
    });
    let mut conn = flows::open(o, bridge, METERS);
    conn.multipart(&make(id), |bytes| print!("{}", openflow::print::message(bytes, super::print_options(o))));
}

/// add-tlv-map, del-tlv-map.
pub fn tlv(o: &Options, bridge: &str, text: Option<&String>, command: TlvCommand) {
    let mut t = TlvTableMod { command, maps: Vec::new() };
    match text {
        None => t.command = TlvCommand::Clear,
        Some(text) => t.maps = text.split(", ").flat_map(|s| s.split("},")).map(tlv_map).collect(),
    }
    Conn::open(bridge, o.versions).modify_or_die(Message::TlvTableMod(t));
}

/// `{class=0xffff,type=0,len=4}->tun_metadata0`.
fn tlv_map(text: &str) -> TlvMap {
    let bad = || -> ! { fatal(format!("invalid tlv mapping: {text}")) };
    let (option, field) = text.split_once("->").unwrap_or_else(|| bad());
    let index =
        field.trim().strip_prefix("tun_metadata").and_then(|n| n.parse().ok()).unwrap_or_else(|| bad());
    let mut map = TlvMap { class: 0, kind: 0, len: 0, index };
    for pair in option.trim().trim_matches(['{', '}']).split(',') {
        let (key, value) = pair.split_once('=').unwrap_or_else(|| bad());
        let n = text::number::parse_u16(value).unwrap_or_else(|| bad());
        match key.trim() {
            "class" => map.class = n,
            "type" => map.kind = n as u8,
            "len" => map.len = n as u8,
            _ => bad(),
        }
    }
    map
}

/// bundle: a file of flow, group and packet-out lines as one bundle.
pub fn bundle(o: &Options, bridge: &str, file: &str) {
    let names = Names::new(bridge, o.versions);
    let mut usable = Protocols::OF14_UP;
    let mut messages = Vec::new();
    for (n, line) in flows::lines(file) {
        let die = |e: text::TextError| -> ! { fatal(format!("{file}:{n}: {e}")) };
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        match word {
            "group" => {
                let (command, body) = text::group::split_command(rest);
                let parsed = text::group::parse(body, command.unwrap_or(GroupModCommand::Add), Some(&names));
                let (g, p) = parsed.unwrap_or_else(|e| die(e));
                usable &= p;
                messages.push(Message::GroupMod(Box::new(g)));
            }
            "packet-out" => {
                let p = text::packet_out::parse(rest, Some(&names)).unwrap_or_else(|e| die(e));
                messages.push(Message::PacketOut(Box::new(p)));
            }
            _ => {
                let line = if word == "flow" { rest } else { &line };
                let (command, body) = text::flow::split_command(line);
                let parsed = text::flow::parse(body, command.unwrap_or(FlowModCommand::Add), Some(&names));
                let f = parsed.unwrap_or_else(|e| die(e));
                usable &= f.usable;
                messages.push(Message::FlowMod(Box::new(f.flow)));
            }
        }
    }
    let mut conn = flows::open(o, bridge, usable);
    flows::bundle(&mut conn, messages.into_iter());
}

/// dump-table-features needs OpenFlow 1.3.
pub fn table_features(o: &Options, bridge: &str) {
    let mut conn = Conn::open(bridge, o.versions);
    if conn.version < Version::V1_3 {
        fatal("dump-table-features needs OpenFlow 1.3 or later ('-O OpenFlow13')");
    }
    let mut tables = Vec::new();
    conn.multipart(&Message::TableFeaturesRequest(Vec::new()), |bytes| match decode_or_die(bytes) {
        Message::TableFeaturesReply(part) => tables.extend(part),
        _ => fatal("bad reply from switch"),
    });
    print!("{}", openflow::print::all_features(&tables, conn.version));
}

/// dump-table-desc needs OpenFlow 1.4.
pub fn table_desc(o: &Options, bridge: &str) {
    let mut conn = Conn::open(bridge, o.versions);
    if conn.version < Version::V1_4 {
        fatal("dump-table-desc needs OpenFlow 1.4 or later ('-O OpenFlow14')");
    }
    conn.multipart(&Message::TableDescRequest(openflow::TableId::ALL), |bytes| {
        print!("{}", openflow::print::message(bytes, super::print_options(o)));
    });
}
