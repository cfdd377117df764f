//! Commands on flows: add, modify, delete, replace, diff, dump.

use std::io::{BufRead, Write};

use daemon::program::fatal;
use flow::field::PortNames;
use openflow::codec::MatchFormat;
use openflow::msg::bundle::{BundleAdd, BundleFlags};
use openflow::msg::{
    BundleControl, BundleControlKind, FlowMod, FlowModCommand, FlowStats, FlowStatsRequest, Message,
};
use openflow::print::{FlowStyle, flow_stats};
use openflow::text::actions::Style;
use openflow::text::{self, Protocols};
use openflow::{Cookie, Version, VersionSet};

use super::conn::{Conn, decode_or_die, next_xid, print_error};
use super::names::Names;
use super::options::Options;

/// Opens `bridge` so that it takes what `usable` says.
pub fn open(o: &Options, bridge: &str, usable: Protocols) -> Conn {
    let allowed = o.allowed();
    let both = usable & allowed;
    if both.is_empty() {
        fatal(format!(
            "none of the usable flow formats ({usable}) is among the allowed flow formats ({allowed})"
        ));
    }
    let mut versions = VersionSet::NONE;
    Version::ALL.into_iter().filter(|&v| both.intersects(Protocols::of(v))).for_each(|v| versions.insert(v));
    let mut conn = Conn::open(bridge, versions);
    if conn.version == Version::V1_0 {
        choose_10(&mut conn, both, usable);
    }
    conn
}

/// OpenFlow 1.0 starts with its own matches and without table ids; Nicira's messages change that.
fn choose_10(conn: &mut Conn, both: Protocols, usable: Protocols) {
    let p = (both & Protocols::OF10_ANY).first().unwrap_or_else(|| {
        fatal(format!("switch does not support any of the usable flow formats ({usable})"))
    });
    if p.intersects(Protocols::NXM_ANY) {
        if conn.modify(std::iter::once(Message::SetFlowFormat(openflow::msg::FlowFormat::Nxm))).is_err() {
            fatal(format!("switch does not support any of the usable flow formats ({usable})"));
        }
        conn.format = MatchFormat::Nxm;
    } else {
        conn.format = MatchFormat::Standard;
    }
    conn.table_ids = p.intersects(Protocols::OF10_STD_TID | Protocols::OF10_NXM_TID);
    if conn.table_ids && conn.modify(std::iter::once(Message::FlowModTableId(true))).is_err() {
        fatal(format!("switch does not support any of the usable flow formats ({usable})"));
    }
}

/// A flow and where it stands.
pub struct Line {
    pub flow: FlowMod,
    /// `FILE:LINE`.
    pub place: Option<String>,
}

/// The lines of a file or of standard input (`-`), without comments.
pub fn lines(file: &str) -> Vec<(usize, String)> {
    let reader: Box<dyn BufRead> = if file == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        match std::fs::File::open(file) {
            Ok(f) => Box::new(std::io::BufReader::new(f)),
            Err(e) => fatal(format!("{file}: open ({})", transport::strerror(&e))),
        }
    };
    let mut out = Vec::new();
    for (n, line) in reader.lines().enumerate() {
        let line = line.unwrap_or_else(|e| fatal(format!("{file}: read ({})", transport::strerror(&e))));
        let text = line.split('#').next().unwrap_or_default().trim();
        if !text.is_empty() {
            out.push((n + 1, text.to_owned()));
        }
    }
    out
}

/// Reads flows from a file; `command` is what a line means that does not say, `None`: lines say it or add.
pub fn read_file(
    file: &str,
    command: Option<FlowModCommand>,
    names: &dyn PortNames,
) -> (Vec<Line>, Protocols) {
    let mut usable = Protocols::ANY;
    let shown = if file == "-" { "<stdin>" } else { file };
    let mut out = Vec::new();
    for (n, line) in lines(file) {
        let place = format!("{shown}:{n}");
        let (given, body) = match command {
            Some(c) if c != FlowModCommand::Add => (Some(c), line.as_str()),
            _ => text::flow::split_command(&line),
        };
        match text::flow::parse(body, given.unwrap_or(FlowModCommand::Add), Some(names)) {
            Ok(parsed) => {
                usable &= parsed.usable;
                out.push(Line { flow: parsed.flow, place: Some(place) });
            }
            Err(e) => fatal(format!("{place}: {e}")),
        }
    }
    (out, usable)
}

/// add-flow, mod-flows, del-flows with one flow; add-flows with a file.
pub fn modify(o: &Options, bridge: &str, text_or_file: &str, command: FlowModCommand, is_file: bool) {
    let names = Names::new(bridge, o.versions);
    let (flows, usable) = if is_file {
        read_file(text_or_file, Some(command), &names)
    } else {
        let parsed = text::flow::parse(text_or_file, command, Some(&names)).unwrap_or_else(|e| fatal(e));
        (vec![Line { flow: parsed.flow, place: None }], parsed.usable)
    };
    send(o, bridge, flows, usable);
}

/// Sends flows, in a bundle when asked to.
pub fn send(o: &Options, bridge: &str, flows: Vec<Line>, usable: Protocols) {
    if o.bundle {
        let mut conn = open(o, bridge, usable & Protocols::OF14_UP);
        return bundle(&mut conn, flows.into_iter().map(|l| Message::FlowMod(Box::new(l.flow))));
    }
    let mut conn = open(o, bridge, usable);
    let mut places = Vec::with_capacity(flows.len());
    let result = conn.modify(flows.into_iter().map(|l| {
        places.push(l.place);
        Message::FlowMod(Box::new(l.flow))
    }));
    if let Err((error, n)) = result {
        if let Some(Some(place)) = places.get(n) {
            eprintln!("ovs-ofctl: {place}: the switch refused this flow");
        }
        print_error(&error);
    }
}

/// All modifications or none.
pub fn bundle(conn: &mut Conn, messages: impl Iterator<Item = Message>) {
    let flags = BundleFlags::ATOMIC | BundleFlags::ORDERED;
    let control = |kind| BundleControl { bundle_id: 0, kind, flags };
    if let Err(e) = conn.bundle_step(control(BundleControlKind::OpenRequest), BundleControlKind::OpenReply) {
        print_error(&e);
    }
    for message in messages {
        let xid = next_xid();
        let add = BundleAdd { bundle_id: 0, flags, inner_xid: xid, message };
        let bytes = openflow::codec::encode(conn.version, xid, &Message::BundleAdd(Box::new(add)));
        conn.send_raw(&bytes);
    }
    if let Err(e) =
        conn.bundle_step(control(BundleControlKind::CommitRequest), BundleControlKind::CommitReply)
    {
        print_error(&e);
    }
}

fn request(text: &str, names: &dyn PortNames) -> (FlowStatsRequest, Protocols) {
    text::flow::parse_request(text, Some(names)).unwrap_or_else(|e| fatal(e))
}

/// Opens for a dump: of OpenFlow 1.0's ways Nicira's tells most.
fn open_dump(o: &Options, bridge: &str, usable: Protocols) -> Conn {
    let allowed = o.allowed() & usable;
    let nxm = allowed & Protocols::NXM_ANY;
    if o.versions.highest() == Some(Version::V1_0) && !nxm.is_empty() {
        return open(o, bridge, nxm);
    }
    open(o, bridge, usable)
}

/// dump-flows.
pub fn dump(o: &Options, bridge: &str, filter: &str) {
    let names = Names::new(bridge, o.versions);
    let (mut q, usable) = request(filter, &names);
    let mut conn = open_dump(o, bridge, usable);
    q.nxm = conn.format == MatchFormat::Nxm;
    let message = Message::FlowStatsRequest(Box::new(q));
    if o.sort.is_empty() && o.names != Some(true) && o.stats {
        let options = openflow::print::Options { verbosity: o.verbosity + 1, ..Default::default() };
        let mut out = std::io::stdout().lock();
        return conn.multipart(&message, |bytes| {
            let _ = out.write_all(openflow::print::message(bytes, options).as_bytes());
        });
    }
    let mut flows = collect(&mut conn, &message);
    for f in &mut flows {
        if conn.version < Version::V1_5 {
            f.idle_age_s = None;
        }
        f.hard_age_s = None;
    }
    sort(o, &mut flows);
    let ports = (o.names == Some(true)).then_some(&names as &dyn PortNames);
    let style = FlowStyle { actions: Style { ports, version: Some(conn.version) }, stats: o.stats };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for f in &flows {
        let _ = writeln!(out, " {}", flow_stats(f, style));
    }
}

fn collect(conn: &mut Conn, message: &Message) -> Vec<FlowStats> {
    let mut flows = Vec::new();
    conn.multipart(message, |bytes| match decode_or_die(bytes) {
        Message::FlowStatsReply(part) => flows.extend(part),
        _ => fatal("bad reply from switch"),
    });
    flows
}

fn sort(o: &Options, flows: &mut [FlowStats]) {
    use std::cmp::Ordering;
    flows.sort_by(|a, b| {
        for key in &o.sort {
            let order = match key.field {
                None => a.priority.cmp(&b.priority),
                Some(field) => {
                    let value = |f: &FlowStats| {
                        let (v, m) = f.matching.get(field);
                        (m != 0).then_some(v)
                    };
                    // Flows without the field come last either way.
                    match (value(a), value(b)) {
                        (Some(x), Some(y)) => x.cmp(&y),
                        (None, Some(_)) => return Ordering::Greater,
                        (Some(_), None) => return Ordering::Less,
                        (None, None) => Ordering::Equal,
                    }
                }
            };
            if order != Ordering::Equal {
                return if key.ascending { order } else { order.reverse() };
            }
        }
        Ordering::Equal
    });
}

/// dump-aggregate.
pub fn aggregate(o: &Options, bridge: &str, filter: &str) {
    let names = Names::new(bridge, o.versions);
    let (mut q, usable) = request(filter, &names);
    let mut conn = open_dump(o, bridge, usable);
    q.nxm = conn.format == MatchFormat::Nxm;
    let reply = conn.transact(&Message::AggregateRequest(Box::new(q)));
    print!("{}", openflow::print::message(&reply, super::print_options(o)));
}

/// A flow's place in a table.
type Key = (u8, u16, openflow::matching::Match);

/// A table of flows from a switch or a file, for replace and diff.
struct Table(Vec<(Key, FlowMod)>);

fn from_switch(conn: &mut Conn) -> Table {
    let q = FlowStatsRequest { nxm: conn.format == MatchFormat::Nxm, ..FlowStatsRequest::default() };
    let flows = collect(conn, &Message::FlowStatsRequest(Box::new(q)));
    Table(
        flows
            .into_iter()
            .map(|s| {
                let mut f = FlowMod::new(FlowModCommand::Add);
                f.table = s.table;
                f.priority = s.priority;
                f.matching = s.matching;
                f.new_cookie = s.cookie;
                f.idle_s = s.idle_s;
                f.hard_s = s.hard_s;
                f.flags = s.flags;
                f.importance = s.importance;
                f.actions = s.actions;
                ((f.table.0, f.priority, f.matching), f)
            })
            .collect(),
    )
}

fn from_lines(lines: Vec<Line>) -> Table {
    let mut out: Vec<(Key, FlowMod)> = Vec::new();
    for mut line in lines {
        if line.flow.table == openflow::TableId::ALL {
            line.flow.table = openflow::TableId(0);
        }
        let f = line.flow;
        out.push(((f.table.0, f.priority, f.matching), f));
    }
    Table(out)
}

impl Table {
    fn find(&self, key: &Key) -> Option<&FlowMod> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, f)| f)
    }
}

fn same(a: &FlowMod, b: &FlowMod) -> bool {
    a.new_cookie == b.new_cookie
        && (a.idle_s, a.hard_s, a.importance) == (b.idle_s, b.hard_s, b.importance)
        && a.actions == b.actions
}

/// replace-flows.
pub fn replace(o: &Options, bridge: &str, file: &str) {
    let names = Names::new(bridge, o.versions);
    let (lines, usable) = read_file(file, Some(FlowModCommand::Add), &names);
    let wanted = from_lines(lines);
    let usable = if o.bundle { usable & Protocols::OF14_UP } else { usable };
    let tid = Protocols::OF10_STD_TID | Protocols::OF10_NXM_TID | Protocols::OF11_UP;
    let mut conn = open(o, bridge, usable & tid);
    let existing = from_switch(&mut conn);
    let mut changes = Vec::new();
    for (key, f) in &existing.0 {
        if wanted.find(key).is_none() {
            let mut gone = f.clone();
            gone.command = FlowModCommand::DeleteStrict;
            gone.actions.clear();
            gone.new_cookie = Cookie(u64::MAX);
            changes.push(Message::FlowMod(Box::new(gone)));
        }
    }
    for (key, f) in &wanted.0 {
        if o.readd || existing.find(key).is_none_or(|old| !same(old, f)) {
            changes.push(Message::FlowMod(Box::new(f.clone())));
        }
    }
    if o.bundle {
        bundle(&mut conn, changes.into_iter());
    } else if let Err((error, _)) = conn.modify(changes.into_iter()) {
        print_error(&error);
    }
}

/// diff-flows: 2 when there are differences.
pub fn diff(o: &Options, sources: [&str; 2]) -> u8 {
    let load = |source: &str| -> Table {
        if std::path::Path::new(source).is_file() {
            let names = Names::new(source, o.versions);
            from_lines(read_file(source, Some(FlowModCommand::Add), &names).0)
        } else {
            let tid = Protocols::NXM_ANY | Protocols::OF11_UP;
            from_switch(&mut open(o, source, tid))
        }
    };
    let (a, b) = (load(sources[0]), load(sources[1]));
    let mut differ = false;
    let mut show = |sign: char, f: &FlowMod| {
        differ = true;
        println!("{sign}{}", flow_text(f));
    };
    let mut keys: Vec<&Key> = a.0.iter().chain(&b.0).map(|(k, _)| k).collect();
    keys.sort_by_key(|k| (k.0, std::cmp::Reverse(k.1)));
    let mut done: Vec<&Key> = Vec::new();
    for key in keys {
        if done.contains(&key) {
            continue;
        }
        done.push(key);
        match (a.find(key), b.find(key)) {
            (Some(x), Some(y)) if same(x, y) => {}
            (x, y) => {
                x.into_iter().for_each(|f| show('-', f));
                y.into_iter().for_each(|f| show('+', f));
            }
        }
    }
    if differ { 2 } else { 0 }
}

/// A flow as diff-flows shows it.
fn flow_text(f: &FlowMod) -> String {
    let mut out = String::new();
    if f.table.0 != 0 {
        out += &format!("table={} ", f.table.0);
    }
    let m = f.matching.format(f.priority.into(), None);
    out += &m;
    if !m.is_empty() {
        out.push(' ');
    }
    if f.new_cookie.0 != 0 {
        out += &format!("cookie=0x{:x} ", f.new_cookie.0);
    }
    for (name, v) in [("idle_timeout", f.idle_s), ("hard_timeout", f.hard_s), ("importance", f.importance)] {
        if v != 0 {
            out += &format!("{name}={v} ");
        }
    }
    out += "actions=";
    openflow::text::actions::format(&f.actions, Style::default(), &mut out);
    out
}
