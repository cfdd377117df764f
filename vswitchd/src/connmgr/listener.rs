//! Listening sockets: `BR.mgmt`, `BR.snoop`, and `ptcp:`/`punix:` controllers. Each accepted connection is a task.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use transport::reconnect::Reconnect;
use transport::{Listener, Stream};

use super::connection::Connection;
use super::manager::Shared;
use super::peer::Peer;
use super::remote::{self, RemoteState};
use super::session::Preferences;

/// Open connections of one listener; further ones are closed at once.
const CONNECTIONS_MAX: usize = 256;
/// Time a client has for its hello.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept (out of file descriptors and the like).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Opens the bridge's two sockets.
pub(super) fn spawn_sockets(shared: &Arc<Shared>, runtime: &Handle) -> Vec<JoinHandle<()>> {
    let _guard = runtime.enter();
    let mut tasks = Vec::new();
    let path = |suffix: &str| transport::rundir::in_rundir(format!("{}.{suffix}", shared.bridge));
    for (suffix, snoop) in [("mgmt", false), ("snoop", true)] {
        let path = path(suffix);
        match Listener::bind_unix(&path) {
            Ok(socket) if snoop => tasks.push(runtime.spawn(serve_snoop(shared.clone(), socket))),
            Ok(socket) => {
                let name = format!("punix:{}", path.display());
                tracing::info!(target: "connmgr", "{}: added service controller \"{name}\"", shared.bridge);
                tasks.push(runtime.spawn(serve(shared.clone(), socket, None)));
            }
            Err(e) => tracing::error!(
                target: "connmgr",
                "{}: failed to listen on punix:{}: {}", shared.bridge, path.display(), transport::strerror(&e)
            ),
        }
    }
    tasks
}

/// Accepts clients of `socket` for ever. `row` is the controller that they count as.
pub(super) async fn serve(shared: Arc<Shared>, socket: Listener, row: Option<Arc<RemoteState>>) {
    let n_open = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        let stream = match socket.accept().await {
            Ok(stream) => stream,
            Err(e) => {
                tracing::warn!(target: "connmgr", rl = 5, "{}: accept: {}", shared.bridge, transport::strerror(&e));
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if n_open.fetch_add(1, Relaxed) >= CONNECTIONS_MAX {
            n_open.fetch_sub(1, Relaxed);
            tracing::warn!(target: "connmgr", rl = 5, "{}: too many OpenFlow connections, closing a new one", shared.bridge);
            continue;
        }
        let (shared, row, n_open) = (shared.clone(), row.clone(), n_open.clone());
        clients.spawn(async move {
            serve_client(&shared, stream, row).await;
            n_open.fetch_sub(1, Relaxed);
        });
    }
}

/// One client, from hello to end.
async fn serve_client(shared: &Arc<Shared>, stream: Stream, row: Option<Arc<RemoteState>>) {
    let config = row.as_ref().map(|r| r.config());
    let target = config.as_ref().map(|c| c.target.clone());
    let id = shared.next_id();
    let name = format!("{}<->{}#{}", shared.bridge, stream.peer(), id.0);
    let packets_max = shared.packets_max.load(Relaxed);
    let mut prefs = Preferences::new(config.as_ref().is_none_or(|c| c.service));
    if config.as_ref().is_some_and(|c| !c.async_messages) {
        prefs.async_config = Some(Default::default());
    }
    let (peer, events) = Peer::new(id, name, target, prefs, packets_max);
    if let Some(config) = &config {
        peer.set_settings(remote::settings(config), config.queue_len_max.unwrap_or(packets_max));
    }
    let mut connection = Connection::new(shared, peer.clone(), events, stream);
    let version = match tokio::time::timeout(HANDSHAKE_TIMEOUT, connection.handshake(shared.versions())).await
    {
        Ok(Ok(version)) => version,
        Ok(Err(why)) => {
            tracing::warn!(target: "rconn", rl = 5, "{}: {why}", peer.name);
            return;
        }
        Err(_) => {
            tracing::warn!(target: "rconn", rl = 5, "{}: no hello within {HANDSHAKE_TIMEOUT:?}", peer.name);
            return;
        }
    };
    let now = shared.clock.now_ms() as u64;
    let mut link = Reconnect::new(now);
    link.set_probe_interval(peer.settings().probe_ms.unwrap_or(0));
    link.connected(now);
    let _member = Membership::join(shared, peer.clone());
    let why = connection.serve(version, &mut link).await;
    tracing::debug!(target: "rconn", "{}: {why}", peer.name);
}

/// A peer is in the bridge's list for as long as this lives, however its task ends.
pub(super) struct Membership<'a>(&'a Shared, super::ConnId);

impl<'a> Membership<'a> {
    pub fn join(shared: &'a Shared, peer: Arc<Peer>) -> Self {
        let id = peer.id;
        shared.join(peer);
        Membership(shared, id)
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

/// Clients of `BR.snoop` get a copy of what the controllers say and hear.
async fn serve_snoop(shared: Arc<Shared>, socket: Listener) {
    let mut clients = tokio::task::JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        let Ok(stream) = socket.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if clients.len() < CONNECTIONS_MAX {
            clients.spawn(snoop_client(shared.clone(), stream));
        }
    }
}

async fn snoop_client(shared: Arc<Shared>, stream: Stream) {
    let id = shared.next_id();
    let (peer, events) =
        Peer::new(id, format!("{}.snoop#{}", shared.bridge, id.0), None, Preferences::new(true), 1);
    let mut connection = Connection::new(&shared, peer, events, stream);
    let hello =
        tokio::time::timeout(HANDSHAKE_TIMEOUT, connection.handshake(openflow::VersionSet::ALL)).await;
    if !matches!(hello, Ok(Ok(_))) {
        return;
    }
    let mut messages = shared.snoop_receiver();
    loop {
        match messages.recv().await {
            Ok(bytes) => {
                if connection.stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
