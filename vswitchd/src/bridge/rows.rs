//! Rows of the Open_vSwitch database as plain values: the configuration columns only, with OVSDB's absent scalars as
//! `None`. Knows nothing of the protocol; `load` fills it.

use std::collections::BTreeMap;

pub use uuid::Uuid;

/// A column of type map<string, string>.
pub type StringMap = BTreeMap<String, String>;

/// A table's rows by UUID.
pub type Rows<T> = BTreeMap<Uuid, T>;

/// Everything that the switch reads.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Tables {
    /// The one row of table Open_vSwitch; `None` while the database is empty.
    pub open_vswitch: Option<(Uuid, OpenVSwitch)>,
    pub bridges: Rows<Bridge>,
    pub ports: Rows<Port>,
    pub interfaces: Rows<Interface>,
    pub controllers: Rows<Controller>,
    pub mirrors: Rows<Mirror>,
    pub flow_tables: Rows<FlowTable>,
    pub auto_attach: Rows<AutoAttach>,
    pub qos: Rows<Qos>,
    pub queues: Rows<Queue>,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct OpenVSwitch {
    pub bridges: Vec<Uuid>,
    pub next_cfg: i64,
    pub other_config: StringMap,
    pub external_ids: StringMap,
    /// Datapath rows by datapath type.
    pub datapaths: BTreeMap<String, Uuid>,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct Bridge {
    pub name: String,
    pub datapath_type: String,
    pub protocols: Vec<String>,
    pub fail_mode: Option<String>,
    pub controller: Vec<Uuid>,
    pub ports: Vec<Uuid>,
    pub mirrors: Vec<Uuid>,
    pub flow_tables: BTreeMap<i64, Uuid>,
    pub flood_vlans: Vec<i64>,
    pub auto_attach: Option<Uuid>,
    pub stp_enable: bool,
    pub rstp_enable: bool,
    pub mcast_snooping_enable: bool,
    pub other_config: StringMap,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct Port {
    pub name: String,
    pub interfaces: Vec<Uuid>,
    pub tag: Option<i64>,
    pub trunks: Vec<i64>,
    pub cvlans: Vec<i64>,
    pub vlan_mode: Option<String>,
    pub bond_mode: Option<String>,
    pub lacp: Option<String>,
    /// What the previous run of the switch wrote (column `bond_active_slave`).
    pub bond_active_mac: Option<String>,
    pub bond_updelay: i64,
    pub bond_downdelay: i64,
    pub mac: Option<String>,
    pub protected: bool,
    pub fake_bridge: bool,
    pub qos: Option<Uuid>,
    pub other_config: StringMap,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct Interface {
    pub name: String,
    /// Column `type`.
    pub kind: String,
    pub mac: Option<String>,
    pub mtu_request: Option<i64>,
    pub ofport_request: Option<i64>,
    /// What the previous run of the switch wrote, kept when possible.
    pub ofport: Option<i64>,
    pub ingress_policing_rate: i64,
    pub ingress_policing_burst: i64,
    pub ingress_policing_kpkts_rate: i64,
    pub ingress_policing_kpkts_burst: i64,
    pub bfd: StringMap,
    pub lldp: StringMap,
    pub cfm_mpid: Option<i64>,
    pub options: StringMap,
    pub other_config: StringMap,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct Controller {
    pub target: String,
    pub kind: Option<String>,
    pub connection_mode: Option<String>,
    pub max_backoff: Option<i64>,
    pub inactivity_probe: Option<i64>,
    pub enable_async_messages: Option<bool>,
    pub controller_queue_size: Option<i64>,
    pub controller_rate_limit: Option<i64>,
    pub controller_burst_limit: Option<i64>,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct Mirror {
    pub name: String,
    pub select_all: bool,
    pub select_src_port: Vec<Uuid>,
    pub select_dst_port: Vec<Uuid>,
    pub select_vlan: Vec<i64>,
    pub output_port: Option<Uuid>,
    pub output_vlan: Option<i64>,
    pub snaplen: Option<i64>,
}

/// A row of table QoS.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Qos {
    pub kind: String,
    pub other_config: StringMap,
    pub queues: BTreeMap<i64, Uuid>,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct Queue {
    pub other_config: StringMap,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct FlowTable {
    pub name: Option<String>,
    pub flow_limit: Option<i64>,
    pub overflow_policy: Option<String>,
    pub groups: Vec<String>,
    pub prefixes: Vec<String>,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct AutoAttach {
    pub system_name: String,
    pub system_description: String,
    /// I-SID to VLAN.
    pub mappings: BTreeMap<i64, i64>,
}
