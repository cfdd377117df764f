//! The poll-mode datapath: ports, worker threads, the way of a packet.
//!
//! Responsibility: receive, classify, act, transmit; counters; the implementation of `dpif`'s traits. Plane: hot (packet, hot,
//! emc, megaflow, action, pipeline) and the control code right beside it (port, worker, datapath, text). Imports `flow`, `sync`,
//! `dpif` and its own `dpdk-sys`; never the control plane, which it reaches only through `dpif::UpcallHandler`.

pub mod action;
pub mod counter;
pub mod cpumask;
pub mod datapath;
pub mod dpdk;
pub mod emc;
pub mod epoch;
pub mod hot;
pub mod megaflow;
pub mod meter;
pub mod packet;
pub mod pipeline;
pub mod port;
pub mod registry;
pub mod simd;
pub mod text;
pub mod tsc;
pub mod worker;

pub use datapath::{Compose, Datapath, Options};
pub use packet::{BURST, Batch, Packet};
