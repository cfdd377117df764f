//! One OpenFlow connection as a machine: hello and version negotiation, echo, keepalive, framing. Bytes and the
//! time go in, bytes and a deadline come out; no socket, clock or thread.
//!
//! ```text
//! new: hello queued -> Hello received: version = newest of both -> open -> idle: echo request -> idle again: dead
//!                      no common version: error queued, failed
//! ```

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::Decoder;

use super::frame::{FrameCodec, FrameError};
use crate::codec;
use crate::error::OfpError;
use crate::msg::hello::parse_versions;
use crate::msg::{ErrorMsg, Hello, Message};
use crate::raw::{HEADER_LEN, Header};
use crate::types::{Version, VersionSet, Xid};

/// OFPT numbers that the session itself deals with.
const HELLO: u8 = 0;
const ERROR: u8 = 1;
const ECHO_REQUEST: u8 = 2;
const ECHO_REPLY: u8 = 3;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("version negotiation failed (we support version{ours}, peer supports version{theirs})")]
    NoCommonVersion { ours: String, theirs: String },
    #[error("expected hello, received message type {0}")]
    NotHello(u8),
    #[error("the peer refused the connection: {0}")]
    Refused(String),
    #[error("no response to inactivity probe after {0} seconds, disconnecting")]
    Dead(u64),
}

/// A message that is not the session's own business.
#[derive(Clone, Debug)]
pub struct Frame {
    pub header: Header,
    pub bytes: Bytes,
}

/// The machine. See the module text.
#[derive(Debug)]
pub struct Session {
    allowed: VersionSet,
    version: Option<Version>,
    input: BytesMut,
    output: BytesMut,
    next_xid: Xid,
    /// 0 = no probes.
    probe_interval_ms: u64,
    last_rx_ms: u64,
    probed: bool,
}

impl Session {
    /// A new connection that offers `allowed`; its hello waits in the output.
    pub fn new(allowed: VersionSet, probe_interval_ms: u64, now_ms: u64) -> Self {
        let newest = allowed.highest().unwrap_or(Version::V1_0);
        let hello = codec::encode(newest, 1, &Message::Hello(Hello { versions: allowed }));
        Session {
            allowed,
            version: None,
            input: BytesMut::new(),
            output: BytesMut::from(&hello[..]),
            next_xid: 2,
            probe_interval_ms,
            last_rx_ms: now_ms,
            probed: false,
        }
    }

    /// The negotiated version.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// A transaction id that this side has not used.
    pub fn next_xid(&mut self) -> Xid {
        let xid = self.next_xid;
        self.next_xid = self.next_xid.wrapping_add(1).max(1);
        xid
    }

    /// Takes received bytes; `poll_frame` gives the messages. The caller bounds one call to what it read.
    pub fn on_bytes(&mut self, bytes: &[u8], now_ms: u64) {
        self.input.extend_from_slice(bytes);
        self.last_rx_ms = now_ms;
        self.probed = false;
    }

    /// The next message for the owner; hello and echo are dealt with here.
    pub fn poll_frame(&mut self) -> Result<Option<Frame>, SessionError> {
        while let Some(bytes) = FrameCodec.decode(&mut self.input)? {
            let Some(header) = Header::parse(&bytes) else { continue };
            if self.version.is_none() {
                self.on_first(header, &bytes)?;
            } else if header.kind == ECHO_REQUEST {
                self.answer_echo(&bytes);
            } else if header.kind != ECHO_REPLY && header.kind != HELLO {
                return Ok(Some(Frame { header, bytes }));
            }
        }
        Ok(None)
    }

    fn on_first(&mut self, header: Header, bytes: &[u8]) -> Result<(), SessionError> {
        match header.kind {
            HELLO => {}
            ERROR => {
                let text = bytes.get(HEADER_LEN + 4..).unwrap_or_default();
                return Err(SessionError::Refused(String::from_utf8_lossy(text).into_owned()));
            }
            kind => return Err(SessionError::NotHello(kind)),
        }
        let theirs = parse_versions(header.version, bytes.get(HEADER_LEN..).unwrap_or_default());
        self.version = VersionSet(theirs.0 & self.allowed.0).highest();
        if self.version.is_some() {
            return Ok(());
        }
        let text = format!(
            "We support version{}, you support version{}, no common versions.",
            list(self.allowed),
            list(theirs)
        );
        let error = ErrorMsg { error: Ok(OfpError::OFPHFC_INCOMPATIBLE), data: text.into_bytes() };
        let as_version = Version::from_wire(header.version).unwrap_or(Version::V1_0);
        let reply = codec::encode(as_version, header.xid, &Message::Error(error));
        self.output.extend_from_slice(&reply);
        Err(SessionError::NoCommonVersion { ours: list(self.allowed), theirs: list(theirs) })
    }

    fn answer_echo(&mut self, request: &[u8]) {
        let at = self.output.len();
        self.output.extend_from_slice(request);
        self.output[at + 1] = ECHO_REPLY;
    }

    /// Queues encoded messages.
    pub fn send(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Encodes and queues a message with its own xid. Before negotiation nothing is queued.
    pub fn send_message(&mut self, message: &Message) -> Xid {
        let xid = self.next_xid();
        if let Some(version) = self.version {
            let bytes = codec::encode(version, xid, message);
            self.output.extend_from_slice(&bytes);
        }
        xid
    }

    /// Bytes that wait to be written; `on_written` takes those that were.
    pub fn poll_transmit(&self) -> &[u8] {
        &self.output
    }
    pub fn on_written(&mut self, n: usize) {
        self.output.advance(n.min(self.output.len()));
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<u64> {
        let n = if self.probed { 2 } else { 1 };
        (self.probe_interval_ms > 0).then_some(self.last_rx_ms + n * self.probe_interval_ms)
    }

    /// Probes an idle peer, then gives it up.
    pub fn handle_timeout(&mut self, now_ms: u64) -> Result<(), SessionError> {
        if self.poll_timeout().is_none_or(|t| now_ms < t) {
            return Ok(());
        }
        if self.probed || self.version.is_none() {
            return Err(SessionError::Dead((now_ms - self.last_rx_ms) / 1000));
        }
        self.probed = true;
        self.send_message(&Message::EchoRequest(Vec::new()));
        Ok(())
    }
}

/// ` 0x01`, `s 0x01, 0x04`: versions as OVS lists them after the word "version".
fn list(set: VersionSet) -> String {
    let bits: Vec<u32> = (0..32).filter(|v| set.0 >> v & 1 != 0).collect();
    match bits.as_slice() {
        [] => "s (none)".to_owned(),
        [one] => format!(" {one:#04x}"),
        [first, .., last] if bits.len() as u32 == last - first + 1 && *first == 1 => {
            format!(" {last:#04x} and earlier")
        }
        many => format!("s {}", many.iter().map(|v| format!("{v:#04x}")).collect::<Vec<_>>().join(", ")),
    }
}
