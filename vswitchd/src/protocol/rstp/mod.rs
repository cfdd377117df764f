//! The Rapid Spanning Tree Protocol (IEEE 802.1D-2004 clause 17). Each state machine of the standard is a file of
//! methods; [`Rstp::settle`] steps them until none moves. Names of variables are the standard's (17.19), times are whole
//! seconds as there.

pub mod bpdu;
mod information;
mod port;
mod roles;
pub mod show;
#[cfg(test)]
mod tests;
mod topology;
mod transitions;
mod transmit;

use std::collections::BTreeMap;

use openflow::OfPort;

use super::NEVER;
use super::stp::BridgeId;
use super::stp::bpdu::Priority;
pub use port::{Port, PortConfig, Role, Times};

/// 17.13: time a port waits before it speaks RSTP again after a change of protocol.
const MIGRATE_TIME_S: u16 = 3;
const BRIDGE_HELLO_TIME_S: u16 = 2;
const SECOND_MS: i64 = 1000;
/// Steps of all machines for one event at most; more would mean that they chase each other.
const STEPS_MAX: usize = 1000;
/// Seconds made up at once after the clock has jumped.
const TICKS_MAX: i64 = 3600;
pub const PORTS_MAX: usize = 4095;

/// Settings of a bridge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub id: BridgeId,
    pub max_age_s: u16,
    pub forward_delay_s: u16,
    pub tx_hold_count: u8,
    /// Speak STP only (`rstp-force-protocol-version` 0).
    pub force_stp: bool,
}

/// A bridge.
#[derive(Clone, Debug)]
pub struct Rstp {
    pub name: String,
    pub config: Config,
    pub ports: BTreeMap<OfPort, Port>,
    pub root: Priority,
    pub root_port: Option<OfPort>,
    root_times: Times,
    next_tick_ms: i64,
    flush: bool,
    /// The machines did not come to rest (never, unless there is a mistake).
    pub n_restless: u64,
    out: Vec<(OfPort, Vec<u8>)>,
}

impl Rstp {
    pub fn new(name: &str, config: Config, now_ms: i64) -> Self {
        let times = bridge_times(&config);
        Rstp {
            name: name.into(),
            root: own_priority(&config),
            root_port: None,
            root_times: times,
            config,
            ports: BTreeMap::new(),
            next_tick_ms: now_ms + SECOND_MS,
            flush: false,
            n_restless: 0,
            out: Vec::new(),
        }
    }

    pub fn is_root(&self) -> bool {
        self.root.root == self.config.id
    }

    /// Takes over settings; ports that stay keep their state.
    pub fn configure(&mut self, config: Config, ports: &BTreeMap<OfPort, PortConfig>, now_ms: i64) {
        let restart = self.config.id != config.id || self.config.force_stp != config.force_stp;
        let times_changed = bridge_times(&self.config) != bridge_times(&config);
        self.config = config;
        self.ports.retain(|port, _| ports.contains_key(port));
        let times = bridge_times(&self.config);
        for (number, wanted) in ports {
            match self.ports.get_mut(number) {
                Some(port) => port.configure(wanted),
                None => {
                    self.ports
                        .insert(*number, Port::new(wanted.clone(), times, !self.config.force_stp, now_ms));
                }
            }
        }
        if restart || times_changed {
            for port in self.ports.values_mut() {
                port.begin(times, !self.config.force_stp);
            }
        }
        self.reselect();
        self.settle();
    }

    /// The link of a port came up or went down, or has another speed.
    pub fn set_link(&mut self, number: OfPort, up: bool, speed_kbps: u32, now_ms: i64) {
        let Some(port) = self.ports.get_mut(&number) else { return };
        let cost = port.config.path_cost.unwrap_or_else(|| port::cost_of_speed(speed_kbps));
        if (port.enabled, port.path_cost) == (up, cost) {
            return;
        }
        if port.enabled != up {
            port.since_ms = now_ms;
        }
        (port.enabled, port.path_cost) = (up, cost);
        (port.reselect, port.selected) = (true, false);
        self.settle();
    }

    /// What follows the LLC header of a frame to the bridge group address.
    pub fn receive(&mut self, number: OfPort, payload: &[u8]) {
        let own = self.config.id.mac();
        let Some(port) = self.ports.get_mut(&number) else { return };
        match bpdu::Bpdu::parse(payload) {
            // 9.3.4: what we sent ourselves is no news.
            Some(bpdu)
                if bpdu.priority.bridge.mac() == own && bpdu.priority.port == port.id() && !bpdu.is_tcn() =>
            {
                port.counters.errors += 1;
                return;
            }
            Some(bpdu) => {
                port.counters.rx += 1;
                port.receive(bpdu);
            }
            None => port.counters.errors += 1,
        }
        self.settle();
    }

    /// `rstp/tcn`: as if something had changed.
    pub fn force_topology_change(&mut self) {
        let numbers: Vec<OfPort> = self.ports.keys().copied().collect();
        for number in numbers {
            if let Some(port) = self.ports.get_mut(&number) {
                port.received_tc = true;
            }
        }
        self.settle();
    }

    /// Time passes; the value is the next deadline.
    pub fn run(&mut self, now_ms: i64) -> i64 {
        let late = (now_ms - self.next_tick_ms) / SECOND_MS;
        if late > TICKS_MAX {
            self.next_tick_ms += (late - TICKS_MAX) * SECOND_MS;
        }
        while now_ms >= self.next_tick_ms {
            self.next_tick_ms += SECOND_MS;
            self.ports.values_mut().for_each(Port::tick);
            self.settle();
        }
        if self.ports.is_empty() { NEVER } else { self.next_tick_ms }
    }

    /// Frames to send, as what follows the LLC header.
    pub fn take_frames(&mut self) -> Vec<(OfPort, Vec<u8>)> {
        std::mem::take(&mut self.out)
    }

    /// True once when learned addresses must go.
    pub fn take_flush(&mut self) -> bool {
        std::mem::take(&mut self.flush)
    }

    fn reselect(&mut self) {
        for port in self.ports.values_mut() {
            (port.reselect, port.selected) = (true, false);
        }
    }

    /// Steps all machines until none moves.
    fn settle(&mut self) {
        let numbers: Vec<OfPort> = self.ports.keys().copied().collect();
        for _ in 0..STEPS_MAX {
            let mut moved = false;
            for number in &numbers {
                moved |= self.step_reception(*number);
                moved |= self.step_information(*number);
            }
            moved |= self.step_role_selection();
            for number in &numbers {
                moved |= self.step_role_transition(*number);
                moved |= self.step_topology_change(*number);
            }
            for number in &numbers {
                moved |= self.step_transmission(*number);
            }
            if !moved {
                return;
            }
        }
        self.n_restless += 1;
    }
}

fn bridge_times(config: &Config) -> Times {
    Times {
        message_age_s: 0,
        max_age_s: config.max_age_s,
        hello_s: BRIDGE_HELLO_TIME_S,
        forward_delay_s: config.forward_delay_s,
    }
}

fn own_priority(config: &Config) -> Priority {
    Priority { root: config.id, cost: 0, bridge: config.id, port: 0 }
}
