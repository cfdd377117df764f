//! Bidirectional Forwarding Detection (RFC 5880, 5881) in asynchronous mode, one session per interface.
//!
//! ```text
//!            down heard             init or up heard
//!   DOWN ---------------> INIT ----------------------> UP
//!    ^  \---- init heard -------------------------->   |
//!    +---- silence (detection time), down heard -------+
//! ```

pub mod packet;
pub mod show;
#[cfg(test)]
mod tests;

use super::NEVER;
use packet::{Packet, flag};

/// 6.8.3: slower than this until the session is up.
const SLOW_TX_MS: i64 = 1000;
/// Data packets are looked for at least so seldom.
const DECAY_INTERVAL_MS_MIN: i64 = 2000;

/// Settings of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub min_tx_ms: i64,
    pub min_rx_ms: i64,
    /// 0 = no decay.
    pub decay_min_rx_ms: i64,
    pub mult: u8,
    pub forwarding_if_rx: bool,
    pub cpath_down: bool,
    pub addresses: packet::Addresses,
    /// Frames to other addresses are not for the session; `None`: any.
    pub remote_dst_mac: Option<[u8; 6]>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    AdminDown,
    Down,
    Init,
    Up,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::AdminDown => "admin_down",
            State::Down => "down",
            State::Init => "init",
            State::Up => "up",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Diagnostic {
    None,
    Expired,
    RemoteDown,
    PathDown,
    Other(u8),
}

impl Diagnostic {
    fn code(self) -> u8 {
        match self {
            Diagnostic::None => 0,
            Diagnostic::Expired => 1,
            Diagnostic::RemoteDown => 3,
            Diagnostic::PathDown => 6,
            Diagnostic::Other(code) => code,
        }
    }
    fn from_code(code: u8) -> Self {
        match code {
            0 => Diagnostic::None,
            1 => Diagnostic::Expired,
            3 => Diagnostic::RemoteDown,
            6 => Diagnostic::PathDown,
            code => Diagnostic::Other(code),
        }
    }
    /// The words of RFC 5880 section 4.1.
    pub fn name(self) -> &'static str {
        match self.code() {
            0 => "No Diagnostic",
            1 => "Control Detection Time Expired",
            2 => "Echo Function Failed",
            3 => "Neighbor Signaled Session Down",
            4 => "Forwarding Plane Reset",
            5 => "Path Down",
            6 => "Concatenated Path Down",
            7 => "Administratively Down",
            8 => "Reverse Concatenated Path Down",
            _ => "diagnostic code unknown",
        }
    }
    fn is_path_down(self) -> bool {
        matches!(self.code(), 6 | 8)
    }
}

/// The other end, as last heard.
#[derive(Clone, Copy, Debug)]
struct Remote {
    state: State,
    diagnostic: Diagnostic,
    discriminator: u32,
    min_tx_ms: i64,
    min_rx_ms: i64,
    mult: u8,
    flags: u8,
}

const UNKNOWN: Remote = Remote {
    state: State::Down,
    diagnostic: Diagnostic::None,
    discriminator: 0,
    min_tx_ms: 0,
    min_rx_ms: 1,
    mult: 0,
    flags: 0,
};

/// One session.
#[derive(Clone, Debug)]
pub struct Bfd {
    pub name: String,
    pub config: Config,
    pub state: State,
    pub diagnostic: Diagnostic,
    pub discriminator: u32,
    /// `bfd/set-forwarding`.
    pub forwarding_override: Option<bool>,
    pub flap_count: u64,
    remote: Remote,
    flags: u8,
    min_tx_ms: i64,
    min_rx_ms: i64,
    /// Values that a poll sequence tells the other end.
    poll: Option<(i64, i64)>,
    detect_ms: i64,
    next_tx_ms: i64,
    last_tx_ms: i64,
    final_due: bool,
    forwarding: bool,
    in_decay: bool,
    decay_check_ms: i64,
    rx_data: u64,
    rx_data_until_ms: i64,
    n_received: u64,
    random: u64,
}

impl Bfd {
    /// `discriminator` must be unique on this host and not zero.
    pub fn new(name: &str, config: Config, discriminator: u32, now_ms: i64) -> Self {
        Bfd {
            name: name.into(),
            min_tx_ms: config.min_tx_ms.max(SLOW_TX_MS),
            min_rx_ms: config.min_rx_ms,
            diagnostic: Diagnostic::None,
            config,
            state: State::Down,
            discriminator,
            forwarding_override: None,
            flap_count: 0,
            remote: UNKNOWN,
            flags: 0,
            poll: None,
            detect_ms: 0,
            next_tx_ms: now_ms,
            last_tx_ms: now_ms,
            final_due: false,
            forwarding: false,
            in_decay: false,
            decay_check_ms: 0,
            rx_data: 0,
            rx_data_until_ms: 0,
            n_received: 0,
            random: u64::from(discriminator),
        }
    }

    pub fn configure(&mut self, config: Config) {
        if self.config == config {
            return;
        }
        self.config = config;
        if self.config.cpath_down {
            self.diagnostic = Diagnostic::PathDown;
        } else if self.diagnostic == Diagnostic::PathDown {
            self.diagnostic = Diagnostic::None;
        }
        self.retime();
    }

    /// Wanted times; those that differ from what is in force are told first (6.8.3).
    fn retime(&mut self) {
        let min_rx_ms = if self.in_decay { self.config.decay_min_rx_ms } else { self.config.min_rx_ms };
        let min_tx_ms = if self.state == State::Up {
            self.config.min_tx_ms
        } else {
            self.config.min_tx_ms.max(SLOW_TX_MS)
        };
        if self.state != State::Up {
            // Nobody to ask.
            (self.min_tx_ms, self.min_rx_ms, self.poll) = (min_tx_ms, min_rx_ms, None);
            self.flags &= !flag::POLL;
        } else if (min_tx_ms, min_rx_ms) != self.poll.unwrap_or((self.min_tx_ms, self.min_rx_ms)) {
            self.poll = Some((min_tx_ms, min_rx_ms));
            // To speak sooner and to wait longer needs nobody's consent.
            self.min_tx_ms = self.min_tx_ms.min(min_tx_ms);
            self.min_rx_ms = self.min_rx_ms.max(min_rx_ms);
            self.flags |= flag::POLL;
        }
    }

    fn set_state(&mut self, state: State, diagnostic: Diagnostic) {
        let diagnostic = if self.config.cpath_down { Diagnostic::PathDown } else { diagnostic };
        if (self.state, self.diagnostic) == (state, diagnostic) {
            return;
        }
        tracing::info!(
            target: "bfd", "{}: BFD state change: {}->{} \"{}\"->\"{}\".",
            self.name, self.state.name(), state.name(), self.diagnostic.name(), diagnostic.name()
        );
        (self.state, self.diagnostic) = (state, diagnostic);
        if state <= State::Down {
            // 6.8.1: what was heard is void.
            self.remote = Remote {
                flags: self.remote.flags,
                state: self.remote.state,
                diagnostic: self.remote.diagnostic,
                ..UNKNOWN
            };
            self.in_decay = false;
        }
        self.retime();
    }

    fn tx_interval_ms(&self) -> i64 {
        self.min_tx_ms.max(self.remote.min_rx_ms)
    }

    fn rx_interval_ms(&self) -> i64 {
        self.min_rx_ms.max(self.remote.min_tx_ms)
    }

    /// 6.8.7: a quarter less at most, by chance.
    fn schedule(&mut self, now_ms: i64) {
        let interval_ms = self.tx_interval_ms();
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chance = (self.random >> 33) as i64;
        let least = if self.config.mult == 1 { 10 } else { 0 };
        let percent = least + chance % (26 - least);
        self.next_tx_ms = now_ms + interval_ms - interval_ms * percent / 100;
    }

    /// A control packet: what follows the UDP header. 6.8.6.
    pub fn receive(&mut self, payload: &[u8], now_ms: i64) {
        let Some(p) = Packet::parse(payload) else { return };
        let wrong = p.mult == 0
            || p.flags & flag::MULTIPOINT != 0
            || p.flags & flag::AUTHENTICATION != 0
            || p.my_discriminator == 0
            || (p.your_discriminator == 0 && p.state > State::Down)
            || (p.your_discriminator != 0 && p.your_discriminator != self.discriminator);
        if wrong || self.state == State::AdminDown {
            return;
        }
        self.n_received += 1;
        let interval_before_ms = self.tx_interval_ms();
        self.remote = Remote {
            state: p.state,
            diagnostic: p.diagnostic,
            discriminator: p.my_discriminator,
            min_tx_ms: p.min_tx_ms,
            min_rx_ms: p.min_rx_ms.max(1),
            mult: p.mult,
            flags: p.flags,
        };
        if p.flags & flag::FINAL != 0
            && let Some((min_tx_ms, min_rx_ms)) = self.poll.take()
        {
            (self.min_tx_ms, self.min_rx_ms) = (min_tx_ms, min_rx_ms);
            self.flags &= !flag::POLL;
        }
        if p.flags & flag::POLL != 0 {
            self.final_due = true;
        }
        self.detect_ms = now_ms + self.rx_interval_ms() * i64::from(p.mult);
        match (self.state, p.state) {
            (state, State::AdminDown) if state != State::Down => {
                self.set_state(State::Down, Diagnostic::RemoteDown);
            }
            (State::Down, State::Down) => self.set_state(State::Init, self.diagnostic),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.set_state(State::Up, Diagnostic::None);
            }
            (State::Up, State::Down) => self.set_state(State::Down, Diagnostic::RemoteDown),
            _ => {}
        }
        if self.tx_interval_ms() < interval_before_ms {
            // The other end can do with less patience now.
            self.next_tx_ms = self.next_tx_ms.min(now_ms + self.tx_interval_ms());
        }
    }

    /// Time passes; `rx_packets` is what the interface has received, if that is known. A packet to send, and the next
    /// deadline.
    pub fn run(&mut self, rx_packets: Option<u64>, now_ms: i64) -> (Option<Vec<u8>>, i64) {
        if self.state > State::Down && now_ms >= self.detect_ms {
            self.set_state(State::Down, Diagnostic::Expired);
        }
        self.watch_data(rx_packets, now_ms);
        self.retime();
        self.next_tx_ms = self.next_tx_ms.min(now_ms + self.tx_interval_ms());
        self.update_forwarding(now_ms);
        let mut out = None;
        if self.final_due || now_ms >= self.next_tx_ms {
            out = Some(self.compose());
            self.last_tx_ms = now_ms;
            self.final_due = false;
            self.schedule(now_ms);
        }
        let detect_ms = if self.state > State::Down { self.detect_ms } else { NEVER };
        (out, self.next_tx_ms.min(detect_ms))
    }

    fn compose(&self) -> Vec<u8> {
        let (min_tx_ms, min_rx_ms) = self.poll.unwrap_or((self.min_tx_ms, self.min_rx_ms));
        let final_bit = if self.final_due { flag::FINAL } else { 0 };
        Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            // 6.5: never both.
            flags: if self.final_due { final_bit } else { self.flags },
            mult: self.config.mult,
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.discriminator,
            min_tx_ms,
            min_rx_ms,
        }
        .emit()
    }

    /// Packets other than ours: for `forwarding_if_rx`, and for decay while there are none.
    fn watch_data(&mut self, rx_packets: Option<u64>, now_ms: i64) {
        let Some(total) = rx_packets else { return };
        if total < self.rx_data {
            self.rx_data = total;
        }
        if self.config.forwarding_if_rx && total > self.rx_data {
            let mult = i64::from(self.config.mult.max(1));
            self.rx_data_until_ms = now_ms + self.rx_interval_ms() * mult;
        }
        if self.config.decay_min_rx_ms > self.config.min_rx_ms && self.state == State::Up {
            if now_ms >= self.decay_check_ms {
                let data = (total - self.rx_data).saturating_sub(self.n_received);
                self.in_decay = data == 0;
                self.n_received = 0;
                self.rx_data = total;
                self.decay_check_ms = now_ms + self.config.decay_min_rx_ms.max(DECAY_INTERVAL_MS_MIN);
            }
        } else {
            (self.rx_data, self.n_received, self.in_decay) = (total, 0, false);
        }
    }

    fn update_forwarding(&mut self, now_ms: i64) {
        let receives =
            self.state == State::Up || (self.config.forwarding_if_rx && now_ms < self.rx_data_until_ms);
        let forwarding = receives && !self.remote.diagnostic.is_path_down();
        if std::mem::replace(&mut self.forwarding, forwarding) != forwarding {
            self.flap_count += 1;
        }
    }

    /// May the interface carry traffic?
    pub fn is_forwarding(&self) -> bool {
        self.forwarding_override.unwrap_or(self.forwarding)
    }

    /// For `Interface.bfd_status`.
    pub fn status(&self) -> Vec<(&'static str, String)> {
        vec![
            ("state", self.state.name().into()),
            ("forwarding", self.is_forwarding().to_string()),
            ("diagnostic", self.diagnostic.name().into()),
            ("remote_state", self.remote.state.name().into()),
            ("remote_diagnostic", self.remote.diagnostic.name().into()),
            ("flap_count", self.flap_count.to_string()),
        ]
    }
}
