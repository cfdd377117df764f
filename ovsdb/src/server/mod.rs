//! The OVSDB server: databases, sessions, locks, monitors, remotes.
//!
//! ```text
//! remote -> session task (frames, JSON) -> bounded channel -> Engine (one writer, synchronous)
//!                ^                                               |
//!                +-- outbox (bounded bytes) <- replies, updates -+
//! ```
//!
//! The engine takes what has arrived, runs all transactions of it, stores them with one write
//! (and one sync, if any is durable), and only then answers and announces them: group commit. If
//! the write fails, memory is taken back and each transaction is tried on its own.
//!
//! Plane: control. All of it runs on one thread of a tokio runtime.

mod compact;
mod control;
mod convert;
mod copy;
mod database;
mod endpoint;
mod engine;
mod lock;
mod monitoring;
mod outbox;
mod relay;
mod remote;
mod replication;
mod reserved;
mod rpc;
mod run;
mod session;
mod status;
mod tls;
mod transact;
mod upstream;

pub use self::control::register_commands;
pub use self::engine::{Engine, Event, SessionId};
pub use self::run::{Config, Handle, start};
pub use self::tls::TlsOptions;
