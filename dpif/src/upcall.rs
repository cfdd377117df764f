//! Upcalls: the datapath asks what to do with a packet that no megaflow matches, or hands over a packet that an
//! action sent to userspace. Called inline on the worker that met the packet; see docs/adr (upcall threading).

use std::any::Any;
use std::sync::Arc;

use flow::{Flow, Mask};

use crate::action::{Actions, Userspace};
use crate::flows::{Megaflow, WorkerId};

/// One packet that needs the control plane.
pub struct Upcall<'a> {
    pub kind: UpcallKind<'a>,
    /// The whole packet, linear.
    pub packet: &'a [u8],
    /// Its full key: `in_port` is a `DpPort` number, unused lines are zero.
    pub flow: &'a Flow,
    pub worker: WorkerId,
    pub now_ms: i64,
}

pub enum UpcallKind<'a> {
    Miss,
    /// A `Userspace` action of an installed megaflow (or of an executed list).
    Userspace(&'a Userspace),
}

/// What the handler decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Verdict {
    /// Execute `actions` on this packet and install the megaflow `mask`, `actions`.
    #[default]
    Install,
    /// Execute `actions` on this packet only.
    Execute,
    /// Drop and count: the handler failed.
    Error,
}

/// Filled in by the handler; buffers are reused by the worker from upcall to upcall.
#[derive(Default)]
pub struct UpcallReply {
    pub verdict: Verdict,
    pub actions: Actions,
    /// Bits that the translation looked at. `recirc_id`, `in_port`, `packet_type`, `dl_type` and (for IP) `nw_frag` are exact.
    pub mask: Mask,
    /// Kept in the megaflow for the revalidator.
    pub owner: Option<Arc<dyn Any + Send + Sync>>,
}

impl UpcallReply {
    /// Empties it for the next upcall, keeping the buffers.
    pub fn clear(&mut self) {
        self.verdict = Verdict::Install;
        self.actions.clear();
        self.mask = Mask::NONE;
        self.owner = None;
    }
}

/// The control plane's side of an upcall. Must be quick, must not block on locks held across I/O.
pub trait UpcallHandler: Send + Sync {
    /// Decides about `upcall`; for `UpcallKind::Userspace` the reply's actions are executed and nothing is installed.
    fn upcall(&self, upcall: &Upcall<'_>, reply: &mut UpcallReply);
    /// The megaflow of an `Install` verdict is in the worker's table.
    fn installed(&self, flow: &Arc<dyn Megaflow>);
    /// Called by each worker thread once when it starts, before any upcall.
    fn worker_started(&self, worker: WorkerId) {
        let _ = worker;
    }
}
