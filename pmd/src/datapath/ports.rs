//! `dpif::Ports`: opening, changing, closing and describing ports.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use dpif::port::QueueStats;
use dpif::{DpPort, PortError, PortSpec, PortStats, PortStatus, Ports};

use super::{Datapath, Inner, State};
use crate::port::kernel::Wake;
use crate::port::options::flag;
use crate::port::vhost::VhostSettings;
use crate::port::{Device, PORTS_MAX, Port, dummy, eth, shaper, system, tap, vhost};

/// Kinds in the order that `iface_types` has them.
const KINDS: [&str; 6] = ["dpdk", "dpdkvhostuser", "dpdkvhostuserclient", "internal", "system", "tap"];
const DUMMY_KINDS: [&str; 3] = ["dummy", "dummy-internal", "dummy-pmd"];

impl Datapath {
    fn open_port(&self, spec: &PortSpec, wish: Option<DpPort>, polled: bool) -> Result<DpPort, PortError> {
        let inner = &self.0;
        let mut state = inner.state();
        if state.ports.iter().flatten().any(|p| p.name == spec.name) {
            return Err(PortError::Exists(spec.name.clone()));
        }
        if !std::mem::replace(&mut state.is_reported, true) {
            super::report::settings(None, &state.other_config);
        }
        let no = free_number(&state, wish)?;
        // The device is opened under the lock: two ports must not race for one device, and packets do not take this lock.
        let device = inner.open(spec, &state)?;
        let port = Arc::new(Port::new(no, spec, device));
        let at = no.0 as usize;
        if state.ports.len() <= at {
            state.ports.resize(at + 1, None);
        }
        state.ports[at] = Some(port.clone());
        port.set_running(true);
        port.set_polled(polled);
        inner.publish(&mut state);
        inner.changed();
        Ok(no)
    }
}

impl Ports for Datapath {
    fn port_add(&self, spec: &PortSpec, wish: Option<DpPort>) -> Result<DpPort, PortError> {
        self.open_port(spec, wish, true)
    }

    fn port_open(&self, spec: &PortSpec, wish: Option<DpPort>) -> Result<DpPort, PortError> {
        self.open_port(spec, wish, false)
    }

    fn port_start(&self, ports: &[DpPort]) {
        let mut state = self.0.state();
        for port in ports.iter().filter_map(|no| lookup(&state, *no).ok()) {
            port.set_polled(true);
        }
        self.0.publish(&mut state);
    }

    fn port_remove(&self, no: DpPort) -> Result<(), PortError> {
        let inner = &self.0;
        let mut state = inner.state();
        let port = state.ports.get_mut(no.0 as usize).and_then(Option::take);
        let port = port.ok_or_else(|| PortError::NotFound(no.to_string()))?;
        port.set_running(false);
        inner.publish(&mut state);
        state.loads.retain(|&(p, _), _| p != no.0);
        drop(state);
        inner.changed();
        if !inner.keep_devices.load(Relaxed) {
            port.device.release();
        }
        // Nobody else has it now: the device closes here.
        drop(port);
        Ok(())
    }

    fn port_reconfigure(&self, no: DpPort, spec: &PortSpec) -> Result<(), PortError> {
        let inner = &self.0;
        let mut state = inner.state();
        let port = lookup(&state, no)?;
        if port.kind != spec.kind || port.name != spec.name {
            return Err(PortError::Invalid(format!("{}: name and type of a port cannot change", port.name)));
        }
        let old = port.spec.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if old == *spec {
            return Ok(());
        }
        if old.options.get("dpdk-devargs") != spec.options.get("dpdk-devargs") {
            return Err(PortError::Invalid(format!(
                "{}: dpdk-devargs cannot change while the port exists; remove the port and add it again",
                port.name
            )));
        }
        *port.spec.lock().unwrap_or_else(PoisonError::into_inner) = spec.clone();
        // Senders with a queue of their own take no lock; steering makes every queue everybody's.
        let steering = |s: &PortSpec| s.other_config.get("tx-steering").is_some_and(|v| v == "hash");
        let result = if port.device.needs_restart(spec) || steering(&old) != steering(spec) {
            inner.restart(&mut state, &port, spec)
        } else {
            port.device.adjust(spec);
            Ok(())
        };
        port.refresh();
        inner.publish(&mut state);
        inner.changed();
        result
    }

    fn port_status(&self, no: DpPort) -> Result<PortStatus, PortError> {
        Ok(self.0.port(no)?.device.status())
    }

    fn port_stats(&self, no: DpPort) -> Result<PortStats, PortError> {
        Ok(self.0.port(no)?.stats())
    }

    fn port_qos(&self, no: DpPort) -> Result<(QueueStats, Vec<&'static str>), PortError> {
        let port = self.0.port(no)?;
        let types = match port.device.is_pmd() {
            true => shaper::DPDK_TYPES.to_vec(),
            false => shaper::LINUX_TYPES.to_vec(),
        };
        Ok((port.shaper.stats(), types))
    }

    fn port_set_admin_up(&self, no: DpPort, up: bool) -> Result<(), PortError> {
        let port = self.0.port(no)?;
        port.device.set_admin_up(up)?;
        // A kernel interface drops by itself what it gets while down.
        port.set_admin_up(up || !port.device.is_pmd());
        self.0.changed();
        Ok(())
    }

    fn ports(&self) -> Vec<(DpPort, String, String)> {
        let snapshot = self.0.snapshot.load();
        snapshot.ports.iter().flatten().map(|p| (p.no, p.name.clone(), p.kind.clone())).collect()
    }

    fn port_changes(&self) -> u64 {
        self.0.changes.load(Relaxed)
    }

    fn port_kinds(&self) -> Vec<&'static str> {
        let mut kinds = KINDS.to_vec();
        if self.0.options.dummy {
            kinds.extend(DUMMY_KINDS);
        }
        kinds
    }
}

fn lookup(state: &State, no: DpPort) -> Result<Arc<Port>, PortError> {
    let port = state.ports.get(no.0 as usize).and_then(Option::as_ref);
    port.cloned().ok_or_else(|| PortError::NotFound(no.to_string()))
}

/// `wish` when it is free, else the lowest free number from 1 (0 is the datapath's own port: only by wish).
fn free_number(state: &State, wish: Option<DpPort>) -> Result<DpPort, PortError> {
    let is_free = |n: u32| n < PORTS_MAX && state.ports.get(n as usize).is_none_or(Option::is_none);
    match wish {
        Some(no) if is_free(no.0) => Ok(no),
        _ => (1..PORTS_MAX)
            .find(|&n| is_free(n))
            .map(DpPort)
            .ok_or_else(|| PortError::Invalid(format!("all {PORTS_MAX} port numbers are in use"))),
    }
}

impl Inner {
    fn port(&self, no: DpPort) -> Result<Arc<Port>, PortError> {
        self.snapshot.load().port(no).cloned().ok_or_else(|| PortError::NotFound(no.to_string()))
    }

    fn wake_main(&self) -> Wake {
        let main = self.main.clone();
        Arc::new(move || main.sleeper.wake())
    }

    /// Senders that a device should have queues for: every CPU could run a worker, and the main worker sends too.
    pub(crate) fn senders_max(&self) -> u16 {
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get());
        (cpus + 1).min(crate::port::TXQS_MAX) as u16
    }

    fn open(&self, spec: &PortSpec, state: &State) -> Result<Box<dyn Device>, PortError> {
        let config = &state.other_config;
        Ok(match spec.kind.as_str() {
            "dpdk" => {
                let per_port = flag(config, "per-port-memory", false);
                Box::new(eth::Eth::open(spec, self.senders_max(), &self.pools, per_port)?)
            }
            "dpdkvhostuser" | "dpdkvhostuserclient" => {
                Box::new(vhost::Vhost::open(spec, &self.vhost_settings(config), &self.pools)?)
            }
            "internal" | "tap" => Box::new(tap::Tap::open(spec, self.wake_main())?),
            "system" | "" => Box::new(system::System::open(spec, self.wake_main())?),
            kind if DUMMY_KINDS.contains(&kind) && self.options.dummy => {
                let serial = self.serial.fetch_add(1, Relaxed) as u32;
                Box::new(dummy::Dummy::open(spec, serial, self.wake_main())?)
            }
            kind => {
                let known = self.kinds().join(", ");
                return Err(PortError::Invalid(format!(
                    "could not open network device {} (Address family not supported by protocol): \
                     type \"{kind}\" is unknown; use one of {known}",
                    spec.name
                )));
            }
        })
    }

    fn kinds(&self) -> Vec<&'static str> {
        if self.options.dummy { [&KINDS[..], &DUMMY_KINDS[..]].concat() } else { KINDS.to_vec() }
    }

    fn vhost_settings(&self, config: &crate::port::options::Map) -> VhostSettings {
        let below = config.get("vhost-sock-dir").map(|d| d.trim_matches('/')).filter(|d| !d.is_empty());
        let outside = below.is_some_and(|d| d.split('/').any(|part| part == ".."));
        let socket_dir = match below {
            Some(d) if !outside => format!("{}/{d}", self.options.rundir),
            _ => self.options.rundir.clone(),
        };
        VhostSettings {
            socket_dir,
            iommu: flag(config, "vhost-iommu-support", false),
            postcopy: flag(config, "vhost-postcopy-support", false),
            tso: flag(config, "userspace-tso-enable", false),
        }
    }

    /// Stops the packet path's use of `port`, changes its device, and starts again. Other ports go on.
    fn restart(&self, state: &mut State, port: &Arc<Port>, spec: &PortSpec) -> Result<(), PortError> {
        port.set_running(false);
        let at = port.no.0 as usize;
        state.ports[at] = None;
        self.publish(state);
        let result = port.device.reconfigure(spec, self.senders_max());
        state.ports[at] = Some(port.clone());
        // A device that refused its new settings stays stopped.
        port.set_running(result.is_ok());
        result
    }
}
