//! The server side of unixctl: one task per connection, requests of a connection in order.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio_util::codec::{Decoder, Encoder};

use super::Registry;
use crate::jsonrpc::{Codec, Message};
use crate::listener::Listener;
use crate::rundir::in_rundir;
use crate::stream::Stream;

/// Connections served at once; more wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 256;

/// Largest request, in bytes: `ofproto/trace` takes whole packets in hexadecimal.
const REQUEST_SIZE_MAX: usize = 4 << 20;

/// A bound control socket. Its file goes away when it is dropped.
pub struct Server {
    listener: Listener,
    registry: Registry,
    path: PathBuf,
}

/// `$OVS_RUNDIR/PROGRAM.PID.ctl`, where `ovs-appctl -t PROGRAM` looks.
pub fn default_path(program: &str) -> PathBuf {
    in_rundir(format!("{program}.{}.ctl", std::process::id()))
}

impl Server {
    /// Binds `path` (relative: below the run directory). Needs a tokio runtime.
    pub fn bind(path: &Path, registry: Registry) -> io::Result<Self> {
        let path = in_rundir(path);
        Ok(Self { listener: Listener::bind_unix(&path)?, registry, path })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until dropped (abort the task, or let the runtime end).
    pub async fn run(self) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok(stream) => {
                    let registry = self.registry.clone();
                    tokio::spawn(async move {
                        if let Err(error) = serve(stream, registry).await {
                            tracing::debug!(target: "unixctl", "connection: {error}");
                        }
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(target: "unixctl", rl = 5, "accept: {}", crate::strerror(&error));
                    // Out of descriptors, most likely: let others close theirs.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// Serves one connection until the peer closes it or breaks the protocol.
async fn serve(mut stream: Stream, registry: Registry) -> Result<(), crate::jsonrpc::FrameError> {
    let mut codec = Codec::with_size_max(REQUEST_SIZE_MAX);
    let mut input = bytes::BytesMut::new();
    let mut output = bytes::BytesMut::new();
    loop {
        while let Some(message) = codec.decode(&mut input)? {
            let Message::Request { method, params, id } = message else {
                tracing::warn!(target: "unixctl", rl = 5, "received unexpected message");
                return Ok(());
            };
            let args = strings(&params);
            let reply = answer(&registry, &method, args.clone(), id).await;
            let done = matches!(reply, Message::Reply { .. });
            codec.encode(reply, &mut output)?;
            let sent = stream.write_all_buf(&mut output).await;
            if let (true, Some(args)) = (done, args) {
                registry.replied(&method, &args);
            }
            sent?;
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

/// The arguments; `None` if one is not a string.
fn strings(params: &[Value]) -> Option<Vec<String>> {
    params.iter().map(|param| param.as_str().map(str::to_owned)).collect()
}

/// Runs one request on a blocking thread.
async fn answer(registry: &Registry, method: &str, args: Option<Vec<String>>, id: Value) -> Message {
    let Some(args) = args else {
        let error = format!("\"{method}\" command has non-string argument\n");
        return Message::Error { error: error.into(), id };
    };
    tracing::debug!(target: "unixctl", "received request {method}{args:?}, id={id}");
    let (registry, method) = (registry.clone(), method.to_owned());
    let result = tokio::task::spawn_blocking(move || registry.dispatch(&method, &args))
        .await
        .unwrap_or_else(|_| Err("the command failed inside; see the log".to_owned()));
    match result {
        Ok(text) => Message::Reply { result: with_newline(text).into(), id },
        Err(text) => Message::Error { error: with_newline(text).into(), id },
    }
}

/// A text that is not empty ends in a newline on the wire.
fn with_newline(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
