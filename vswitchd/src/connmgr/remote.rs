//! One configured controller: connects, backs off, listens when the target is passive.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use transport::reconnect::{Action, Reconnect, State};
use transport::{Listener, Stream, Target};

use super::Limit;
use super::connection::Connection;
use super::listener::{self, Membership};
use super::manager::{ControllerStatus, Shared};
use super::peer::{Peer, Settings};
use super::session::Preferences;
use crate::bridge::desire::Controller;

/// OpenFlow's port.
const OPENFLOW_PORT: u16 = 6653;
/// Pause before a listener that could not be bound is tried again.
const LISTEN_RETRY: Duration = Duration::from_secs(1);
/// Longest sleep: so that a warped clock is noticed.
const TICK: Duration = Duration::from_millis(500);

/// What the task tells the outside.
pub(super) struct RemoteState {
    status: Mutex<ControllerStatus>,
    config: Mutex<Controller>,
}

/// What takes effect without a new connection.
pub(super) fn settings(config: &Controller) -> Settings {
    let is_local = Target::parse(&config.target, Some(OPENFLOW_PORT)).is_ok_and(|t| t.is_local());
    Settings {
        probe_ms: Some(if is_local { 0 } else { config.probe_ms as u64 }),
        limit: Limit { packets_per_s: config.rate_limit, burst: config.burst_limit },
    }
}

impl RemoteState {
    pub fn new(config: Controller) -> Self {
        RemoteState { status: Mutex::default(), config: Mutex::new(config) }
    }

    pub fn config(&self) -> Controller {
        self.config.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    pub fn set_config(&self, config: Controller) {
        *self.config.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = config;
    }

    pub fn status(&self) -> ControllerStatus {
        self.lock().clone()
    }

    pub fn close(&self) {
        self.lock().state = State::Void.name();
    }

    fn update(&self, link: &Reconnect, error: Option<String>) {
        let mut status = self.lock();
        status.state = link.state().name();
        status.connected_ms = link.connected_ms().map(|ms| ms as i64);
        status.disconnected_ms = link.disconnected_ms().map(|ms| ms as i64);
        if error.is_some() {
            status.last_error = error;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ControllerStatus> {
        self.status.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The task of a controller; ends only by being aborted.
pub(super) async fn run(shared: Arc<Shared>, state: Arc<RemoteState>) {
    let config = state.config();
    let target = match Target::parse(&config.target, Some(OPENFLOW_PORT)) {
        Ok(target) => target,
        Err(e) => {
            tracing::warn!(target: "connmgr", "{}: {e}", shared.bridge);
            state.lock().last_error = Some(e.to_string());
            return;
        }
    };
    if target.is_passive() {
        listen(shared, target, state).await;
    } else {
        connect(shared, target, state).await;
    }
}

async fn listen(shared: Arc<Shared>, target: Target, state: Arc<RemoteState>) {
    state.lock().state = State::Listening.name();
    loop {
        match Listener::bind(&target).await {
            Ok(socket) => {
                listener::serve(shared.clone(), socket, Some(state.clone())).await;
            }
            Err(e) => {
                let text = transport::strerror(&e);
                tracing::error!(target: "connmgr", rl = 5, "{}: failed to listen on {target}: {text}", shared.bridge);
                state.lock().last_error = Some(text);
            }
        }
        tokio::time::sleep(LISTEN_RETRY).await;
    }
}

async fn connect(shared: Arc<Shared>, target: Target, state: Arc<RemoteState>) {
    let now = || shared.clock.now_ms() as u64;
    let mut link = Reconnect::new(now());
    link.enable(now());
    let name = format!("{}<->{}", shared.bridge, state.config().target);
    loop {
        let config = state.config();
        link.set_probe_interval(settings(&config).probe_ms.unwrap_or(0));
        link.set_backoff(0, config.backoff_ms_max as u64);
        state.update(&link, None);
        if link.run(now()) != Some(Action::Connect) {
            let wait = link.deadline().map_or(TICK, |d| Duration::from_millis(d.saturating_sub(now())));
            tokio::time::sleep(wait.clamp(Duration::from_millis(1), TICK)).await;
            continue;
        }
        link.connecting(now());
        state.update(&link, None);
        tracing::info!(target: "rconn", rl = 15, "{name}: connecting...");
        let limit = link.deadline().map_or(TICK, |d| Duration::from_millis(d.saturating_sub(now())));
        let error = match tokio::time::timeout(limit, attempt(&shared, &config, &target, &name)).await {
            Err(_) => {
                link.connect_failed(now());
                "connection timed out".to_string()
            }
            Ok(Err(why)) => {
                link.connect_failed(now());
                why
            }
            Ok(Ok((mut connection, version))) => {
                link.connected(now());
                state.update(&link, None);
                tracing::info!(target: "rconn", rl = 15, "{name}: connected");
                let member = Membership::join(&shared, connection.peer.clone());
                let why = connection.serve(version, &mut link).await;
                drop(member);
                link.disconnected(now());
                why
            }
        };
        tracing::warn!(target: "rconn", rl = 15, "{name}: connection failed or closed ({error})");
        state.update(&link, Some(error));
    }
}

/// Connects and exchanges hellos.
async fn attempt<'a>(
    shared: &'a Shared,
    config: &Controller,
    target: &Target,
    name: &str,
) -> Result<(Connection<'a>, openflow::Version), String> {
    let stream = Stream::connect(target).await.map_err(|e| transport::strerror(&e))?;
    let packets_max = config.queue_len_max.unwrap_or_else(|| shared.packets_max.load(Relaxed));
    let mut prefs = Preferences::new(config.service);
    if !config.async_messages {
        prefs.async_config = Some(Default::default());
    }
    let (peer, events) =
        Peer::new(shared.next_id(), name.to_string(), Some(config.target.clone()), prefs, packets_max);
    peer.set_settings(settings(config), packets_max);
    let mut connection = Connection::new(shared, peer, events, stream);
    let version = connection.handshake(shared.versions()).await?;
    Ok((connection, version))
}
