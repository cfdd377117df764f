//! Rows of the client's replica as plain values. The only reader of configuration columns; names are the schema's.

use ovsdb::client::{Interest, Replica, Row};
use ovsdb::value::{Atom, Datum};

use super::rows::*;

/// The tables and columns that the switch follows. What it writes is followed too, so that it writes only changes.
pub fn interest() -> Interest {
    Interest::none()
        .table("Open_vSwitch")
        .table("Bridge")
        .table("Port")
        .table("Interface")
        .table("Controller")
        .table("Mirror")
        .table("Flow_Table")
        .table("AutoAttach")
        .table("QoS")
        .table("Queue")
        .table("Datapath")
}

/// The configuration in `replica`.
pub fn load(replica: &Replica) -> Tables {
    fn all<T>(replica: &Replica, table: &str, row: fn(Row<'_>) -> T) -> Rows<T> {
        replica.rows(table).map(|r| (r.uuid(), row(r))).collect()
    }
    Tables {
        open_vswitch: replica.first("Open_vSwitch").map(|r| (r.uuid(), open_vswitch(r))),
        bridges: all(replica, "Bridge", bridge),
        ports: all(replica, "Port", port),
        interfaces: all(replica, "Interface", interface),
        controllers: all(replica, "Controller", controller),
        mirrors: all(replica, "Mirror", mirror),
        flow_tables: all(replica, "Flow_Table", flow_table),
        auto_attach: all(replica, "AutoAttach", auto_attach),
        qos: all(replica, "QoS", qos),
        queues: all(replica, "Queue", |row| Queue { other_config: string_map(row, "other_config") }),
    }
}

fn auto_attach(row: Row<'_>) -> AutoAttach {
    let pair = |(k, v): &(Atom, Atom)| Some((k.as_integer()?, v.as_integer()?));
    AutoAttach {
        system_name: text(row, "system_name"),
        system_description: text(row, "system_description"),
        mappings: row.get("mappings").pairs().iter().filter_map(pair).collect(),
    }
}

fn string(row: Row<'_>, column: &str) -> Option<String> {
    row.str(column).map(str::to_owned)
}

fn text(row: Row<'_>, column: &str) -> String {
    row.str(column).unwrap_or_default().to_owned()
}

fn strings(row: Row<'_>, column: &str) -> Vec<String> {
    row.strs(column).map(str::to_owned).collect()
}

fn string_map(row: Row<'_>, column: &str) -> StringMap {
    row.map(column).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn open_vswitch(row: Row<'_>) -> OpenVSwitch {
    let datapath = |d: &Datum| {
        d.pairs().iter().filter_map(|(k, v)| Some((k.as_str()?.to_owned(), v.as_uuid()?))).collect()
    };
    OpenVSwitch {
        bridges: row.references("bridges").collect(),
        next_cfg: row.integer("next_cfg").unwrap_or(0),
        other_config: string_map(row, "other_config"),
        external_ids: string_map(row, "external_ids"),
        datapaths: datapath(row.get("datapaths")),
    }
}

fn bridge(row: Row<'_>) -> Bridge {
    let tables =
        |d: &Datum| d.pairs().iter().filter_map(|(k, v)| Some((k.as_integer()?, v.as_uuid()?))).collect();
    Bridge {
        name: text(row, "name"),
        datapath_type: text(row, "datapath_type"),
        protocols: strings(row, "protocols"),
        fail_mode: string(row, "fail_mode"),
        controller: row.references("controller").collect(),
        ports: row.references("ports").collect(),
        mirrors: row.references("mirrors").collect(),
        flow_tables: tables(row.get("flow_tables")),
        flood_vlans: row.integers("flood_vlans").collect(),
        auto_attach: row.reference("auto_attach"),
        stp_enable: row.bool("stp_enable").unwrap_or(false),
        rstp_enable: row.bool("rstp_enable").unwrap_or(false),
        mcast_snooping_enable: row.bool("mcast_snooping_enable").unwrap_or(false),
        other_config: string_map(row, "other_config"),
    }
}

fn port(row: Row<'_>) -> Port {
    Port {
        name: text(row, "name"),
        interfaces: row.references("interfaces").collect(),
        tag: row.integer("tag"),
        trunks: row.integers("trunks").collect(),
        cvlans: row.integers("cvlans").collect(),
        vlan_mode: string(row, "vlan_mode"),
        bond_mode: string(row, "bond_mode"),
        lacp: string(row, "lacp"),
        bond_active_mac: string(row, "bond_active_slave"),
        bond_updelay: row.integer("bond_updelay").unwrap_or(0),
        bond_downdelay: row.integer("bond_downdelay").unwrap_or(0),
        mac: string(row, "mac"),
        protected: row.bool("protected").unwrap_or(false),
        fake_bridge: row.bool("fake_bridge").unwrap_or(false),
        qos: row.reference("qos"),
        other_config: string_map(row, "other_config"),
    }
}

fn interface(row: Row<'_>) -> Interface {
    let rate = |column| row.integer(column).unwrap_or(0);
    Interface {
        name: text(row, "name"),
        kind: text(row, "type"),
        mac: string(row, "mac"),
        mtu_request: row.integer("mtu_request"),
        ofport_request: row.integer("ofport_request"),
        ofport: row.integer("ofport"),
        ingress_policing_rate: rate("ingress_policing_rate"),
        ingress_policing_burst: rate("ingress_policing_burst"),
        ingress_policing_kpkts_rate: rate("ingress_policing_kpkts_rate"),
        ingress_policing_kpkts_burst: rate("ingress_policing_kpkts_burst"),
        bfd: string_map(row, "bfd"),
        lldp: string_map(row, "lldp"),
        cfm_mpid: row.integer("cfm_mpid"),
        options: string_map(row, "options"),
        other_config: string_map(row, "other_config"),
    }
}

fn controller(row: Row<'_>) -> Controller {
    Controller {
        target: text(row, "target"),
        kind: string(row, "type"),
        connection_mode: string(row, "connection_mode"),
        max_backoff: row.integer("max_backoff"),
        inactivity_probe: row.integer("inactivity_probe"),
        enable_async_messages: row.bool("enable_async_messages"),
        controller_queue_size: row.integer("controller_queue_size"),
        controller_rate_limit: row.integer("controller_rate_limit"),
        controller_burst_limit: row.integer("controller_burst_limit"),
    }
}

fn mirror(row: Row<'_>) -> Mirror {
    Mirror {
        name: text(row, "name"),
        select_all: row.bool("select_all").unwrap_or(false),
        select_src_port: row.references("select_src_port").collect(),
        select_dst_port: row.references("select_dst_port").collect(),
        select_vlan: row.integers("select_vlan").collect(),
        output_port: row.reference("output_port"),
        output_vlan: row.integer("output_vlan"),
        snaplen: row.integer("snaplen"),
    }
}

fn qos(row: Row<'_>) -> Qos {
    let queues =
        |d: &Datum| d.pairs().iter().filter_map(|(k, v)| Some((k.as_integer()?, v.as_uuid()?))).collect();
    Qos {
        kind: text(row, "type"),
        other_config: string_map(row, "other_config"),
        queues: queues(row.get("queues")),
    }
}

fn flow_table(row: Row<'_>) -> FlowTable {
    FlowTable {
        name: string(row, "name"),
        flow_limit: row.integer("flow_limit"),
        overflow_policy: string(row, "overflow_policy"),
        groups: strings(row, "groups"),
        prefixes: strings(row, "prefixes"),
    }
}
