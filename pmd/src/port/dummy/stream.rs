//! A dummy port's wire: a stream socket that carries frames, each behind its length in two bytes (network order). One end
//! connects (`options:stream=unix:PATH|tcp:HOST:PORT`) and comes back after a second when it is cut off; the other listens
//! (`options:pstream=punix:PATH|ptcp:PORT[:HOST]`) and sends to everybody who is connected. One thread per port; the packet
//! path only queues.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::port::options::Map;

/// Frames that wait for the thread.
const OUTGOING_MAX: usize = 1024;
/// Bytes that wait for a slow reader; what comes then is lost.
const BACKLOG_MAX: usize = 1 << 20;
/// Connections that a listener keeps.
const CONNECTIONS_MAX: usize = 32;
const RETRY: Duration = Duration::from_secs(1);
/// Bytes of a frame's length.
const HEAD: usize = 2;

/// What the socket is connected or bound to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    Unix(String),
    Tcp(String),
    ListenUnix(String),
    ListenTcp(String),
}

impl Target {
    /// From a port's options; `None` when they name no socket.
    pub fn of(options: &Map) -> Result<Option<Target>, String> {
        let Some((key, text)) = ["pstream", "stream"].iter().find_map(|k| Some((*k, options.get(*k)?)))
        else {
            return Ok(None);
        };
        let bad = || {
            format!(
                "options:{key}={text}: use {}",
                if key == "stream" { "unix:PATH or tcp:HOST:PORT" } else { "punix:PATH or ptcp:PORT[:HOST]" }
            )
        };
        let (kind, rest) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()).ok_or_else(bad)?;
        let target = match (key, kind) {
            ("stream", "unix") => Target::Unix(rest.to_owned()),
            ("stream", "tcp") => Target::Tcp(rest.to_owned()),
            ("pstream", "punix") => Target::ListenUnix(rest.to_owned()),
            ("pstream", "ptcp") => {
                let (port, host) = rest.split_once(':').unwrap_or((rest, "0.0.0.0"));
                Target::ListenTcp(format!("{host}:{port}"))
            }
            _ => return Err(bad()),
        };
        Ok(Some(target))
    }
}

/// An open wire; cut on drop.
pub struct Link {
    target: Target,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    outgoing: ArrayQueue<Vec<u8>>,
    event: EventFd,
    stop: AtomicBool,
    connected: AtomicBool,
}

/// Called with each frame that arrived.
pub type Receive = Box<dyn Fn(&[u8]) + Send>;

impl Link {
    pub fn open(target: Target, receive: Receive) -> io::Result<Link> {
        let event = EventFd::from_value_and_flags(0, EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let shared = Arc::new(Shared {
            outgoing: ArrayQueue::new(OUTGOING_MAX),
            event,
            stop: AtomicBool::new(false),
            connected: AtomicBool::new(false),
        });
        let runner = Runner {
            listener: Listener::bind(&target)?,
            target: target.clone(),
            shared: shared.clone(),
            connections: Vec::new(),
            retry_at: Instant::now(),
            receive,
        };
        let thread = std::thread::Builder::new().name("dummy-stream".into()).spawn(move || runner.run())?;
        Ok(Link { target, shared, thread: Some(thread) })
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Queues a frame; a full queue loses it.
    pub fn send(&self, frame: &[u8]) {
        let Ok(len) = u16::try_from(frame.len()) else { return };
        if self.shared.outgoing.push([&len.to_be_bytes(), frame].concat()).is_ok() {
            // Fails only when the counter is full, and then the thread is awake.
            let _ = self.shared.event.write(1);
        }
    }

    /// Of an end that connects: whether it is.
    pub fn is_connected(&self) -> Option<bool> {
        let connects = matches!(self.target, Target::Unix(_) | Target::Tcp(_));
        connects.then(|| self.shared.connected.load(Relaxed))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        let _ = self.shared.event.write(1);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
        if let Target::ListenUnix(path) = &self.target {
            let _ = std::fs::remove_file(path);
        }
    }
}

trait Stream: Read + Write + AsFd + Send {}
impl<T: Read + Write + AsFd + Send> Stream for T {}

enum Listener {
    None,
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    fn bind(target: &Target) -> io::Result<Listener> {
        Ok(match target {
            Target::ListenUnix(path) => {
                // One that a dead switch left behind.
                let _ = std::fs::remove_file(path);
                let listener = UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Listener::Unix(listener)
            }
            Target::ListenTcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Listener::Tcp(listener)
            }
            Target::Unix(_) | Target::Tcp(_) => Listener::None,
        })
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Listener::None => None,
            Listener::Unix(l) => Some(l.as_fd()),
            Listener::Tcp(l) => Some(l.as_fd()),
        }
    }

    fn accept(&self) -> Option<Connection> {
        match self {
            Listener::None => None,
            Listener::Unix(l) => l.accept().ok().and_then(|(s, _)| Connection::unix(s).ok()),
            Listener::Tcp(l) => l.accept().ok().and_then(|(s, _)| Connection::tcp(s).ok()),
        }
    }
}

struct Connection {
    stream: Box<dyn Stream>,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Connection {
    fn unix(stream: UnixStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        Ok(Connection { stream: Box::new(stream), incoming: Vec::new(), outgoing: Vec::new() })
    }

    fn tcp(stream: TcpStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream: Box::new(stream), incoming: Vec::new(), outgoing: Vec::new() })
    }

    /// Sends and receives what is possible now; an error when the other end is gone.
    fn exchange(&mut self, receive: &Receive) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => drop(self.outgoing.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => self.incoming.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e),
        }
        self.incoming.drain(..frames(&self.incoming, receive));
        Ok(())
    }
}

/// Gives out the whole frames at the start of `bytes`; returns how many bytes they took.
fn frames(bytes: &[u8], receive: &Receive) -> usize {
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + HEAD) {
        let len = usize::from(u16::from_be_bytes([head[0], head[1]]));
        let Some(frame) = bytes.get(at + HEAD..at + HEAD + len) else { break };
        receive(frame);
        at += HEAD + len;
    }
    at
}

/// The thread.
struct Runner {
    target: Target,
    listener: Listener,
    shared: Arc<Shared>,
    connections: Vec<Connection>,
    retry_at: Instant,
    receive: Receive,
}

impl Runner {
    fn run(mut self) {
        while !self.shared.stop.load(Relaxed) {
            self.connect();
            self.wait();
            // Empty already when only a socket woke us.
            let _ = self.shared.event.read();
            while let Some(frame) = self.shared.outgoing.pop() {
                for c in self.connections.iter_mut().filter(|c| c.outgoing.len() < BACKLOG_MAX) {
                    c.outgoing.extend_from_slice(&frame);
                }
            }
            if self.connections.len() < CONNECTIONS_MAX {
                self.connections.extend(self.listener.accept());
            }
            self.connections.retain_mut(|c| c.exchange(&self.receive).is_ok());
            self.shared.connected.store(!self.connections.is_empty(), Relaxed);
        }
    }

    fn connect(&mut self) {
        if !self.connections.is_empty() || Instant::now() < self.retry_at {
            return;
        }
        let made = match &self.target {
            Target::Unix(path) => UnixStream::connect(path).and_then(Connection::unix),
            Target::Tcp(address) => TcpStream::connect(address).and_then(Connection::tcp),
            Target::ListenUnix(_) | Target::ListenTcp(_) => return,
        };
        self.retry_at = Instant::now() + RETRY;
        self.connections.extend(made.ok());
    }

    fn wait(&self) {
        let mut fds = vec![PollFd::new(self.shared.event.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.listener.fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        for c in &self.connections {
            let write = if c.outgoing.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
            fds.push(PollFd::new(c.stream.as_fd(), PollFlags::POLLIN | write));
        }
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, PollTimeout::from(RETRY.as_millis() as u16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn sink() -> (Receive, Arc<Mutex<Vec<Vec<u8>>>>) {
        let got = Arc::new(Mutex::new(Vec::new()));
        let to = got.clone();
        (Box::new(move |frame: &[u8]| to.lock().unwrap().push(frame.to_vec())), got)
    }

    fn until(mut ok: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !ok() {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn frames_cross_both_ways() {
        let path =
            std::env::temp_dir().join(format!("dummy-stream-{}", std::process::id())).display().to_string();
        let ((a_rx, a_got), (b_rx, b_got)) = (sink(), sink());
        let a = Link::open(Target::ListenUnix(path.clone()), a_rx).unwrap();
        let b = Link::open(Target::Unix(path.clone()), b_rx).unwrap();
        until(|| b.is_connected() == Some(true));
        assert_eq!(a.is_connected(), None);
        let long = vec![7; 9000];
        b.send(&[1, 2, 3]);
        b.send(&long);
        until(|| *a_got.lock().unwrap() == [vec![1, 2, 3], long.clone()]);
        a.send(&long);
        until(|| *b_got.lock().unwrap() == [long.clone()]);
        drop(a);
        until(|| b.is_connected() == Some(false));
        assert!(!std::path::Path::new(&path).exists());
    }

    #[test]
    fn half_a_frame_waits() {
        let (rx, got) = sink();
        assert_eq!(frames(&[0, 2, 9, 8, 0, 3, 1], &rx), 4);
        assert_eq!(*got.lock().unwrap(), [vec![9, 8]]);
        assert_eq!(frames(&[0], &rx), 0);
    }

    #[test]
    fn targets() {
        let of = |k: &str, v: &str| Target::of(&Map::from([(k.to_owned(), v.to_owned())]));
        assert_eq!(of("stream", "unix:/x"), Ok(Some(Target::Unix("/x".into()))));
        assert_eq!(of("pstream", "ptcp:99"), Ok(Some(Target::ListenTcp("0.0.0.0:99".into()))));
        assert!(of("stream", "punix:/x").is_err());
        assert!(of("pstream", "ptcp:").is_err());
        assert_eq!(of("n_rxq", "2"), Ok(None));
    }
}
