//! The command-line tools: one module per program; the root package's binaries only call them.
//!
//! Plane: control. Imports flow, dpif, openflow, ovsdb, transport, daemon and hugepages; never vswitchd or
//! pmd: a tool sees the switch through its sockets.

pub mod appctl;
pub mod dpctl;
pub mod ofctl;
pub mod vsctl;
pub mod vswitch;
