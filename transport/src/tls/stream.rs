//! A TLS connection whose server side may still be shaking hands.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::Accept;

use super::HANDSHAKE_TIMEOUT;

/// A TLS connection over TCP.
pub struct TlsStream {
    state: State,
}

enum State {
    /// Given up after the time.
    Handshake(Box<Accept<TcpStream>>, Pin<Box<Sleep>>),
    Open(Box<tokio_rustls::TlsStream<TcpStream>>),
    /// The handshake failed.
    Dead,
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").finish_non_exhaustive()
    }
}

impl TlsStream {
    pub(super) fn open(stream: tokio_rustls::TlsStream<TcpStream>) -> Self {
        Self { state: State::Open(Box::new(stream)) }
    }

    pub(super) fn handshaking(accept: Accept<TcpStream>) -> Self {
        let limit = Box::pin(tokio::time::sleep(HANDSHAKE_TIMEOUT));
        Self { state: State::Handshake(Box::new(accept), limit) }
    }

    /// The socket below.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match &self.state {
            State::Handshake(accept, _) => accept.get_ref(),
            State::Open(stream) => Some(stream.get_ref().0),
            State::Dead => None,
        }
    }

    /// Waits for the end of the handshake.
    pub(crate) async fn handshake(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_open(cx).map_ok(drop)).await
    }

    /// The common name in the peer's certificate.
    pub(crate) fn peer_id(&self) -> Option<String> {
        let State::Open(stream) = &self.state else { return None };
        super::name::common_name(stream.get_ref().1.peer_certificates()?.first()?)
    }

    /// The open stream, once the handshake is done.
    fn poll_open(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Pin<&mut tokio_rustls::TlsStream<TcpStream>>>> {
        if let State::Handshake(accept, limit) = &mut self.state {
            let done = match Pin::new(accept.as_mut()).poll(cx) {
                Poll::Ready(result) => result,
                Poll::Pending => {
                    std::task::ready!(limit.as_mut().poll(cx));
                    Err(io::ErrorKind::TimedOut.into())
                }
            };
            match done {
                Ok(stream) => self.state = State::Open(Box::new(stream.into())),
                Err(error) => {
                    self.state = State::Dead;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match &mut self.state {
            State::Open(stream) => Ok(Pin::new(stream.as_mut())),
            State::Handshake(..) | State::Dead => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_open(cx))?.poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // TLS holds written bytes back until it is flushed; OVS's streams have no flush.
        let mut open = std::task::ready!(self.poll_open(cx))?;
        let n = std::task::ready!(open.as_mut().poll_write(cx, buf))?;
        if let Poll::Ready(Err(error)) = open.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_open(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_open(cx))?.poll_shutdown(cx)
    }
}
