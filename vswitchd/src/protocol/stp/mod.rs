//! The Spanning Tree Protocol (IEEE 802.1D-1998 clause 8).
//!
//! ```text
//!  disabled -> blocking -> listening -(forward delay)-> learning -(forward delay)-> forwarding
//! ```
//! Each bridge believes it is the root until it hears of a better one; the port towards the root is the root port, ports
//! on which nobody better speaks are designated, the rest block.

pub mod bpdu;
pub mod show;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use openflow::OfPort;

use super::NEVER;
use bpdu::{Bpdu, Priority, config, tcn};

/// 802.1D table 8-3: time that a configuration ages on its way through a bridge.
const MESSAGE_AGE_INCREMENT_MS: i64 = 1000;
const HOLD_MS: i64 = 1000;
pub const PORT_PRIORITY_DEFAULT: u8 = 0x80;
/// Ports at most.
pub const PORTS_MAX: usize = 255;

/// A bridge: priority and address, as one number that compares.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BridgeId(pub u64);

impl BridgeId {
    pub fn new(priority: u16, mac: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = mac;
        let [p, q] = priority.to_be_bytes();
        BridgeId(u64::from_be_bytes([p, q, a, b, c, d, e, f]))
    }
    pub fn priority(self) -> u16 {
        (self.0 >> 48) as u16
    }
    pub fn mac(self) -> [u8; 6] {
        let [_, _, mac @ ..] = self.0.to_be_bytes();
        mac
    }
}

/// Settings of a bridge; times in seconds as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub id: BridgeId,
    pub hello_ms: i64,
    pub max_age_ms: i64,
    pub forward_delay_ms: i64,
}

/// Settings of a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortConfig {
    pub name: String,
    pub number: u8,
    pub priority: u8,
    /// `None`: from the link's speed.
    pub path_cost: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Disabled,
    Listening,
    Learning,
    Forwarding,
    Blocking,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Disabled => "disabled",
            State::Listening => "listening",
            State::Learning => "learning",
            State::Forwarding => "forwarding",
            State::Blocking => "blocking",
        }
    }
    pub fn learns(self) -> bool {
        matches!(self, State::Learning | State::Forwarding)
    }
    pub fn forwards(self) -> bool {
        self == State::Forwarding
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Root,
    Designated,
    Alternate,
    Disabled,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Root => "root",
            Role::Designated => "designated",
            Role::Alternate => "alternate",
            Role::Disabled => "disabled",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    pub tx: u64,
    pub rx: u64,
    pub errors: u64,
}

#[derive(Clone, Debug)]
pub struct Port {
    pub config: PortConfig,
    pub state: State,
    pub since_ms: i64,
    pub path_cost: u32,
    pub counters: Counters,
    /// The best that was heard or is said here.
    pub designated: Priority,
    /// Age of what was heard, at `heard_ms`.
    message_age_ms: Option<(i64, i64)>,
    topology_change_ack: bool,
    config_pending: bool,
    forward_due_ms: i64,
    hold_until_ms: i64,
    up: bool,
}

impl Port {
    fn id(&self) -> u16 {
        u16::from(self.config.priority) << 8 | u16::from(self.config.number)
    }
    pub fn port_id(&self) -> u16 {
        self.id()
    }
}

/// A bridge.
#[derive(Clone, Debug)]
pub struct Stp {
    pub name: String,
    pub config: Config,
    pub ports: BTreeMap<OfPort, Port>,
    pub root: BridgeId,
    pub root_cost: u32,
    pub root_port: Option<OfPort>,
    /// Times in force: the root's.
    hello_ms: i64,
    max_age_ms: i64,
    forward_delay_ms: i64,
    topology_change: bool,
    topology_change_until_ms: i64,
    topology_change_detected: bool,
    tcn_due_ms: i64,
    hello_due_ms: i64,
    /// Learned addresses are void.
    flush: bool,
    out: Vec<(OfPort, Vec<u8>)>,
}

/// Cost of a link by its speed (802.1D-1998 table 8-5).
pub fn cost_of_speed(kbps: u32) -> u16 {
    match kbps / 1000 {
        10_000.. => 2,
        1000.. => 4,
        100.. => 19,
        16.. => 62,
        10.. => 100,
        4.. => 250,
        // Unknown.
        _ => 2,
    }
}

impl Stp {
    pub fn new(name: &str, config: Config, now_ms: i64) -> Self {
        let mut stp = Stp {
            name: name.into(),
            root: config.id,
            root_cost: 0,
            root_port: None,
            hello_ms: config.hello_ms,
            max_age_ms: config.max_age_ms,
            forward_delay_ms: config.forward_delay_ms,
            config,
            ports: BTreeMap::new(),
            topology_change: false,
            topology_change_until_ms: NEVER,
            topology_change_detected: false,
            tcn_due_ms: NEVER,
            hello_due_ms: NEVER,
            flush: false,
            out: Vec::new(),
        };
        stp.take_over_times();
        stp.config_bpdus(now_ms);
        stp.hello_due_ms = now_ms + stp.hello_ms;
        stp
    }

    fn take_over_times(&mut self) {
        self.hello_ms = self.config.hello_ms;
        self.max_age_ms = self.config.max_age_ms;
        self.forward_delay_ms = self.config.forward_delay_ms;
    }

    pub fn is_root(&self) -> bool {
        self.root == self.config.id
    }

    pub fn role(&self, port: OfPort) -> Role {
        let Some(p) = self.ports.get(&port) else { return Role::Disabled };
        match p.state {
            State::Disabled => Role::Disabled,
            _ if self.root_port == Some(port) => Role::Root,
            _ if self.is_designated(p) => Role::Designated,
            _ => Role::Alternate,
        }
    }

    fn is_designated(&self, port: &Port) -> bool {
        port.designated.bridge == self.config.id && port.designated.port == port.id()
    }

    /// Takes over settings; ports that stay keep their state.
    pub fn configure(&mut self, config: Config, ports: &BTreeMap<OfPort, PortConfig>, now_ms: i64) {
        if config.id != self.config.id {
            self.set_bridge_id(config.id, now_ms);
        }
        self.config = config;
        if self.is_root() {
            self.take_over_times();
        }
        let gone: Vec<OfPort> = self.ports.keys().filter(|p| !ports.contains_key(p)).copied().collect();
        for port in gone {
            self.disable(port, now_ms);
            self.ports.remove(&port);
        }
        for (number, wanted) in ports {
            match self.ports.get_mut(number) {
                None => {
                    let port = Port {
                        config: wanted.clone(),
                        state: State::Disabled,
                        since_ms: now_ms,
                        path_cost: wanted.path_cost.unwrap_or(cost_of_speed(0)).into(),
                        counters: Counters::default(),
                        designated: Priority::default(),
                        message_age_ms: None,
                        topology_change_ack: false,
                        config_pending: false,
                        forward_due_ms: NEVER,
                        hold_until_ms: NEVER,
                        up: false,
                    };
                    self.ports.insert(*number, port);
                }
                Some(port) if port.config != *wanted => {
                    let (was_designated, is_up) =
                        (self.role(*number) == Role::Designated, self.ports[number].up);
                    if let Some(port) = self.ports.get_mut(number) {
                        port.config = wanted.clone();
                        if was_designated {
                            port.designated.port = port.id();
                        }
                    }
                    if is_up {
                        self.update(now_ms);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Clause 8.8.4.
    fn set_bridge_id(&mut self, id: BridgeId, now_ms: i64) {
        let (was_root, old) = (self.is_root(), self.config.id);
        self.config.id = id;
        for port in self.ports.values_mut() {
            if port.designated.bridge == old && port.designated.port == port.id() {
                port.designated.bridge = id;
            }
        }
        if was_root {
            self.root = id;
        }
        self.config.id = id;
        self.update(now_ms);
        if self.is_root() && !was_root {
            self.become_root(now_ms);
        }
    }

    /// The link of a port came up or went down, or has another speed.
    pub fn set_link(&mut self, number: OfPort, up: bool, speed_kbps: u32, now_ms: i64) {
        let Some(port) = self.ports.get_mut(&number) else { return };
        let cost = port.config.path_cost.unwrap_or_else(|| cost_of_speed(speed_kbps)).into();
        let (was_up, old_cost) =
            (std::mem::replace(&mut port.up, up), std::mem::replace(&mut port.path_cost, cost));
        match (was_up, up) {
            (false, true) => self.enable(number, now_ms),
            (true, false) => self.disable(number, now_ms),
            (true, true) if cost != old_cost => self.update(now_ms),
            _ => {}
        }
    }

    /// Clause 8.8.2.
    fn enable(&mut self, number: OfPort, now_ms: i64) {
        self.become_designated(number);
        self.set_state(number, State::Blocking, now_ms);
        if let Some(port) = self.ports.get_mut(&number) {
            port.topology_change_ack = false;
            port.config_pending = false;
            port.message_age_ms = None;
            port.forward_due_ms = NEVER;
            port.hold_until_ms = NEVER;
        }
        self.select_states(now_ms);
        if self.hello_due_ms == NEVER && self.is_root() {
            self.hello_due_ms = now_ms + self.hello_ms;
        }
    }

    /// Clause 8.8.3.
    fn disable(&mut self, number: OfPort, now_ms: i64) {
        let was_root = self.is_root();
        self.become_designated(number);
        self.set_state(number, State::Disabled, now_ms);
        if let Some(port) = self.ports.get_mut(&number) {
            port.topology_change_ack = false;
            port.config_pending = false;
            port.message_age_ms = None;
            port.forward_due_ms = NEVER;
        }
        self.update(now_ms);
        if self.is_root() && !was_root {
            self.become_root(now_ms);
        }
    }

    /// Frames to send, as what follows the Ethernet header of 802.3.
    pub fn take_frames(&mut self) -> Vec<(OfPort, Vec<u8>)> {
        std::mem::take(&mut self.out)
    }

    /// True once when learned addresses must go.
    pub fn take_flush(&mut self) -> bool {
        std::mem::take(&mut self.flush)
    }

    fn set_state(&mut self, number: OfPort, state: State, now_ms: i64) {
        let Some(port) = self.ports.get_mut(&number).filter(|p| p.state != state) else { return };
        // What was learned behind a port that starts or stops to learn is no longer true.
        self.flush |= port.state.learns() != state.learns();
        tracing::debug!(
            target: "stp", "{}: port {}: {} -> {}", self.name, port.config.name, port.state.name(), state.name()
        );
        port.state = state;
        port.since_ms = now_ms;
    }

    // ---- 8.6: elements of procedure

    fn become_designated(&mut self, number: OfPort) {
        let (root, cost, bridge) = (self.root, self.root_cost, self.config.id);
        if let Some(port) = self.ports.get_mut(&number) {
            port.designated = Priority { root, cost, bridge, port: port.id() };
        }
    }

    /// 8.6.7 and 8.6.11.
    fn update(&mut self, now_ms: i64) {
        self.select_root();
        let enabled: Vec<OfPort> =
            self.ports.iter().filter(|(_, p)| p.state != State::Disabled).map(|(n, _)| *n).collect();
        for number in enabled {
            let port = &self.ports[&number];
            let d = port.designated;
            let ours = (self.root_cost, self.config.id, port.id());
            if self.is_designated(port) || d.root != self.root || ours < (d.cost, d.bridge, d.port) {
                self.become_designated(number);
            }
        }
        self.select_states(now_ms);
    }

    /// 8.6.8.
    fn select_root(&mut self) {
        let candidate = |(_, p): &(&OfPort, &Port)| {
            p.state != State::Disabled && !self.is_designated(p) && p.designated.root < self.config.id
        };
        let rank = |p: &Port| {
            let d = p.designated;
            (d.root, d.cost.saturating_add(p.path_cost), d.bridge, d.port, p.id())
        };
        let best = self.ports.iter().filter(candidate).min_by_key(|(_, p)| rank(p));
        match best.map(|(number, p)| (*number, rank(p))) {
            Some((number, (root, cost, ..))) => {
                (self.root_port, self.root, self.root_cost) = (Some(number), root, cost);
            }
            None => (self.root_port, self.root, self.root_cost) = (None, self.config.id, 0),
        }
    }

    /// 8.6.11: port state selection.
    fn select_states(&mut self, now_ms: i64) {
        let numbers: Vec<OfPort> = self.ports.keys().copied().collect();
        for number in numbers {
            match self.role(number) {
                Role::Root => {
                    if let Some(port) = self.ports.get_mut(&number) {
                        port.config_pending = false;
                        port.topology_change_ack = false;
                    }
                    self.make_forwarding(number, now_ms);
                }
                Role::Designated => {
                    if let Some(port) = self.ports.get_mut(&number) {
                        port.message_age_ms = None;
                    }
                    self.make_forwarding(number, now_ms);
                }
                Role::Alternate => {
                    if let Some(port) = self.ports.get_mut(&number) {
                        port.config_pending = false;
                        port.topology_change_ack = false;
                    }
                    self.make_blocking(number, now_ms);
                }
                Role::Disabled => {}
            }
        }
    }

    fn make_forwarding(&mut self, number: OfPort, now_ms: i64) {
        if self.ports[&number].state == State::Blocking {
            self.set_state(number, State::Listening, now_ms);
            let due_ms = now_ms + self.forward_delay_ms;
            if let Some(port) = self.ports.get_mut(&number) {
                port.forward_due_ms = due_ms;
            }
        }
    }

    fn make_blocking(&mut self, number: OfPort, now_ms: i64) {
        let state = self.ports[&number].state;
        if !matches!(state, State::Disabled | State::Blocking) {
            if state.learns() {
                self.detect_topology_change(now_ms);
            }
            self.set_state(number, State::Blocking, now_ms);
            if let Some(port) = self.ports.get_mut(&number) {
                port.forward_due_ms = NEVER;
            }
        }
    }

    /// 8.6.14. Also `stp/tcn`.
    pub fn detect_topology_change(&mut self, now_ms: i64) {
        if self.is_root() {
            self.topology_change = true;
            self.topology_change_until_ms = now_ms + self.max_age_ms + self.forward_delay_ms;
        } else if !self.topology_change_detected {
            self.send_tcn();
            self.tcn_due_ms = now_ms + self.hello_ms;
        }
        self.flush = true;
        self.topology_change_detected = true;
    }

    fn become_root(&mut self, now_ms: i64) {
        self.take_over_times();
        self.detect_topology_change(now_ms);
        self.tcn_due_ms = NEVER;
        self.config_bpdus(now_ms);
        self.hello_due_ms = now_ms + self.hello_ms;
    }

    fn send_tcn(&mut self) {
        let Some(number) = self.root_port else { return };
        self.out.push((number, tcn()));
        if let Some(port) = self.ports.get_mut(&number) {
            port.counters.tx += 1;
        }
    }

    /// 8.6.4: configuration messages on all designated ports.
    fn config_bpdus(&mut self, now_ms: i64) {
        let numbers: Vec<OfPort> = self.ports.keys().copied().collect();
        for number in numbers {
            if self.role(number) == Role::Designated {
                self.transmit(number, now_ms);
            }
        }
    }

    /// 8.6.1.
    fn transmit(&mut self, number: OfPort, now_ms: i64) {
        let heard = self.root_port.and_then(|n| self.ports.get(&n)).and_then(|p| p.message_age_ms);
        let age_ms = match heard {
            Some((age_ms, heard_ms)) if !self.is_root() => {
                age_ms + (now_ms - heard_ms) + MESSAGE_AGE_INCREMENT_MS
            }
            _ => 0,
        };
        let (root, cost, bridge) = (self.root, self.root_cost, self.config.id);
        let (max_age_ms, hello_ms, forward_delay_ms) =
            (self.max_age_ms, self.hello_ms, self.forward_delay_ms);
        let (topology_change, until) = (self.topology_change, now_ms + HOLD_MS);
        let Some(port) = self.ports.get_mut(&number) else { return };
        if port.hold_until_ms != NEVER && now_ms < port.hold_until_ms {
            port.config_pending = true;
            return;
        }
        if age_ms >= max_age_ms {
            return;
        }
        let priority = Priority { root, cost, bridge, port: port.id() };
        let bpdu = bpdu::Config {
            topology_change,
            topology_change_ack: std::mem::take(&mut port.topology_change_ack),
            priority,
            message_age_ms: age_ms,
            max_age_ms,
            hello_ms,
            forward_delay_ms,
        };
        port.config_pending = false;
        port.hold_until_ms = until;
        port.counters.tx += 1;
        self.out.push((number, config(&bpdu)));
    }

    /// What follows the LLC header of a frame to the bridge group address.
    pub fn receive(&mut self, number: OfPort, payload: &[u8], now_ms: i64) {
        let Some(port) = self.ports.get_mut(&number) else { return };
        let bpdu = Bpdu::parse(payload);
        match &bpdu {
            Some(_) => port.counters.rx += 1,
            None => port.counters.errors += 1,
        }
        if port.state == State::Disabled {
            return;
        }
        match bpdu {
            Some(Bpdu::Config(c)) => self.on_config(number, &c, now_ms),
            Some(Bpdu::Tcn) => self.on_tcn(number, now_ms),
            None => {}
        }
    }

    /// 8.7.1.
    fn on_config(&mut self, number: OfPort, c: &bpdu::Config, now_ms: i64) {
        if c.message_age_ms >= c.max_age_ms {
            return;
        }
        let was_root = self.is_root();
        let port = &self.ports[&number];
        if !self.supersedes(port, &c.priority) {
            if self.role(number) == Role::Designated {
                // Somebody worse speaks: tell it.
                self.transmit(number, now_ms);
            }
            return;
        }
        if let Some(port) = self.ports.get_mut(&number) {
            port.designated = c.priority;
            port.message_age_ms = Some((c.message_age_ms, now_ms));
        }
        self.update(now_ms);
        if !self.is_root() && was_root {
            self.hello_due_ms = NEVER;
            if self.topology_change_detected {
                self.topology_change_until_ms = NEVER;
                self.send_tcn();
                self.tcn_due_ms = now_ms + self.hello_ms;
            }
        }
        if self.root_port == Some(number) {
            self.max_age_ms = c.max_age_ms;
            self.hello_ms = c.hello_ms.max(1);
            self.forward_delay_ms = c.forward_delay_ms;
            if c.topology_change && !self.topology_change {
                self.flush = true;
            }
            self.topology_change = c.topology_change;
            self.config_bpdus(now_ms);
            if c.topology_change_ack {
                self.topology_change_detected = false;
                self.tcn_due_ms = NEVER;
            }
        }
    }

    /// 8.6.2.2: better than, or from the same source as, what the port holds.
    fn supersedes(&self, port: &Port, heard: &Priority) -> bool {
        let held = port.designated;
        let key = |p: &Priority| (p.root, p.cost, p.bridge);
        match key(heard).cmp(&key(&held)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => heard.bridge != self.config.id || heard.port <= held.port,
        }
    }

    /// 8.7.2.
    fn on_tcn(&mut self, number: OfPort, now_ms: i64) {
        if self.role(number) == Role::Designated {
            self.detect_topology_change(now_ms);
            if let Some(port) = self.ports.get_mut(&number) {
                port.topology_change_ack = true;
            }
            self.transmit(number, now_ms);
        }
    }

    /// Time passes; the value is the next deadline.
    pub fn run(&mut self, now_ms: i64) -> i64 {
        if now_ms >= self.hello_due_ms {
            self.config_bpdus(now_ms);
            self.hello_due_ms = now_ms + self.hello_ms;
        }
        if now_ms >= self.tcn_due_ms {
            self.send_tcn();
            self.tcn_due_ms = now_ms + self.hello_ms;
        }
        if now_ms >= self.topology_change_until_ms {
            self.topology_change_until_ms = NEVER;
            self.topology_change_detected = false;
            self.topology_change = false;
        }
        self.age_messages(now_ms);
        self.advance_states(now_ms);
        let numbers: Vec<OfPort> = self.ports.keys().copied().collect();
        for number in numbers {
            let port = &self.ports[&number];
            if now_ms >= port.hold_until_ms {
                let pending = port.config_pending;
                if let Some(port) = self.ports.get_mut(&number) {
                    port.hold_until_ms = NEVER;
                }
                if pending {
                    self.transmit(number, now_ms);
                }
            }
        }
        self.deadline_ms()
    }

    /// 8.7.4: what was heard long ago is forgotten.
    fn age_messages(&mut self, now_ms: i64) {
        let max_age_ms = self.max_age_ms;
        let too_old = |p: &Port| p.message_age_ms.is_some_and(|(age, at)| age + (now_ms - at) >= max_age_ms);
        let old: Vec<OfPort> = self.ports.iter().filter(|(_, p)| too_old(p)).map(|(n, _)| *n).collect();
        for number in old {
            let was_root = self.is_root();
            self.become_designated(number);
            if let Some(port) = self.ports.get_mut(&number) {
                port.message_age_ms = None;
            }
            self.update(now_ms);
            if self.is_root() && !was_root {
                self.become_root(now_ms);
            }
        }
    }

    /// 8.7.5: the forward delay has passed.
    fn advance_states(&mut self, now_ms: i64) {
        let delay_ms = self.forward_delay_ms;
        let due: Vec<OfPort> =
            self.ports.iter().filter(|(_, p)| now_ms >= p.forward_due_ms).map(|(n, _)| *n).collect();
        for number in due {
            let next = match self.ports[&number].state {
                State::Listening => State::Learning,
                State::Learning => State::Forwarding,
                other => other,
            };
            self.set_state(number, next, now_ms);
            if let Some(port) = self.ports.get_mut(&number) {
                port.forward_due_ms = if next == State::Learning { now_ms + delay_ms } else { NEVER };
            }
            let is_designated_for_any = self.ports.values().any(|p| self.is_designated(p));
            if next == State::Forwarding && is_designated_for_any {
                self.detect_topology_change(now_ms);
            }
        }
    }

    fn deadline_ms(&self) -> i64 {
        let of_port = |p: &Port| {
            let age = p.message_age_ms.map_or(NEVER, |(age, at)| at + (self.max_age_ms - age));
            let hold = if p.config_pending { p.hold_until_ms } else { NEVER };
            age.min(hold).min(p.forward_due_ms)
        };
        let ports = self.ports.values().map(of_port).min().unwrap_or(NEVER);
        ports.min(self.hello_due_ms).min(self.tcn_due_ms).min(self.topology_change_until_ms)
    }
}
