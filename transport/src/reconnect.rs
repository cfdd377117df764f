//! When to connect, when to probe, when to give up: OVS's reconnect machine, sans-IO. It holds
//! no clock and no socket: every call is given `now` in milliseconds of any monotonic clock.
//!
//! ```text
//!            enable               run: Connect          connected
//!   Void ------------> Backoff ----------------> Connecting ---------> Active <-> Idle
//!                        ^   (passive: Listening)     | connect_failed    | silent for probe_interval:
//!                        +----------------------------+---- Reconnect <---+ Probe, then Disconnect
//! ```
//!
//! Backoff doubles from 1 s to 8 s; it starts over when a connection lived longer than it.

/// Backoff after the first failure, in ms.
pub const BACKOFF_MIN_MS: u64 = 1000;
/// Longest backoff, in ms.
pub const BACKOFF_MAX_MS: u64 = 8000;
/// Silence after which an active connection is probed, in ms.
pub const PROBE_INTERVAL_MS: u64 = 5000;
/// Shortest time given to connect, in ms.
const CONNECT_TIMEOUT_MIN_MS: u64 = 1000;

/// What the owner shall do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start to connect (or to listen, in passive mode), then call `connecting`.
    Connect,
    /// Close the connection, then call `disconnected` or `connect_failed`.
    Disconnect,
    /// Send an echo request.
    Probe,
}

/// The machine's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Disabled.
    Void,
    /// Waiting for a peer (passive mode).
    Listening,
    /// Waiting before the next try.
    Backoff,
    /// Trying to connect.
    Connecting,
    /// Connected, and the peer was heard of lately.
    Active,
    /// Connected, probed, no answer yet.
    Idle,
    /// Told to close and connect anew.
    Reconnect,
}

impl State {
    /// OVS's word, as in `Manager.status:state`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Void => "VOID",
            Self::Listening => "LISTENING",
            Self::Backoff => "BACKOFF",
            Self::Connecting => "CONNECTING",
            Self::Active => "ACTIVE",
            Self::Idle => "IDLE",
            Self::Reconnect => "RECONNECT",
        }
    }
}

/// The machine. See the module's figure.
#[derive(Clone, Debug)]
pub struct Reconnect {
    state: State,
    entered_ms: u64,
    backoff_ms: u64,
    backoff_min_ms: u64,
    backoff_max_ms: u64,
    /// 0 = never probe.
    probe_interval_ms: u64,
    passive: bool,
    /// Tries left; `None` = for ever.
    max_tries: Option<u32>,
    activity_ms: u64,
    connected_ms: Option<u64>,
    disconnected_ms: Option<u64>,
    n_attempts: u64,
    n_connections: u64,
    seqno: u64,
}

impl Reconnect {
    /// A disabled machine.
    pub fn new(now: u64) -> Self {
        Self {
            state: State::Void,
            entered_ms: now,
            backoff_ms: 0,
            backoff_min_ms: BACKOFF_MIN_MS,
            backoff_max_ms: BACKOFF_MAX_MS,
            probe_interval_ms: PROBE_INTERVAL_MS,
            passive: false,
            max_tries: None,
            activity_ms: now,
            connected_ms: None,
            disconnected_ms: None,
            n_attempts: 0,
            n_connections: 0,
            seqno: 0,
        }
    }

    /// Sets the silence before a probe; 0 disables probes (Unix sockets).
    pub fn set_probe_interval(&mut self, ms: u64) {
        self.probe_interval_ms = if ms == 0 { 0 } else { ms.max(1000) };
    }

    /// Sets the range of the backoff; 0 means the default.
    pub fn set_backoff(&mut self, min_ms: u64, max_ms: u64) {
        let or = |ms, default| if ms == 0 { default } else { ms };
        self.backoff_min_ms = or(min_ms, BACKOFF_MIN_MS);
        self.backoff_max_ms = or(max_ms, BACKOFF_MAX_MS).max(self.backoff_min_ms);
        self.backoff_ms = self.backoff_ms.min(self.backoff_max_ms);
    }

    /// In passive mode the machine listens instead of connecting.
    pub fn set_passive(&mut self, passive: bool) {
        self.passive = passive;
    }

    /// Gives up after `n` tries (1: never reconnect). `None`: for ever.
    pub fn set_max_tries(&mut self, n: Option<u32>) {
        self.max_tries = n;
    }

    /// Starts trying.
    pub fn enable(&mut self, now: u64) {
        if self.state == State::Void && self.may_retry() {
            self.enter(State::Backoff, now);
            self.backoff_ms = 0;
        }
    }

    /// Stops; the owner closes any connection.
    pub fn disable(&mut self, now: u64) {
        if self.state != State::Void {
            self.enter(State::Void, now);
        }
    }

    /// Closes the connection, if any, and connects at once.
    pub fn force_reconnect(&mut self, now: u64) {
        if matches!(self.state, State::Connecting | State::Active | State::Idle) {
            self.enter(State::Reconnect, now);
        }
    }

    /// The owner began to connect.
    pub fn connecting(&mut self, now: u64) {
        if self.state != State::Connecting {
            self.n_attempts += 1;
            self.enter(State::Connecting, now);
        }
    }

    /// The owner listens (passive mode).
    pub fn listening(&mut self, now: u64) {
        if self.state != State::Listening {
            self.enter(State::Listening, now);
        }
    }

    /// The connection stands.
    pub fn connected(&mut self, now: u64) {
        if !self.is_connected() {
            self.connecting(now);
            self.enter(State::Active, now);
            self.connected_ms = Some(now);
            self.activity_ms = now;
            self.n_connections += 1;
            self.seqno += 1;
        }
    }

    /// The attempt failed. Same as [`Self::disconnected`].
    pub fn connect_failed(&mut self, now: u64) {
        self.disconnected(now);
    }

    /// The connection or the attempt is over.
    pub fn disconnected(&mut self, now: u64) {
        if matches!(self.state, State::Backoff | State::Void) {
            return;
        }
        let lived_ms = now.saturating_sub(self.connected_ms.unwrap_or(now));
        let was_connected = self.is_connected();
        if was_connected {
            self.disconnected_ms = Some(now);
            self.seqno += 1;
        }
        let lived_long = was_connected && lived_ms >= self.backoff_ms;
        self.backoff_ms = if self.passive && was_connected {
            0
        } else if self.backoff_ms < self.backoff_min_ms || lived_long {
            self.backoff_min_ms
        } else {
            (self.backoff_ms * 2).min(self.backoff_max_ms)
        };
        let next = if self.may_retry() { State::Backoff } else { State::Void };
        self.enter(next, now);
    }

    /// Something was received.
    pub fn activity(&mut self, now: u64) {
        self.activity_ms = now;
        if self.state == State::Idle {
            self.enter(State::Active, now);
        }
    }

    /// What is due at `now`. Call again after doing it.
    pub fn run(&mut self, now: u64) -> Option<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        match self.state {
            State::Backoff => Some(Action::Connect),
            State::Active => {
                self.enter(State::Idle, now);
                Some(Action::Probe)
            }
            State::Connecting | State::Idle | State::Reconnect => Some(Action::Disconnect),
            State::Void | State::Listening => None,
        }
    }

    /// When [`Self::run`] has something to do next; `None`: never by time alone.
    pub fn deadline(&self) -> Option<u64> {
        match self.state {
            State::Void | State::Listening => None,
            State::Backoff => Some(self.entered_ms + self.backoff_ms),
            State::Connecting => Some(self.entered_ms + self.backoff_ms.max(CONNECT_TIMEOUT_MIN_MS)),
            State::Active if self.probe_interval_ms == 0 => None,
            State::Active => Some(self.activity_ms.max(self.entered_ms) + self.probe_interval_ms),
            State::Idle if self.probe_interval_ms == 0 => None,
            State::Idle => Some(self.entered_ms + self.probe_interval_ms),
            State::Reconnect => Some(self.entered_ms),
        }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// True between `connected` and `disconnected`.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Active | State::Idle)
            || (self.state == State::Reconnect && self.connected_ms > self.disconnected_ms)
    }

    /// False once the tries are used up, or when disabled.
    pub fn is_alive(&self) -> bool {
        self.state != State::Void
    }

    /// The current backoff, in ms.
    pub fn backoff_ms(&self) -> u64 {
        self.backoff_ms
    }

    /// When the state was entered, in ms.
    pub fn entered_ms(&self) -> u64 {
        self.entered_ms
    }

    /// When the last connection came up (`Manager.status:sec_since_connect`).
    pub fn connected_ms(&self) -> Option<u64> {
        self.connected_ms
    }

    /// When the last connection went down (`sec_since_disconnect`).
    pub fn disconnected_ms(&self) -> Option<u64> {
        self.disconnected_ms
    }

    /// (attempts, successes).
    pub fn counts(&self) -> (u64, u64) {
        (self.n_attempts, self.n_connections)
    }

    /// Changes whenever a connection comes or goes.
    pub fn seqno(&self) -> u64 {
        self.seqno
    }

    fn enter(&mut self, state: State, now: u64) {
        self.state = state;
        self.entered_ms = now;
    }

    /// Uses up one try.
    fn may_retry(&mut self) -> bool {
        match &mut self.max_tries {
            None => true,
            Some(0) => false,
            Some(n) => {
                *n -= 1;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_to_its_limit_and_starts_over() {
        let mut r = Reconnect::new(0);
        r.enable(0);
        assert_eq!(r.run(0), Some(Action::Connect));
        let mut now = 0;
        for expect in [1000, 2000, 4000, 8000, 8000] {
            r.connecting(now);
            r.connect_failed(now);
            assert_eq!(r.backoff_ms(), expect);
            assert_eq!(r.run(now + expect - 1), None);
            now += expect;
            assert_eq!(r.run(now), Some(Action::Connect));
        }
        r.connecting(now);
        r.connected(now);
        r.disconnected(now + 9000);
        assert_eq!(r.backoff_ms(), 1000);
    }

    #[test]
    fn probes_then_gives_up() {
        let mut r = Reconnect::new(0);
        r.enable(0);
        r.connecting(0);
        r.connected(0);
        r.activity(3000);
        assert_eq!(r.run(7999), None);
        assert_eq!(r.run(8000), Some(Action::Probe));
        r.activity(9000);
        assert_eq!(r.state(), State::Active);
        assert_eq!(r.run(14000), Some(Action::Probe));
        assert_eq!(r.run(19000), Some(Action::Disconnect));
        r.disconnected(19000);
        assert_eq!(r.state(), State::Backoff);
    }

    #[test]
    fn no_probes_on_request_and_bounded_tries() {
        let mut r = Reconnect::new(0);
        r.set_probe_interval(0);
        r.set_max_tries(Some(1));
        r.enable(0);
        r.connecting(0);
        r.connected(0);
        assert_eq!(r.deadline(), None);
        r.disconnected(10);
        assert_eq!(r.state(), State::Void);
    }

    #[test]
    fn connecting_times_out_and_force_reconnect_is_immediate() {
        let mut r = Reconnect::new(0);
        r.enable(0);
        r.connecting(0);
        assert_eq!(r.run(999), None);
        assert_eq!(r.run(1000), Some(Action::Disconnect));
        r.connected(1000);
        r.force_reconnect(1001);
        assert!(r.is_connected());
        assert_eq!(r.run(1001), Some(Action::Disconnect));
    }
}
