//! What the configuration asks of the protocols of one bridge, as plain values; `bridge::apply` fills them in.

use std::collections::BTreeMap;

use openflow::OfPort;

use super::{bfd, bond, cfm, lacp, lldp, mcast, rstp, stp};

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    /// The bridge's own address.
    pub mac: [u8; 6],
    pub ports: BTreeMap<OfPort, PortConfig>,
    pub stp: Option<stp::Config>,
    pub rstp: Option<rstp::Config>,
    pub mcast: Option<mcast::Config>,
    /// By name.
    pub bundles: BTreeMap<String, BundleConfig>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct PortConfig {
    pub name: String,
    pub lacp: lacp::MemberConfig,
    pub bfd: Option<bfd::Config>,
    pub cfm: Option<cfm::Config>,
    pub lldp: Option<lldp::Config>,
    pub stp: Option<stp::PortConfig>,
    pub rstp: Option<rstp::PortConfig>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct BundleConfig {
    pub members: Vec<OfPort>,
    pub bond: Option<bond::Config>,
    pub lacp: Option<lacp::Config>,
    /// Gets all multicast.
    pub mcast_flood: bool,
    /// Gets all reports.
    pub mcast_flood_reports: bool,
}
