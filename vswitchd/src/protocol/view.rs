//! What the protocols of a bridge have decided, for translation. Immutable, part of the snapshot; only what differs from
//! "no protocol at all" is in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use flow::Flow;
use openflow::OfPort;

use super::cfm::CFM_TYPE;
use super::lldp::LLDP_TYPE;
use super::{bfd, bond, mcast};
use crate::ofproto::config::BundleId;
use crate::xlate::slow;

#[derive(Clone, Default, PartialEq, Debug)]
pub struct View {
    pub ports: BTreeMap<OfPort, PortView>,
    pub bonds: BTreeMap<BundleId, bond::View>,
    /// STP or RSTP runs on the bridge.
    pub has_tree: bool,
    pub snooping: Option<Snooping>,
}

/// The multicast snooping table; live.
#[derive(Clone, Debug)]
pub struct Snooping(pub Arc<mcast::Table>);

impl PartialEq for Snooping {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A port on which some protocol runs.
#[derive(Clone, PartialEq, Debug)]
pub struct PortView {
    /// Slow protocols (LACP) are ours.
    pub lacp: bool,
    /// BFD packets are ours, those to this address if there is one.
    pub bfd: Option<Option<[u8; 6]>>,
    /// Connectivity checks to this address are ours.
    pub cfm: Option<[u8; 6]>,
    /// LLDP is ours.
    pub lldp: bool,
    /// No protocol says that the link is broken.
    pub may_enable: bool,
    /// What the spanning tree allows; `None`: it has no say here.
    pub tree: Option<Tree>,
}

/// What a spanning tree lets a port do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tree {
    /// RSTP, not STP.
    pub rapid: bool,
    pub learns: bool,
    pub forwards: bool,
}

impl PortView {
    pub fn forwards(&self) -> bool {
        self.tree.is_none_or(|t| t.forwards)
    }
    pub fn learns(&self) -> bool {
        self.tree.is_none_or(|t| t.learns)
    }
}

const PLAIN: &PortView =
    &PortView { lacp: false, bfd: None, cfm: None, lldp: false, may_enable: true, tree: None };

impl Default for PortView {
    fn default() -> Self {
        PLAIN.clone()
    }
}

impl View {
    pub fn port(&self, port: OfPort) -> &PortView {
        self.ports.get(&port).unwrap_or(PLAIN)
    }

    /// The protocol that takes this packet instead of the tables: one bit of `xlate::slow`. Looks at `mask` bits that
    /// it adds.
    pub fn takes(&self, port: OfPort, flow: &Flow, mask: &mut flow::Mask) -> u32 {
        let view = self.port(port);
        if let Some(address) = view.cfm
            && flow.dl_type.get() == CFM_TYPE
        {
            mask.0.dl_dst = [0xff; 6];
            if flow.dl_dst == address {
                return slow::CFM;
            }
        }
        if let Some(address) = view.bfd
            && is_bfd(address, flow, mask)
        {
            return slow::BFD;
        }
        // The Ethernet type is in every mask.
        if view.lacp && flow.dl_type.get() == LACP_TYPE {
            return slow::LACP;
        }
        if self.has_tree {
            mask.0.dl_dst = [0xff; 6];
            if flow.dl_dst == STP_ADDRESS {
                return slow::STP;
            }
        }
        if view.lldp && flow.dl_type.get() == LLDP_TYPE {
            return slow::LLDP;
        }
        0
    }
}

pub const LACP_TYPE: u16 = 0x8809;
/// The bridge group address (802.1D table 7-9).
pub const STP_ADDRESS: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0];

/// A BFD control packet over IPv4, to `address` if there is one.
fn is_bfd(address: Option<[u8; 6]>, flow: &Flow, mask: &mut flow::Mask) -> bool {
    use flow::proto::{eth, ip};
    let m = &mut mask.0;
    if let Some(address) = address {
        m.dl_dst = [0xff; 6];
        if flow.dl_dst != address {
            return false;
        }
    }
    if flow.dl_type.get() != eth::IP {
        return false;
    }
    m.nw_proto = 0xff;
    if flow.nw_proto != ip::UDP || flow.nw_frag & flow::key::NW_FRAG_LATER != 0 {
        return false;
    }
    m.tp_dst = flow::Be16::MAX;
    flow.tp_dst.get() == bfd::packet::PORT
}
