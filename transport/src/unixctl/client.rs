//! The client side of unixctl, blocking (tools, which need no runtime) and async (daemons).

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use bytes::BytesMut;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{Decoder, Encoder};

use crate::jsonrpc::{Codec, FrameError, Message};
use crate::stream::{ShortPath, Stream};
use crate::target::Target;

/// Why a command got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket failed, or was closed before the reply.
    #[error("{}", crate::strerror(.0))]
    Io(#[from] io::Error),
    /// What came was not a reply to the request.
    #[error("protocol error: {0}")]
    Protocol(String),
}

impl From<FrameError> for ClientError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => Self::Io(error),
            other => Self::Protocol(other.to_string()),
        }
    }
}

/// What both clients share: numbering, encoding, recognising the reply.
struct Exchange {
    codec: Codec,
    input: BytesMut,
    next_id: u64,
}

impl Exchange {
    fn new() -> Self {
        Self { codec: Codec::new(), input: BytesMut::new(), next_id: 0 }
    }

    fn request(&mut self, command: &str, args: &[String]) -> Result<BytesMut, ClientError> {
        let params = args.iter().map(|arg| Value::from(arg.as_str())).collect();
        let mut out = BytesMut::new();
        self.codec.encode(Message::request(command, params, self.next_id), &mut out)?;
        self.next_id += 1;
        Ok(out)
    }

    /// The command's result, once it is complete.
    #[allow(clippy::type_complexity)]
    fn reply(&mut self) -> Result<Option<Result<String, String>>, ClientError> {
        let text = |value: Value| match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        match self.codec.decode(&mut self.input)? {
            None => Ok(None),
            Some(Message::Reply { result, .. }) => Ok(Some(Ok(text(result)))),
            Some(Message::Error { error, .. }) => Ok(Some(Err(text(error)))),
            Some(_) => Err(ClientError::Protocol("the server sent a request".to_owned())),
        }
    }
}

fn closed() -> ClientError {
    ClientError::Io(io::ErrorKind::UnexpectedEof.into())
}

/// A blocking client.
pub struct Client {
    stream: UnixStream,
    exchange: Exchange,
}

impl Client {
    /// Connects to the socket at `path`.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let short = ShortPath::new(path)?;
        let stream = UnixStream::connect(short.path())?;
        Ok(Self { stream, exchange: Exchange::new() })
    }

    /// Runs a command. The inner result is the daemon's own success or error text.
    pub fn transact(
        &mut self,
        command: &str,
        args: &[String],
    ) -> Result<Result<String, String>, ClientError> {
        let request = self.exchange.request(command, args)?;
        self.stream.write_all(&request)?;
        let mut chunk = [0u8; 16384];
        loop {
            if let Some(reply) = self.exchange.reply()? {
                return Ok(reply);
            }
            let n = self.stream.read(&mut chunk)?;
            if n == 0 {
                return Err(closed());
            }
            self.exchange.input.extend_from_slice(&chunk[..n]);
        }
    }
}

/// A client for async code.
pub struct AsyncClient {
    stream: Stream,
    exchange: Exchange,
}

impl AsyncClient {
    /// Connects to the socket at `path`.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        let stream = Stream::connect(&Target::Unix(path.to_owned())).await?;
        Ok(Self { stream, exchange: Exchange::new() })
    }

    /// Runs a command, as [`Client::transact`].
    pub async fn transact(
        &mut self,
        command: &str,
        args: &[String],
    ) -> Result<Result<String, String>, ClientError> {
        let mut request = self.exchange.request(command, args)?;
        self.stream.write_all_buf(&mut request).await?;
        loop {
            if let Some(reply) = self.exchange.reply()? {
                return Ok(reply);
            }
            if self.stream.read_buf(&mut self.exchange.input).await? == 0 {
                return Err(closed());
            }
        }
    }
}
