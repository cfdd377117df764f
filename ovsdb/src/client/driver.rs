//! The session on a socket. Every await is safe to cancel: state lives in the client, not in the
//! future.

use transport::jsonrpc::Message;
use transport::target::ParseError;

use super::interest::Interest;
use super::link::{Link, Peer};
use super::replica::{Changes, Replica};
use super::request::{CommitStatus, Request};
use super::session::{Event, Session, TxnId};
use super::transaction::Transaction;

/// A client of one database on one of several servers.
pub struct Client {
    session: Session,
    remotes: String,
    link: Link,
}

impl Peer for Session {
    fn on_connected(&mut self) {
        self.on_connected();
    }

    fn on_disconnected(&mut self, reason: &str) {
        self.on_disconnected(reason);
    }

    fn on_message(&mut self, message: Message) -> Result<(), String> {
        self.on_message(message).map_err(|e| e.to_string())
    }

    fn poll_transmit(&mut self) -> Option<Message> {
        self.poll_transmit()
    }

    fn probe(&mut self) {
        self.probe();
    }
}

impl Client {
    /// A client of `db` at `remotes`: one connection method, or several with commas between, which
    /// are tried in turn. Connects when first polled, for ever.
    pub fn new(remotes: &str, db: &str, interest: Interest) -> Result<Self, ParseError> {
        let link = Link::new(remotes, None)?;
        Ok(Self { session: Session::new(db, interest, None), remotes: remotes.to_owned(), link })
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
        if let Ok(link) = Link::new(&self.remotes, Some(n)) {
            self.link = link;
        }
        self
    }

    /// Sets the silence after which the server is probed, in ms; 0: never.
    pub fn set_probe_interval(&mut self, ms: u64) {
        self.link.set_probe_interval(ms);
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
        self.link.is_alive()
    }

    /// Why the last connection or attempt ended, in the system's words.
    pub fn last_error(&self) -> Option<&str> {
        self.link.last_error()
    }

    /// The server in use or to be tried next.
    pub fn target(&self) -> String {
        self.link.target()
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
            self.link.step(&mut self.session).await;
        }
    }

    /// Waits until the rows have arrived. `Err`: gave up connecting ([`Self::last_error`]).
    pub async fn ready(&mut self) -> Result<&Replica, String> {
        while !self.is_live() {
            if !self.is_alive() {
                return Err(self.last_error().unwrap_or_default().to_owned());
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
}
