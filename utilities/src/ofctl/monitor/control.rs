//! The control socket of `ovs-ofctl monitor` and `snoop`: commands arrive on threads of their own and are handed to the
//! loop that owns the connection.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use daemon::options::DaemonOptions;
use daemon::program::fatal;
use openflow::raw::Header;
use openflow::text;
use transport::unixctl::Registry;

/// What a command gets back.
pub type Reply = Result<String, String>;

/// What the loop is asked to do.
pub enum Request {
    /// Send these messages and show them.
    Send(Vec<Result<Vec<u8>, &'static str>>),
    /// `in_port=... packet=... actions=...`.
    PacketOut(String),
    /// Reply once the switch has answered a barrier.
    Barrier,
    /// Stop reading, or go on.
    Block(bool),
    Exit,
}

/// A request and where its reply goes.
pub struct Order {
    pub request: Request,
    pub reply: Sender<Reply>,
}

/// The loop's end: poll `wake`, then take the orders.
pub struct Control {
    pub wake: UnixStream,
    orders: Receiver<Order>,
    _runtime: tokio::runtime::Runtime,
}

impl Control {
    /// Opens the control socket that the options ask for.
    pub fn open(options: &DaemonOptions) -> Control {
        let (mut bell, wake) = UnixStream::pair().unwrap_or_else(|e| fatal(transport::strerror(&e)));
        let _ = wake.set_nonblocking(true);
        let _ = bell.set_nonblocking(true);
        let (sender, orders) = mpsc::channel();
        let ring = Arc::new(Mutex::new(move |order: Order| {
            let _ = sender.send(order);
            // A full pipe rings already.
            let _ = bell.write(&[1]);
        }));
        let order = move |request: Request| -> Reply {
            let (reply, answer) = mpsc::channel();
            let ring: &mut dyn FnMut(Order) = &mut *ring.lock().unwrap_or_else(|e| e.into_inner());
            ring(Order { request, reply });
            answer.recv().unwrap_or_else(|_| Err("the connection is gone".into()))
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap_or_else(|e| fatal(transport::strerror(&e)));
        let registry = daemon::options::registry(&daemon::memory::Memory::default());
        register(&registry, order);
        let inside = runtime.enter();
        daemon::service::spawn(options, registry).unwrap_or_else(|e| fatal(e));
        drop(inside);
        Control { wake, orders, _runtime: runtime }
    }

    /// The orders that have come.
    pub fn take(&self) -> Vec<Order> {
        let mut bytes = [0; 64];
        while (&self.wake).read(&mut bytes).is_ok_and(|n| n > 0) {}
        self.orders.try_iter().collect()
    }
}

fn register(registry: &Registry, order: impl Fn(Request) -> Reply + Send + Sync + Clone + 'static) {
    const MANY: usize = 1 << 20;
    let o = order.clone();
    registry.add("exit", "", 0..=0, move |_| o(Request::Exit));
    let o = order.clone();
    registry.add("ofctl/send", "OFMSG...", 1..=MANY, move |args| {
        o(Request::Send(args.iter().map(|arg| message(arg)).collect()))
    });
    let o = order.clone();
    registry.add(
        "ofctl/packet-out",
        "\"in_port=<port> packet=<hex data> actions=...\"",
        1..=1,
        move |args| o(Request::PacketOut(args.first().cloned().unwrap_or_default())),
    );
    let o = order.clone();
    registry.add("ofctl/barrier", "", 0..=0, move |_| o(Request::Barrier));
    registry.add("ofctl/set-output-file", "FILE", 1..=1, |args| {
        let file = args.first().map_or("", String::as_str);
        let open = std::fs::File::create(file).map_err(|e| transport::strerror(&e))?;
        nix::unistd::dup2_stderr(&open).map_err(|e| e.desc().to_owned())?;
        Ok(String::new())
    });
    let o = order.clone();
    registry.add("ofctl/block", "", 0..=0, move |_| o(Request::Block(true)));
    registry.add("ofctl/unblock", "", 0..=0, move |_| order(Request::Block(false)));
}

/// A whole message from its hexadecimal text.
fn message(hex: &str) -> Result<Vec<u8>, &'static str> {
    let bytes = text::packet_out::hex(hex).ok_or("Trailing garbage in hex data")?;
    let header = Header::parse(&bytes).ok_or("Message too short for OpenFlow")?;
    if usize::from(header.size) == bytes.len() {
        Ok(bytes)
    } else {
        Err("Message size does not match length in OpenFlow header")
    }
}
