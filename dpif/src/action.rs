//! Datapath actions: what translation asks of the datapath for every packet of a megaflow. A value type; the
//! datapath compiles a list once per megaflow. `Set` carries value and mask, so only masked bits change.

use flow::{Be16, Be32, Flow};

use crate::port::DpPort;

/// An action list, in order. An empty list drops.
pub type Actions = Vec<Action>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    Output(DpPort),
    /// Send the packet to the control plane.
    Userspace(Box<Userspace>),
    Set(Set),
    PushVlan {
        tpid: Be16,
        tci: Be16,
    },
    PopVlan,
    PushMpls {
        ethertype: Be16,
        lse: Be32,
    },
    PopMpls {
        ethertype: Be16,
    },
    /// Look the packet up again with this recirculation id.
    Recirc(u32),
    /// Compute `dp_hash`.
    Hash {
        algorithm: HashAlgorithm,
        basis: u32,
    },
    /// Applies to the next output.
    Trunc {
        len_max: u32,
    },
    Sample {
        probability: u32,
        actions: Actions,
    },
    Clone(Actions),
    Meter(u32),
    CheckPktLen {
        len: u16,
        greater: Actions,
        less_equal: Actions,
    },
    Ct(Box<Ct>),
    CtClear,
    PushEth {
        src: [u8; 6],
        dst: [u8; 6],
    },
    PopEth,
    PushNsh(Box<Flow>),
    PopNsh,
    TnlPush(Box<TnlPush>),
    TnlPop(DpPort),
    LbOutput(u32),
    /// Explicit drop with the reason that the ledger shows.
    Drop(crate::DropReason),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HashAlgorithm {
    L4,
    SymL4,
}

/// Header rewrite: bits set in the mask are replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Set {
    Eth {
        src: [u8; 6],
        src_mask: [u8; 6],
        dst: [u8; 6],
        dst_mask: [u8; 6],
    },
    Ipv4 {
        src: Be32,
        src_mask: Be32,
        dst: Be32,
        dst_mask: Be32,
        tos: u8,
        tos_mask: u8,
        ttl: u8,
        ttl_mask: u8,
    },
    Ipv6(Box<SetIpv6>),
    Tcp(SetPorts),
    Udp(SetPorts),
    Sctp(SetPorts),
    Icmp {
        icmp_type: u8,
        type_mask: u8,
        code: u8,
        code_mask: u8,
    },
    Icmpv6 {
        icmp_type: u8,
        type_mask: u8,
        code: u8,
        code_mask: u8,
    },
    Arp(Box<SetArp>),
    Nd(Box<SetNd>),
    NdExt {
        reserved: Be32,
        reserved_mask: Be32,
        options_type: u8,
        options_type_mask: u8,
    },
    Mpls {
        lse: Be32,
        mask: Be32,
    },
    SkbMark {
        value: u32,
        mask: u32,
    },
    SkbPriority {
        value: u32,
        mask: u32,
    },
    /// NSH fields of `key` where `mask` is set.
    Nsh {
        key: Box<Flow>,
        mask: Box<Flow>,
    },
    /// Tunnel fields of the flow (lines 4..=9) for the following output to a tunnel port.
    Tunnel(Box<Flow>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetPorts {
    pub src: Be16,
    pub src_mask: Be16,
    pub dst: Be16,
    pub dst_mask: Be16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetIpv6 {
    pub src: [u8; 16],
    pub src_mask: [u8; 16],
    pub dst: [u8; 16],
    pub dst_mask: [u8; 16],
    pub label: Be32,
    pub label_mask: Be32,
    pub tclass: u8,
    pub tclass_mask: u8,
    pub hlimit: u8,
    pub hlimit_mask: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetArp {
    pub sip: Be32,
    pub sip_mask: Be32,
    pub tip: Be32,
    pub tip_mask: Be32,
    pub op: u16,
    pub op_mask: u16,
    pub sha: [u8; 6],
    pub sha_mask: [u8; 6],
    pub tha: [u8; 6],
    pub tha_mask: [u8; 6],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetNd {
    pub target: [u8; 16],
    pub target_mask: [u8; 16],
    pub sll: [u8; 6],
    pub sll_mask: [u8; 6],
    pub tll: [u8; 6],
    pub tll_mask: [u8; 6],
}

/// A packet for the control plane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Userspace {
    pub kind: UserspaceKind,
    /// Opaque to the datapath, handed back in the upcall.
    pub cookie: u64,
    pub userdata: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserspaceKind {
    /// Translate every packet of the flow in userspace (reasons: OVS's slow_path bits, printed by name).
    SlowPath {
        reason: u32,
    },
    /// OpenFlow packet-in; reason is the OFPR_* code.
    Controller {
        reason: u8,
        max_len: u16,
        controller_id: u16,
    },
    SFlow,
    FlowSample,
    Ipfix,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ct {
    pub commit: bool,
    pub force: bool,
    pub zone: u16,
    pub mark: Option<(u32, u32)>,
    pub label: Option<([u8; 16], [u8; 16])>,
    pub helper: Option<String>,
    pub timeout: Option<String>,
    pub nat: Option<CtNat>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CtNat {
    /// `None` = apply the NAT of the existing connection.
    pub direction: Option<NatDirection>,
    pub addr_min: Option<std::net::IpAddr>,
    pub addr_max: Option<std::net::IpAddr>,
    pub port_min: u16,
    pub port_max: u16,
    pub persistent: bool,
    pub hash: bool,
    pub random: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NatDirection {
    Src,
    Dst,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TnlPush {
    pub tnl_port: DpPort,
    pub out_port: DpPort,
    /// OVS_VPORT_TYPE number that dump-flows prints.
    pub tnl_type: u32,
    /// The outer headers, ready to be copied in front of the packet.
    pub header: Vec<u8>,
}
