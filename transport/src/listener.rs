//! Passive connection methods: a bound, listening socket of either family. A Unix listener
//! replaces a stale socket file, gets mode 0770 through the umask, and removes its file on drop.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use crate::rundir::in_rundir;
use crate::stream::{ShortPath, Stream};
use crate::target::Target;
use crate::tls;

/// Pending connections the kernel keeps for us.
const BACKLOG: i32 = 64;

/// Mode of a Unix socket, before the umask.
const SOCKET_MODE: u32 = 0o770;

/// A listening socket.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// `punix:`; removes `path` when dropped.
    Unix { socket: UnixListener, path: PathBuf },
    /// `ptcp:`.
    Tcp(TcpListener),
    /// `pssl:`.
    Tls(TcpListener),
}

impl Listener {
    /// Binds a passive target. Active ones are `InvalidInput`. Needs a tokio runtime.
    pub async fn bind(target: &Target) -> io::Result<Self> {
        match target {
            Target::Punix(path) => Self::bind_unix(&in_rundir(path)),
            Target::Ptcp { port, host } => Ok(Self::Tcp(bind_tcp(*port, host.as_deref()).await?)),
            Target::Pssl { port, host } => {
                // What is wrong with key and certificates is better known now than later.
                tls::acceptor(&tls::config())?;
                Ok(Self::Tls(bind_tcp(*port, host.as_deref()).await?))
            }
            Target::Unix(_) | Target::Tcp { .. } | Target::Ssl { .. } => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{target}: an active method cannot listen"),
            )),
        }
    }

    /// Binds a Unix socket at exactly `path`. Needs a tokio runtime, but does not wait.
    pub fn bind_unix(path: &Path) -> io::Result<Self> {
        remove_stale(path)?;
        let short = ShortPath::new(path)?;
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        // The file gets the mode of the socket's inode; set before bind, so there is no moment
        // with a wider one. The kernel applies the umask.
        nix::sys::stat::fchmod(&socket, nix::sys::stat::Mode::from_bits_truncate(SOCKET_MODE))?;
        socket.bind(&socket2::SockAddr::unix(short.path())?)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let socket = UnixListener::from_std(std::os::unix::net::UnixListener::from(socket))?;
        Ok(Self::Unix { socket, path: path.to_owned() })
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix { socket, .. } => Ok(Stream::Unix(socket.accept().await?.0)),
            Self::Tcp(socket) => {
                let (tcp, _) = socket.accept().await?;
                tcp.set_nodelay(true)?;
                Ok(Stream::Tcp(tcp))
            }
            Self::Tls(socket) => loop {
                let (tcp, _) = socket.accept().await?;
                tcp.set_nodelay(true)?;
                match tls::acceptor(&tls::config()) {
                    Ok(acceptor) => return Ok(Stream::Tls(tls::accept(&acceptor, tcp))),
                    // The files were good once and may be again: refuse this peer only.
                    Err(error) => {
                        tracing::warn!(target: "stream_ssl", rl = 5, "connection refused: {error}");
                    }
                }
            },
        }
    }

    /// The TCP port really bound (after `ptcp:0`), else `None`.
    pub fn local_port(&self) -> Option<u16> {
        match self {
            Self::Unix { .. } => None,
            Self::Tcp(socket) | Self::Tls(socket) => socket.local_addr().ok().map(|addr| addr.port()),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix { path, .. } = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes the socket file of a process that is gone. Anything but a socket stays, and bind
/// then fails with `EADDRINUSE`.
fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
        Err(_) => Ok(()),
    }
}

async fn bind_tcp(port: u16, host: Option<&str>) -> io::Result<TcpListener> {
    let addrs: Vec<SocketAddr> = match host {
        None => vec![SocketAddr::from(([0u8; 16], port)), SocketAddr::from(([0, 0, 0, 0], port))],
        Some(host) => tokio::net::lookup_host((host, port)).await?.collect(),
    };
    let mut last = io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
    for addr in addrs {
        match listen_tcp(addr) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_tcp(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
    if addr.is_ipv6() {
        // `ptcp:PORT` serves IPv4 and IPv6 alike.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}
