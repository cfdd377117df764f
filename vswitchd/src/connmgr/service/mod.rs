//! `BridgeService`: answers the requests of OpenFlow peers from one bridge's `Ofproto` and datapath ports. The dispatch
//! has one line per message; the work is in `Ofproto` and in the files beside this one.

mod bundles;
mod features;
mod monitors;
mod ports;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use dpif::Datapath;
use openflow::msg::hello::Capabilities;
use openflow::msg::{Continuation, Desc, Features, FlowUpdate, FragMode, PacketIn, SwitchConfig};
use openflow::{Message, OfpError, TableId, Version};

use self::bundles::Bundles;
use self::monitors::Monitors;
use super::{Answer, ConnId, Pipeline, Requester};
use crate::ofproto::{FlowEvent, Ofproto, Origin, group, meter};

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
    monitors: Monitors,
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
            monitors: Monitors::default(),
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

impl BridgeService {
    fn answer(&self, from: Requester, message: Message) -> Result<Vec<Message>, OfpError> {
        use Message as M;
        let of = &self.ofproto;
        let origin = Some(from.origin());
        let reply = match message {
            M::FeaturesRequest => M::FeaturesReply(self.features(from.version)),
            M::DescRequest => M::DescReply(self.desc()),
            M::FlowMod(fm) => return self.flow_mod(&fm, origin).map(none),
            M::GroupMod(gm) => return of.group_mod_by(&gm, origin).map(none),
            M::MeterMod(mm) => return of.meter_mod_by(&mm, origin).map(none),
            M::TableMod(tm) => return of.table_mod(&tm).map(none),
            M::PortMod(pm) => return self.port_mod(&pm).map(none),
            M::PacketOut(po) => return self.packet_out(&po).map(none),
            M::BundleAdd(add) => return self.bundles.add(of.now_ms(), from, *add, from.size).map(none),
            M::Resume(packet) => return self.resume(from, &packet).map(none),
            M::TlvTableMod(tm) => return of.tlv_mod(&tm).map(none),
            M::TlvTableRequest => M::TlvTableReply(of.tlv_table()),
            // Nothing is tracked, so there is nothing to forget.
            M::CtFlushZone(_) | M::CtFlush(_) => return Ok(Vec::new()),
            M::FlowMonitorRequest(requests) => {
                M::FlowMonitorReply(self.monitors.request(of, from.conn, requests)?)
            }
            M::FlowMonitorCancel(id) => return self.monitors.cancel(from.conn, id).map(none),
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

    /// NXT_RESUME.
    fn resume(&self, from: Requester, packet: &PacketIn) -> Result<(), OfpError> {
        let bytes = packet.continuation.as_deref().ok_or(OfpError::NXR_STALE)?;
        let continuation = Continuation::decode(bytes, from.version)?;
        self.ofproto.resume(&continuation, &packet.packet, &packet.metadata)
    }
}

impl Pipeline for BridgeService {
    fn request(&self, from: Requester, message: Message) -> Answer {
        match message {
            Message::BundleControl(control) => self.bundle_control(from, control),
            message => self.answer(from, message).into(),
        }
    }

    fn closed(&self, conn: ConnId) {
        self.bundles.forget(conn);
        self.monitors.forget(conn);
    }

    fn flow_updates(&self, events: &[FlowEvent], origin: Option<Origin>) -> Vec<(ConnId, Vec<FlowUpdate>)> {
        self.monitors.updates(events, origin)
    }

    fn settle(&self) {
        self.ofproto.settle();
    }

    fn pause_monitors(&self, conn: ConnId) -> bool {
        self.monitors.pause(conn)
    }

    fn resume_monitors(&self, conn: ConnId) -> Option<Vec<FlowUpdate>> {
        self.monitors.resume(conn)
    }

    fn config(&self) -> SwitchConfig {
        *lock(&self.config)
    }

    fn set_config(&self, config: SwitchConfig) -> Result<(), OfpError> {
        if config.frag == FragMode::Reassemble {
            // As OVS has it: what it cannot do it leaves as it is, and the reply to the next question says so.
            tracing::warn!(target: "connmgr", rl = 5, "{}: reassembly of fragments is not supported", self.ofproto.name);
            return Ok(());
        }
        let before = std::mem::replace(&mut *lock(&self.config), config);
        if before.frag != config.frag {
            self.ofproto.set_frag_mode(config.frag);
        }
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
