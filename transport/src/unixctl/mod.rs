//! unixctl: the control socket that `ovs-appctl` talks to. One JSON-RPC request per command,
//! all parameters strings, the reply one text.
//!
//! A daemon makes one [`Registry`], gives it to whoever has commands to add, and runs one
//! [`Server`]. Commands run on tokio's blocking threads, so a slow one stalls only its caller.

mod client;
mod registry;
mod server;
#[cfg(test)]
mod tests;

pub use client::{AsyncClient, Client, ClientError};
pub use registry::{Command, FnCommand, Registry, Version};
pub use server::{CONNECTIONS_MAX, Server, default_path};
