//! Protocol numbers and bits that parsing, matching and rewriting share.

/// Ethernet types.
pub mod eth {
    pub const IP: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    pub const TEB: u16 = 0x6558;
    pub const VLAN: u16 = 0x8100;
    pub const RARP: u16 = 0x8035;
    pub const IPV6: u16 = 0x86dd;
    pub const MPLS: u16 = 0x8847;
    pub const MPLS_MCAST: u16 = 0x8848;
    pub const NSH: u16 = 0x894f;
    pub const QINQ: u16 = 0x88a8;
    /// Smallest type; anything below is an 802.3 length.
    pub const TYPE_MIN: u16 = 0x600;
    /// `dl_type` of an 802.3 frame without a SNAP type.
    pub const TYPE_NONE: u16 = 0x05ff;

    /// True for the two tag protocol ids that are parsed.
    pub const fn is_vlan(dl_type: u16) -> bool {
        matches!(dl_type, VLAN | QINQ)
    }
    pub const fn is_mpls(dl_type: u16) -> bool {
        matches!(dl_type, MPLS | MPLS_MCAST)
    }
}

/// IP protocols, and the IPv6 extension headers that are walked over.
pub mod ip {
    pub const HOPOPTS: u8 = 0;
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const AH: u8 = 51;
    pub const ICMPV6: u8 = 58;
    pub const DSTOPTS: u8 = 60;
    pub const SCTP: u8 = 132;

    /// `nw_tos`: the DSCP bits and the ECN bits.
    pub const DSCP_MASK: u8 = 0xfc;
    pub const ECN_MASK: u8 = 0x03;
}

/// ICMPv6 types of neighbour discovery, and its options.
pub mod nd {
    pub const SOLICIT: u8 = 135;
    pub const ADVERT: u8 = 136;
    pub const OPT_SOURCE: u8 = 1;
    pub const OPT_TARGET: u8 = 2;
}

/// `packet_type` values (namespace in the high half).
pub mod packet_type {
    pub const ETHERNET: u32 = 0;
    /// Namespace 1: the low half is an Ethernet type.
    pub const NS_ETHERTYPE: u16 = 1;
}

/// `Flow::ct_state` bits.
pub mod ct {
    pub const NEW: u32 = 0x01;
    pub const EST: u32 = 0x02;
    pub const REL: u32 = 0x04;
    pub const RPL: u32 = 0x08;
    pub const INV: u32 = 0x10;
    pub const TRK: u32 = 0x20;
    pub const SNAT: u32 = 0x40;
    pub const DNAT: u32 = 0x80;
    pub const ALL: u32 = 0xff;
}

/// TCP flag bits as matched on (12 bits of the header).
pub const TCP_FLAGS_MASK: u16 = 0x0fff;

/// MPLS label stack entry fields, host order.
pub mod mpls {
    pub const LABEL_MASK: u32 = 0xffff_f000;
    pub const TC_MASK: u32 = 0x0000_0e00;
    pub const BOS: u32 = 0x0000_0100;
    pub const TTL_MASK: u32 = 0x0000_00ff;
}

/// OpenFlow port numbers with a meaning of their own (16-bit form, as `Flow::in_port` has them).
pub mod ofpp {
    pub const MAX: u32 = 0xff00;
    pub const UNSET: u32 = 0xfff7;
    pub const IN_PORT: u32 = 0xfff8;
    pub const TABLE: u32 = 0xfff9;
    pub const NORMAL: u32 = 0xfffa;
    pub const FLOOD: u32 = 0xfffb;
    pub const ALL: u32 = 0xfffc;
    pub const CONTROLLER: u32 = 0xfffd;
    pub const LOCAL: u32 = 0xfffe;
    pub const NONE: u32 = 0xffff;
}

/// `Flow::tun_flags` bits.
pub mod tun {
    pub const OAM: u16 = 1 << 0;
    pub const DONT_FRAGMENT: u16 = 1 << 1;
    pub const CSUM: u16 = 1 << 2;
    pub const KEY: u16 = 1 << 3;
    /// The flags that OpenFlow text may name.
    pub const ALL: u16 = OAM | DONT_FRAGMENT | CSUM | KEY;
}
