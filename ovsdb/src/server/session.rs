//! One peer: the engine's record of it, and the two tasks that read and write its stream.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use transport::Stream;
use transport::jsonrpc::{Codec, Message, parse_value};

use super::endpoint::Options;
use super::engine::{Event, SessionId};
use super::outbox::Outbox;

/// How long a session that the server ends may take to read what is left.
const LINGER: Duration = Duration::from_secs(1);
const READ_SIZE: usize = 64 << 10;

/// What the engine knows of a peer.
#[derive(Debug)]
pub struct Session {
    pub outbox: Arc<Outbox>,
    /// Target of the remote that it came by, as configured.
    pub remote: String,
    /// Asked to be told of added and removed databases instead of being disconnected.
    pub db_change_aware: bool,
    pub read_only: bool,
    pub role: String,
    /// The common name of its certificate.
    pub client: Option<String>,
    /// Locks owned.
    pub locks: BTreeSet<String>,
    /// Locks waited for.
    pub waits: BTreeSet<String>,
    /// Monitor id (JSON text) -> database and group.
    pub monitors: HashMap<String, (String, String)>,
    /// Of `locks`, those taken by `steal`: whoever steals one of these does not leave a waiter behind.
    pub steals: BTreeSet<String>,
    pub locks_lost: u64,
}

/// What a session task is given.
#[derive(Clone, Debug)]
pub struct Link {
    pub id: SessionId,
    pub engine: mpsc::Sender<Event>,
    pub outbox: Arc<Outbox>,
    pub options: watch::Receiver<Options>,
    pub is_local: bool,
    /// The peer, for the log.
    pub name: String,
}

impl Link {
    fn probe_ms(&self) -> u64 {
        self.options.borrow().probe_interval_ms(self.is_local)
    }
}

/// Serves `stream` until either side ends it.
pub async fn serve(stream: Stream, link: Link) {
    let (reader, writer) = tokio::io::split(stream);
    let writing = tokio::spawn(write(writer, link.clone()));
    let why = tokio::select! {
        why = read(reader, &link) => why,
        () = link.outbox.closed.notified() => None,
    };
    if let Some(why) = why {
        tracing::warn!(target: "jsonrpc", "{}: {why}", link.name);
    }
    let _ = link.engine.send(Event::Closed(link.id)).await;
    link.outbox.close();
    let _ = tokio::time::timeout(LINGER, writing).await;
}

/// Reads requests; gives the complaint that ended it, if any.
async fn read(mut stream: ReadHalf<Stream>, link: &Link) -> Option<String> {
    let mut codec = Codec::new();
    let mut buf = BytesMut::with_capacity(READ_SIZE);
    loop {
        loop {
            let frame = match codec.next_frame(&mut buf) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(e) => return Some(format!("error parsing stream: {e}")),
            };
            if frame.windows(6).any(|w| w == br"\u0000") {
                return Some("error parsing stream: null bytes not supported in quoted strings".into());
            }
            let message = match parse_value(&frame) {
                Ok(value) => Message::from_value(value),
                Err(e) => return Some(format!("error parsing stream: {e}")),
            };
            let message = match message {
                Ok(message) => message,
                Err(e) => return Some(format!("received bad JSON-RPC message: {e}")),
            };
            if let Err(text) = forward(message, link).await {
                return Some(text);
            }
        }
        buf.reserve(READ_SIZE);
        match read_probing(&mut stream, &mut buf, link).await {
            Ok(0) => return None,
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {
                let s = link.probe_ms() / 1000;
                return Some(format!("no response to inactivity probe after {s} seconds, disconnecting"));
            }
            Err(e) => return Some(format!("receive error: {}", transport::strerror(&e))),
        }
    }
}

async fn forward(message: Message, link: &Link) -> Result<(), String> {
    match message {
        Message::Request { method, params, id } if method == "echo" && link.outbox.len() == 0 => {
            let result = crate::json::to_string(&params.into());
            link.outbox.push(&[
                "{\"error\":null,\"id\":",
                &crate::json::to_string(&id),
                ",\"result\":",
                &result,
                "}",
            ]);
            link.outbox.wake();
            Ok(())
        }
        Message::Request { .. } | Message::Notification { .. } => {
            while link.outbox.is_full() {
                link.outbox.drained.notified().await;
            }
            let event = Event::Message(link.id, message);
            link.engine.send(event).await.map_err(|_| "server is shutting down".to_owned())
        }
        Message::Reply { ref id, .. } | Message::Error { ref id, .. } if id == "echo" => Ok(()),
        Message::Reply { .. } => Err("received unexpected reply message".into()),
        Message::Error { .. } => Err("received unexpected error message".into()),
    }
}

async fn read_probing(
    stream: &mut ReadHalf<Stream>,
    buf: &mut BytesMut,
    link: &Link,
) -> std::io::Result<usize> {
    let mut options = link.options.clone();
    let mut probed = false;
    loop {
        let probe_ms = link.probe_ms();
        let silence = async {
            match probe_ms {
                0 => std::future::pending().await,
                ms => tokio::time::sleep(Duration::from_millis(ms)).await,
            }
        };
        tokio::select! {
            biased;
            done = stream.read_buf(buf) => return done,
            // Another interval counts from now on. With the remote, the session ends anyway.
            Ok(()) = options.changed() => {}
            () = silence => {
                if std::mem::replace(&mut probed, true) {
                    return Err(std::io::ErrorKind::TimedOut.into());
                }
                link.outbox.push(&["{\"id\":\"echo\",\"method\":\"echo\",\"params\":[]}"]);
                link.outbox.wake();
            }
        }
    }
}

async fn write(mut stream: WriteHalf<Stream>, link: Link) {
    let outbox = &link.outbox;
    loop {
        let text = outbox.take();
        if text.is_empty() {
            if outbox.is_lagging() && !outbox.is_closing() {
                let _ = link.engine.send(Event::Drained(link.id)).await;
            }
            if outbox.is_closing() && outbox.len() == 0 {
                let _ = stream.shutdown().await;
                return;
            }
            outbox.ready.notified().await;
            continue;
        }
        if let Err(e) = stream.write_all(text.as_bytes()).await {
            tracing::warn!(target: "jsonrpc", "{}: send error: {}", link.name, transport::strerror(&e));
            outbox.written(text.len());
            outbox.closed.notify_one();
            return;
        }
        outbox.written(text.len());
    }
}
