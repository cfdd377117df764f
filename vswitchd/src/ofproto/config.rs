//! What the configuration says of a bridge, its ports and bundles, as plain values. `bridge::apply` fills them in;
//! translation reads them from the snapshot.

use dpif::DpPort;
use openflow::OfPort;
use openflow::msg::FragMode;

pub use crate::bridge::desire::{FailMode, PriorityTags, VlanMode};

/// A bundle: row Port with one or several interfaces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BundleId(pub u32);

/// Settings of a bridge that translation or the tables look at.
#[derive(Clone, PartialEq, Debug)]
pub struct BridgeConfig {
    pub fail_mode: FailMode,
    /// `netdev` or `dummy`, and the datapath's name (`ovs-netdev`), for texts.
    pub datapath_type: String,
    pub mac_age_s: u32,
    pub mac_table_len_max: usize,
    pub forward_bpdu: bool,
    /// VLANs that are flooded instead of learned, sorted.
    pub flood_vlans: Vec<u16>,
    /// A table miss makes a packet-in (some controller speaks a version whose default is that).
    pub packet_in_on_miss: bool,
    /// What happens to fragments.
    pub frag: FragMode,
}

impl Default for BridgeConfig {
    fn default() -> Self {
        Self {
            fail_mode: FailMode::Standalone,
            datapath_type: "netdev".into(),
            mac_age_s: 300,
            mac_table_len_max: 8192,
            forward_bpdu: false,
            flood_vlans: Vec::new(),
            packet_in_on_miss: false,
            frag: FragMode::Normal,
        }
    }
}

/// An OpenFlow port as configured.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortInput {
    /// The number it has; `bridge::ofport` chooses it.
    pub number: OfPort,
    pub name: String,
    /// `None` for patch ports.
    pub dp_port: Option<DpPort>,
    /// Name of the far end of a patch port.
    pub peer: Option<String>,
    pub hw_addr: [u8; 6],
    pub link_up: bool,
    pub admin_up: bool,
    pub speed_kbps: u32,
    pub mtu: u32,
}

/// A bundle as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BundleInput {
    pub name: String,
    pub vlan_mode: VlanMode,
    /// Access or native VLAN; 0 in trunk mode without one.
    pub tag: u16,
    /// VLANs carried; empty = all.
    pub trunks: Vec<u16>,
    /// Customer VLANs of a dot1q-tunnel; empty = all.
    pub cvlans: Vec<u16>,
    pub qinq_ethtype: u16,
    pub priority_tags: PriorityTags,
    pub protected: bool,
    pub members: Vec<OfPort>,
}

impl BundleInput {
    /// A trunk of all VLANs with one member.
    pub fn trunk(name: &str, member: OfPort) -> Self {
        Self {
            name: name.into(),
            vlan_mode: VlanMode::Trunk,
            tag: 0,
            trunks: Vec::new(),
            cvlans: Vec::new(),
            qinq_ethtype: 0x88a8,
            priority_tags: PriorityTags::Never,
            protected: false,
            members: vec![member],
        }
    }
}

/// A mirror as configured; ports by bundle name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MirrorInput {
    pub name: String,
    pub select_all: bool,
    pub src_bundles: Vec<String>,
    pub dst_bundles: Vec<String>,
    /// Empty = all VLANs.
    pub vlans: Vec<u16>,
    pub out_bundle: Option<String>,
    pub out_vlan: Option<u16>,
    /// 0 = whole packets.
    pub snaplen: u16,
}
