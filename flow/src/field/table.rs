//! The table of match fields: one row per field, in the order that OVS numbers them by subject.
//!
//! A row: name, alias, bytes on the wire, bits that may be set, maskable, writable, prerequisite, text format, place
//! in `Flow`, OpenFlow headers (class, number, name, first OpenFlow version). Facts: ovs-features.md 1e and
//! ovs-fields(7). No behaviour here.

use std::mem::offset_of;

use super::oxm::{
    ERICOXM_OF, NXM_NX, NXM_OF, NXOXM_ET, NXOXM_NSH, OF10, OF12, OF13, OF15, ONFOXM_ET, OXM_OF,
    OXM_OF_PKT_REG, Oxm,
};
use super::{Access::*, Info, Loc, Masking::*, Prereq, Text};
use crate::key::Flow;

/// A whole field in network byte order.
macro_rules! be {
    ($($field:ident).+) => {
        Loc::Bits {
            off: offset_of!(Flow, $($field).+),
            len: size_of_field(|f: &Flow| &f.$($field).+),
            host: false,
            shift: 0,
            mask: ones(size_of_field(|f: &Flow| &f.$($field).+) * 8),
        }
    };
}
/// A whole field in host order.
macro_rules! host {
    ($field:ident) => {
        Loc::Bits {
            off: offset_of!(Flow, $field),
            len: size_of_field(|f: &Flow| &f.$field),
            host: true,
            shift: 0,
            mask: ones(size_of_field(|f: &Flow| &f.$field) * 8),
        }
    };
}
/// Some bits of a field in network byte order.
macro_rules! bits {
    ($($field:ident).+, $shift:expr, $mask:expr) => {
        Loc::Bits {
            off: offset_of!(Flow, $($field).+),
            len: size_of_field(|f: &Flow| &f.$($field).+),
            host: false,
            shift: $shift,
            mask: $mask,
        }
    };
}
/// Some bits of a field in host order.
macro_rules! host_bits {
    ($field:ident, $shift:expr, $mask:expr) => {
        Loc::Bits {
            off: offset_of!(Flow, $field),
            len: size_of_field(|f: &Flow| &f.$field),
            host: true,
            shift: $shift,
            mask: $mask,
        }
    };
}
/// Some bits of the outermost MPLS label stack entry.
macro_rules! lse {
    (mpls, $shift:expr, $mask:expr) => {
        Loc::Bits { off: offset_of!(Flow, mpls), len: 4, host: false, shift: $shift, mask: $mask }
    };
}

const fn size_of_field<T>(_: fn(&Flow) -> &T) -> usize {
    size_of::<T>()
}

const fn ones(n_bits: usize) -> u128 {
    if n_bits >= 128 { u128::MAX } else { (1 << n_bits) - 1 }
}

macro_rules! fields {
    ($(($id:ident $name:literal $alias:literal $bytes:literal $bits:literal $masking:ident $access:ident
        $prereq:ident $text:ident ($loc:expr) [$($oxm:expr),*]))*) => {
        /// A match field; `info` has everything about it.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Field {
            $($id),*
        }

        /// Every field.
        pub const FIELDS: &[Field] = &[$(Field::$id),*];

        pub(super) static INFO: [Info; FIELDS.len()] = [$(Info {
            field: Field::$id,
            name: $name,
            alias: $alias,
            n_bytes: $bytes,
            n_bits: $bits,
            masking: $masking,
            access: $access,
            prereq: Prereq::$prereq,
            text: Text::$text,
            loc: $loc,
            headers: &[$($oxm),*],
        }),*];
    };
}

fields! {
    (DpHash "dp_hash" "" 4 32 Bitwise Ro None Hex (host!(dp_hash))
        [Oxm(NXM_NX, 35, "NXM_NX_DP_HASH", OF10), Oxm(NXOXM_ET, 0, "NXOXM_ET_DP_HASH", OF10)])
    (RecircId "recirc_id" "" 4 32 Exact Ro None Decimal (host!(recirc_id))
        [Oxm(NXM_NX, 36, "NXM_NX_RECIRC_ID", OF10)])
    (PacketType "packet_type" "" 4 32 Exact Ro None PacketType (be!(packet_type))
        [Oxm(OXM_OF, 44, "OXM_OF_PACKET_TYPE", OF15)])
    (ConjId "conj_id" "" 4 32 Exact Ro None Decimal (host!(conj_id))
        [Oxm(NXM_NX, 37, "NXM_NX_CONJ_ID", OF10)])
    (TunId "tun_id" "tunnel_id" 8 64 Bitwise Rw None Hex (be!(tun_id))
        [Oxm(NXM_NX, 16, "NXM_NX_TUN_ID", OF10), Oxm(OXM_OF, 38, "OXM_OF_TUNNEL_ID", OF13)])
    (TunSrc "tun_src" "" 4 32 Bitwise Rw None Ipv4 (be!(tun_src))
        [Oxm(NXM_NX, 31, "NXM_NX_TUN_IPV4_SRC", OF10)])
    (TunDst "tun_dst" "" 4 32 Bitwise Rw None Ipv4 (be!(tun_dst))
        [Oxm(NXM_NX, 32, "NXM_NX_TUN_IPV4_DST", OF10)])
    (TunIpv6Src "tun_ipv6_src" "" 16 128 Bitwise Rw None Ipv6 (be!(tun_ipv6_src))
        [Oxm(NXM_NX, 109, "NXM_NX_TUN_IPV6_SRC", OF10)])
    (TunIpv6Dst "tun_ipv6_dst" "" 16 128 Bitwise Rw None Ipv6 (be!(tun_ipv6_dst))
        [Oxm(NXM_NX, 110, "NXM_NX_TUN_IPV6_DST", OF10)])
    (TunFlags "tun_flags" "" 2 1 Bitwise Rw None TunnelFlags (host_bits!(tun_flags, 0, 1))
        [Oxm(NXM_NX, 104, "NXM_NX_TUN_FLAGS", OF10)])
    (TunTtl "tun_ttl" "" 1 8 Exact Ro None Decimal (be!(tun_ttl))
        [])
    (TunTos "tun_tos" "" 1 8 Exact Ro None Decimal (be!(tun_tos))
        [])
    (TunGbpId "tun_gbp_id" "" 2 16 Bitwise Rw None Decimal (be!(tun_gbp_id))
        [Oxm(NXM_NX, 38, "NXM_NX_TUN_GBP_ID", OF10)])
    (TunGbpFlags "tun_gbp_flags" "" 1 8 Bitwise Rw None Hex (be!(tun_gbp_flags))
        [Oxm(NXM_NX, 39, "NXM_NX_TUN_GBP_FLAGS", OF10)])
    (TunErspanIdx "tun_erspan_idx" "" 4 20 Bitwise Rw None Hex (bits!(tun_erspan_idx, 0, 0xfffff))
        [Oxm(NXOXM_ET, 11, "NXOXM_ET_ERSPAN_IDX", OF10)])
    (TunErspanVer "tun_erspan_ver" "" 1 4 Bitwise Rw None Decimal (bits!(tun_erspan_ver, 0, 0xf))
        [Oxm(NXOXM_ET, 12, "NXOXM_ET_ERSPAN_VER", OF10)])
    (TunErspanDir "tun_erspan_dir" "" 1 1 Bitwise Rw None Decimal (bits!(tun_erspan_dir, 0, 1))
        [Oxm(NXOXM_ET, 13, "NXOXM_ET_ERSPAN_DIR", OF10)])
    (TunErspanHwid "tun_erspan_hwid" "" 1 6 Bitwise Rw None Hex (bits!(tun_erspan_hwid, 0, 0x3f))
        [Oxm(NXOXM_ET, 14, "NXOXM_ET_ERSPAN_HWID", OF10)])
    (TunGtpuFlags "tun_gtpu_flags" "" 1 8 Bitwise Ro None Hex (be!(tun_gtpu_flags))
        [Oxm(NXOXM_ET, 15, "NXOXM_ET_GTPU_FLAGS", OF10)])
    (TunGtpuMsgtype "tun_gtpu_msgtype" "" 1 8 Bitwise Ro None Decimal (be!(tun_gtpu_msgtype))
        [Oxm(NXOXM_ET, 16, "NXOXM_ET_GTPU_MSGTYPE", OF10)])
    (Metadata "metadata" "" 8 64 Bitwise Rw None Hex (be!(metadata))
        [Oxm(OXM_OF, 2, "OXM_OF_METADATA", OF12)])
    (InPort "in_port" "" 2 16 Exact Rw None OfPort (Loc::Port { off: offset_of!(Flow, in_port), is_u16: true })
        [Oxm(NXM_OF, 0, "NXM_OF_IN_PORT", OF10)])
    (InPortOxm "in_port_oxm" "" 4 32 Exact Rw None OfPortOxm (Loc::Port { off: offset_of!(Flow, in_port), is_u16: false })
        [Oxm(OXM_OF, 0, "OXM_OF_IN_PORT", OF12)])
    (ActsetOutput "actset_output" "" 4 32 Exact Ro None OfPortOxm (Loc::Port { off: offset_of!(Flow, actset_output), is_u16: false })
        [Oxm(ONFOXM_ET, 43, "ONFOXM_ET_ACTSET_OUTPUT", OF13), Oxm(OXM_OF, 43, "OXM_OF_ACTSET_OUTPUT", OF15)])
    (SkbPriority "skb_priority" "" 4 32 Exact Ro None Hex (host!(skb_priority))
        [])
    (PktMark "pkt_mark" "" 4 32 Bitwise Rw None Hex (host!(pkt_mark))
        [Oxm(NXM_NX, 33, "NXM_NX_PKT_MARK", OF10)])
    (CtState "ct_state" "" 4 32 Bitwise Ro None CtState (host!(ct_state))
        [Oxm(NXM_NX, 105, "NXM_NX_CT_STATE", OF10)])
    (CtZone "ct_zone" "" 2 16 Exact Ro None Hex (host!(ct_zone))
        [Oxm(NXM_NX, 106, "NXM_NX_CT_ZONE", OF10)])
    (CtMark "ct_mark" "" 4 32 Bitwise Rw None Hex (host!(ct_mark))
        [Oxm(NXM_NX, 107, "NXM_NX_CT_MARK", OF10)])
    (CtLabel "ct_label" "" 16 128 Bitwise Rw None Hex (be!(ct_label))
        [Oxm(NXM_NX, 108, "NXM_NX_CT_LABEL", OF10)])
    (CtNwProto "ct_nw_proto" "" 1 8 Exact Ro Ct Decimal (be!(ct_nw_proto))
        [Oxm(NXM_NX, 119, "NXM_NX_CT_NW_PROTO", OF10)])
    (CtNwSrc "ct_nw_src" "" 4 32 Bitwise Ro Ct Ipv4 (be!(ct_nw_src))
        [Oxm(NXM_NX, 120, "NXM_NX_CT_NW_SRC", OF10)])
    (CtNwDst "ct_nw_dst" "" 4 32 Bitwise Ro Ct Ipv4 (be!(ct_nw_dst))
        [Oxm(NXM_NX, 121, "NXM_NX_CT_NW_DST", OF10)])
    (CtIpv6Src "ct_ipv6_src" "" 16 128 Bitwise Ro Ct Ipv6 (be!(ct_ipv6_src))
        [Oxm(NXM_NX, 122, "NXM_NX_CT_IPV6_SRC", OF10)])
    (CtIpv6Dst "ct_ipv6_dst" "" 16 128 Bitwise Ro Ct Ipv6 (be!(ct_ipv6_dst))
        [Oxm(NXM_NX, 123, "NXM_NX_CT_IPV6_DST", OF10)])
    (CtTpSrc "ct_tp_src" "" 2 16 Bitwise Ro Ct Decimal (be!(ct_tp_src))
        [Oxm(NXM_NX, 124, "NXM_NX_CT_TP_SRC", OF10)])
    (CtTpDst "ct_tp_dst" "" 2 16 Bitwise Ro Ct Decimal (be!(ct_tp_dst))
        [Oxm(NXM_NX, 125, "NXM_NX_CT_TP_DST", OF10)])
    (EthSrc "eth_src" "dl_src" 6 48 Bitwise Rw Ethernet Mac (be!(dl_src))
        [Oxm(NXM_OF, 2, "NXM_OF_ETH_SRC", OF10), Oxm(OXM_OF, 4, "OXM_OF_ETH_SRC", OF12)])
    (EthDst "eth_dst" "dl_dst" 6 48 Bitwise Rw Ethernet Mac (be!(dl_dst))
        [Oxm(NXM_OF, 1, "NXM_OF_ETH_DST", OF10), Oxm(OXM_OF, 3, "OXM_OF_ETH_DST", OF12)])
    (EthType "eth_type" "dl_type" 2 16 Exact Ro Ethernet Hex (be!(dl_type))
        [Oxm(NXM_OF, 3, "NXM_OF_ETH_TYPE", OF10), Oxm(OXM_OF, 5, "OXM_OF_ETH_TYPE", OF12)])
    (VlanTci "vlan_tci" "" 2 16 Bitwise Rw Ethernet Hex (be!(vlan.tci))
        [Oxm(NXM_OF, 4, "NXM_OF_VLAN_TCI", OF10)])
    (DlVlan "dl_vlan" "" 2 12 Exact Rw Ethernet Decimal (bits!(vlan.tci, 0, 0xfff))
        [])
    (VlanVid "vlan_vid" "" 2 12 Bitwise Rw Ethernet Decimal (bits!(vlan.tci, 0, 0x1fff))
        [Oxm(OXM_OF, 6, "OXM_OF_VLAN_VID", OF12)])
    (DlVlanPcp "dl_vlan_pcp" "" 1 3 Exact Rw Ethernet Decimal (bits!(vlan.tci, 13, 7))
        [])
    (VlanPcp "vlan_pcp" "" 1 3 Exact Rw VlanVid Decimal (bits!(vlan.tci, 13, 7))
        [Oxm(OXM_OF, 7, "OXM_OF_VLAN_PCP", OF12)])
    (MplsLabel "mpls_label" "" 4 20 Exact Rw Mpls Decimal (lse!(mpls, 12, 0xfffff))
        [Oxm(OXM_OF, 34, "OXM_OF_MPLS_LABEL", OF12)])
    (MplsTc "mpls_tc" "" 1 3 Exact Rw Mpls Decimal (lse!(mpls, 9, 7))
        [Oxm(OXM_OF, 35, "OXM_OF_MPLS_TC", OF12)])
    (MplsBos "mpls_bos" "" 1 1 Exact Ro Mpls Decimal (lse!(mpls, 8, 1))
        [Oxm(OXM_OF, 36, "OXM_OF_MPLS_BOS", OF13)])
    (MplsTtl "mpls_ttl" "" 1 8 Exact Rw Mpls Decimal (lse!(mpls, 0, 0xff))
        [Oxm(NXM_NX, 30, "NXM_NX_MPLS_TTL", OF10)])
    (IpSrc "ip_src" "nw_src" 4 32 Bitwise Rw Ipv4 Ipv4 (be!(nw_src))
        [Oxm(NXM_OF, 7, "NXM_OF_IP_SRC", OF10), Oxm(OXM_OF, 11, "OXM_OF_IPV4_SRC", OF12)])
    (IpDst "ip_dst" "nw_dst" 4 32 Bitwise Rw Ipv4 Ipv4 (be!(nw_dst))
        [Oxm(NXM_OF, 8, "NXM_OF_IP_DST", OF10), Oxm(OXM_OF, 12, "OXM_OF_IPV4_DST", OF12)])
    (Ipv6Src "ipv6_src" "" 16 128 Bitwise Rw Ipv6 Ipv6 (be!(ipv6_src))
        [Oxm(NXM_NX, 19, "NXM_NX_IPV6_SRC", OF10), Oxm(OXM_OF, 26, "OXM_OF_IPV6_SRC", OF12)])
    (Ipv6Dst "ipv6_dst" "" 16 128 Bitwise Rw Ipv6 Ipv6 (be!(ipv6_dst))
        [Oxm(NXM_NX, 20, "NXM_NX_IPV6_DST", OF10), Oxm(OXM_OF, 27, "OXM_OF_IPV6_DST", OF12)])
    (Ipv6Label "ipv6_label" "" 4 20 Bitwise Rw Ipv6 Hex (bits!(ipv6_label, 0, 0xfffff))
        [Oxm(NXM_NX, 27, "NXM_NX_IPV6_LABEL", OF10), Oxm(OXM_OF, 28, "OXM_OF_IPV6_FLABEL", OF12)])
    (NwProto "nw_proto" "ip_proto" 1 8 Exact Ro IpAny Decimal (be!(nw_proto))
        [Oxm(NXM_OF, 6, "NXM_OF_IP_PROTO", OF10), Oxm(OXM_OF, 10, "OXM_OF_IP_PROTO", OF12)])
    (NwTos "nw_tos" "" 1 8 Exact Rw IpAny Decimal (bits!(nw_tos, 0, 0xfc))
        [Oxm(NXM_OF, 5, "NXM_OF_IP_TOS", OF10)])
    (IpDscp "ip_dscp" "" 1 6 Exact Rw IpAny Decimal (bits!(nw_tos, 2, 0x3f))
        [Oxm(OXM_OF, 8, "OXM_OF_IP_DSCP", OF12)])
    (NwEcn "nw_ecn" "ip_ecn" 1 2 Exact Rw IpAny Decimal (bits!(nw_tos, 0, 3))
        [Oxm(NXM_NX, 28, "NXM_NX_IP_ECN", OF10), Oxm(OXM_OF, 9, "OXM_OF_IP_ECN", OF12)])
    (NwTtl "nw_ttl" "" 1 8 Exact Rw IpAny Decimal (be!(nw_ttl))
        [Oxm(NXM_NX, 29, "NXM_NX_IP_TTL", OF10)])
    (IpFrag "ip_frag" "nw_frag" 1 2 Bitwise Ro IpAny Frag (bits!(nw_frag, 0, 3))
        [Oxm(NXM_NX, 26, "NXM_NX_IP_FRAG", OF10)])
    (ArpOp "arp_op" "" 2 16 Exact Rw Arp Decimal (Loc::Bits { off: offset_of!(Flow, nw_proto), len: 1, host: false, shift: 0, mask: 0xff })
        [Oxm(NXM_OF, 15, "NXM_OF_ARP_OP", OF10), Oxm(OXM_OF, 21, "OXM_OF_ARP_OP", OF12)])
    (ArpSpa "arp_spa" "" 4 32 Bitwise Rw Arp Ipv4 (be!(nw_src))
        [Oxm(NXM_OF, 16, "NXM_OF_ARP_SPA", OF10), Oxm(OXM_OF, 22, "OXM_OF_ARP_SPA", OF12)])
    (ArpTpa "arp_tpa" "" 4 32 Bitwise Rw Arp Ipv4 (be!(nw_dst))
        [Oxm(NXM_OF, 17, "NXM_OF_ARP_TPA", OF10), Oxm(OXM_OF, 23, "OXM_OF_ARP_TPA", OF12)])
    (ArpSha "arp_sha" "" 6 48 Bitwise Rw Arp Mac (be!(arp_sha))
        [Oxm(NXM_NX, 17, "NXM_NX_ARP_SHA", OF10), Oxm(OXM_OF, 24, "OXM_OF_ARP_SHA", OF12)])
    (ArpTha "arp_tha" "" 6 48 Bitwise Rw Arp Mac (be!(arp_tha))
        [Oxm(NXM_NX, 18, "NXM_NX_ARP_THA", OF10), Oxm(OXM_OF, 25, "OXM_OF_ARP_THA", OF12)])
    (TcpSrc "tcp_src" "tp_src" 2 16 Bitwise Rw Tcp Decimal (be!(tp_src))
        [Oxm(NXM_OF, 9, "NXM_OF_TCP_SRC", OF10), Oxm(OXM_OF, 13, "OXM_OF_TCP_SRC", OF12)])
    (TcpDst "tcp_dst" "tp_dst" 2 16 Bitwise Rw Tcp Decimal (be!(tp_dst))
        [Oxm(NXM_OF, 10, "NXM_OF_TCP_DST", OF10), Oxm(OXM_OF, 14, "OXM_OF_TCP_DST", OF12)])
    (TcpFlags "tcp_flags" "" 2 12 Bitwise Ro Tcp TcpFlags (bits!(tcp_flags, 0, 0xfff))
        [Oxm(NXM_NX, 34, "NXM_NX_TCP_FLAGS", OF10), Oxm(ONFOXM_ET, 42, "ONFOXM_ET_TCP_FLAGS", OF13), Oxm(OXM_OF, 42, "OXM_OF_TCP_FLAGS", OF15)])
    (UdpSrc "udp_src" "" 2 16 Bitwise Rw Udp Decimal (be!(tp_src))
        [Oxm(NXM_OF, 11, "NXM_OF_UDP_SRC", OF10), Oxm(OXM_OF, 15, "OXM_OF_UDP_SRC", OF12)])
    (UdpDst "udp_dst" "" 2 16 Bitwise Rw Udp Decimal (be!(tp_dst))
        [Oxm(NXM_OF, 12, "NXM_OF_UDP_DST", OF10), Oxm(OXM_OF, 16, "OXM_OF_UDP_DST", OF12)])
    (SctpSrc "sctp_src" "" 2 16 Bitwise Rw Sctp Decimal (be!(tp_src))
        [Oxm(OXM_OF, 17, "OXM_OF_SCTP_SRC", OF12)])
    (SctpDst "sctp_dst" "" 2 16 Bitwise Rw Sctp Decimal (be!(tp_dst))
        [Oxm(OXM_OF, 18, "OXM_OF_SCTP_DST", OF12)])
    (IcmpType "icmp_type" "" 1 8 Exact Rw Icmpv4 Decimal (be!(tp_src))
        [Oxm(NXM_OF, 13, "NXM_OF_ICMP_TYPE", OF10), Oxm(OXM_OF, 19, "OXM_OF_ICMPV4_TYPE", OF12)])
    (IcmpCode "icmp_code" "" 1 8 Exact Rw Icmpv4 Decimal (be!(tp_dst))
        [Oxm(NXM_OF, 14, "NXM_OF_ICMP_CODE", OF10), Oxm(OXM_OF, 20, "OXM_OF_ICMPV4_CODE", OF12)])
    (Icmpv6Type "icmpv6_type" "" 1 8 Exact Rw Icmpv6 Decimal (be!(tp_src))
        [Oxm(NXM_NX, 21, "NXM_NX_ICMPV6_TYPE", OF10), Oxm(OXM_OF, 29, "OXM_OF_ICMPV6_TYPE", OF12)])
    (Icmpv6Code "icmpv6_code" "" 1 8 Exact Rw Icmpv6 Decimal (be!(tp_dst))
        [Oxm(NXM_NX, 22, "NXM_NX_ICMPV6_CODE", OF10), Oxm(OXM_OF, 30, "OXM_OF_ICMPV6_CODE", OF12)])
    (NdTarget "nd_target" "" 16 128 Bitwise Rw Nd Ipv6 (be!(nd_target))
        [Oxm(NXM_NX, 23, "NXM_NX_ND_TARGET", OF10), Oxm(OXM_OF, 31, "OXM_OF_IPV6_ND_TARGET", OF12)])
    (NdSll "nd_sll" "" 6 48 Bitwise Rw NdSolicit Mac (be!(arp_sha))
        [Oxm(NXM_NX, 24, "NXM_NX_ND_SLL", OF10), Oxm(OXM_OF, 32, "OXM_OF_IPV6_ND_SLL", OF12)])
    (NdTll "nd_tll" "" 6 48 Bitwise Rw NdAdvert Mac (be!(arp_tha))
        [Oxm(NXM_NX, 25, "NXM_NX_ND_TLL", OF10), Oxm(OXM_OF, 33, "OXM_OF_IPV6_ND_TLL", OF12)])
    (NdReserved "nd_reserved" "" 4 32 Exact Rw Nd Decimal (be!(nd_reserved))
        [Oxm(ERICOXM_OF, 1, "ERICOXM_OF_ICMPV6_ND_RESERVED", OF10)])
    (NdOptionsType "nd_options_type" "" 1 8 Exact Rw Nd Decimal (be!(nd_options_type))
        [Oxm(ERICOXM_OF, 2, "ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE", OF10)])
    (NshFlags "nsh_flags" "" 1 8 Bitwise Rw Nsh Decimal (be!(nsh_flags))
        [Oxm(NXOXM_NSH, 1, "NXOXM_NSH_FLAGS", OF10)])
    (NshTtl "nsh_ttl" "" 1 8 Exact Rw Nsh Decimal (be!(nsh_ttl))
        [Oxm(NXOXM_NSH, 10, "NXOXM_NSH_TTL", OF10)])
    (NshMdtype "nsh_mdtype" "" 1 8 Exact Ro Nsh Decimal (be!(nsh_mdtype))
        [Oxm(NXOXM_NSH, 2, "NXOXM_NSH_MDTYPE", OF10)])
    (NshNp "nsh_np" "" 1 8 Exact Ro Nsh Decimal (be!(nsh_np))
        [Oxm(NXOXM_NSH, 3, "NXOXM_NSH_NP", OF10)])
    (NshSpi "nsh_spi" "nsp" 4 24 Exact Rw Nsh Hex (bits!(nsh_path_hdr, 8, 0xffffff))
        [Oxm(NXOXM_NSH, 4, "NXOXM_NSH_SPI", OF10)])
    (NshSi "nsh_si" "nsi" 1 8 Exact Rw Nsh Decimal (bits!(nsh_path_hdr, 0, 0xff))
        [Oxm(NXOXM_NSH, 5, "NXOXM_NSH_SI", OF10)])
    (NshC1 "nsh_c1" "nshc1" 4 32 Bitwise Rw Nsh Hex (Loc::Bits { off: offset_of!(Flow, nsh_context), len: 4, host: false, shift: 0, mask: 0xffff_ffff })
        [Oxm(NXOXM_NSH, 6, "NXOXM_NSH_C1", OF10)])
    (NshC2 "nsh_c2" "nshc2" 4 32 Bitwise Rw Nsh Hex (Loc::Bits { off: offset_of!(Flow, nsh_context) + 4, len: 4, host: false, shift: 0, mask: 0xffff_ffff })
        [Oxm(NXOXM_NSH, 7, "NXOXM_NSH_C2", OF10)])
    (NshC3 "nsh_c3" "nshc3" 4 32 Bitwise Rw Nsh Hex (Loc::Bits { off: offset_of!(Flow, nsh_context) + 8, len: 4, host: false, shift: 0, mask: 0xffff_ffff })
        [Oxm(NXOXM_NSH, 8, "NXOXM_NSH_C3", OF10)])
    (NshC4 "nsh_c4" "nshc4" 4 32 Bitwise Rw Nsh Hex (Loc::Bits { off: offset_of!(Flow, nsh_context) + 12, len: 4, host: false, shift: 0, mask: 0xffff_ffff })
        [Oxm(NXOXM_NSH, 9, "NXOXM_NSH_C4", OF10)])
    (Reg0 "reg0" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 0, len: 1 })
        [Oxm(NXM_NX, 0, "NXM_NX_REG0", OF10)])
    (Reg1 "reg1" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 1, len: 1 })
        [Oxm(NXM_NX, 1, "NXM_NX_REG1", OF10)])
    (Reg2 "reg2" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 2, len: 1 })
        [Oxm(NXM_NX, 2, "NXM_NX_REG2", OF10)])
    (Reg3 "reg3" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 3, len: 1 })
        [Oxm(NXM_NX, 3, "NXM_NX_REG3", OF10)])
    (Reg4 "reg4" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 4, len: 1 })
        [Oxm(NXM_NX, 4, "NXM_NX_REG4", OF10)])
    (Reg5 "reg5" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 5, len: 1 })
        [Oxm(NXM_NX, 5, "NXM_NX_REG5", OF10)])
    (Reg6 "reg6" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 6, len: 1 })
        [Oxm(NXM_NX, 6, "NXM_NX_REG6", OF10)])
    (Reg7 "reg7" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 7, len: 1 })
        [Oxm(NXM_NX, 7, "NXM_NX_REG7", OF10)])
    (Reg8 "reg8" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 8, len: 1 })
        [Oxm(NXM_NX, 8, "NXM_NX_REG8", OF10)])
    (Reg9 "reg9" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 9, len: 1 })
        [Oxm(NXM_NX, 9, "NXM_NX_REG9", OF10)])
    (Reg10 "reg10" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 10, len: 1 })
        [Oxm(NXM_NX, 10, "NXM_NX_REG10", OF10)])
    (Reg11 "reg11" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 11, len: 1 })
        [Oxm(NXM_NX, 11, "NXM_NX_REG11", OF10)])
    (Reg12 "reg12" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 12, len: 1 })
        [Oxm(NXM_NX, 12, "NXM_NX_REG12", OF10)])
    (Reg13 "reg13" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 13, len: 1 })
        [Oxm(NXM_NX, 13, "NXM_NX_REG13", OF10)])
    (Reg14 "reg14" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 14, len: 1 })
        [Oxm(NXM_NX, 14, "NXM_NX_REG14", OF10)])
    (Reg15 "reg15" "" 4 32 Bitwise Rw None Hex (Loc::Regs { first: 15, len: 1 })
        [Oxm(NXM_NX, 15, "NXM_NX_REG15", OF10)])
    (Xreg0 "xreg0" "" 8 64 Bitwise Rw None Hex (Loc::Regs { first: 0, len: 2 })
        [Oxm(OXM_OF_PKT_REG, 0, "OXM_OF_PKT_REG0", OF13)])
    (Xreg1 "xreg1" "" 8 64 Bitwise Rw None Hex (Loc::Regs { first: 2, len: 2 })
        [Oxm(OXM_OF_PKT_REG, 1, "OXM_OF_PKT_REG1", OF13)])
    (Xreg2 "xreg2" "" 8 64 Bitwise Rw None Hex (Loc::Regs { first: 4, len: 2 })
        [Oxm(OXM_OF_PKT_REG, 2, "OXM_OF_PKT_REG2", OF13)])
    (Xreg3 "xreg3" "" 8 64 Bitwise Rw None Hex (Loc::Regs { first: 6, len: 2 })
        [Oxm(OXM_OF_PKT_REG, 3, "OXM_OF_PKT_REG3", OF13)])
    (Xreg4 "xreg4" "" 8 64 Bitwise Rw None Hex (Loc::Regs { first: 8, len: 2 })
        [Oxm(OXM_OF_PKT_REG, 4, "OXM_OF_PKT_REG4", OF13)])
    (Xreg5 "xreg5" "" 8 64 Bitwise Rw None Hex (Loc::Regs { first: 10, len: 2 })
        [Oxm(OXM_OF_PKT_REG, 5, "OXM_OF_PKT_REG5", OF13)])
    (Xreg6 "xreg6" "" 8 64 Bitwise Rw None Hex (Loc::Regs { first: 12, len: 2 })
        [Oxm(OXM_OF_PKT_REG, 6, "OXM_OF_PKT_REG6", OF13)])
    (Xreg7 "xreg7" "" 8 64 Bitwise Rw None Hex (Loc::Regs { first: 14, len: 2 })
        [Oxm(OXM_OF_PKT_REG, 7, "OXM_OF_PKT_REG7", OF13)])
    (Xxreg0 "xxreg0" "" 16 128 Bitwise Rw None Hex (Loc::Regs { first: 0, len: 4 })
        [Oxm(NXM_NX, 111, "NXM_NX_XXREG0", OF10)])
    (Xxreg1 "xxreg1" "" 16 128 Bitwise Rw None Hex (Loc::Regs { first: 4, len: 4 })
        [Oxm(NXM_NX, 112, "NXM_NX_XXREG1", OF10)])
    (Xxreg2 "xxreg2" "" 16 128 Bitwise Rw None Hex (Loc::Regs { first: 8, len: 4 })
        [Oxm(NXM_NX, 113, "NXM_NX_XXREG2", OF10)])
    (Xxreg3 "xxreg3" "" 16 128 Bitwise Rw None Hex (Loc::Regs { first: 12, len: 4 })
        [Oxm(NXM_NX, 114, "NXM_NX_XXREG3", OF10)])
    (TunMetadata0 "tun_metadata0" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 0 })
        [Oxm(NXM_NX, 40, "NXM_NX_TUN_METADATA0", OF10)])
    (TunMetadata1 "tun_metadata1" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 1 })
        [Oxm(NXM_NX, 41, "NXM_NX_TUN_METADATA1", OF10)])
    (TunMetadata2 "tun_metadata2" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 2 })
        [Oxm(NXM_NX, 42, "NXM_NX_TUN_METADATA2", OF10)])
    (TunMetadata3 "tun_metadata3" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 3 })
        [Oxm(NXM_NX, 43, "NXM_NX_TUN_METADATA3", OF10)])
    (TunMetadata4 "tun_metadata4" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 4 })
        [Oxm(NXM_NX, 44, "NXM_NX_TUN_METADATA4", OF10)])
    (TunMetadata5 "tun_metadata5" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 5 })
        [Oxm(NXM_NX, 45, "NXM_NX_TUN_METADATA5", OF10)])
    (TunMetadata6 "tun_metadata6" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 6 })
        [Oxm(NXM_NX, 46, "NXM_NX_TUN_METADATA6", OF10)])
    (TunMetadata7 "tun_metadata7" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 7 })
        [Oxm(NXM_NX, 47, "NXM_NX_TUN_METADATA7", OF10)])
    (TunMetadata8 "tun_metadata8" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 8 })
        [Oxm(NXM_NX, 48, "NXM_NX_TUN_METADATA8", OF10)])
    (TunMetadata9 "tun_metadata9" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 9 })
        [Oxm(NXM_NX, 49, "NXM_NX_TUN_METADATA9", OF10)])
    (TunMetadata10 "tun_metadata10" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 10 })
        [Oxm(NXM_NX, 50, "NXM_NX_TUN_METADATA10", OF10)])
    (TunMetadata11 "tun_metadata11" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 11 })
        [Oxm(NXM_NX, 51, "NXM_NX_TUN_METADATA11", OF10)])
    (TunMetadata12 "tun_metadata12" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 12 })
        [Oxm(NXM_NX, 52, "NXM_NX_TUN_METADATA12", OF10)])
    (TunMetadata13 "tun_metadata13" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 13 })
        [Oxm(NXM_NX, 53, "NXM_NX_TUN_METADATA13", OF10)])
    (TunMetadata14 "tun_metadata14" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 14 })
        [Oxm(NXM_NX, 54, "NXM_NX_TUN_METADATA14", OF10)])
    (TunMetadata15 "tun_metadata15" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 15 })
        [Oxm(NXM_NX, 55, "NXM_NX_TUN_METADATA15", OF10)])
    (TunMetadata16 "tun_metadata16" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 16 })
        [Oxm(NXM_NX, 56, "NXM_NX_TUN_METADATA16", OF10)])
    (TunMetadata17 "tun_metadata17" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 17 })
        [Oxm(NXM_NX, 57, "NXM_NX_TUN_METADATA17", OF10)])
    (TunMetadata18 "tun_metadata18" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 18 })
        [Oxm(NXM_NX, 58, "NXM_NX_TUN_METADATA18", OF10)])
    (TunMetadata19 "tun_metadata19" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 19 })
        [Oxm(NXM_NX, 59, "NXM_NX_TUN_METADATA19", OF10)])
    (TunMetadata20 "tun_metadata20" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 20 })
        [Oxm(NXM_NX, 60, "NXM_NX_TUN_METADATA20", OF10)])
    (TunMetadata21 "tun_metadata21" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 21 })
        [Oxm(NXM_NX, 61, "NXM_NX_TUN_METADATA21", OF10)])
    (TunMetadata22 "tun_metadata22" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 22 })
        [Oxm(NXM_NX, 62, "NXM_NX_TUN_METADATA22", OF10)])
    (TunMetadata23 "tun_metadata23" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 23 })
        [Oxm(NXM_NX, 63, "NXM_NX_TUN_METADATA23", OF10)])
    (TunMetadata24 "tun_metadata24" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 24 })
        [Oxm(NXM_NX, 64, "NXM_NX_TUN_METADATA24", OF10)])
    (TunMetadata25 "tun_metadata25" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 25 })
        [Oxm(NXM_NX, 65, "NXM_NX_TUN_METADATA25", OF10)])
    (TunMetadata26 "tun_metadata26" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 26 })
        [Oxm(NXM_NX, 66, "NXM_NX_TUN_METADATA26", OF10)])
    (TunMetadata27 "tun_metadata27" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 27 })
        [Oxm(NXM_NX, 67, "NXM_NX_TUN_METADATA27", OF10)])
    (TunMetadata28 "tun_metadata28" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 28 })
        [Oxm(NXM_NX, 68, "NXM_NX_TUN_METADATA28", OF10)])
    (TunMetadata29 "tun_metadata29" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 29 })
        [Oxm(NXM_NX, 69, "NXM_NX_TUN_METADATA29", OF10)])
    (TunMetadata30 "tun_metadata30" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 30 })
        [Oxm(NXM_NX, 70, "NXM_NX_TUN_METADATA30", OF10)])
    (TunMetadata31 "tun_metadata31" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 31 })
        [Oxm(NXM_NX, 71, "NXM_NX_TUN_METADATA31", OF10)])
    (TunMetadata32 "tun_metadata32" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 32 })
        [Oxm(NXM_NX, 72, "NXM_NX_TUN_METADATA32", OF10)])
    (TunMetadata33 "tun_metadata33" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 33 })
        [Oxm(NXM_NX, 73, "NXM_NX_TUN_METADATA33", OF10)])
    (TunMetadata34 "tun_metadata34" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 34 })
        [Oxm(NXM_NX, 74, "NXM_NX_TUN_METADATA34", OF10)])
    (TunMetadata35 "tun_metadata35" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 35 })
        [Oxm(NXM_NX, 75, "NXM_NX_TUN_METADATA35", OF10)])
    (TunMetadata36 "tun_metadata36" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 36 })
        [Oxm(NXM_NX, 76, "NXM_NX_TUN_METADATA36", OF10)])
    (TunMetadata37 "tun_metadata37" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 37 })
        [Oxm(NXM_NX, 77, "NXM_NX_TUN_METADATA37", OF10)])
    (TunMetadata38 "tun_metadata38" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 38 })
        [Oxm(NXM_NX, 78, "NXM_NX_TUN_METADATA38", OF10)])
    (TunMetadata39 "tun_metadata39" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 39 })
        [Oxm(NXM_NX, 79, "NXM_NX_TUN_METADATA39", OF10)])
    (TunMetadata40 "tun_metadata40" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 40 })
        [Oxm(NXM_NX, 80, "NXM_NX_TUN_METADATA40", OF10)])
    (TunMetadata41 "tun_metadata41" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 41 })
        [Oxm(NXM_NX, 81, "NXM_NX_TUN_METADATA41", OF10)])
    (TunMetadata42 "tun_metadata42" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 42 })
        [Oxm(NXM_NX, 82, "NXM_NX_TUN_METADATA42", OF10)])
    (TunMetadata43 "tun_metadata43" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 43 })
        [Oxm(NXM_NX, 83, "NXM_NX_TUN_METADATA43", OF10)])
    (TunMetadata44 "tun_metadata44" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 44 })
        [Oxm(NXM_NX, 84, "NXM_NX_TUN_METADATA44", OF10)])
    (TunMetadata45 "tun_metadata45" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 45 })
        [Oxm(NXM_NX, 85, "NXM_NX_TUN_METADATA45", OF10)])
    (TunMetadata46 "tun_metadata46" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 46 })
        [Oxm(NXM_NX, 86, "NXM_NX_TUN_METADATA46", OF10)])
    (TunMetadata47 "tun_metadata47" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 47 })
        [Oxm(NXM_NX, 87, "NXM_NX_TUN_METADATA47", OF10)])
    (TunMetadata48 "tun_metadata48" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 48 })
        [Oxm(NXM_NX, 88, "NXM_NX_TUN_METADATA48", OF10)])
    (TunMetadata49 "tun_metadata49" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 49 })
        [Oxm(NXM_NX, 89, "NXM_NX_TUN_METADATA49", OF10)])
    (TunMetadata50 "tun_metadata50" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 50 })
        [Oxm(NXM_NX, 90, "NXM_NX_TUN_METADATA50", OF10)])
    (TunMetadata51 "tun_metadata51" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 51 })
        [Oxm(NXM_NX, 91, "NXM_NX_TUN_METADATA51", OF10)])
    (TunMetadata52 "tun_metadata52" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 52 })
        [Oxm(NXM_NX, 92, "NXM_NX_TUN_METADATA52", OF10)])
    (TunMetadata53 "tun_metadata53" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 53 })
        [Oxm(NXM_NX, 93, "NXM_NX_TUN_METADATA53", OF10)])
    (TunMetadata54 "tun_metadata54" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 54 })
        [Oxm(NXM_NX, 94, "NXM_NX_TUN_METADATA54", OF10)])
    (TunMetadata55 "tun_metadata55" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 55 })
        [Oxm(NXM_NX, 95, "NXM_NX_TUN_METADATA55", OF10)])
    (TunMetadata56 "tun_metadata56" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 56 })
        [Oxm(NXM_NX, 96, "NXM_NX_TUN_METADATA56", OF10)])
    (TunMetadata57 "tun_metadata57" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 57 })
        [Oxm(NXM_NX, 97, "NXM_NX_TUN_METADATA57", OF10)])
    (TunMetadata58 "tun_metadata58" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 58 })
        [Oxm(NXM_NX, 98, "NXM_NX_TUN_METADATA58", OF10)])
    (TunMetadata59 "tun_metadata59" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 59 })
        [Oxm(NXM_NX, 99, "NXM_NX_TUN_METADATA59", OF10)])
    (TunMetadata60 "tun_metadata60" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 60 })
        [Oxm(NXM_NX, 100, "NXM_NX_TUN_METADATA60", OF10)])
    (TunMetadata61 "tun_metadata61" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 61 })
        [Oxm(NXM_NX, 101, "NXM_NX_TUN_METADATA61", OF10)])
    (TunMetadata62 "tun_metadata62" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 62 })
        [Oxm(NXM_NX, 102, "NXM_NX_TUN_METADATA62", OF10)])
    (TunMetadata63 "tun_metadata63" "" 4 32 Bitwise Rw None Hex (Loc::Option { n: 63 })
        [Oxm(NXM_NX, 103, "NXM_NX_TUN_METADATA63", OF10)])
}
