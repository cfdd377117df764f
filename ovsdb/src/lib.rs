//! OVSDB: values, schema, database, transactions, storage, monitors, server and client.
//!
//! Plane: control. The engine is synchronous and has a single writer; only `server` and `client`
//! know of sockets. Imports: `transport` only.
//!
//! Each module imports only those above it in this list; `client` sees only `value` and `schema`.

pub mod error;
pub mod json;
pub mod parser;

pub mod value;

pub mod schema;

pub mod client;

pub mod table;

pub use error::Error;

pub mod db;

pub mod clause;

pub mod txn;

pub mod storage;

pub mod monitor;

pub mod server;

pub mod cli;
pub mod tool;
