//! A bond as translation sees it: which members may be used, and for each hash bucket its member and its bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use flow::Flow;
use openflow::OfPort;

use super::super::lacp::Status;
use super::{BUCKET_MASK, Mode, N_BUCKETS, hash_mac};
use crate::recirc::Recirc;

/// Buckets are read and counted by workers, assigned by the machine.
#[derive(Debug)]
pub struct Buckets {
    members: [AtomicU32; N_BUCKETS],
    bytes: [AtomicU64; N_BUCKETS],
    /// Grows with each assignment.
    pub generation: AtomicU64,
}

const NOBODY: u32 = u32::MAX;

impl Default for Buckets {
    fn default() -> Self {
        Buckets {
            members: std::array::from_fn(|_| AtomicU32::new(NOBODY)),
            bytes: std::array::from_fn(|_| AtomicU64::new(0)),
            generation: AtomicU64::new(0),
        }
    }
}

impl Buckets {
    pub fn member(&self, n: usize) -> Option<OfPort> {
        let port = self.members[n & BUCKET_MASK as usize].load(Relaxed);
        (port != NOBODY).then_some(OfPort(port))
    }

    pub fn assign(&self, n: usize, member: Option<OfPort>) {
        let new = member.map_or(NOBODY, |m| m.0);
        if self.members[n].swap(new, Relaxed) != new {
            self.generation.fetch_add(1, Relaxed);
        }
    }

    /// Bytes have been sent by bucket `n`.
    pub fn credit(&self, n: usize, bytes: u64) {
        self.bytes[n & BUCKET_MASK as usize].fetch_add(bytes, Relaxed);
    }

    pub fn bytes(&self, n: usize) -> u64 {
        self.bytes[n].load(Relaxed)
    }

    /// Old bytes count half.
    pub fn halve(&self) {
        for bytes in &self.bytes {
            // What a worker adds meanwhile stays.
            bytes.fetch_sub(bytes.load(Relaxed) / 2, Relaxed);
        }
    }
}

/// What NORMAL may do with a packet that came in by a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    Accept,
    Drop,
    /// Drop it when its source is known to be elsewhere: it is our own packet, coming back.
    DropIfMoved,
}

#[derive(Clone, Debug)]
pub struct View {
    pub mode: Mode,
    pub lacp: Status,
    pub basis: u32,
    pub fallback_ab: bool,
    pub all_members_active: bool,
    pub active: Option<OfPort>,
    pub enabled: Vec<OfPort>,
    pub may_enable: Vec<OfPort>,
    pub buckets: Arc<Buckets>,
    /// Of the buckets, when this was published.
    pub generation: u64,
    /// Where packets of a balance-tcp bond come back with a hash.
    pub recirc: Option<Arc<Recirc>>,
}

impl PartialEq for View {
    fn eq(&self, other: &Self) -> bool {
        let key = |v: &Self| (v.mode, v.lacp, v.basis, v.fallback_ab, v.all_members_active, v.active);
        key(self) == key(other)
            && (&self.enabled, &self.may_enable) == (&other.enabled, &other.may_enable)
            && Arc::ptr_eq(&self.buckets, &other.buckets)
            && self.generation == other.generation
    }
}

impl View {
    /// The mode that is in force: without a partner, LACP may let the bond fall back to active-backup.
    pub fn effective_mode(&self) -> Option<Mode> {
        match self.lacp {
            Status::Configured if self.fallback_ab => Some(Mode::ActiveBackup),
            Status::Configured => None,
            Status::Off if self.mode == Mode::BalanceTcp => None,
            _ => Some(self.mode),
        }
    }

    /// The bucket of a flow in VLAN `vlan`.
    pub fn bucket(&self, flow: &Flow, vlan: u16) -> usize {
        let hash = if self.mode == Mode::BalanceTcp {
            let mut flow = *flow;
            flow.vlan.tci = flow::Be16::new(vlan);
            flow.vlan_inner = flow::key::Vlan::default();
            flow::hash::visible::symmetric_l4(&flow, self.basis)
        } else {
            hash_mac(flow.dl_src, vlan, self.basis)
        };
        (hash & BUCKET_MASK) as usize
    }

    /// May a packet to `dst` come in by `member`?
    pub fn admit(&self, member: OfPort, dst: [u8; 6]) -> Admission {
        if self.lacp == Status::Negotiated {
            // The partner knows about the bond and does the right thing.
            let usable = self.enabled.contains(&member) || self.may_enable.contains(&member);
            return if usable { Admission::Accept } else { Admission::Drop };
        }
        let is_active = self.active == Some(member);
        match self.effective_mode() {
            None | Some(Mode::BalanceTcp) => Admission::Drop,
            Some(Mode::ActiveBackup) if is_active => Admission::Accept,
            Some(Mode::ActiveBackup) => Admission::Drop,
            // What floods reaches every member; one copy is enough.
            Some(Mode::BalanceSlb) if dst[0] & 1 != 0 && !is_active && !self.all_members_active => {
                Admission::Drop
            }
            Some(Mode::BalanceSlb) => Admission::DropIfMoved,
        }
    }
}
