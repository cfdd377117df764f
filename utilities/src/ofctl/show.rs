//! Commands that ask and print: show, dump-*, stats, fragments, ports.

use daemon::program::fatal;
use openflow::msg::port::PortConfig;
use openflow::msg::table::{TableMiss, TableMod, Vacancy};
use openflow::msg::{FragMode, Message, PortMod, QueueRequest, SwitchConfig};
use openflow::{OfPort, QueueId, Version};

use super::conn::Conn;
use super::names::{Names, fetch};
use super::options::Options;

fn print(o: &Options, bytes: &[u8]) {
    print!("{}", openflow::print::message(bytes, super::print_options(o)));
}

/// Sends one request and prints what comes back.
pub fn transaction(o: &Options, bridge: &str, message: &Message) {
    let mut conn = Conn::open(bridge, o.versions);
    let bytes = conn.transact(message);
    print(o, &bytes);
}

/// The same for statistics.
pub fn stats(o: &Options, bridge: &str, message: &Message) {
    let mut conn = Conn::open(bridge, o.versions);
    let names = Names::new(bridge, o.versions);
    let mut options = super::print_options(o);
    options.ports = (o.names == Some(true)).then_some(&names as _);
    conn.multipart(message, |bytes| print!("{}", openflow::print::message(bytes, options)));
}

/// show.
pub fn show(o: &Options, bridge: &str) {
    let mut conn = Conn::open(bridge, o.versions);
    let features = conn.transact(&Message::FeaturesRequest);
    print(o, &features);
    if conn.version >= Version::V1_3 {
        conn.multipart(&Message::PortDescRequest(OfPort::ANY), |bytes| print(o, bytes));
    }
    drop(conn);
    transaction(o, bridge, &Message::GetConfigRequest);
}

fn port_number(o: &Options, bridge: &str, text: &str) -> OfPort {
    text.parse().unwrap_or_else(|_| {
        let names = Names::new(bridge, o.versions);
        names
            .find(text)
            .map(|p| p.port)
            .unwrap_or_else(|| fatal(format!("{bridge}: couldn't find port `{text}'")))
    })
}

/// dump-ports.
pub fn ports(o: &Options, bridge: &str, port: Option<&String>) {
    let port = port.map_or(OfPort::ANY, |p| port_number(o, bridge, p));
    stats(o, bridge, &Message::PortStatsRequest(port));
}

/// dump-ports-desc.
pub fn ports_desc(o: &Options, bridge: &str, port: Option<&String>) {
    let port = port.map_or(OfPort::ANY, |p| port_number(o, bridge, p));
    stats(o, bridge, &Message::PortDescRequest(port));
}

/// queue-stats.
pub fn queue_stats(o: &Options, bridge: &str, args: &[String]) {
    let all = |s: &&String| !s.eq_ignore_ascii_case("all");
    let port = args.first().filter(all).map_or(OfPort::ANY, |p| port_number(o, bridge, p));
    let queue = args.get(1).filter(all).map_or(QueueId::ALL, |q| {
        QueueId(q.parse().unwrap_or_else(|_| fatal(format!("invalid queue \"{q}\""))))
    });
    stats(o, bridge, &Message::QueueStatsRequest(QueueRequest { port, queue }));
}

/// queue-get-config.
pub fn queue_config(o: &Options, bridge: &str, port: Option<&String>) {
    let port = port.map_or(OfPort::ANY, |p| port_number(o, bridge, p));
    let mut conn = Conn::open(bridge, o.versions);
    if conn.version >= Version::V1_4 {
        let q = QueueRequest { port, queue: QueueId::ALL };
        return conn.multipart(&Message::QueueDescRequest(q), |bytes| print(o, bytes));
    }
    if conn.version > Version::V1_0 || port != OfPort::ANY {
        let bytes = conn.transact(&Message::QueueGetConfigRequest(port));
        return print(o, &bytes);
    }
    // OpenFlow 1.0 cannot ask for all ports at once.
    for p in fetch(&mut conn).iter().filter(|p| p.port.0 < OfPort::MAX.0) {
        let bytes = conn.transact(&Message::QueueGetConfigRequest(p.port));
        print(o, &bytes);
    }
}

fn config(conn: &mut Conn) -> SwitchConfig {
    match conn.query(&Message::GetConfigRequest) {
        Message::GetConfigReply(c) => c,
        _ => fatal(format!("{}: bad reply to config request", conn.name)),
    }
}

/// get-frags.
pub fn frags(o: &Options, bridge: &str) {
    let c = config(&mut Conn::open(bridge, o.versions));
    println!("{}", openflow::print::frag_name(c.frag));
}

/// set-frags.
pub fn set_frags(o: &Options, bridge: &str, mode: &str) {
    let modes = [FragMode::Normal, FragMode::Drop, FragMode::Reassemble, FragMode::NxMatch];
    let frag = modes
        .into_iter()
        .find(|&f| openflow::print::frag_name(f) == mode)
        .unwrap_or_else(|| fatal(format!("{mode}: unknown fragment handling mode")));
    let mut conn = Conn::open(bridge, o.versions);
    let mut c = config(&mut conn);
    if c.frag == frag {
        return;
    }
    c.frag = frag;
    conn.modify_or_die(Message::SetConfig(c));
    if config(&mut conn).frag != frag {
        fatal(format!(
            "{bridge}: setting fragment handling mode failed (this switch probably doesn't support mode \"{mode}\")"
        ));
    }
}

/// mod-port.
pub fn mod_port(o: &Options, bridge: &str, port: &str, action: &str) {
    let settings: [(&str, PortConfig, bool); 12] = [
        ("down", PortConfig::PORT_DOWN, true),
        ("up", PortConfig::PORT_DOWN, false),
        ("stp", PortConfig::NO_STP, false),
        ("no-stp", PortConfig::NO_STP, true),
        ("receive", PortConfig::NO_RECV, false),
        ("no-receive", PortConfig::NO_RECV, true),
        ("flood", PortConfig::NO_FLOOD, false),
        ("no-flood", PortConfig::NO_FLOOD, true),
        ("forward", PortConfig::NO_FWD, false),
        ("no-forward", PortConfig::NO_FWD, true),
        ("packet-in", PortConfig::NO_PACKET_IN, false),
        ("no-packet-in", PortConfig::NO_PACKET_IN, true),
    ];
    let names = Names::new(bridge, o.versions);
    let desc = names.find(port).unwrap_or_else(|| fatal(format!("{bridge}: couldn't find port `{port}'")));
    let (_, mask, on) = settings
        .into_iter()
        .find(|(name, ..)| *name == action)
        .unwrap_or_else(|| fatal(format!("unknown mod-port command '{action}'")));
    let config = if on { mask } else { PortConfig::empty() };
    let m = PortMod { port: desc.port, hw_addr: desc.hw_addr, config, mask, advertise: Default::default() };
    Conn::open(bridge, o.versions).modify_or_die(Message::PortMod(m));
}

/// mod-table.
pub fn mod_table(o: &Options, bridge: &str, table: &str, setting: &str) {
    let table = openflow::text::flow::table(table).unwrap_or_else(|e| fatal(e));
    let mut m = TableMod { table, miss: None, eviction: None, eviction_flags: None, vacancy: None };
    let mut conn = Conn::open(bridge, o.versions);
    match setting.split_once(':') {
        Some(("vacancy", range)) => {
            let numbers: Option<Vec<u8>> = range.split(',').map(|n| n.trim().parse().ok()).collect();
            match numbers.as_deref() {
                Some(&[down, up]) if down <= up && up <= 100 => {
                    m.vacancy = Some(Some(Vacancy { down, up, vacancy: 0 }));
                }
                _ => fatal(format!("\"{range}\" is not a valid vacancy range")),
            }
        }
        _ => match setting {
            "controller" => m.miss = Some(TableMiss::Controller),
            "continue" => m.miss = Some(TableMiss::Continue),
            "drop" => m.miss = Some(TableMiss::Drop),
            "evict" => m.eviction = Some(true),
            "noevict" => m.eviction = Some(false),
            "novacancy" => m.vacancy = Some(None),
            other => fatal(format!("invalid table_mod setting {other}")),
        },
    }
    let (versions, needs) = if m.miss.is_some() {
        (Version::V1_1..=Version::V1_2, "OpenFlow11 or OpenFlow12")
    } else {
        (Version::V1_4..=Version::V1_5, "OpenFlow14 or later")
    };
    if !versions.contains(&conn.version) {
        fatal(format!("table modification {setting} needs {needs}"));
    }
    conn.modify_or_die(Message::TableMod(m));
}
