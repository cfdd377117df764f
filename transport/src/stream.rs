//! Active connections: one type over Unix, TCP and TLS sockets. Does not reconnect (see
//! [`crate::reconnect`]) and sets no deadline: wrap [`Stream::connect`] in `tokio::time::timeout`.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::rundir::in_rundir;
use crate::target::Target;
use crate::tls::{self, TlsStream};

/// The longest path that fits `sockaddr_un` with its terminating zero.
const SUN_PATH_MAX: usize = 107;

/// A connected byte stream. `AsyncRead + AsyncWrite`, `Send`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// A Unix socket.
    Unix(UnixStream),
    /// A TCP socket, Nagle's algorithm off.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(TlsStream),
}

impl Stream {
    /// Connects to an active target. Passive ones are `InvalidInput`.
    pub async fn connect(target: &Target) -> io::Result<Self> {
        match target {
            Target::Unix(path) => Ok(Self::Unix(connect_unix(&in_rundir(path)).await?)),
            Target::Tcp { host, port } => {
                let tcp = TcpStream::connect((host.as_str(), *port)).await?;
                tcp.set_nodelay(true)?;
                Ok(Self::Tcp(tcp))
            }
            Target::Ssl { host, port } => {
                let tcp = TcpStream::connect((host.as_str(), *port)).await?;
                tcp.set_nodelay(true)?;
                Ok(Self::Tls(tls::connect(tcp, &tls::config()).await?))
            }
            Target::Punix(_) | Target::Ptcp { .. } | Target::Pssl { .. } => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{target}: a passive method cannot connect"),
            )),
        }
    }

    /// The peer in OVS's words for logs: `tcp:192.0.2.1:4321`, `ssl:...`; `unix` for a Unix
    /// socket, which has no address (servers number those: `unix#3`).
    pub fn peer(&self) -> String {
        let name = match self {
            Self::Unix(_) => "unix",
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "ssl",
        };
        match self.tcp().and_then(|tcp| tcp.peer_addr().ok()) {
            Some(addr) => format!("{name}:{addr}"),
            None => name.to_owned(),
        }
    }

    /// Waits until an accepted stream may be used: for the end of a TLS handshake.
    ///
    /// # Errors
    /// The peer is none that we trust, or takes too long.
    pub async fn handshake(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(tls) => tls.handshake().await,
            Self::Unix(_) | Self::Tcp(_) => Ok(()),
        }
    }

    /// Who the peer is by its certificate (the common name), once the handshake is done.
    pub fn peer_id(&self) -> Option<String> {
        match self {
            Self::Tls(tls) => tls.peer_id(),
            Self::Unix(_) | Self::Tcp(_) => None,
        }
    }

    /// The local address, of TCP and TLS only (`Controller.status:source_ip` and the like).
    pub fn local_addr(&self) -> Option<std::net::SocketAddr> {
        self.tcp()?.local_addr().ok()
    }

    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp(tcp) => Some(tcp),
            Self::Tls(tls) => tls.tcp(),
        }
    }
}

/// Connects to a Unix socket of any path length.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let short = ShortPath::new(path)?;
    UnixStream::connect(short.path()).await
}

/// A path that fits into `sockaddr_un`: itself, or `/proc/self/fd/N/NAME` while `N` is open.
pub(crate) struct ShortPath {
    path: PathBuf,
    /// Keeps `/proc/self/fd/N` valid.
    _dir: Option<OwnedFd>,
}

impl ShortPath {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= SUN_PATH_MAX {
            return Ok(Self { path: path.to_owned(), _dir: None });
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        };
        let dir: OwnedFd = nix::fcntl::open(
            parent,
            nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_DIRECTORY | nix::fcntl::OFlag::O_CLOEXEC,
            nix::sys::stat::Mode::empty(),
        )?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name);
        if path.as_os_str().len() > SUN_PATH_MAX {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        Ok(Self { path, _dir: Some(dir) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Runs the same method of whichever socket it is.
macro_rules! each {
    ($self:expr, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Unix($io) => $call,
            Stream::Tcp($io) => $call,
            Stream::Tls($io) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
