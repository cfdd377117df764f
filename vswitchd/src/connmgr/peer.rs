//! What the rest of the switch knows of a connection: its preferences, its bounded queue of asynchronous messages, and
//! its counters. Any thread may enqueue; only the connection's task takes out.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use openflow::Message;
use tokio::sync::mpsc;

use super::session::Preferences;
use super::{ConnId, Limit, LimiterStats};
use crate::ofproto::PacketInEvent;

/// Asynchronous messages other than packets that a connection may lag behind; one more closes it, because it would
/// miss a change of state.
pub(super) const EVENTS_MAX: usize = 4096;

/// An asynchronous message on its way to one connection.
pub(super) enum Async {
    PacketIn(Arc<PacketInEvent>),
    Message(Arc<Message>),
    /// So many flow updates.
    Updates(Arc<Message>, usize),
}

/// Flow updates that may wait before a connection's monitors are paused.
const UPDATES_MAX: usize = 2048;

/// Settings of a connection that take effect at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Settings {
    /// `None`: as it was connected.
    pub probe_ms: Option<u64>,
    pub limit: Limit,
}

/// One connection.
pub(super) struct Peer {
    pub id: ConnId,
    /// `br0<->tcp:127.0.0.1:6653`, as OVS names it in logs.
    pub name: String,
    /// Of the configuration: `None` for connections to `BR.mgmt`.
    pub target: Option<String>,
    prefs: Mutex<Preferences>,
    queue: mpsc::Sender<Async>,
    /// Packet-ins in the queue, and how many may be.
    n_packets: AtomicUsize,
    packets_max: AtomicUsize,
    /// Flow updates in the queue.
    n_updates: AtomicUsize,
    /// What may change without a new connection.
    settings: Mutex<Settings>,
    limiters: Mutex<[LimiterStats; 2]>,
    pub n_packets_queued: AtomicU64,
    pub n_packets_dropped: AtomicU64,
    /// Told to close: the text for the log.
    close: tokio::sync::watch::Sender<Option<String>>,
}

impl Peer {
    pub fn new(
        id: ConnId,
        name: String,
        target: Option<String>,
        prefs: Preferences,
        packets_max: usize,
    ) -> (Arc<Self>, mpsc::Receiver<Async>) {
        let (queue, events) = mpsc::channel(EVENTS_MAX + packets_max);
        let peer = Peer {
            id,
            name,
            target,
            prefs: Mutex::new(prefs),
            queue,
            n_packets: AtomicUsize::new(0),
            packets_max: AtomicUsize::new(packets_max),
            n_updates: AtomicUsize::new(0),
            settings: Mutex::default(),
            limiters: Mutex::default(),
            n_packets_queued: AtomicU64::new(0),
            n_packets_dropped: AtomicU64::new(0),
            close: tokio::sync::watch::channel(None).0,
        };
        (Arc::new(peer), events)
    }

    pub fn prefs(&self) -> MutexGuard<'_, Preferences> {
        self.prefs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Queues a packet, or counts it as dropped.
    pub fn send_packet(&self, event: &Arc<PacketInEvent>) {
        let room = self.n_packets.fetch_add(1, Relaxed) < self.packets_max.load(Relaxed);
        if room && self.queue.try_send(Async::PacketIn(event.clone())).is_ok() {
            self.n_packets_queued.fetch_add(1, Relaxed);
            return;
        }
        self.n_packets.fetch_sub(1, Relaxed);
        if self.n_packets_dropped.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(target: "pinsched", rl = 5, "{}: dropping packet-ins: the controller reads too slowly", self.name);
        }
    }

    /// Queues a message that must not be lost; a peer that lags too far behind is closed instead.
    pub fn send(&self, message: Arc<Message>) {
        if self.queue.try_send(Async::Message(message)).is_err() {
            self.ask_close("too many unread messages");
        }
    }

    /// Queues flow updates. False when the connection has too many to read: its monitors are to be paused.
    pub fn send_updates(&self, updates: Vec<openflow::msg::FlowUpdate>) -> bool {
        let n = updates.len();
        let waiting = self.n_updates.fetch_add(n, Relaxed) + n;
        let message = Arc::new(Message::FlowMonitorReply(updates));
        if self.queue.try_send(Async::Updates(message, n)).is_err() {
            self.ask_close("too many unread messages");
        }
        waiting <= UPDATES_MAX
    }

    /// The connection's task took updates out. True when none is left.
    pub fn updates_taken(&self, n: usize) -> bool {
        self.n_updates.fetch_sub(n, Relaxed) == n
    }

    pub fn settings(&self) -> Settings {
        *self.settings.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn set_settings(&self, settings: Settings, packets_max: usize) {
        *self.settings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = settings;
        // The channel keeps the room it was made with.
        self.packets_max.store(packets_max.min(self.queue.max_capacity() - EVENTS_MAX), Relaxed);
    }

    /// What its limiters did: of misses, of other packets.
    pub fn limiters(&self) -> [LimiterStats; 2] {
        *self.limiters.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn set_limiters(&self, stats: [LimiterStats; 2]) {
        *self.limiters.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = stats;
    }

    /// The connection's task took a packet out.
    pub fn packet_taken(&self) {
        self.n_packets.fetch_sub(1, Relaxed);
    }

    pub fn ask_close(&self, why: &str) {
        self.close.send_if_modified(|close| {
            let first = close.is_none();
            close.get_or_insert_with(|| why.to_string());
            first
        });
    }

    /// Waits until somebody asks to close.
    pub async fn closing(&self) -> String {
        let mut watch = self.close.subscribe();
        match watch.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}
