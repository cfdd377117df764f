//! A blocking OpenFlow connection for one command: negotiation, transactions, barriers. Every failure ends the
//! program in OVS's words: a tool has nothing to fall back on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use daemon::program::fatal;
use openflow::codec::{self, MatchFormat};
use openflow::connection::{FrameCodec, Session};
use openflow::msg::{BundleControl, BundleControlKind, Message};
use openflow::raw::{Header, Raw};
use openflow::{TableId, Version, VersionSet, Xid};
use transport::rundir::{in_rundir, rundir};
use transport::{Target, strerror};

/// OFPT_ERROR's number.
const ERROR: u8 = 1;
/// OFPT_VENDOR's number.
const VENDOR: u8 = 4;
/// Requests in flight before replies are read.
const PIPELINE_BYTES: usize = 1 << 20;

static NEXT_XID: AtomicU32 = AtomicU32::new(1);

/// A transaction id; one sequence for the whole program, as OVS has it.
pub fn next_xid() -> Xid {
    NEXT_XID.fetch_add(1, Ordering::Relaxed)
}

trait Io: Read + Write + Send + AsFd {}
impl<T: Read + Write + Send + AsFd> Io for T {}

/// An open connection.
pub struct Conn {
    io: Box<dyn Io>,
    pub name: String,
    pub version: Version,
    /// How matches are written in OpenFlow 1.0.
    pub format: MatchFormat,
    /// OpenFlow 1.0: flow mods name their table.
    pub table_ids: bool,
    input: bytes::BytesMut,
    output: Vec<u8>,
}

/// Where `BRIDGE`, a socket's path or a connection method leads.
fn resolve(name: &str, suffix: &str) -> Result<Endpoint, String> {
    if let Some((method, _)) = name.split_once(':')
        && matches!(method, "tcp" | "unix" | "ssl")
    {
        return match Target::parse(name, Some(6653)) {
            Ok(Target::Unix(path)) => Ok(Endpoint::Unix(in_rundir(path))),
            Ok(Target::Tcp { host, port }) => Ok(Endpoint::Tcp(host, port)),
            Ok(_) => Err(format!("{name}: TLS needs a private key, a certificate and a CA certificate")),
            Err(e) => Err(e.to_string()),
        };
    }
    let bridge = rundir().join(format!("{name}.{suffix}"));
    let path = Path::new(name);
    if bridge.exists() {
        Ok(Endpoint::Unix(bridge))
    } else if path.exists() {
        Ok(Endpoint::Unix(path.to_owned()))
    } else {
        Err(format!("{name} is not a bridge or a socket"))
    }
}

enum Endpoint {
    Unix(PathBuf),
    Tcp(String, u16),
}

impl Endpoint {
    fn connect(&self) -> std::io::Result<Box<dyn Io>> {
        Ok(match self {
            Endpoint::Unix(path) => Box::new(UnixStream::connect(path)?),
            Endpoint::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port))?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }
    fn text(&self) -> String {
        match self {
            Endpoint::Unix(path) => format!("unix:{}", path.display()),
            Endpoint::Tcp(host, port) => format!("tcp:{host}:{port}"),
        }
    }
}

impl Conn {
    /// Connects to `name`'s management socket and agrees on one of `versions`.
    pub fn open(name: &str, versions: VersionSet) -> Conn {
        Self::open_suffix(name, "mgmt", versions)
    }

    /// The same with another socket of the bridge (`snoop`).
    pub fn open_suffix(name: &str, suffix: &str, versions: VersionSet) -> Conn {
        Self::try_open(name, suffix, versions).unwrap_or_else(|e| fatal(e))
    }

    /// As `open`, giving the reason back.
    pub fn try_open(name: &str, suffix: &str, versions: VersionSet) -> Result<Conn, String> {
        let endpoint = resolve(name, suffix)?;
        let text = endpoint.text();
        let mut io = endpoint
            .connect()
            .map_err(|e| format!("{name}: failed to connect to socket ({})", strerror(&e)))?;
        let mut session = Session::new(versions, 0, 0);
        let mut hello = session.poll_transmit().to_vec();
        if let Some(xid) = hello.get_mut(4..8) {
            xid.copy_from_slice(&next_xid().to_be_bytes());
        }
        session.on_written(hello.len());
        io.write_all(&hello).map_err(|e| format!("{name}: {}", strerror(&e)))?;
        // Byte by byte would be slow, but what follows the hello must not be lost: read only the hello.
        let hello =
            read_message(&mut io).map_err(|e| format!("{text}: failed to connect to socket ({e})"))?;
        session.on_bytes(&hello, 0);
        let outcome = session.poll_frame();
        if outcome.is_err() {
            let _ = io.write_all(session.poll_transmit());
        }
        outcome.map_err(|e| format!("{name}: failed to connect to socket ({e})"))?;
        let version = session.version().ok_or_else(|| format!("{name}: no hello from the switch"))?;
        Ok(Conn {
            io,
            name: name.to_owned(),
            version,
            format: MatchFormat::Auto,
            table_ids: false,
            input: bytes::BytesMut::new(),
            output: Vec::new(),
        })
    }

    /// Queues a message.
    pub fn send(&mut self, message: &Message) -> Xid {
        let xid = next_xid();
        let mut bytes = codec::encode_as(self.version, xid, message, self.format);
        if self.table_ids && matches!(message, Message::FlowMod(f) if f.table == TableId::ALL) {
            // All tables, which without table ids is 0.
            let is_nicira = bytes.get(1) == Some(&VENDOR);
            if let Some(table) = bytes.get_mut(if is_nicira { 24 } else { 56 }) {
                *table = TableId::ALL.0;
            }
        }
        if bytes.is_empty() {
            fatal(format!("{}: OpenFlow {} does not have this message", self.name, self.version.number()));
        }
        self.output.extend_from_slice(&bytes);
        xid
    }

    /// Queues bytes.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Writes what is queued.
    pub fn flush(&mut self) {
        if let Err(e) = self.io.write_all(&self.output) {
            fatal(format!("{}: send: {}", self.name, strerror(&e)));
        }
        self.output.clear();
    }

    /// The next message; echo requests are answered.
    pub fn recv(&mut self) -> Vec<u8> {
        self.try_recv().unwrap_or_else(|e| fatal(format!("OpenFlow packet receive failed ({e})")))
    }

    /// What to poll before `fill`.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }

    /// Reads what there is; blocks when there is nothing.
    pub fn fill(&mut self) -> Result<(), String> {
        let mut chunk = [0; 65536];
        match self.io.read(&mut chunk) {
            Ok(0) => Err("End of file".to_owned()),
            Ok(n) => {
                self.input.extend_from_slice(&chunk[..n]);
                Ok(())
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(strerror(&e)),
        }
    }

    /// The next whole message of what was read.
    pub fn take_message(&mut self) -> Option<Vec<u8>> {
        use tokio_util::codec::Decoder;
        FrameCodec.decode(&mut self.input).unwrap_or_else(|e| fatal(e)).map(|m| m.to_vec())
    }

    /// As `recv`, giving the reason back.
    pub fn try_recv(&mut self) -> Result<Vec<u8>, String> {
        use tokio_util::codec::Decoder;
        loop {
            match FrameCodec.decode(&mut self.input).map_err(|e| e.to_string())? {
                Some(bytes) if bytes.get(1) == Some(&2) => {
                    let mut reply = bytes.to_vec();
                    reply[1] = 3;
                    self.send_raw(&reply);
                    self.flush();
                }
                Some(bytes) => return Ok(bytes.to_vec()),
                None => self.fill()?,
            }
        }
    }

    /// Sends a request and waits for the message with its xid.
    pub fn transact(&mut self, message: &Message) -> Vec<u8> {
        let xid = self.send(message);
        self.flush();
        self.recv_xid(xid)
    }

    /// The next message with this xid.
    pub fn recv_xid(&mut self, xid: Xid) -> Vec<u8> {
        loop {
            let bytes = self.recv();
            if Header::parse(&bytes).is_some_and(|h| h.xid == xid) {
                return bytes;
            }
        }
    }

    /// Sends a request and decodes the reply; an error reply is printed and ends the program.
    pub fn query(&mut self, message: &Message) -> Message {
        let bytes = self.transact(message);
        decode_or_die(&bytes)
    }

    /// Sends a statistics request and gives every part of the reply to `each`.
    pub fn multipart(&mut self, message: &Message, mut each: impl FnMut(&[u8])) {
        let xid = self.send(message);
        self.flush();
        loop {
            let bytes = self.recv_xid(xid);
            each(&bytes);
            if !Raw::has_more(&bytes) {
                return;
            }
        }
    }

    /// Sends modifications and a barrier, reading replies as they come. Gives the first error, if any, and the
    /// number of the request that caused it.
    pub fn modify(&mut self, messages: impl Iterator<Item = Message>) -> Result<(), (Vec<u8>, usize)> {
        let mut xids: Vec<Xid> = Vec::new();
        for message in messages {
            xids.push(self.send(&message));
            if self.output.len() >= PIPELINE_BYTES {
                self.flush();
            }
        }
        let barrier = self.send(&Message::BarrierRequest);
        self.flush();
        let mut first: Option<(Vec<u8>, usize)> = None;
        loop {
            let bytes = self.recv();
            let Some(header) = Header::parse(&bytes) else { continue };
            if header.kind == ERROR {
                let n = xids.iter().position(|&x| x == header.xid).unwrap_or(usize::MAX);
                if first.is_none() {
                    first = Some((bytes, n));
                } else if header.xid == barrier {
                    break;
                }
                continue;
            }
            if header.xid == barrier {
                break;
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// One modification; an error is printed and ends the program.
    pub fn modify_or_die(&mut self, message: Message) {
        if let Err((error, _)) = self.modify(std::iter::once(message)) {
            print_error(&error);
        }
    }

    /// Sends one step of a bundle and waits for its reply.
    pub fn bundle_step(&mut self, control: BundleControl, expect: BundleControlKind) -> Result<(), Vec<u8>> {
        let xid = self.send(&Message::BundleControl(control));
        self.flush();
        loop {
            let bytes = self.recv();
            match codec::decode(&bytes) {
                Ok((_, Message::BundleControl(c))) if c.kind == expect => return Ok(()),
                Ok((_, Message::Error(_))) => return Err(bytes),
                _ if Header::parse(&bytes).is_some_and(|h| h.xid == xid) => return Err(bytes),
                _ => {}
            }
        }
    }
}

fn read_message(io: &mut Box<dyn Io>) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; 8];
    io.read_exact(&mut bytes).map_err(|e| strerror(&e))?;
    let size = Header::parse(&bytes).map_or(0, |h| usize::from(h.size));
    if size < 8 {
        return Err("Protocol error".to_owned());
    }
    bytes.resize(size, 0);
    io.read_exact(&mut bytes[8..]).map_err(|e| strerror(&e))?;
    Ok(bytes)
}

/// Prints an error reply to stderr and exits with 1.
pub fn print_error(bytes: &[u8]) -> ! {
    let options = openflow::print::Options { verbosity: 2, ..Default::default() };
    eprint!("{}", openflow::print::message(bytes, options));
    std::process::exit(1)
}

/// Decodes a reply; an error is printed and ends the program.
pub fn decode_or_die(bytes: &[u8]) -> Message {
    match codec::decode(bytes) {
        Ok((_, Message::Error(_))) => print_error(bytes),
        Ok((_, message)) => message,
        Err(e) => fatal(format!("bad reply from switch ({e})")),
    }
}
