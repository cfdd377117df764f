//! Monitors: what a client wants to see, and how a change looks to it.
//!
//! A [`Spec`] is what was asked for; equal specs are one group in the server, so that a change is
//! put into JSON once for all of them. [`update`] writes that JSON; [`history`] remembers the
//! last transactions for clients that come back.

pub mod history;
mod spec;
pub mod update;

#[cfg(test)]
mod tests;

pub use self::history::History;
pub use self::spec::{MonitoredTable, Spec, Version, select};
