//! A live copy of part of a database, and transactions on it.
//!
//! For vswitchd, ovs-vsctl and whoever else needs to follow a database. Sees only `value` and
//! `schema` of this crate. Plane: control; one owner, no locks inside.
//!
//! ```text
//!  Client (async: sockets, backoff, probes)          one task owns it
//!    Session (sans-IO: messages in, messages out)    get_schema, monitor, lock, transact
//!      Replica (rows)   Changes (what differs since you last asked)
//!  Transaction (edits over a &Replica) -> Request -> Client::submit / Client::commit
//! ```
//!
//! ```no_run
//! use ovsdb::client::{Client, Event, Interest, Transaction};
//! use ovsdb::value::{Atom, Datum};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let interest = Interest::all(); // or Interest::none().table("Bridge").columns("Port", &["name"])
//! let mut client = Client::new("unix:/var/run/openvswitch/db.sock", "Open_vSwitch", interest)?
//!     .with_lock("ovs_vswitchd");
//! loop {
//!     // Cancel-safe: fine inside tokio::select!.
//!     match client.next().await {
//!         Event::Updated => {
//!             let replica = client.replica().ok_or("not ready")?;
//!             for row in replica.rows("Interface") {
//!                 println!("{} {:?}", row.str("name").unwrap_or(""), row.map_str("options", "peer"));
//!             }
//!             let mut txn = Transaction::new(replica);
//!             for row in replica.rows("Open_vSwitch") {
//!                 txn.set("Open_vSwitch", row.uuid(), "cur_cfg", Datum::One(Atom::Integer(1)));
//!                 txn.map_put("Open_vSwitch", row.uuid(), "external_ids", "k", "v");
//!             }
//!             let request = txn.finish();
//!             client.submit(request); // Event::Committed tells how it went
//!             for change in client.take_changes().iter() {
//!                 println!("{} {} {:?}", change.table, change.uuid, change.kind);
//!             }
//!         }
//!         Event::Committed(id, status) => println!("{id:?} {status:?}"),
//!         Event::Lock(owned) => println!("lock: {owned}"),
//!         Event::Connected | Event::Disconnected(_) => {}
//!     }
//! }
//! # }
//! ```
//!
//! A transaction that read something it relies on says so with [`Transaction::verify`]; when the
//! database changed meanwhile its status is [`CommitStatus::TryAgain`]: wait for `Updated`, build
//! it anew. [`Client::commit_with`] is that loop.

mod driver;
mod interest;
mod link;
mod replica;
mod request;
mod session;
#[cfg(test)]
mod tests;
mod transaction;
mod update;

pub use driver::Client;
pub use interest::Interest;
pub use link::{Link, Peer};
pub use replica::{Change, ChangeKind, Changes, Replica, Row, RowData};
pub use request::{CommitStatus, Outcome, Request};
pub use session::{Event, Session, TxnId};
pub use transaction::Transaction;
