//! Connectivity Fault Management (IEEE 802.1ag): continuity check messages between the ends of a link. An end that hears
//! nobody, or hears that nobody hears it, has a fault.

mod ccm;
pub mod show;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::frame;
use ccm::Ccm;

pub const CFM_TYPE: u16 = 0x8902;
pub const ADDRESS: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0x30];
pub const ADDRESS_EXTENDED: [u8; 6] = [0x01, 0x23, 0x20, 0, 0, 0x30];
/// Other ends that are remembered.
const REMOTES_MAX: usize = 256;
/// Checks that health is measured over.
const HEALTH_CHECKS: u32 = 6;
const INTERVAL_MS_DEFAULT: i64 = 1000;
/// Standard intervals in ms, by their code (802.1ag table 21-16).
const INTERVALS_MS: [(u8, i64); 7] =
    [(1, 3), (2, 10), (3, 100), (4, 1000), (5, 10_000), (6, 60_000), (7, 600_000)];

/// Settings of an end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub mpid: u64,
    pub interval_ms: i64,
    pub extended: bool,
    /// Data may stand in for messages.
    pub demand: bool,
    pub opstate_up: bool,
    pub vlan: Option<u16>,
    pub pcp: u8,
}

impl Config {
    pub fn address(&self) -> [u8; 6] {
        if self.extended { ADDRESS_EXTENDED } else { ADDRESS }
    }

    /// The interval in force: the standard one that is nearest above, unless the extended form tells the exact one.
    pub fn interval(&self) -> (u8, i64) {
        let wanted = if self.interval_ms < 1 { INTERVAL_MS_DEFAULT } else { self.interval_ms };
        let fitting = INTERVALS_MS.iter().rev().find(|(_, ms)| wanted >= *ms);
        let standard = *fitting.unwrap_or(&INTERVALS_MS[0]);
        // Code 0: the exact interval stands in the extension.
        if self.extended && standard.1 != wanted { (0, wanted.min(i64::from(u16::MAX))) } else { standard }
    }
}

/// What is wrong, as bits.
pub mod fault {
    pub const RECV: u8 = 1 << 0;
    pub const RDI: u8 = 1 << 1;
    pub const MAID: u8 = 1 << 2;
    pub const LOOPBACK: u8 = 1 << 3;
    pub const OVERFLOW: u8 = 1 << 4;
    pub const OVERRIDE: u8 = 1 << 5;
    pub const INTERVAL: u8 = 1 << 6;
    pub const NAMES: [&str; 7] = ["recv", "rdi", "maid", "loopback", "overflow", "override", "interval"];
}

/// The names of the bits in `faults`.
pub fn fault_names(faults: u8) -> Vec<&'static str> {
    let set = fault::NAMES.iter().enumerate().filter(|(bit, _)| faults & (1 << bit) != 0);
    set.map(|(_, name)| *name).collect()
}

#[derive(Clone, Debug)]
struct Remote {
    heard: bool,
    opstate_up: bool,
    rdi: bool,
    n_heard: u32,
    last_sequence: u32,
}

/// One end.
#[derive(Clone, Debug)]
pub struct Cfm {
    pub name: String,
    pub config: Config,
    pub faults: u8,
    pub flap_count: u64,
    /// Percent; `None` until it was measured.
    pub health: Option<u8>,
    pub remote_opstate_up: bool,
    /// `cfm/set-fault`.
    pub fault_override: Option<bool>,
    pending: u8,
    rdi: bool,
    remotes: BTreeMap<u64, Remote>,
    sequence: u32,
    n_checks: u32,
    rx_data: u64,
    next_tx_ms: i64,
    next_check_ms: i64,
}

impl Cfm {
    pub fn new(name: &str, config: Config, now_ms: i64) -> Self {
        let mut cfm = Cfm {
            name: name.into(),
            config,
            faults: 0,
            flap_count: 0,
            health: None,
            remote_opstate_up: true,
            fault_override: None,
            pending: 0,
            rdi: false,
            remotes: BTreeMap::new(),
            sequence: 0,
            n_checks: 0,
            rx_data: 0,
            next_tx_ms: now_ms,
            next_check_ms: now_ms,
        };
        cfm.next_check_ms = now_ms + cfm.fault_interval_ms();
        cfm
    }

    pub fn configure(&mut self, config: Config, now_ms: i64) {
        let restart = (self.config.interval(), self.config.extended) != (config.interval(), config.extended);
        self.config = config;
        if restart {
            self.next_tx_ms = now_ms;
            self.next_check_ms = now_ms + self.fault_interval_ms();
        }
    }

    /// 802.1ag: three and a half intervals of silence.
    fn fault_interval_ms(&self) -> i64 {
        let (_, ms) = self.config.interval();
        let ms = if self.config.demand { ms.max(500) } else { ms };
        ms * 7 / 2
    }

    /// What follows the Ethernet type. Packets with another maintenance id are somebody else's.
    pub fn receive(&mut self, payload: &[u8]) {
        let Some(m) = Ccm::parse(payload, self.config.extended) else { return };
        if m.maid != ccm::maid() {
            self.pending |= fault::MAID;
            tracing::warn!(target: "cfm", rl = 5, "{}: Received unexpected remote MAID from MAC", self.name);
            return;
        }
        if m.mpid == self.config.mpid {
            self.pending |= fault::LOOPBACK;
        }
        let (code, ms) = self.config.interval();
        let same = m.interval_code == code && m.interval_ms.is_none_or(|theirs| theirs == ms);
        if !same {
            self.pending |= fault::INTERVAL;
            tracing::warn!(target: "cfm", rl = 5, "{}: received a CCM with an unexpected interval", self.name);
        }
        let len = self.remotes.len();
        if !self.remotes.contains_key(&m.mpid) && len >= REMOTES_MAX {
            self.pending |= fault::OVERFLOW;
            return;
        }
        let remote = self.remotes.entry(m.mpid).or_insert(Remote {
            heard: false,
            opstate_up: true,
            rdi: false,
            n_heard: 0,
            last_sequence: 0,
        });
        (remote.heard, remote.rdi, remote.opstate_up) = (true, m.rdi, m.opstate_up);
        remote.n_heard += 1;
        remote.last_sequence = m.sequence;
        if m.rdi {
            self.pending |= fault::RDI;
        }
    }

    /// Time passes; `rx_packets` is what the interface has received. What follows the Ethernet type of a message to
    /// send, and the next deadline.
    pub fn run(&mut self, rx_packets: Option<u64>, now_ms: i64) -> (Option<Vec<u8>>, i64) {
        if now_ms >= self.next_check_ms {
            self.check(rx_packets);
            self.next_check_ms = now_ms + self.fault_interval_ms();
        }
        let mut out = None;
        if now_ms >= self.next_tx_ms {
            let (code, ms) = self.config.interval();
            self.sequence = self.sequence.wrapping_add(1);
            let message = Ccm {
                maid: ccm::maid(),
                mpid: self.config.mpid,
                sequence: self.sequence,
                rdi: self.rdi,
                interval_code: code,
                interval_ms: Some(ms),
                opstate_up: self.config.opstate_up,
            };
            out = Some(message.emit(self.config.extended));
            self.next_tx_ms = now_ms + ms;
        }
        (out, self.next_tx_ms.min(self.next_check_ms))
    }

    /// Once per fault interval: who was heard since the last time?
    fn check(&mut self, rx_packets: Option<u64>) {
        let before = self.faults;
        self.faults = std::mem::take(&mut self.pending);
        let rx = rx_packets.unwrap_or(0);
        let has_data = self.config.demand && rx > self.rx_data;
        self.rx_data = rx;
        if has_data {
            self.remotes.values_mut().for_each(|r| r.heard = true);
        }
        self.measure_health();
        if self.remotes.values().any(|r| !r.heard) {
            self.faults |= fault::RECV;
        }
        self.remotes.retain(|_, r| std::mem::take(&mut r.heard));
        if self.remotes.is_empty() {
            self.faults |= fault::RECV;
        }
        self.rdi = self.faults & !fault::RDI != 0;
        let remote_up = self.remotes.values().all(|r| r.opstate_up);
        self.remote_opstate_up = remote_up;
        if (before == 0) != (self.faults == 0) {
            self.flap_count += 1;
        }
        if before != self.faults {
            tracing::info!(
                target: "cfm", rl = 5, "{}: CFM faults changed [{}] -> [{}]",
                self.name, fault_names(before).join(" "), fault_names(self.faults).join(" ")
            );
        }
    }

    /// The share of messages that came, over some checks.
    fn measure_health(&mut self) {
        self.n_checks += 1;
        if self.n_checks < HEALTH_CHECKS {
            return;
        }
        let expected = HEALTH_CHECKS * 7 / 2;
        let shares =
            self.remotes.values().map(|r| u64::from(r.n_heard.min(expected)) * 100 / u64::from(expected));
        self.health = match self.remotes.len() {
            0 => Some(0),
            n => Some((shares.sum::<u64>() / n as u64) as u8),
        };
        if self.remotes.len() > 1 {
            // With several others the mean would say nothing.
            self.health = None;
        }
        self.n_checks = 0;
        self.remotes.values_mut().for_each(|r| r.n_heard = 0);
    }

    /// The faults, what an operator said included.
    pub fn faults(&self) -> u8 {
        match self.fault_override {
            None => self.faults,
            Some(true) => fault::OVERRIDE,
            Some(false) => 0,
        }
    }

    /// The other ends say that they are up (extended form only).
    pub fn remote_opstate(&self) -> Option<bool> {
        self.config.extended.then_some(self.remote_opstate_up)
    }

    pub fn remote_mpids(&self) -> Vec<u64> {
        self.remotes.keys().copied().collect()
    }

    /// May the interface carry traffic?
    pub fn is_forwarding(&self) -> bool {
        self.faults() == 0 && self.remote_opstate().unwrap_or(true)
    }

    /// The frame of a message.
    pub fn frame(&self, src: [u8; 6], message: &[u8]) -> Vec<u8> {
        let dst = self.config.address();
        let tag = self.config.vlan.unwrap_or(0) | u16::from(self.config.pcp) << 13;
        if tag == 0 {
            return frame::ethernet(dst, src, CFM_TYPE, message);
        }
        let mut tagged = tag.to_be_bytes().to_vec();
        tagged.extend(CFM_TYPE.to_be_bytes());
        tagged.extend_from_slice(message);
        frame::ethernet(dst, src, flow::proto::eth::VLAN, &tagged)
    }
}
