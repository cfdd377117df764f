//! What the command-line tools share, and ovsdb-client.
//!
//! Sits beside the server at the right end: uses values, schemas and the wire, nothing of the
//! server.

pub mod client;
pub mod date;
pub mod input;
pub mod table;
