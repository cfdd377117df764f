//! `Manager`: all OpenFlow connections of one bridge, what is sent to them unasked, and the state of each controller.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};

use dpif::Clock;
use openflow::msg::{FlowRemoved, PacketIn, PacketInFormat, PacketInReason, PortStatus, Role, TableDesc};
use openflow::{Message, Version, VersionSet};
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use super::async_msg::AsyncKind;
use super::peer::Peer;
use super::remote::RemoteState;
use super::roles::Roles;
use super::{ConnId, LimiterStats, Pipeline, listener, remote};
use crate::bridge::desire::Controller;
use crate::ofproto::events::EventSink;
use crate::ofproto::{FlowEvent, Origin, PacketInEvent};

/// Messages that a client of `BR.snoop` may lag behind before it misses some.
const SNOOP_QUEUE_LEN: usize = 256;
/// Default of `other_config:controller-queue-size`.
const PACKET_IN_QUEUE_LEN_MAX: usize = 100;

static NEXT_CONN: AtomicU64 = AtomicU64::new(1);

/// The message that carries `event` to a connection with these settings.
pub(super) fn packet_in_message(
    event: &PacketInEvent,
    format: PacketInFormat,
    miss_send_len: u16,
    version: Version,
) -> Message {
    let miss = matches!(event.reason, PacketInReason::NoMatch | PacketInReason::ImplicitMiss);
    let len_max = usize::from(if miss { miss_send_len } else { event.max_len });
    let len_max = if len_max == usize::from(u16::MAX) { usize::MAX } else { len_max };
    // Only the newest form can carry one.
    let continuation = event.continuation.as_ref().filter(|_| format == PacketInFormat::Nxt2);
    Message::PacketIn(Box::new(PacketIn {
        format,
        packet: event.packet.get(..len_max).unwrap_or(&event.packet).to_vec(),
        total_len: event.packet.len(),
        buffer_id: None,
        table: event.table,
        cookie: Some(event.cookie),
        reason: event.reason,
        metadata: event.metadata,
        userdata: event.userdata.clone(),
        continuation: continuation.map(|c| c.encode(version)),
    }))
}

/// What `Controller` rows and `ovs-appctl` show of a configured controller.
#[derive(Clone, Debug, Default)]
pub struct ControllerStatus {
    pub target: String,
    pub is_connected: bool,
    pub role: Option<Role>,
    /// `ACTIVE`, `BACKOFF` ...
    pub state: &'static str,
    pub last_error: Option<String>,
    pub connected_ms: Option<i64>,
    pub disconnected_ms: Option<i64>,
    pub n_packets_queued: u64,
    pub n_packets_dropped: u64,
    /// Of missed packets and of others; `None` without a rate limit.
    pub limiters: Option<[LimiterStats; 2]>,
}

/// What the tasks of a bridge share.
pub(super) struct Shared {
    pub bridge: String,
    pub pipeline: Arc<dyn Pipeline>,
    pub clock: Clock,
    pub roles: Roles,
    peers: RwLock<Vec<Arc<Peer>>>,
    versions: AtomicU32,
    pub packets_max: AtomicUsize,
    snoop: broadcast::Sender<Arc<[u8]>>,
}

impl Shared {
    pub fn versions(&self) -> VersionSet {
        VersionSet(self.versions.load(Relaxed))
    }

    pub fn next_id(&self) -> ConnId {
        ConnId(NEXT_CONN.fetch_add(1, Relaxed))
    }

    pub fn join(&self, peer: Arc<Peer>) {
        self.roles.join(peer.id);
        self.write().push(peer);
        self.review_misses();
    }

    pub fn leave(&self, id: ConnId) {
        self.write().retain(|p| p.id != id);
        self.roles.leave(id);
        self.pipeline.closed(id);
        self.review_misses();
    }

    /// Tells the pipeline whether any connection wants the packets that no flow matches.
    pub fn review_misses(&self) {
        let wanted = self.read().iter().any(|peer| {
            let role = self.roles.role(peer.id);
            peer.prefs().receives_packet(role, 0, PacketInReason::ImplicitMiss)
        });
        self.pipeline.set_packet_in_on_miss(wanted);
    }

    pub fn peer(&self, id: ConnId) -> Option<Arc<Peer>> {
        self.read().iter().find(|p| p.id == id).cloned()
    }

    /// True when another connection wants to know of group and meter mods.
    pub fn is_forwarded(&self, by: ConnId) -> bool {
        self.wanting(by, AsyncKind::RequestForward(0)) || self.wanting(by, AsyncKind::RequestForward(1))
    }

    fn wanting(&self, but: ConnId, kind: AsyncKind) -> bool {
        self.read().iter().any(|p| p.id != but && p.prefs().receives(self.roles.role(p.id), kind))
    }

    /// OFPT_REQUESTFORWARD to the other connections.
    pub fn forward(&self, by: ConnId, message: Message) {
        let reason = u8::from(matches!(message, Message::MeterMod(_)));
        let message = Arc::new(Message::RequestForward(Box::new(message)));
        for peer in self.read().iter().filter(|p| p.id != by) {
            if peer.prefs().receives(self.roles.role(peer.id), AsyncKind::RequestForward(reason)) {
                peer.send(message.clone());
            }
        }
    }

    /// Copies a controller's message to `BR.snoop`.
    pub fn snoop(&self, of_controller: bool, bytes: &[u8]) {
        if of_controller && self.snoop.receiver_count() > 0 {
            let _ = self.snoop.send(bytes.into());
        }
    }

    pub fn snoop_receiver(&self) -> broadcast::Receiver<Arc<[u8]>> {
        self.snoop.subscribe()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<Peer>>> {
        self.peers.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Arc<Peer>>> {
        self.peers.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A configured controller and its task.
struct Remote {
    config: Controller,
    state: Arc<RemoteState>,
    task: JoinHandle<()>,
}

/// All OpenFlow connections of one bridge.
pub struct Manager {
    shared: Arc<Shared>,
    runtime: Handle,
    remotes: Mutex<BTreeMap<String, Remote>>,
    /// `BR.mgmt` and `BR.snoop`.
    sockets: Mutex<Vec<JoinHandle<()>>>,
}

impl Manager {
    /// Opens `BR.mgmt` and `BR.snoop` in the run directory; a socket that cannot be opened is logged.
    pub fn new(bridge: &str, pipeline: Arc<dyn Pipeline>, clock: Clock, runtime: Handle) -> Self {
        let shared = Arc::new(Shared {
            bridge: bridge.to_string(),
            pipeline,
            clock,
            roles: Roles::default(),
            peers: RwLock::default(),
            versions: AtomicU32::new(VersionSet::ALL.0),
            packets_max: AtomicUsize::new(PACKET_IN_QUEUE_LEN_MAX),
            snoop: broadcast::channel(SNOOP_QUEUE_LEN).0,
        });
        let sockets = listener::spawn_sockets(&shared, &runtime);
        Manager { shared, runtime, remotes: Mutex::default(), sockets: Mutex::new(sockets) }
    }

    /// Brings the configured controllers to `wanted`; connections whose settings did not change go on. Every
    /// connection is closed when the allowed versions change.
    pub fn configure(&self, wanted: &BTreeMap<String, Controller>, versions: VersionSet, packets_max: usize) {
        self.shared.packets_max.store(packets_max, Relaxed);
        if self.shared.versions.swap(versions.0, Relaxed) != versions.0 {
            for peer in self.shared.read().iter() {
                peer.ask_close("protocol versions reconfigured");
            }
        }
        let mut remotes = self.remotes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        remotes.retain(|target, remote| {
            let kept = wanted.get(target).is_some_and(|w| w.keeps_connection(&remote.config));
            if !kept {
                remote.state.close();
                remote.task.abort();
            }
            kept
        });
        for (target, config) in wanted {
            if let Some(remote) = remotes.get_mut(target).filter(|r| r.config != *config) {
                remote.config = config.clone();
                remote.state.set_config(config.clone());
                for peer in self.shared.read().iter().filter(|p| p.target.as_deref() == Some(target)) {
                    let len_max = config.queue_len_max.unwrap_or(packets_max);
                    peer.set_settings(remote::settings(config), len_max);
                }
            }
            if !remotes.contains_key(target) {
                let kind = if config.service { "service" } else { "primary" };
                tracing::info!(target: "connmgr", "{}: added {kind} controller \"{target}\"", self.shared.bridge);
                let state = Arc::new(RemoteState::new(config.clone()));
                let task = self.runtime.spawn(remote::run(self.shared.clone(), state.clone()));
                remotes.insert(target.clone(), Remote { config: config.clone(), state, task });
            }
        }
    }

    fn broadcast(&self, kind: AsyncKind, message: Message) {
        let message = Arc::new(message);
        for peer in self.shared.read().iter() {
            let role = self.shared.roles.role(peer.id);
            if peer.prefs().receives(role, kind) {
                peer.send(message.clone());
            }
        }
    }

    /// The configured controllers.
    pub fn status(&self) -> Vec<ControllerStatus> {
        let remotes = self.remotes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        remotes.iter().map(|(target, remote)| self.status_of(target, &remote.state)).collect()
    }

    fn status_of(&self, target: &str, state: &RemoteState) -> ControllerStatus {
        let mut status = state.status();
        status.target = target.to_string();
        for peer in self.shared.read().iter().filter(|p| p.target.as_deref() == Some(target)) {
            status.is_connected = true;
            status.role = Some(self.shared.roles.role(peer.id));
            status.n_packets_queued += peer.n_packets_queued.load(Relaxed);
            status.n_packets_dropped += peer.n_packets_dropped.load(Relaxed);
            if peer.settings().limit.packets_per_s > 0 {
                status.limiters = Some(peer.limiters());
            }
        }
        status
    }

    /// True while any primary controller is connected.
    pub fn is_primary_connected(&self) -> bool {
        let remotes = self.remotes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let peers = self.shared.read();
        peers.iter().any(|p| {
            p.target.as_ref().and_then(|t| remotes.get(t)).is_some_and(|remote| !remote.config.service)
        })
    }

    /// Drops every connection; active ones connect anew (`bridge/reconnect`).
    pub fn reconnect(&self) {
        for peer in self.shared.read().iter() {
            peer.ask_close("forced reconnection");
        }
    }

    /// Ends every connection and closes the sockets (the bridge goes).
    pub fn close(&self) {
        let remotes =
            std::mem::take(&mut *self.remotes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        for remote in remotes.values() {
            remote.task.abort();
        }
        for task in self.sockets.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).drain(..) {
            task.abort();
        }
        for peer in self.shared.read().iter() {
            peer.ask_close("bridge deleted");
        }
    }

    /// How many connections are open, management clients included.
    pub fn n_connections(&self) -> usize {
        self.shared.read().len()
    }
}

/// What the bridge tells its controllers. Called from workers too: only queues.
impl EventSink for Manager {
    fn packet_in(&self, event: PacketInEvent) {
        let event = Arc::new(event);
        for peer in self.shared.read().iter() {
            let role = self.shared.roles.role(peer.id);
            if peer.prefs().receives_packet(role, event.controller_id, event.reason) {
                peer.send_packet(&event);
            }
        }
    }

    fn flow_removed(&self, removed: FlowRemoved) {
        let reason = removed.reason as u8;
        self.broadcast(AsyncKind::FlowRemoved(reason), Message::FlowRemoved(Box::new(removed)));
    }

    fn flow_events(&self, events: &[FlowEvent], origin: Option<Origin>) {
        for (conn, updates) in self.shared.pipeline.flow_updates(events, origin) {
            let Some(peer) = self.shared.peer(conn) else { continue };
            if !peer.send_updates(updates) && self.shared.pipeline.pause_monitors(conn) {
                peer.send(Arc::new(Message::FlowMonitorPaused));
            }
        }
    }

    fn table_status(&self, reason: u8, desc: TableDesc) {
        self.broadcast(AsyncKind::TableStatus(reason), Message::TableStatus(reason, desc));
    }

    fn port_status(&self, status: PortStatus) {
        let reason = status.reason as u8;
        self.broadcast(AsyncKind::PortStatus(reason), Message::PortStatus(status));
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.close();
    }
}
