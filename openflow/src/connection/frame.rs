//! Cutting a byte stream into messages by the length in their header. For tokio streams through `tokio_util`.

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::raw::{HEADER_LEN, Header};

/// Why a stream cannot be cut any more.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("received too-short OpenFlow message ({0} bytes)")]
    TooShort(u16),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Whole messages, undecoded. A message is at most 65,535 bytes, and so is what is buffered.
#[derive(Clone, Copy, Default, Debug)]
pub struct FrameCodec;

impl Decoder for FrameCodec {
    type Item = Bytes;
    type Error = FrameError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some(header) = Header::parse(src) else { return Ok(None) };
        let size = usize::from(header.size);
        if size < HEADER_LEN {
            return Err(FrameError::TooShort(header.size));
        }
        if src.len() < size {
            src.reserve(size - src.len());
            return Ok(None);
        }
        Ok(Some(src.split_to(size).freeze()))
    }
}

impl Encoder<Bytes> for FrameCodec {
    type Error = FrameError;

    fn encode(&mut self, item: Bytes, dst: &mut BytesMut) -> Result<(), FrameError> {
        dst.extend_from_slice(&item);
        Ok(())
    }
}
