//! Bridges: from rows of the database to a running switch, and the status of the switch back into the rows.
//!
//! ```text
//!  ovsdb::client -> rows -> desire (pure) -> diff (pure) -> apply -> dpif::Ports, Ofproto, connmgr
//!       ^                                                     |
//!       +------------------------- status <-------------------+
//! ```
//!
//! Control plane; one thread runs the loop, commands only read.

pub mod actual;
pub mod apply;
pub mod desire;
pub mod diff;
pub mod load;
pub mod ofport;
pub mod protocol_status;
pub mod rows;
pub mod run;
pub mod status;
pub mod switch;
