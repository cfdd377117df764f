//! What lets worker threads read without ever waiting: reclamation, command queues, counters.
//!
//! Responsibility: the few shared-memory primitives of the hot path, so that `unsafe` about threads is here and nowhere
//! else. Plane: hot on the reader's side, control on the writer's. Imports nothing of ours.

pub mod counter;
pub mod qsbr;
pub mod queue;

pub use counter::Counter;
pub use qsbr::{Domain, Published, Reader};
pub use queue::{QueueFull, Receiver, Sender, channel};
