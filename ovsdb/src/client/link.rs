//! A JSON-RPC connection that comes back: tries its targets in turn, backs off, probes. What is
//! said over it is the [`Peer`]'s affair. Every await is safe to cancel: state lives in the link,
//! not in the future.

use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio_util::codec::{Decoder, Encoder};
use transport::jsonrpc::{Codec, Message};
use transport::reconnect::{Action, Reconnect};
use transport::target::ParseError;
use transport::{Stream, Target, strerror};

/// OVSDB's TCP port.
const DEFAULT_PORT: u16 = 6640;
/// Room for what is read at once.
const READ_SIZE: usize = 1 << 16;

/// Who speaks over a link (sans-IO).
pub trait Peer {
    /// A connection stands.
    fn on_connected(&mut self);
    /// The connection, or the last attempt to make one, is gone for this reason.
    fn on_disconnected(&mut self, reason: &str);
    /// A message came. `Err`: the other side broke the protocol; the connection is dropped.
    fn on_message(&mut self, message: Message) -> Result<(), String>;
    /// The next message to send.
    fn poll_transmit(&mut self) -> Option<Message>;
    /// The other side has been silent: an echo request is due.
    fn probe(&mut self);
}

/// A connection to one of several servers.
pub struct Link {
    targets: Vec<Target>,
    /// Index of the target in use.
    current: usize,
    reconnect: Reconnect,
    /// The reconnect machine's zero.
    start: Instant,
    state: State,
    last_error: Option<String>,
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

enum State {
    Down,
    Connecting(Connecting),
    Up(Connection),
}

struct Connection {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    codec: Codec,
    input: BytesMut,
    output: BytesMut,
}

impl Link {
    /// A link to `remotes`: one connection method, or several with commas between, which are
    /// tried in turn. Connects when first stepped; gives up after `max_tries`, if there is such.
    ///
    /// # Errors
    /// One of the methods cannot be read.
    pub fn new(remotes: &str, max_tries: Option<u32>) -> Result<Self, ParseError> {
        let targets = remotes
            .split(',')
            .map(|text| Target::parse(text.trim(), Some(DEFAULT_PORT)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut reconnect = Reconnect::new(0);
        reconnect.set_max_tries(max_tries);
        if targets.iter().all(Target::is_local) {
            reconnect.set_probe_interval(0);
        }
        reconnect.enable(0);
        let (start, state) = (Instant::now(), State::Down);
        Ok(Self { targets, current: 0, reconnect, start, state, last_error: None })
    }

    /// Sets the silence after which the other side is probed, in ms; 0: never.
    pub fn set_probe_interval(&mut self, ms: u64) {
        self.reconnect.set_probe_interval(ms);
    }

    /// False once the tries are used up.
    pub fn is_alive(&self) -> bool {
        self.reconnect.is_alive() || !matches!(self.state, State::Down)
    }

    /// Why the last connection or attempt ended, in the system's words.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// The server in use or to be tried next.
    pub fn target(&self) -> String {
        self.targets.get(self.current).map(Target::to_string).unwrap_or_default()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Does whatever can be done next.
    pub async fn step(&mut self, peer: &mut impl Peer) {
        let now = self.now();
        match self.reconnect.run(now) {
            Some(Action::Connect) => return self.connect(now),
            Some(Action::Disconnect) => return self.disconnect("Connection timed out", peer),
            Some(Action::Probe) => peer.probe(),
            None => {}
        }
        let deadline = self.reconnect.deadline();
        let wait = async {
            match deadline {
                Some(at) => tokio::time::sleep(Duration::from_millis(at.saturating_sub(now))).await,
                None => std::future::pending().await,
            }
        };
        match &mut self.state {
            State::Down => wait.await,
            State::Connecting(attempt) => tokio::select! {
                result = attempt => self.connected(result, peer),
                () = wait => {}
            },
            State::Up(connection) => tokio::select! {
                result = connection.exchange(peer) => match result {
                    Ok(received) => if received { self.reconnect.activity(self.now()) },
                    Err(reason) => self.disconnect(&reason, peer),
                },
                () = wait => {}
            },
        }
    }

    fn connect(&mut self, now: u64) {
        let Some(target) = self.targets.get(self.current).cloned() else { return };
        tracing::info!(target: "reconnect", rl = 10, "{target}: connecting...");
        self.reconnect.connecting(now);
        self.state = State::Connecting(Box::pin(async move { Stream::connect(&target).await }));
    }

    fn connected(&mut self, result: io::Result<Stream>, peer: &mut impl Peer) {
        let now = self.now();
        match result {
            Ok(stream) => {
                tracing::info!(target: "reconnect", "{}: connected", self.target());
                self.reconnect.connected(now);
                let (reader, writer) = tokio::io::split(stream);
                self.state = State::Up(Connection {
                    reader,
                    writer,
                    codec: Codec::new(),
                    input: BytesMut::with_capacity(READ_SIZE),
                    output: BytesMut::new(),
                });
                peer.on_connected();
            }
            Err(error) => {
                let text = strerror(&error);
                tracing::info!(
                    target: "reconnect", rl = 10,
                    "{}: connection attempt failed ({text})", self.target()
                );
                self.state = State::Down;
                self.next_target();
                self.reconnect.connect_failed(now);
                if !self.reconnect.is_alive() {
                    peer.on_disconnected(&text);
                }
                self.last_error = Some(text);
            }
        }
    }

    /// Ends the connection; the next one comes after the backoff.
    pub fn disconnect(&mut self, reason: &str, peer: &mut impl Peer) {
        tracing::info!(target: "reconnect", rl = 10, "{}: connection dropped ({reason})", self.target());
        let was_up = matches!(self.state, State::Up(_));
        self.state = State::Down;
        self.last_error = Some(reason.to_owned());
        self.next_target();
        self.reconnect.disconnected(self.now());
        if was_up || !self.reconnect.is_alive() {
            peer.on_disconnected(reason);
        }
    }

    fn next_target(&mut self) {
        self.current = (self.current + 1) % self.targets.len().max(1);
    }
}

impl Connection {
    /// Sends what the peer has to send, receives some bytes and gives their messages to it.
    /// `Ok(true)` if anything was received. `Err` is why the connection is useless.
    async fn exchange(&mut self, peer: &mut impl Peer) -> Result<bool, String> {
        while let Some(message) = peer.poll_transmit() {
            self.codec.encode(message, &mut self.output).map_err(|e| e.to_string())?;
        }
        let n = tokio::select! {
            result = self.reader.read_buf(&mut self.input) => result.map_err(|e| strerror(&e))?,
            result = self.writer.write(&self.output), if !self.output.is_empty() => {
                self.output.advance(result.map_err(|e| strerror(&e))?);
                return Ok(false);
            }
        };
        if n == 0 {
            return Err("End of file".to_owned());
        }
        while let Some(message) = self.codec.decode(&mut self.input).map_err(|e| e.to_string())? {
            peer.on_message(message)?;
        }
        Ok(true)
    }
}
