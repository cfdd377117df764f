//! What protocols write into the database: columns of Bridge, Port and Interface. Whole contents each time, as in `status`.

use ovsdb::client::Transaction;
use ovsdb::value::{Atom, Datum, Uuid};

mod links;
mod trees;

use super::actual::ActualBridge;
use super::desire::Bridge;
use super::status::format_mac;
use super::switch::LiveBridge;
use crate::protocol::engine::Machines;

/// Writes the columns of bridge `wanted`.
pub fn write(
    txn: &mut Transaction<'_>,
    live: &LiveBridge,
    wanted: &Bridge,
    actual: &ActualBridge,
    with_stats: bool,
) {
    let machines = live.ofproto.protocols.lock();
    trees::write_bridge(txn, &machines, wanted.uuid);
    for port in wanted.ports.values() {
        let number = port.interfaces.keys().next().and_then(|name| actual.interfaces.get(name));
        let number = number.and_then(|i| i.outcome.as_ref().ok()).map(|attached| attached.ofport);
        trees::write_port(txn, &machines, port.uuid, number, live.ofproto.now_ms(), with_stats);
        write_bond(txn, &machines, port.uuid, &port.name);
        for iface in port.interfaces.values() {
            let number = actual.interfaces.get(&iface.name).and_then(|i| i.outcome.as_ref().ok());
            let Some(number) = number.map(|attached| attached.ofport) else { continue };
            links::write(txn, &machines, iface.uuid, number);
            let current = machines.lacp_of(number).and_then(|lacp| lacp.is_current(number));
            let current = current.map_or(Datum::Empty, |b| Datum::One(Atom::Boolean(b)));
            txn.set("Interface", iface.uuid, "lacp_current", current);
        }
    }
}

fn write_bond(txn: &mut Transaction<'_>, machines: &Machines, uuid: Uuid, name: &str) {
    let active = machines.bonds.get(name).map(|bond| {
        let member = bond.active.and_then(|port| bond.members.get(&port));
        format_mac(member.map_or([0; 6], |m| m.mac))
    });
    let value = active.map_or(Datum::Empty, |mac| Datum::One(Atom::from(mac.as_str())));
    txn.set("Port", uuid, "bond_active_slave", value);
}
