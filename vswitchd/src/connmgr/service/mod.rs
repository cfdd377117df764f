//! `BridgeService`: answers the requests of OpenFlow peers from one bridge's `Ofproto` and datapath ports. The dispatch
//! has one line per message; the work is in `Ofproto` and in the files beside this one.

mod bundles;
mod features;
mod ports;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use dpif::Datapath;
use openflow::msg::hello::Capabilities;
use openflow::msg::{Desc, Features, SwitchConfig};
use openflow::{Message, OfpError, TableId, Version};

use self::bundles::Bundles;
use super::{ConnId, Pipeline, Requester};
use crate::ofproto::{Ofproto, group, meter};

/// Tables that controllers see.
const N_TABLES: u8 = 254;
/// OpenFlow 1.0's bitmap of the twelve standard actions.
const ACTIONS_1_0: u32 = 0xfff;

/// What a bridge says of itself.
#[derive(Clone, Debug, Default)]
pub struct Description {
    pub dp_desc: Option<String>,
    pub serial: Option<String>,
}

/// The switch's side of all connections of one bridge.
pub struct BridgeService {
    pub ofproto: Arc<Ofproto>,
    pub datapath: Arc<dyn Datapath>,
    datapath_id: AtomicU64,
    description: Mutex<Description>,
    config: Mutex<SwitchConfig>,
    bundles: Bundles,
}

impl BridgeService {
    pub fn new(ofproto: Arc<Ofproto>, datapath: Arc<dyn Datapath>) -> Self {
        BridgeService {
            ofproto,
            datapath,
            datapath_id: AtomicU64::new(0),
            description: Mutex::default(),
            config: Mutex::default(),
            bundles: Bundles::default(),
        }
    }

    pub fn datapath_id(&self) -> u64 {
        self.datapath_id.load(Relaxed)
    }

    pub fn set_datapath_id(&self, id: u64) {
        self.datapath_id.store(id, Relaxed);
    }

    pub fn set_description(&self, description: Description) {
        *lock(&self.description) = description;
    }

    fn features(&self, version: Version) -> Features {
        let mut capabilities = Capabilities::FLOW_STATS
            | Capabilities::TABLE_STATS
            | Capabilities::PORT_STATS
            | Capabilities::QUEUE_STATS
            | Capabilities::ARP_MATCH_IP;
        if version >= Version::V1_1 {
            capabilities |= Capabilities::GROUP_STATS;
        }
        if version >= Version::V1_4 {
            capabilities |= Capabilities::BUNDLES | Capabilities::FLOW_MONITORING;
        }
        Features {
            datapath_id: self.datapath_id.load(Relaxed),
            n_buffers: 0,
            n_tables: N_TABLES,
            auxiliary_id: 0,
            capabilities,
            actions: ACTIONS_1_0,
            ports: if version < Version::V1_3 { self.ofproto.port_descs() } else { Vec::new() },
        }
    }

    fn desc(&self) -> Desc {
        let description = lock(&self.description).clone();
        Desc {
            manufacturer: "Nicira, Inc.".into(),
            hardware: "Open vSwitch".into(),
            software: daemon::program::OVS_VERSION.into(),
            serial: description.serial.unwrap_or_else(|| "None".into()),
            dp_desc: description.dp_desc.unwrap_or_else(|| "None".into()),
        }
    }
}

impl Pipeline for BridgeService {
    fn request(&self, from: Requester, message: Message) -> Result<Vec<Message>, OfpError> {
        use Message as M;
        let of = &self.ofproto;
        let reply = match message {
            M::FeaturesRequest => M::FeaturesReply(self.features(from.version)),
            M::DescRequest => M::DescReply(self.desc()),
            M::FlowMod(fm) => return self.flow_mod(&fm).map(none),
            M::GroupMod(gm) => return of.group_mod(&gm).map(none),
            M::MeterMod(mm) => return of.meter_mod(&mm).map(none),
            M::TableMod(tm) => return of.table_mod(&tm).map(none),
            M::PortMod(pm) => return self.port_mod(&pm).map(none),
            M::PacketOut(po) => return self.packet_out(&po).map(none),
            M::BundleControl(control) => return self.bundles.control(of, from, control),
            M::BundleAdd(add) => return self.bundles.add(of.now_ms(), from, *add).map(none),
            M::FlowStatsRequest(request) => M::FlowStatsReply(of.flow_stats(&request)?),
            M::AggregateRequest(request) => M::AggregateReply(of.aggregate_stats(&request)?),
            M::TableStatsRequest => M::TableStatsReply(of.table_stats()),
            M::TableDescRequest(table) => {
                let mut descs = of.table_descs();
                descs.retain(|d| table == TableId::ALL || d.table == table);
                M::TableDescReply(descs)
            }
            // A request to change features is answered with what they are.
            M::TableFeaturesRequest(_) => M::TableFeaturesReply(features::all(of)),
            M::PortStatsRequest(port) => M::PortStatsReply(self.port_stats(port)?),
            M::PortDescRequest(port) => M::PortDescReply(self.port_descs(port)),
            M::GroupStatsRequest(id) => M::GroupStatsReply(of.group_stats(id)),
            M::GroupDescRequest(id) => M::GroupDescReply(of.group_descs(id)),
            M::GroupFeaturesRequest => M::GroupFeaturesReply(group::features()),
            M::MeterStatsRequest(id) => M::MeterStatsReply(of.meter_stats(id)),
            M::MeterConfigRequest(id) => M::MeterConfigReply(of.meter_configs(id)),
            M::MeterFeaturesRequest => M::MeterFeaturesReply(meter::features()),
            M::QueueStatsRequest(_) => M::QueueStatsReply(Vec::new()),
            M::QueueDescRequest(_) => M::QueueDescReply(Vec::new()),
            M::QueueGetConfigRequest(port) => M::QueueGetConfigReply(port, Vec::new()),
            M::IpfixBridgeRequest | M::IpfixFlowRequest => return Err(OfpError::NXST_NOT_CONFIGURED),
            _ => return Err(OfpError::OFPBRC_BAD_TYPE),
        };
        Ok(vec![reply])
    }

    fn closed(&self, conn: ConnId) {
        self.bundles.forget(conn);
    }

    fn config(&self) -> SwitchConfig {
        *lock(&self.config)
    }

    fn set_config(&self, config: SwitchConfig) -> Result<(), OfpError> {
        *lock(&self.config) = config;
        Ok(())
    }

    fn set_packet_in_on_miss(&self, wanted: bool) {
        if self.ofproto.config().packet_in_on_miss != wanted {
            self.ofproto.set_packet_in_on_miss(wanted);
        }
    }
}

fn none<T>(_: T) -> Vec<Message> {
    Vec::new()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
