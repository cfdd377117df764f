//! The control plane of the switch: bridges from the database, OpenFlow connections, flow tables, translation of
//! missed packets, and the commands of `ovs-appctl`.
//!
//! Plane: control, and slow (upcalls run `xlate` on the worker that met the packet). Imports flow, sync, dpif,
//! openflow, ovsdb (its client), transport, daemon; never `pmd`: main passes the datapath in as `dpif::Datapath`.

pub mod bridge;
pub mod classifier;
pub mod connmgr;
#[cfg(test)]
mod fake_dp;
pub mod mac_learning;
pub mod ofproto;
pub mod protocol;
pub mod recirc;
pub mod text;
pub mod trace;
pub mod unixctl;
pub mod upcall;
mod wake;
pub mod xlate;
