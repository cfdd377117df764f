//! Frames in a byte stream, and the one place that calls the codec.

use openflow::codec::{self, MatchFormat};
use openflow::{Message, OfpError, Version, Xid};

/// Bytes of the header that every message has.
const HEADER_LEN: usize = 8;

/// One message's bytes, with the parts of its header that a session looks at.
pub(super) struct Frame {
    /// As received: maybe no version that we know.
    pub version: u8,
    pub xid: Xid,
    pub bytes: Vec<u8>,
}

/// The length that the frame at the front of `input` says it has.
fn frame_len(input: &[u8]) -> Option<usize> {
    let header: &[u8; HEADER_LEN] = input.first_chunk()?;
    Some(usize::from(u16::from_be_bytes([header[2], header[3]])))
}

/// Bytes received that were not handled yet.
#[derive(Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    /// Where the next frame begins.
    start: usize,
}

impl Input {
    /// Where more bytes are to be appended.
    pub fn space(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        &mut self.bytes
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// True when `next_frame` has something to say.
    pub fn has_frame(&self) -> bool {
        frame_len(self.rest()).is_some_and(|len| len < HEADER_LEN || self.rest().len() >= len)
    }

    /// Takes the next whole frame. `Err`: the stream cannot be followed any more.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, String> {
        let rest = self.rest();
        match frame_len(rest) {
            Some(len) if len < HEADER_LEN => {
                Err(format!("received too-short OpenFlow message ({len} bytes)"))
            }
            Some(len) if rest.len() >= len => {
                let bytes = rest[..len].to_vec();
                self.start += len;
                let xid = bytes.get(4..8).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
                Ok(Some(Frame { version: bytes[0], xid, bytes }))
            }
            _ => Ok(None),
        }
    }
}

/// Decodes a frame; the error is what the peer gets.
pub(super) fn decode(frame: &Frame) -> Result<Message, OfpError> {
    codec::decode(&frame.bytes).map(|(_, message)| message)
}

/// Appends `message` to `out`; one that `version` does not have appends nothing.
pub(super) fn encode(version: Version, xid: Xid, message: &Message, out: &mut Vec<u8>) {
    out.extend_from_slice(&codec::encode(version, xid, message));
}

/// The same for a message that nobody asked for; `nxm` chooses how OpenFlow 1.0 tells of flows.
pub(super) fn encode_unasked(version: Version, nxm: bool, message: &Message, out: &mut Vec<u8>) {
    let format = if nxm { MatchFormat::Nxm } else { MatchFormat::Auto };
    out.extend_from_slice(&codec::encode_as(version, 0, message, format));
}

/// The same for an answer to `request`: OpenFlow 1.0 statistics are answered in the encoding that was asked in.
pub(super) fn encode_reply(version: Version, request: &Frame, message: &Message, out: &mut Vec<u8>) {
    const STATS_REQUEST_1_0: u8 = 16;
    const VENDOR: &[u8] = &[0xff, 0xff];
    let is_stats = version == Version::V1_0 && request.bytes.get(1) == Some(&STATS_REQUEST_1_0);
    let format = match request.bytes.get(8..10) {
        Some(VENDOR) if is_stats => MatchFormat::Nxm,
        _ if is_stats => MatchFormat::Standard,
        _ => MatchFormat::Auto,
    };
    out.extend_from_slice(&codec::encode_as(version, request.xid, message, format));
}
