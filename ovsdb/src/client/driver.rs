//! The session on a socket: connects, reconnects with backoff, probes. Every await is safe to
//! cancel: state lives in the client, not in the future.

use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio_util::codec::{Decoder, Encoder};
use transport::jsonrpc::Codec;
use transport::reconnect::{Action, Reconnect};
use transport::target::ParseError;
use transport::{Stream, Target, strerror};

use super::interest::Interest;
use super::replica::{Changes, Replica};
use super::request::{CommitStatus, Request};
use super::session::{Event, Session, TxnId};
use super::transaction::Transaction;

/// OVSDB's TCP port.
const DEFAULT_PORT: u16 = 6640;

/// A client of one database on one of several servers.
pub struct Client {
    session: Session,
    targets: Vec<Target>,
    /// Index of the target in use.
    current: usize,
    reconnect: Reconnect,
    /// The reconnect machine's zero.
    start: Instant,
    link: Link,
    last_error: Option<String>,
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

enum Link {
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

impl Client {
    /// A client of `db` at `remotes`: one connection method, or several with commas between, which
    /// are tried in turn. Connects when first polled, for ever.
    pub fn new(remotes: &str, db: &str, interest: Interest) -> Result<Self, ParseError> {
        let targets = remotes
            .split(',')
            .map(|text| Target::parse(text.trim(), Some(DEFAULT_PORT)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut reconnect = Reconnect::new(0);
        if targets.iter().all(Target::is_local) {
            reconnect.set_probe_interval(0);
        }
        reconnect.enable(0);
        Ok(Self {
            session: Session::new(db, interest, None),
            targets,
            current: 0,
            reconnect,
            start: Instant::now(),
            link: Link::Down,
            last_error: None,
        })
    }

    /// Takes the lock `name` with each connection; transactions then need it.
    #[must_use]
    pub fn with_lock(mut self, name: &str) -> Self {
        self.session.set_lock_name(name);
        self
    }

    /// Gives up after `n` failures to connect (tools: one per server).
    #[must_use]
    pub fn with_max_tries(mut self, n: u32) -> Self {
        self.reconnect = Reconnect::new(0);
        self.reconnect.set_max_tries(Some(n));
        if self.targets.iter().all(Target::is_local) {
            self.reconnect.set_probe_interval(0);
        }
        self.reconnect.enable(0);
        self
    }

    /// Sets the silence after which the server is probed, in ms; 0: never.
    pub fn set_probe_interval(&mut self, ms: u64) {
        self.reconnect.set_probe_interval(ms);
    }

    /// The rows, once they have arrived.
    pub fn replica(&self) -> Option<&Replica> {
        self.session.replica()
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        self.session.take_changes()
    }

    /// Whether the rows are those of a standing connection.
    pub fn is_live(&self) -> bool {
        self.session.is_live()
    }

    /// Whether the lock is ours (also when none was asked for).
    pub fn has_lock(&self) -> bool {
        self.session.has_lock()
    }

    /// False once [`Self::with_max_tries`] is used up.
    pub fn is_alive(&self) -> bool {
        self.reconnect.is_alive() || !matches!(self.link, Link::Down)
    }

    /// Why the last connection or attempt ended, in the system's words.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// The server in use or to be tried next.
    pub fn target(&self) -> String {
        self.targets.get(self.current).map(Target::to_string).unwrap_or_default()
    }

    /// Submits a transaction; [`Event::Committed`] tells how it went.
    pub fn submit(&mut self, request: Request) -> TxnId {
        self.session.submit(request)
    }

    /// Waits for the next event. Once [`Self::is_alive`] is false it waits for ever.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.session.poll_event() {
                return event;
            }
            self.step().await;
        }
    }

    /// Waits until the rows have arrived. `Err`: gave up connecting ([`Self::last_error`]).
    pub async fn ready(&mut self) -> Result<&Replica, String> {
        while !self.is_live() {
            if !self.is_alive() {
                return Err(self.last_error.clone().unwrap_or_default());
            }
            self.next().await;
        }
        self.session.replica().ok_or_else(String::new)
    }

    /// Submits a transaction and waits for its end. Other events are dropped, but changes add up.
    pub async fn commit(&mut self, request: Request) -> CommitStatus {
        let id = self.submit(request);
        loop {
            if let Event::Committed(done, status) = self.next().await
                && done == id
            {
                return status;
            }
        }
    }

    /// Builds a transaction and commits it, anew whenever the database changed under it.
    pub async fn commit_with<F>(&mut self, mut build: F) -> CommitStatus
    where
        F: FnMut(&mut Transaction<'_>),
    {
        loop {
            let Ok(replica) = self.ready().await else { return CommitStatus::TryAgain };
            let mut txn = Transaction::new(replica);
            build(&mut txn);
            let request = txn.finish();
            let seqno = self.session.seqno();
            match self.commit(request).await {
                CommitStatus::TryAgain => self.wait_after(seqno).await,
                status => return status,
            }
        }
    }

    /// Waits until the rows are newer than `seqno` (they may be already) or the connection breaks:
    /// when to build a transaction again after `TryAgain`.
    pub async fn wait_after(&mut self, seqno: u64) {
        while self.session.seqno() == seqno && self.is_live() && self.is_alive() {
            self.next().await;
        }
    }

    /// Grows with every update of the rows.
    pub fn seqno(&self) -> u64 {
        self.session.seqno()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Does whatever can be done next.
    async fn step(&mut self) {
        let now = self.now();
        match self.reconnect.run(now) {
            Some(Action::Connect) => return self.connect(now),
            Some(Action::Disconnect) => return self.disconnect("Connection timed out"),
            Some(Action::Probe) => self.session.probe(),
            None => {}
        }
        let deadline = self.reconnect.deadline();
        let wait = async {
            match deadline {
                Some(at) => tokio::time::sleep(Duration::from_millis(at.saturating_sub(now))).await,
                None => std::future::pending().await,
            }
        };
        match &mut self.link {
            Link::Down => wait.await,
            Link::Connecting(attempt) => tokio::select! {
                result = attempt => self.connected(result),
                () = wait => {}
            },
            Link::Up(connection) => tokio::select! {
                result = connection.exchange(&mut self.session) => match result {
                    Ok(received) => if received { self.reconnect.activity(self.now()) },
                    Err(reason) => self.disconnect(&reason),
                },
                () = wait => {}
            },
        }
    }

    fn connect(&mut self, now: u64) {
        let Some(target) = self.targets.get(self.current).cloned() else { return };
        tracing::debug!(target: "reconnect", "{target}: connecting...");
        self.reconnect.connecting(now);
        self.link = Link::Connecting(Box::pin(async move { Stream::connect(&target).await }));
    }

    fn connected(&mut self, result: io::Result<Stream>) {
        let now = self.now();
        match result {
            Ok(stream) => {
                tracing::info!(target: "reconnect", "{}: connected", self.target());
                self.reconnect.connected(now);
                let (reader, writer) = tokio::io::split(stream);
                self.link = Link::Up(Connection {
                    reader,
                    writer,
                    codec: Codec::new(),
                    input: BytesMut::with_capacity(1 << 16),
                    output: BytesMut::new(),
                });
                self.session.on_connected();
            }
            Err(error) => {
                let text = strerror(&error);
                tracing::info!(
                    target: "reconnect", rl = 10,
                    "{}: connection attempt failed ({text})", self.target()
                );
                self.link = Link::Down;
                self.last_error = Some(text);
                self.next_target();
                self.reconnect.connect_failed(now);
                if !self.reconnect.is_alive() {
                    let text = self.last_error.clone().unwrap_or_default();
                    self.session.on_disconnected(&text);
                }
            }
        }
    }

    fn disconnect(&mut self, reason: &str) {
        tracing::info!(target: "reconnect", rl = 10, "{}: connection dropped ({reason})", self.target());
        let was_up = matches!(self.link, Link::Up(_));
        self.link = Link::Down;
        self.last_error = Some(reason.to_owned());
        self.next_target();
        self.reconnect.disconnected(self.now());
        if was_up || !self.reconnect.is_alive() {
            self.session.on_disconnected(reason);
        }
    }

    fn next_target(&mut self) {
        self.current = (self.current + 1) % self.targets.len().max(1);
    }
}

impl Connection {
    /// Sends what the session has to send, receives some bytes and gives their messages to it.
    /// `Ok(true)` if anything was received. `Err` is why the connection is useless.
    async fn exchange(&mut self, session: &mut Session) -> Result<bool, String> {
        while let Some(message) = session.poll_transmit() {
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
            session.on_message(message).map_err(|e| e.to_string())?;
        }
        Ok(true)
    }
}
