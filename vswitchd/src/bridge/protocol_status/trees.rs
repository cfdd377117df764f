//! Status and counters of spanning trees.

use std::collections::BTreeMap;

use openflow::OfPort;
use ovsdb::client::Transaction;
use ovsdb::value::{Atom, Datum, Uuid};

use crate::bridge::status::string_map;
use crate::protocol::engine::Machines;
use crate::protocol::rstp::show::id_text;

type Texts = Vec<(&'static str, String)>;
type Numbers = Vec<(&'static str, u64)>;

fn texts(pairs: Texts) -> Datum {
    string_map(&pairs.into_iter().map(|(k, v)| (k.to_string(), v)).collect::<BTreeMap<_, _>>())
}

fn numbers(pairs: Numbers) -> Datum {
    let atom = |(k, v): (&str, u64)| (Atom::from(k), Atom::Integer(v as i64));
    Datum::map(pairs.into_iter().map(atom).collect())
}

pub fn write_bridge(txn: &mut Transaction<'_>, machines: &Machines, uuid: Uuid) {
    let id = |id: u64| format!("{:04x}.{:012x}", id >> 48, id & 0xffff_ffff_ffff);
    let stp = machines.stp.as_ref().map(|stp| {
        vec![
            ("stp_bridge_id", id(stp.config.id.0)),
            ("stp_designated_root", id(stp.root.0)),
            ("stp_root_path_cost", stp.root_cost.to_string()),
        ]
    });
    let rstp = machines.rstp.as_ref().map(|rstp| {
        let root_port = rstp.root_port.and_then(|port| rstp.ports.get(&port));
        vec![
            ("rstp_bridge_id", id_text(rstp.config.id)),
            ("rstp_root_id", id_text(rstp.root.root)),
            ("rstp_root_path_cost", rstp.root.cost.to_string()),
            ("rstp_designated_id", id_text(rstp.root.bridge)),
            ("rstp_designated_port_id", format!("{:04x}", rstp.root.port)),
            ("rstp_bridge_port_id", format!("{:04x}", root_port.map_or(0, |p| p.id()))),
        ]
    });
    txn.set("Bridge", uuid, "status", texts(stp.unwrap_or_default()));
    txn.set("Bridge", uuid, "rstp_status", texts(rstp.unwrap_or_default()));
}

pub fn write_port(
    txn: &mut Transaction<'_>,
    machines: &Machines,
    uuid: Uuid,
    number: Option<OfPort>,
    now_ms: i64,
    with_stats: bool,
) {
    let (stp, stp_counts) = number.and_then(|n| stp_port(machines, n, now_ms)).unwrap_or_default();
    let (rstp, rstp_counts) = number.and_then(|n| rstp_port(machines, n, now_ms)).unwrap_or_default();
    let runs = !stp.is_empty() || !rstp.is_empty();
    // Seconds count on: they alone are no reason to write.
    let before = txn.replica().row("Port", uuid).map(|row| row.get("status").clone());
    let status = texts(stp);
    if with_stats || before.is_none_or(|before| without_seconds(&before) != without_seconds(&status)) {
        txn.set("Port", uuid, "status", status);
    }
    txn.set("Port", uuid, "rstp_status", texts(rstp));
    if with_stats || !runs {
        txn.set("Port", uuid, "statistics", numbers(stp_counts));
        txn.set("Port", uuid, "rstp_statistics", numbers(rstp_counts));
    }
}

fn without_seconds(status: &Datum) -> Vec<(String, String)> {
    let pair = |(k, v): &(Atom, Atom)| Some((k.as_str()?.to_string(), v.as_str()?.to_string()));
    let pairs = status.pairs().iter().filter_map(pair);
    pairs.filter(|(k, _)| k != "stp_sec_in_state").collect()
}

fn stp_port(machines: &Machines, number: OfPort, now_ms: i64) -> Option<(Texts, Numbers)> {
    let stp = machines.stp.as_ref()?;
    let port = stp.ports.get(&number)?;
    let status = vec![
        ("stp_port_id", port.port_id().to_string()),
        ("stp_state", port.state.name().to_string()),
        ("stp_sec_in_state", ((now_ms - port.since_ms) / 1000).to_string()),
        ("stp_role", stp.role(number).name().to_string()),
    ];
    let c = port.counters;
    Some((status, vec![("stp_tx_count", c.tx), ("stp_rx_count", c.rx), ("stp_error_count", c.errors)]))
}

fn rstp_port(machines: &Machines, number: OfPort, now_ms: i64) -> Option<(Texts, Numbers)> {
    let port = machines.rstp.as_ref()?.ports.get(&number)?;
    let d = port.port_priority;
    let status = vec![
        ("rstp_port_id", format!("{:04x}", port.id())),
        ("rstp_port_role", port.role.name().to_string()),
        ("rstp_port_state", port.state_name().to_string()),
        ("rstp_designated_bridge_id", id_text(d.bridge)),
        ("rstp_designated_port_id", format!("{:04x}", d.port)),
        ("rstp_designated_path_cost", d.cost.to_string()),
    ];
    let c = port.counters;
    let uptime_s = ((now_ms - port.since_ms) / 1000) as u64;
    let counts = vec![
        ("rstp_tx_count", c.tx),
        ("rstp_rx_count", c.rx),
        ("rstp_error_count", c.errors),
        ("rstp_uptime", uptime_s),
    ];
    Some((status, counts))
}
