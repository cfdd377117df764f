//! The loop: follows the database, applies what it asks for, writes back what became of it.
//!
//! ```text
//!  Updated --(configuration changed?)--> apply --> status transaction (cur_cfg last asked for)
//!  tick ---(ports or controllers changed?)-------> status transaction
//!  every stats-update-interval ------------------> statistics in it
//! ```
//!
//! Without the database the switch goes on as it is; after a reconnection the rows are compared again and only
//! differences act. Acts only while it holds the lock `ovs_vswitchd`.

use std::sync::Arc;
use std::time::Duration;

use ovsdb::client::{Client, CommitStatus, Event, Transaction, TxnId};
use ovsdb::value::Uuid;

use super::apply::{Applier, kernel_ifindex};
use super::desire::{Backing, Desired, Dummy, desire};
use super::load::load;
use super::rows::{StringMap, Tables};
use super::status::{self, BridgeStatus, InterfaceStatus, SwitchStatus};
use super::switch::Switch;
use crate::connmgr::ControllerStatus;

/// The lock that keeps a second daemon idle.
pub const LOCK: &str = "ovs_vswitchd";
/// The database may still hold the lock for a process that died a moment ago.
const LOCK_PATIENCE_MS: i64 = 1000;
const TICK: Duration = Duration::from_millis(100);
/// Pause after the database refused a status transaction.
const STATUS_RETRY_MS: i64 = 5000;
/// Devices that do not report changes (kernel interfaces) are looked at so often.
const PORT_REFRESH_MS: i64 = 1000;
/// How often it is looked whether a missing kernel interface appeared.
const APPEARANCE_CHECK_MS: i64 = 2000;

/// How the loop is set up.
pub struct Setup {
    pub switch: Arc<Switch>,
    /// Called with `other_config` after it was applied: main moves threads away from the cores that poll.
    pub configured: Box<dyn Fn(&StringMap) + Send + Sync>,
    pub dummy: Dummy,
    /// For `Open_vSwitch.datapath_types`.
    pub datapath_types: Vec<String>,
}

/// The state of the loop.
pub struct Runner {
    setup: Setup,
    applier: Applier,
    client: Client,
    /// The configuration that was applied last.
    tables: Option<Tables>,
    desired: Arc<Desired>,
    /// Status must be compared with the rows.
    status_due: bool,
    stats_at_ms: i64,
    pending: Option<TxnId>,
    retry_at_ms: i64,
    port_changes: u64,
    had_lock: bool,
    /// When the lock was refused, until that is said.
    refused_at_ms: Option<i64>,
    refresh_at_ms: i64,
    /// Sum over all bridges of what their protocols have changed.
    protocol_changes: u64,
    controllers: Vec<(Uuid, ControllerStatus)>,
    appearance_at_ms: i64,
    /// Called once the switch stands (or idles because another one runs).
    ready: Option<Box<dyn FnOnce() + Send>>,
}

impl Runner {
    /// `client` must ask for [`LOCK`] and follow `load::interest`.
    pub fn new(setup: Setup, client: Client, ready: Box<dyn FnOnce() + Send>) -> Self {
        Runner {
            applier: Applier::new(setup.switch.clone()),
            setup,
            client,
            tables: None,
            desired: Arc::default(),
            status_due: false,
            stats_at_ms: 0,
            pending: None,
            retry_at_ms: 0,
            port_changes: 0,
            had_lock: false,
            refused_at_ms: None,
            refresh_at_ms: 0,
            protocol_changes: 0,
            controllers: Vec::new(),
            appearance_at_ms: 0,
            ready: Some(ready),
        }
    }

    /// Runs until `exit` is done, then takes the bridges down.
    pub async fn run(mut self, exit: impl Future<Output = ()>) {
        tokio::pin!(exit);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut exit => break,
                event = self.client.next() => self.on_event(event),
                _ = tick.tick() => self.on_tick(),
            }
            self.submit_status();
        }
        tokio::task::block_in_place(|| self.applier.shut_down());
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected => self.status_due = true,
            Event::Disconnected(why) => {
                tracing::debug!(target: "bridge", "database connection lost: {why}");
                self.pending = None;
            }
            Event::Lock(true) => {
                self.had_lock = true;
                self.refused_at_ms = None;
                self.reconfigure();
            }
            // Lost with the connection: it is asked for again with the next one.
            Event::Lock(false) if std::mem::take(&mut self.had_lock) && !self.client.is_live() => {}
            Event::Lock(false) => self.refused_at_ms = Some(self.now_ms()),
            Event::Updated => {
                self.client.take_changes();
                if self.client.has_lock() {
                    self.reconfigure();
                }
            }
            Event::Committed(id, status) if self.pending == Some(id) => {
                self.pending = None;
                match status {
                    CommitStatus::Unchanged | CommitStatus::Success(_) => {}
                    CommitStatus::TryAgain | CommitStatus::NotLocked => self.status_due = true,
                    CommitStatus::Error(text) => {
                        tracing::warn!(target: "bridge", rl = 5, "could not write status to the database: {text}");
                        self.status_due = true;
                        self.retry_at_ms = self.now_ms() + STATUS_RETRY_MS;
                    }
                }
            }
            Event::Committed(..) => {}
        }
    }

    /// Applies the rows if what they ask for is new.
    fn reconfigure(&mut self) {
        let Some(replica) = self.client.replica() else { return };
        let tables = without_own_numbers(load(replica));
        if self.tables.as_ref() == Some(&tables) {
            return;
        }
        if self.tables.is_none() {
            tracing::info!(target: "bridge", "{}", daemon::program::version_text().lines().next().unwrap_or_default());
        }
        let desired = Arc::new(desire(&load(replica), self.setup.dummy));
        self.tables = Some(tables);
        self.apply(desired);
        self.say_ready();
    }

    fn apply(&mut self, desired: Arc<Desired>) {
        tokio::task::block_in_place(|| {
            for bridge in desired.bridges.values() {
                if let Err(kind) = &bridge.datapath_type {
                    tracing::error!(
                        target: "bridge", rl = 5,
                        "failed to create bridge {}: unknown datapath type {kind}", bridge.name
                    );
                }
            }
            self.applier.apply(desired.clone());
            (self.setup.configured)(&desired.switch.other_config);
        });
        self.desired = desired;
        self.status_due = true;
    }

    fn say_ready(&mut self) {
        if let Some(ready) = self.ready.take() {
            ready();
        }
    }

    fn on_tick(&mut self) {
        let now_ms = self.now_ms();
        if self.refused_at_ms.is_some_and(|ms| now_ms >= ms + LOCK_PATIENCE_MS) {
            self.refused_at_ms = None;
            tracing::error!(
                target: "bridge",
                "another ovs-vswitchd process is running, disabling this process (pid {}) until it goes away",
                std::process::id()
            );
            self.say_ready();
        }
        let backers = self.setup.switch.backers();
        let port_changes = backers.iter().map(|b| b.datapath.port_changes()).sum();
        if port_changes != self.port_changes || now_ms >= self.refresh_at_ms {
            self.port_changes = port_changes;
            self.refresh_at_ms = now_ms + PORT_REFRESH_MS;
            self.applier.refresh_ports();
            self.status_due = true;
        }
        self.applier.tick();
        let bridges = self.setup.switch.bridges();
        let protocol_changes = bridges.iter().map(|b| b.ofproto.protocols.changes()).sum();
        if std::mem::replace(&mut self.protocol_changes, protocol_changes) != protocol_changes {
            self.status_due = true;
        }
        let controllers = self.controller_status();
        let key = |list: &[(Uuid, ControllerStatus)]| -> Vec<_> {
            list.iter().map(|(u, s)| (*u, s.is_connected, s.role, s.state, s.last_error.clone())).collect()
        };
        if key(&controllers) != key(&self.controllers) {
            self.status_due = true;
            // Their times are due as well.
            self.stats_at_ms = self.stats_at_ms.min(now_ms);
        }
        self.controllers = controllers;
        if now_ms >= self.appearance_at_ms {
            self.appearance_at_ms = now_ms + APPEARANCE_CHECK_MS;
            if self.something_appeared() {
                self.apply(self.desired.clone());
            }
        }
        if now_ms >= self.stats_at_ms && self.tables.is_some() {
            self.status_due = true;
        }
    }

    /// A kernel interface that a port waits for is there now.
    fn something_appeared(&self) -> bool {
        let actual = self.setup.switch.actual();
        let mut failed =
            actual.bridges.values().flat_map(|b| b.interfaces.values()).filter(|i| i.outcome.is_err());
        failed.any(|i| match &i.applied.backing {
            Ok(Backing::Datapath(spec)) if spec.kind == "system" => kernel_ifindex(&spec.name).is_some(),
            _ => false,
        })
    }

    fn controller_status(&self) -> Vec<(Uuid, ControllerStatus)> {
        let mut all = Vec::new();
        for live in self.setup.switch.bridges() {
            let Some(wanted) = self.desired.bridges.get(&live.name) else { continue };
            for status in live.controllers.status() {
                if let Some(controller) = wanted.controllers.get(&status.target) {
                    all.push((controller.uuid, status));
                }
            }
        }
        all
    }

    /// Sends what differs from the rows, if nothing is under way.
    fn submit_status(&mut self) {
        let now_ms = self.now_ms();
        let may = self.pending.is_none() && self.client.is_live() && self.client.has_lock();
        if !self.status_due || !may || self.tables.is_none() || now_ms < self.retry_at_ms {
            return;
        }
        self.status_due = false;
        let with_stats = now_ms >= self.stats_at_ms;
        if with_stats {
            self.stats_at_ms = now_ms + self.desired.switch.stats_interval_ms;
        }
        let Some(replica) = self.client.replica() else { return };
        let mut txn = Transaction::new(replica);
        self.write_status(&mut txn, with_stats);
        let request = txn.finish();
        if !request.ops.is_empty() {
            self.pending = Some(self.client.submit(request));
        }
    }

    fn write_status(&self, txn: &mut Transaction<'_>, with_stats: bool) {
        if let Some((uuid, _)) = self.tables.as_ref().and_then(|t| t.open_vswitch.as_ref()) {
            self.switch_status(*uuid).write(txn);
        }
        for live in self.setup.switch.bridges() {
            let Some(wanted) = self.desired.bridges.get(&live.name) else { continue };
            BridgeStatus { uuid: wanted.uuid, datapath_id: live.service.datapath_id() }.write(txn);
            if let Some(actual) = self.setup.switch.actual().bridges.get(&live.name) {
                super::protocol_status::write(txn, &live, wanted, actual, with_stats);
            }
            for mirror in wanted.mirrors.iter().filter(|_| with_stats) {
                if let Some(stats) = live.ofproto.mirror_stats(&mirror.name) {
                    status::write_mirror(txn, mirror.uuid, stats);
                }
            }
        }
        for uuid in self.desired.switch.datapaths.values() {
            status::write_datapath(txn, *uuid, self.desired.switch.vlan_limit);
        }
        for (uuid, controller) in &self.controllers {
            status::write_controller(txn, *uuid, controller, self.now_ms(), with_stats);
        }
        self.write_interfaces(txn, with_stats);
    }

    fn write_interfaces(&self, txn: &mut Transaction<'_>, with_stats: bool) {
        let switch = &self.setup.switch;
        let actual = switch.actual();
        for (name, bridge) in &actual.bridges {
            let Some(live) = switch.bridge(name) else { continue };
            for iface in bridge.interfaces.values() {
                let attached = iface.outcome.as_ref().ok();
                let port = attached.map(|a| {
                    super::apply::port_status(live.backer.datapath.as_ref(), &iface.applied, a.dp_port)
                });
                let outcome =
                    iface.outcome.as_ref().map(|a| u32::from(a.ofport.low16())).map_err(Clone::clone);
                InterfaceStatus { uuid: iface.applied.uuid, outcome, port }.write(txn);
                // A new port has its statistics from the start.
                let is_new = || {
                    let row = txn.replica().row("Interface", iface.applied.uuid);
                    row.is_some_and(|r| r.get("statistics").is_empty())
                };
                let Some(attached) = attached.filter(|_| with_stats || is_new()) else { continue };
                if let Some(stats) = super::apply::port_stats(&live, *attached) {
                    status::write_statistics(txn, iface.applied.uuid, &stats);
                }
            }
        }
    }

    fn switch_status(&self, uuid: Uuid) -> SwitchStatus {
        let mut kinds: Vec<String> = vec!["patch".into()];
        for backer in self.setup.switch.backers() {
            kinds.extend(backer.datapath.port_kinds().into_iter().map(str::to_owned));
        }
        let dpdk = self.setup.switch.backers().first().map(|b| b.datapath.dpdk()).unwrap_or_default();
        SwitchStatus {
            uuid,
            cur_cfg: Some(self.desired.switch.next_cfg),
            dpdk_initialized: dpdk.initialized,
            dpdk_version: dpdk.version,
            iface_types: kinds,
            datapath_types: self.setup.datapath_types.clone(),
        }
    }

    fn now_ms(&self) -> i64 {
        self.setup.switch.clock.now_ms()
    }
}

/// The numbers that the switch itself writes are no news.
fn without_own_numbers(mut tables: Tables) -> Tables {
    tables.interfaces.values_mut().for_each(|i| i.ofport = None);
    tables.ports.values_mut().for_each(|p| p.bond_active_mac = None);
    tables
}
