//! The tasks of one remote: listening or calling out, and making sessions of what connects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use transport::{Listener, Stream, Target, strerror};

use super::engine::{Event, SessionId};
use super::outbox::Outbox;
use super::session::{Link, Session, serve};

const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX_MS: u64 = 8000;
const PROBE_MS: u64 = 5000;
const PROBE_MIN_MS: u64 = 1000;
/// Pause after a listener failed, so that a lack of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a remote is to be treated. May change while it works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub probe_ms: Option<u64>,
    pub max_backoff_ms: Option<u64>,
    pub read_only: bool,
    pub role: String,
}

impl Options {
    /// Silence after which a peer is probed; zero for never. As OVS: less than a second means one.
    pub fn probe_interval_ms(&self, is_local: bool) -> u64 {
        match self.probe_ms.unwrap_or(if is_local { 0 } else { PROBE_MS }) {
            0 => 0,
            ms => ms.max(PROBE_MIN_MS),
        }
    }

    fn max_backoff(&self) -> Duration {
        Duration::from_millis(self.max_backoff_ms.unwrap_or(BACKOFF_MAX_MS)).max(BACKOFF_MIN)
    }
}

/// How a call is getting on, in the words of OVS.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub state: &'static str,
    pub connected: Option<Instant>,
    pub disconnected: Option<Instant>,
}

/// What the tasks of a remote report.
#[derive(Debug)]
pub struct Report {
    /// Where it listens, with TCP and TLS.
    pub bound_port: AtomicU16,
    pub n_sessions: AtomicUsize,
    progress: Mutex<Progress>,
}

impl Default for Report {
    fn default() -> Self {
        let progress = Progress { state: "BACKOFF", connected: None, disconnected: None };
        Self { bound_port: AtomicU16::new(0), n_sessions: AtomicUsize::new(0), progress: progress.into() }
    }
}

impl Report {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn progress(&self) -> Progress {
        *self.lock()
    }

    fn set_connected(&self, now: Instant) {
        let mut progress = self.lock();
        (progress.state, progress.connected) = ("ACTIVE", Some(now));
    }

    fn set_state(&self, state: &'static str) {
        self.lock().state = state;
    }
}

/// Makes sessions of one remote.
#[derive(Clone, Debug)]
pub struct SessionMaker {
    pub events: mpsc::Sender<Event>,
    pub next: Arc<AtomicU64>,
    pub remote: String,
    pub options: watch::Receiver<Options>,
    pub is_local: bool,
}

impl SessionMaker {
    async fn make(&self, stream: &Stream) -> Option<Link> {
        let id = SessionId(self.next.fetch_add(1, Ordering::Relaxed));
        let outbox = Arc::<Outbox>::default();
        let options = self.options.borrow().clone();
        let session = Box::new(Session {
            outbox: outbox.clone(),
            remote: self.remote.clone(),
            db_change_aware: false,
            read_only: options.read_only,
            role: options.role,
            client: stream.peer_id(),
            locks: Default::default(),
            waits: Default::default(),
            monitors: Default::default(),
            steals: Default::default(),
            locks_lost: 0,
        });
        self.events.send(Event::Opened { id, session }).await.ok()?;
        let name = if self.is_local { format!("unix#{}", id.0) } else { stream.peer() };
        let (engine, options) = (self.events.clone(), self.options.clone());
        Some(Link { id, engine, outbox, options, is_local: self.is_local, name })
    }

    /// Serves a peer from its handshake to its end. Nobody has heard of it before the handshake.
    async fn welcome(self, mut stream: Stream) {
        if let Err(e) = stream.handshake().await {
            let peer = stream.peer();
            tracing::warn!(target: "stream_ssl", rl = 5, "{peer}: handshake failed: {}", strerror(&e));
            return;
        }
        if let Some(link) = self.make(&stream).await {
            serve(stream, link).await;
        }
    }
}

/// Listens until it is aborted; `up` ends when it does, or has failed.
pub async fn listen(target: Target, maker: SessionMaker, report: Arc<Report>, up: oneshot::Sender<()>) {
    let mut up = Some(up);
    let listener = loop {
        match Listener::bind(&target).await {
            Ok(listener) => break listener,
            Err(e) => {
                let text = strerror(&e);
                tracing::error!(target: "ovsdb_jsonrpc_server", rl = 5, "{}: listen failed: {text}", maker.remote);
                drop(up.take());
                tokio::time::sleep(BACKOFF_MIN).await;
            }
        }
    };
    report.bound_port.store(listener.local_port().unwrap_or(0), Ordering::Relaxed);
    if let Some(up) = up {
        let _ = up.send(());
    }
    loop {
        match listener.accept().await {
            Ok(stream) => drop(tokio::spawn(maker.clone().welcome(stream))),
            Err(e) => {
                tracing::warn!(target: "stream", rl = 5, "{}: accept failed: {}", maker.remote, strerror(&e));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Calls out again and again until it is aborted.
pub async fn call(target: Target, maker: SessionMaker, report: Arc<Report>) {
    let remote = &maker.remote;
    let max = || maker.options.borrow().max_backoff();
    let mut backoff = BACKOFF_MIN;
    loop {
        report.set_state("CONNECTING");
        tracing::info!(target: "reconnect", rl = 20, "{remote}: connecting...");
        match tokio::time::timeout(backoff, Stream::connect(&target)).await {
            Ok(Ok(stream)) => {
                tracing::info!(target: "reconnect", "{remote}: connected");
                let begun = Instant::now();
                report.set_connected(begun);
                let Some(link) = maker.make(&stream).await else { return };
                serve(stream, link).await;
                report.lock().disconnected = Some(Instant::now());
                tracing::info!(target: "reconnect", "{remote}: connection dropped");
                if begun.elapsed() > backoff {
                    backoff = BACKOFF_MIN;
                }
            }
            Ok(Err(e)) => {
                let text = strerror(&e);
                tracing::info!(target: "reconnect", rl = 20, "{remote}: connection attempt failed ({text})");
            }
            Err(_) => {
                tracing::info!(target: "reconnect", rl = 20, "{remote}: connection attempt timed out");
            }
        }
        report.set_state("BACKOFF");
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(max());
    }
}
