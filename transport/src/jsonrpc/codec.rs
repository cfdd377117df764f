//! Finds the end of each JSON value in a byte stream by counting brackets, so that a message is
//! parsed once and only when it is complete; every byte is looked at once however it arrives.
//! Bounds size and nesting before anything is allocated for the value.

use bytes::{Buf, Bytes, BytesMut};
use serde_json::Value;
use tokio_util::codec::{Decoder, Encoder};

use super::{Message, MessageError};

/// Largest message accepted, in bytes. A monitor reply of a very large database fits.
pub const MESSAGE_SIZE_MAX: usize = 1 << 30;

/// Deepest nesting of arrays and objects accepted, as in OVS.
pub const DEPTH_MAX: usize = 1000;

/// What may be wrong with the bytes. After any of them the stream is out of step: close it.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Longer than the codec's limit.
    #[error("message exceeds {0} bytes")]
    TooLong(usize),
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("input exceeds maximum nesting depth {DEPTH_MAX}")]
    TooDeep,
    /// Not JSON, or not UTF-8.
    #[error("syntax error: {0}")]
    Syntax(String),
    /// JSON, but not JSON-RPC.
    #[error(transparent)]
    Message(#[from] MessageError),
}

/// Decodes [`Message`]s; encodes [`Message`]s and, for a value serialised once for many
/// receivers, ready [`Bytes`].
#[derive(Debug)]
pub struct Codec {
    size_max: usize,
    scan: Scan,
}

/// Where the scan of the message at the head of the buffer stands.
#[derive(Debug, Default)]
struct Scan {
    /// Bytes of the buffer already looked at.
    pos: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Default for Codec {
    fn default() -> Self {
        Self::new()
    }
}

impl Codec {
    /// A codec with the general limit [`MESSAGE_SIZE_MAX`].
    pub fn new() -> Self {
        Self::with_size_max(MESSAGE_SIZE_MAX)
    }

    /// A codec for peers that have no reason to send much.
    pub fn with_size_max(size_max: usize) -> Self {
        Self { size_max, scan: Scan::default() }
    }

    /// Cuts the next complete JSON text off `src`, unparsed.
    pub fn next_frame(&mut self, src: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        if self.scan.pos == 0 {
            let blank = src.iter().take_while(|b| b.is_ascii_whitespace()).count();
            src.advance(blank);
        }
        let end = self.scan.run(src)?;
        if end.unwrap_or(src.len()) > self.size_max {
            return Err(FrameError::TooLong(self.size_max));
        }
        let Some(end) = end else { return Ok(None) };
        self.scan = Scan::default();
        Ok(Some(src.split_to(end).freeze()))
    }
}

impl Scan {
    /// Goes on to the end of `buf`; gives the length of the first value once it is complete.
    fn run(&mut self, buf: &[u8]) -> Result<Option<usize>, FrameError> {
        while let Some(&byte) = buf.get(self.pos) {
            self.pos += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(FrameError::TooDeep);
                    }
                }
                b'}' | b']' if self.depth <= 1 => {
                    return if self.depth == 1 {
                        Ok(Some(self.pos))
                    } else {
                        Err(FrameError::Syntax("unbalanced brackets".to_owned()))
                    };
                }
                b'}' | b']' => self.depth -= 1,
                b'"' if self.depth > 0 => self.in_string = true,
                _ if self.depth == 0 => {
                    return Err(FrameError::Syntax("syntax error at beginning of input".to_owned()));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// Parses one JSON text, nested at most [`DEPTH_MAX`] deep (serde_json's own limit is 128).
pub fn parse_value(text: &[u8]) -> Result<Value, FrameError> {
    let mut scan = Scan::default();
    let start = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let body = text.get(start..).unwrap_or_default();
    if matches!(body.first(), Some(b'{' | b'[')) {
        scan.run(body)?;
    }
    parse_checked(body)
}

/// Parses a text whose depth was checked by [`Scan`].
fn parse_checked(text: &[u8]) -> Result<Value, FrameError> {
    let syntax = |e: serde_json::Error| FrameError::Syntax(e.to_string());
    let mut de = serde_json::Deserializer::from_slice(text);
    de.disable_recursion_limit();
    let value = serde::de::Deserialize::deserialize(&mut de).map_err(syntax)?;
    de.end().map_err(syntax)?;
    Ok(value)
}

impl Decoder for Codec {
    type Item = Message;
    type Error = FrameError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Message>, FrameError> {
        match self.next_frame(src)? {
            Some(frame) => Ok(Some(Message::from_value(parse_checked(&frame)?)?)),
            None => Ok(None),
        }
    }

    /// A value cut off by the end of the stream is dropped, as OVS does.
    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Message>, FrameError> {
        let message = self.decode(src)?;
        if message.is_none() {
            src.clear();
        }
        Ok(message)
    }
}

impl Encoder<Message> for Codec {
    type Error = FrameError;

    fn encode(&mut self, message: Message, dst: &mut BytesMut) -> Result<(), FrameError> {
        use bytes::BufMut;
        serde_json::to_writer(dst.writer(), &message.into_value())
            .map_err(|e| FrameError::Syntax(e.to_string()))
    }
}

impl Encoder<Bytes> for Codec {
    type Error = FrameError;

    fn encode(&mut self, json: Bytes, dst: &mut BytesMut) -> Result<(), FrameError> {
        dst.extend_from_slice(&json);
        Ok(())
    }
}
