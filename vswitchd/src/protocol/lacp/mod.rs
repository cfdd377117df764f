//! Link aggregation control (IEEE 802.3ad clause 43), in the form that OVS gives it: one receive state and one mux
//! decision per member.
//!
//! ```text
//!  received PDU --> current --(3 periods silent)--> expired --(3 s silent)--> defaulted
//!                      ^---------------------------------+-----------------------'
//! ```
//! A member is attached when its partner is the partner of the best member (lowest priority). It may carry traffic
//! when it is attached and its partner says "synchronized".

mod pdu;
pub mod show;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use openflow::OfPort;

use super::NEVER;
pub use pdu::Info;
use pdu::{Pdu, Received, state};

const FAST_MS: i64 = 1000;
const SLOW_MS: i64 = 30_000;
/// Periods of silence that a member survives.
const RX_MULTIPLIER: i64 = 3;
/// Length of what follows the Ethernet header.
pub const PDU_LEN: usize = pdu::LEN;

/// Settings of one aggregation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub active: bool,
    pub system_id: [u8; 6],
    pub system_priority: u16,
    pub fast: bool,
    /// Work as active-backup while no partner answers.
    pub fallback_ab: bool,
}

/// Settings of a member.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemberConfig {
    pub name: String,
    pub port_id: u16,
    pub port_priority: u16,
    /// 0: that of the aggregation.
    pub key: u16,
}

/// What the aggregation has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Status {
    #[default]
    Off,
    Configured,
    Negotiated,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Off => "off",
            Status::Configured => "configured",
            Status::Negotiated => "negotiated",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RxState {
    Current,
    Expired,
    Defaulted,
}

/// Counters of a member (`lacp/show-stats`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counters {
    pub tx: u64,
    pub rx: u64,
    pub rx_bad: u64,
    pub rx_marker: u64,
    pub expired: u64,
    pub defaulted: u64,
    pub carrier_changed: u64,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub config: MemberConfig,
    pub rx_state: RxState,
    pub attached: bool,
    pub partner: Info,
    pub counters: Counters,
    carrier: bool,
    /// What the partner knows of us.
    told: Info,
    rx_deadline_ms: i64,
    tx_deadline_ms: i64,
}

/// One aggregation.
#[derive(Clone, Debug)]
pub struct Lacp {
    pub name: String,
    pub config: Config,
    pub members: BTreeMap<OfPort, Member>,
    negotiated: bool,
}

impl Member {
    fn new(config: MemberConfig, is_active: bool, now_ms: i64) -> Self {
        let mut member = Member {
            config,
            rx_state: RxState::Defaulted,
            attached: false,
            partner: Info::default(),
            counters: Counters::default(),
            carrier: false,
            told: Info::default(),
            rx_deadline_ms: NEVER,
            tx_deadline_ms: now_ms,
        };
        if is_active {
            member.expire(now_ms);
        }
        member
    }

    fn expire(&mut self, now_ms: i64) {
        self.rx_state = RxState::Expired;
        self.partner.state = (self.partner.state | state::TIMEOUT) & !state::SYNC;
        self.rx_deadline_ms = now_ms + RX_MULTIPLIER * FAST_MS;
    }

    fn default_partner(&mut self) {
        self.rx_state = RxState::Defaulted;
        self.partner = Info::default();
        self.rx_deadline_ms = NEVER;
    }

    /// Time passes; true when the state changed.
    fn age(&mut self, now_ms: i64) -> bool {
        if now_ms < self.rx_deadline_ms {
            return false;
        }
        if self.rx_state == RxState::Current {
            self.counters.expired += 1;
            self.expire(now_ms);
        } else {
            self.counters.defaulted += 1;
            self.default_partner();
        }
        true
    }
}

impl Lacp {
    pub fn new(name: &str, config: Config) -> Self {
        Lacp { name: name.into(), config, members: BTreeMap::new(), negotiated: false }
    }

    /// Takes over settings; members that stay keep their state.
    pub fn configure(&mut self, config: Config, members: &BTreeMap<OfPort, MemberConfig>, now_ms: i64) {
        self.config = config;
        self.members.retain(|port, _| members.contains_key(port));
        for (port, wanted) in members {
            match self.members.get_mut(port) {
                Some(member) if member.config == *wanted => {}
                Some(member) => {
                    member.config.clone_from(wanted);
                    member.expire(now_ms);
                }
                None => {
                    let member = Member::new(wanted.clone(), self.config.active || self.negotiated, now_ms);
                    self.members.insert(*port, member);
                }
            }
        }
        self.select();
    }

    /// The device of `port` came up or went down.
    pub fn set_carrier(&mut self, port: OfPort, up: bool, now_ms: i64) {
        let is_active = self.config.active;
        let Some(member) = self.members.get_mut(&port).filter(|m| m.carrier != up) else { return };
        let is_first = !member.carrier && member.counters == Counters::default();
        member.carrier = up;
        if !is_first {
            member.counters.carrier_changed += 1;
        }
        if member.rx_state == RxState::Current || is_active {
            member.expire(now_ms);
        }
        self.select();
    }

    /// A frame of Ethernet type 0x8809 came in.
    pub fn receive(&mut self, port: OfPort, payload: &[u8], now_ms: i64) {
        let period_ms = if self.config.fast { FAST_MS } else { SLOW_MS };
        let Some(member) = self.members.get_mut(&port) else { return };
        member.counters.rx += 1;
        let pdu = match Pdu::parse(payload) {
            Some(Received::Lacp(pdu)) => pdu,
            Some(Received::Marker) => return member.counters.rx_marker += 1,
            None => return member.counters.rx_bad += 1,
        };
        member.rx_state = RxState::Current;
        member.rx_deadline_ms = now_ms + RX_MULTIPLIER * period_ms;
        member.told = pdu.partner;
        member.partner = pdu.actor;
        self.select();
    }

    /// Decides who belongs to the aggregation.
    fn select(&mut self) {
        let own = self.config.system_id;
        let mut lead: Option<((u16, u16), Info)> = None;
        for member in self.members.values_mut() {
            let is_loop = member.partner.system_id == own;
            member.attached = !is_loop && member.rx_state != RxState::Defaulted;
            if member.attached {
                let priority = priority(&self.config, &member.config, &member.partner);
                if lead.is_none_or(|(best, _)| priority < best) {
                    lead = Some((priority, member.partner));
                }
            }
        }
        self.negotiated = lead.is_some();
        for member in self.members.values_mut() {
            match lead {
                Some((_, lead)) => {
                    let same = (lead.key, lead.system_id) == (member.partner.key, member.partner.system_id);
                    member.attached &= same;
                }
                None => member.attached = self.config.fallback_ab && member.rx_state == RxState::Defaulted,
            }
        }
    }

    pub fn status(&self) -> Status {
        if self.negotiated { Status::Negotiated } else { Status::Configured }
    }

    /// May `port` carry traffic, as far as this protocol is concerned?
    pub fn may_enable(&self, port: OfPort) -> bool {
        self.members.get(&port).is_some_and(|m| self.is_usable(m))
    }

    fn is_usable(&self, member: &Member) -> bool {
        let alone = self.config.fallback_ab && member.rx_state == RxState::Defaulted;
        member.attached && (member.partner.state & state::SYNC != 0 || alone)
    }

    /// For `Interface.lacp_current`.
    pub fn is_current(&self, port: OfPort) -> Option<bool> {
        self.members.get(&port).map(|m| m.rx_state != RxState::Defaulted)
    }

    fn actor(&self, member: &Member) -> Info {
        let on = |condition: bool, bits: u8| if condition { bits } else { 0 };
        let state = on(self.config.active, state::ACTIVE)
            | on(self.config.fast, state::TIMEOUT)
            | on(self.members.len() > 1, state::AGGREGATABLE)
            | on(member.attached, state::SYNC)
            | on(member.attached || !self.negotiated, state::COLLECTING | state::DISTRIBUTING)
            | on(member.rx_state == RxState::Defaulted, state::DEFAULTED)
            | on(member.rx_state == RxState::Expired, state::EXPIRED);
        Info {
            system_priority: self.config.system_priority,
            system_id: self.config.system_id,
            key: if member.config.key == 0 { self.key() } else { member.config.key },
            port_priority: member.config.port_priority,
            port_id: member.config.port_id,
            state,
        }
    }

    /// The aggregation key: the port id of its first member.
    pub fn key(&self) -> u16 {
        self.members.values().next().map_or(0, |m| m.config.port_id)
    }

    /// Time passes; `send` gets what follows the Ethernet header. Returns the next deadline.
    pub fn run(&mut self, now_ms: i64, mut send: impl FnMut(OfPort, Vec<u8>)) -> i64 {
        let mut aged = false;
        for member in self.members.values_mut() {
            aged |= member.age(now_ms);
        }
        if aged {
            self.select();
        }
        let mut deadline_ms = NEVER;
        let ports: Vec<OfPort> = self.members.keys().copied().collect();
        for port in ports {
            let member = &self.members[&port];
            deadline_ms = deadline_ms.min(member.rx_deadline_ms);
            let may_send = member.carrier && (self.config.active || member.rx_state != RxState::Defaulted);
            if !may_send {
                continue;
            }
            let actor = self.actor(member);
            if now_ms >= member.tx_deadline_ms || !actor.tells_the_same(&member.told) {
                let partner = member.partner;
                send(port, Pdu { actor, partner }.emit());
                let fast = partner.state & state::TIMEOUT != 0;
                if let Some(member) = self.members.get_mut(&port) {
                    member.told = actor;
                    member.counters.tx += 1;
                    member.tx_deadline_ms = now_ms + if fast { FAST_MS } else { SLOW_MS };
                }
            }
            deadline_ms = deadline_ms.min(self.members[&port].tx_deadline_ms);
        }
        deadline_ms
    }
}

/// Which member leads: that with the smaller port priority and number, as the better of the two systems has them.
fn priority(config: &Config, member: &MemberConfig, partner: &Info) -> (u16, u16) {
    let ours = (config.system_priority, config.system_id);
    let theirs = (partner.system_priority, partner.system_id);
    if theirs < ours {
        (partner.port_priority, partner.port_id)
    } else {
        (member.port_priority, member.port_id)
    }
}
