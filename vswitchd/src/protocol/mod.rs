//! The control protocols of a bridge. Each protocol is a machine without clock, socket or thread: it takes bytes and
//! `now_ms`, and gives frames and a deadline. [`Engine`] holds the machines of one bridge, feeds them what translation
//! picks out, and publishes to translation what they decided ([`View`]). Control plane; machines run under the
//! engine's lock, frames are sent after it is released.
//!
//! ```text
//!  xlate --received--> Engine::receive --> machine          runner (thread, time/warp) --> Engine::run
//!    ^                                        |                                              |  frames -> ofproto
//!    +--------------- View <------------------+----------------------------------------------+
//! ```

pub mod bfd;
pub mod bond;
pub mod cfm;
pub mod config;
pub mod engine;
pub mod frame;
pub mod lacp;
pub mod lldp;
pub mod mcast;
pub mod rstp;
pub mod runner;
pub mod stp;
#[cfg(test)]
mod testbed;
pub mod view;

pub use config::Config;
pub use engine::Engine;
pub use view::{PortView, View};

/// A frame to be sent by a port.
pub type Outgoing = (openflow::OfPort, Vec<u8>);

/// No deadline: nothing will happen by itself.
pub const NEVER: i64 = i64::MAX;
