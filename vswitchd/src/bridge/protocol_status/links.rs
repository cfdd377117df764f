//! Status of BFD and CFM.

use std::collections::BTreeMap;

use openflow::OfPort;
use ovsdb::client::Transaction;
use ovsdb::value::{Atom, Datum, Uuid};

use crate::bridge::status::string_map;
use crate::protocol::cfm::{Cfm, fault_names};
use crate::protocol::engine::Machines;

pub fn write(txn: &mut Transaction<'_>, machines: &Machines, uuid: Uuid, number: OfPort) {
    let bfd = machines.links.bfd.get(&number).map(|bfd| bfd.status()).unwrap_or_default();
    let bfd: BTreeMap<String, String> = bfd.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    txn.set("Interface", uuid, "bfd_status", string_map(&bfd));
    let cfm = machines.links.cfm.get(&number);
    let mut set = |column, value: Option<Datum>| {
        txn.set("Interface", uuid, column, value.unwrap_or(Datum::Empty));
    };
    let integer = |n: u64| Atom::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    set("cfm_fault", cfm.map(|c| Datum::One(Atom::Boolean(c.faults() != 0))));
    set(
        "cfm_fault_status",
        cfm.map(|c| Datum::set(fault_names(c.faults()).into_iter().map(Atom::from).collect())),
    );
    set("cfm_flap_count", cfm.map(|c| Datum::One(integer(c.flap_count))));
    set("cfm_health", cfm.and_then(|c| c.health).map(|h| Datum::One(integer(h.into()))));
    set("cfm_remote_mpids", cfm.map(|c| Datum::set(c.remote_mpids().into_iter().map(integer).collect())));
    let opstate = cfm.and_then(Cfm::remote_opstate).map(|up| if up { "up" } else { "down" });
    set("cfm_remote_opstate", opstate.map(|s| Datum::One(Atom::from(s))));
}
