//! Byte streams between the processes of the switch, and what OVS speaks on them.
//!
//! Responsibility: connection methods (`unix: tcp: ssl: punix: ptcp: pssl:`), JSON-RPC 1.0
//! messages, the reconnect state machine, and unixctl (what `ovs-appctl` talks to). It knows
//! nothing of OVSDB or OpenFlow. Plane: control. Imports nothing of ours.
//!
//! ```text
//!  target  "tcp:[::1]:6640" -> Target          (text only)
//!  stream  Target -> Stream                    (connect)      listener  Target -> Listener
//!  jsonrpc Stream -> Framed<Stream, Codec> of Message
//!  reconnect  when to connect, probe, give up  (sans-IO, no clock)
//!  unixctl    Command, Registry, Server, Client
//! ```
//!
//! Every connection is bounded: message size ([`jsonrpc::MESSAGE_SIZE_MAX`]), JSON depth
//! ([`jsonrpc::DEPTH_MAX`]), unixctl connections ([`unixctl::CONNECTIONS_MAX`]).

pub mod jsonrpc;
pub mod listener;
pub mod reconnect;
pub mod rundir;
pub mod stream;
pub mod target;
pub mod tls;
pub mod unixctl;

pub use listener::Listener;
pub use stream::Stream;
pub use target::Target;

/// The system's words for an I/O error, as C's `strerror` gives them and OVS prints them:
/// `No such file or directory`, without Rust's ` (os error 2)`.
pub fn strerror(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => "End of file".to_owned(),
        None => error.to_string(),
    }
}
