//! The datapath contract: what the control plane may ask of a datapath, and what a datapath asks back.
//!
//! Responsibility: plain types and narrow traits; no behaviour beyond small conversions. Plane: the border between
//! hot and slow. Imports `flow` only. `pmd` implements [`Ports`], [`Flows`], [`Execute`] and [`Control`]; `vswitchd`
//! uses them and implements [`UpcallHandler`]; only main names both.
//!
//! ```text
//!  vswitchd (control threads)                      pmd (worker threads)
//!  Ports::add/remove/reconfigure   ------------->  published port table (RCU)
//!  Flows::put/modify/delete/dump   ------------->  command queue of the owning worker, shared entries
//!  Execute::execute                ------------->  command queue of the main worker
//!  UpcallHandler::miss/userspace   <-------------  inline, on the worker that met the packet
//! ```

pub mod action;
pub mod clock;
pub mod drop_reason;
pub mod flows;
pub mod port;
pub mod text;
pub mod upcall;

pub use action::{Action, Actions, Set, Userspace, UserspaceKind};
pub use clock::Clock;
pub use drop_reason::DropReason;
pub use flows::{
    Control, DatapathConfig, DatapathStats, Execute, ExecuteRequest, FlowError, FlowPut, FlowStats, Flows,
    Megaflow, Ufid, WorkerId,
};
pub use port::{DpPort, PortError, PortEvent, PortSpec, PortStats, PortStatus, Ports};
pub use upcall::{Upcall, UpcallHandler, UpcallKind, UpcallReply, Verdict};

/// Everything a control plane may do with one datapath.
pub trait Datapath: Ports + Flows + Execute + Control {}
impl<T: Ports + Flows + Execute + Control> Datapath for T {}
