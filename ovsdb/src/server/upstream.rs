//! A connection to another ovsdb-server, for replication and relays: a task moves messages, the
//! engine decides what they mean.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use transport::jsonrpc::Message;
use transport::target::ParseError;

use super::engine::Event;
use crate::client::{Link, Peer};

/// Tells connections apart, also one from its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamId(u64);

/// What a connection reports.
#[derive(Debug)]
pub enum Heard {
    Connected,
    /// A reply, an error or a notification; echoes are answered below.
    Message(Message),
    Disconnected,
}

#[derive(Debug)]
enum Command {
    Send(Message),
    Reconnect(String),
    Probe(u64),
}

/// A connection that comes back by itself until it is dropped.
#[derive(Debug)]
pub struct Upstream {
    pub id: UpstreamId,
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task's side: what came, what is to go.
#[derive(Debug, Default)]
struct Port {
    heard: VecDeque<Heard>,
    output: VecDeque<Message>,
}

/// The id of our own probes.
const ECHO: &str = "echo";

impl Peer for Port {
    fn on_connected(&mut self) {
        self.heard.push_back(Heard::Connected);
    }

    fn on_disconnected(&mut self, _reason: &str) {
        self.output.clear();
        self.heard.push_back(Heard::Disconnected);
    }

    fn on_message(&mut self, message: Message) -> Result<(), String> {
        match message {
            Message::Request { method, params, id } if method == "echo" => {
                self.output.push_back(Message::Reply { result: params.into(), id });
            }
            Message::Request { method, .. } => return Err(format!("received unexpected request {method}")),
            Message::Reply { id, .. } | Message::Error { id, .. } if id == ECHO => {}
            message => self.heard.push_back(Heard::Message(message)),
        }
        Ok(())
    }

    fn poll_transmit(&mut self) -> Option<Message> {
        self.output.pop_front()
    }

    fn probe(&mut self) {
        let (method, id) = ("echo".to_owned(), ECHO.into());
        self.output.push_back(Message::Request { method, params: vec![], id });
    }
}

impl Upstream {
    /// Connects to `remotes` (one or several with commas), for ever. `probe_ms` as for
    /// [`Link::set_probe_interval`]; unix sockets are probed only where it is given.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn start(
        remotes: &str,
        probe_ms: Option<u64>,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, ParseError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = UpstreamId(NEXT.fetch_add(1, Ordering::Relaxed));
        let mut link = Link::new(remotes, None)?;
        if let Some(ms) = probe_ms {
            link.set_probe_interval(ms);
        }
        let (commands, queue) = mpsc::unbounded_channel();
        Ok(Self { id, commands, task: tokio::spawn(run(id, link, queue, events)) })
    }

    pub fn send(&self, message: Message) {
        // Fails only when the task is gone, and with it the whole process.
        let _ = self.commands.send(Command::Send(message));
    }

    /// Drops the connection and makes a new one.
    pub fn reconnect(&self, reason: &str) {
        let _ = self.commands.send(Command::Reconnect(reason.to_owned()));
    }

    pub fn set_probe_interval(&self, ms: u64) {
        let _ = self.commands.send(Command::Probe(ms));
    }
}

async fn run(
    id: UpstreamId,
    mut link: Link,
    mut commands: mpsc::UnboundedReceiver<Command>,
    events: mpsc::Sender<Event>,
) {
    let mut port = Port::default();
    loop {
        while let Some(heard) = port.heard.pop_front() {
            if events.send(Event::Upstream(id, heard)).await.is_err() {
                return;
            }
        }
        let command = tokio::select! {
            command = commands.recv() => command,
            () = link.step(&mut port) => continue,
        };
        match command {
            None => return,
            Some(Command::Send(message)) => port.output.push_back(message),
            Some(Command::Reconnect(reason)) => link.disconnect(&reason, &mut port),
            Some(Command::Probe(ms)) => link.set_probe_interval(ms),
        }
    }
}
