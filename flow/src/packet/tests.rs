//! Built packets against those of Debian's `ovs-ofctl compose-packet`; rewrites against building the rewritten packet.
use super::*;
use crate::Match;
use crate::parse::{Meta, parse_whole};

fn flow(text: &str) -> crate::Flow {
    Match::parse(text, None).unwrap().flow
}

#[test]
fn composes_what_ovs_composes() {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    for (text, payload, expected) in [
        (
            "tcp,nw_src=1.2.3.4,nw_dst=5.6.7.8,tp_dst=80,tp_src=1000,nw_ttl=64,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02",
            &[0xde, 0xad, 0xbe, 0xef][..],
            "0200000000020200000000010800450\
             0002c0000000040066ab901020304050607\
             0803e8005000000000000000005000\
             0000fdf70000deadbeef",
        ),
        (
            "icmp,icmp_type=8",
            &[0xde, 0xad, 0xbe, 0xef],
            "00000000000000000000000008004500002000000000\
          0001bade00000000000000000800 5a6200000000deadbeef",
        ),
        (
            "arp,arp_op=1,arp_spa=1.2.3.4,arp_sha=02:00:00:00:00:01",
            &[],
            "0000000000000000000000000806000108000604000\
          1020000000001010203040000000000000000 0000",
        ),
        (
            "tcp6,ipv6_src=::1,tp_dst=80,ipv6_label=5",
            &[0xde, 0xad, 0xbe, 0xef],
            "00000000000000000000000086dd600000050018\
          0600 00000000000000000000000000000001 00000000000000000000000000000000 000000500000000000000000500000001\
          1f30000deadbeef",
        ),
        ("mpls,mpls_label=5,mpls_bos=1", &[], "000000000000000000000000884700005100"),
        (
            "ip,nw_frag=later,nw_proto=6",
            &[1],
            "00000000000000000000000008004500001400002064\
          00069a810000000000000000",
        ),
        (
            "ip,nw_frag=first,nw_proto=17",
            &[],
            "00000000000000000000000008004500001c00002000\
          00119ad20000000000000000 000000000008ffde",
        ),
        ("dl_type=0x05ff", &[], "000000000000000000000000000e"),
        (
            "tcp,tcp_flags=syn",
            &[1, 2],
            "00000000000000000000000008004500002800000000\
          0006bad10000000000000000 0000000000000000000000005002 0000afe30000",
        ),
    ] {
        let mut flow = flow(text);
        // compose-packet stops after the first label; so does the stack here, which has its bottom bit set.
        flow.packet_type = 0.into();
        let expected: String = expected.chars().filter(|c| !c.is_whitespace()).collect();
        assert_eq!(hex(&compose(&flow, payload)), expected, "{text}");
    }
}

const FLOWS: &[&str] = &[
    "tcp,nw_src=1.2.3.4,nw_dst=5.6.7.8,tp_src=1,tp_dst=80,nw_ttl=64",
    "udp,nw_src=1.2.3.4,nw_dst=5.6.7.8,tp_src=1,tp_dst=53,nw_tos=4,dl_vlan=7",
    "sctp,nw_src=1.2.3.4,tp_src=9,tp_dst=10",
    "icmp,nw_src=1.2.3.4,icmp_type=8,icmp_code=0",
    "tcp6,ipv6_src=1::2,ipv6_dst=3::4,tp_src=5,tp_dst=6,ipv6_label=7",
    "udp6,ipv6_src=1::2,ipv6_dst=3::4,tp_src=5,tp_dst=6",
    "icmp6,ipv6_src=1::2,ipv6_dst=3::4,icmp_type=135,icmp_code=0,nd_target=9::9,nd_sll=02:00:00:00:00:01",
    "arp,arp_op=1,arp_spa=1.2.3.4,arp_tpa=1.2.3.5,arp_sha=02:00:00:00:00:01",
];

#[test]
fn parse_inverts_compose() {
    for text in FLOWS {
        let key = flow(text);
        let (parsed, _) = parse_whole(&compose(&key, b"payload"), &Meta::default());
        assert!(!Match::of_packet(&parsed).to_string().contains("<error>"));
        let mut expected = key;
        if !key.vlan.tci.is_zero() {
            expected.vlan.tpid = 0x8100.into();
        }
        expected.nd_options_type = parsed.nd_options_type;
        assert_eq!(parsed, expected, "{text}");
    }
}

/// Rewriting a packet gives the packet of the rewritten flow, checksums and all.
#[test]
fn rewrites_equal_composing_anew() {
    let check =
        |text: &str, change: fn(&mut crate::Flow), rewrite: &dyn Fn(&mut [u8], &Offsets) -> Option<()>| {
            let key = flow(text);
            let mut packet = compose(&key, b"some payload");
            packet.extend_from_slice(&[0; 5]);
            let (_, parsed) = parse_whole(&packet, &Meta::default());
            rewrite(&mut packet, &Offsets::from(&parsed)).unwrap();
            let mut changed = key;
            change(&mut changed);
            let mut expected = compose(&changed, b"some payload");
            expected.extend_from_slice(&[0; 5]);
            assert_eq!(packet, expected, "{text}");
        };
    for text in &FLOWS[..4] {
        let set = l3::SetIpv4 {
            addresses: [10, 1, 0, 0, 99, 2, 3, 4],
            addresses_mask: [0xff, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff],
            tos: 0xb8,
            tos_mask: 0xfc,
            ttl: 9,
            ttl_mask: 0xff,
        };
        let change = |f: &mut crate::Flow| {
            f.nw_src = (0x0a01_0000 | f.nw_src.get() & 0xffff).into();
            f.nw_dst = 0x6302_0304.into();
            f.nw_tos = 0xb8 | f.nw_tos & 3;
            f.nw_ttl = 9;
        };
        check(text, change, &|p, o| l3::set_ipv4(p, o, &set));
        for ttl in [0, 9, 63, 255] {
            let change: fn(&mut crate::Flow) = match ttl {
                0 => |f| f.nw_ttl = 0,
                9 => |f| f.nw_ttl = 9,
                63 => |f| f.nw_ttl = 63,
                _ => |f| f.nw_ttl = 255,
            };
            check(text, change, &|p, o| l3::set_ttl(p, o, ttl));
        }
    }
    for (text, proto) in [(FLOWS[0], 6), (FLOWS[1], 17), (FLOWS[2], 132), (FLOWS[4], 6), (FLOWS[5], 17)] {
        let change = |f: &mut crate::Flow| f.tp_dst = 0x1234.into();
        check(text, change, &|p, o| l4::set_ports(p, o, proto, &[9, 9, 0x12, 0x34], &[0, 0, 0xff, 0xff]));
    }
    for (text, proto) in [(FLOWS[4], 6), (FLOWS[5], 17), (FLOWS[6], 58)] {
        let mut set = l3::SetIpv6 { hlimit: 3, hlimit_mask: 0xff, ..Default::default() };
        (set.dst, set.dst_mask) = ([0xee; 16], [0xff; 16]);
        (set.word, set.word_mask) = (0x0aa0_0001, 0x0fff_ffff);
        let change = |f: &mut crate::Flow| {
            f.ipv6_dst = [0xee; 16];
            (f.nw_tos, f.ipv6_label, f.nw_ttl) = (0xaa, 1.into(), 3);
        };
        check(text, change, &|p, o| l3::set_ipv6(p, o, proto, &set));
    }
    let nd = l4::SetNd {
        target: [7; 16],
        target_mask: [0xff; 16],
        sll: [5; 6],
        sll_mask: [0xff; 6],
        ..Default::default()
    };
    check(FLOWS[6], |f| (f.nd_target, f.arp_sha) = ([7; 16], [5; 6]), &|p, o| l4::set_nd(p, o, &nd));
    check(FLOWS[3], |f| f.tp_src = 0.into(), &|p, o| l4::set_icmp(p, o, [0, 0], [0xff, 0]));
}

#[test]
fn tags_and_labels_come_off_as_they_went_on() {
    for text in FLOWS {
        let plain = compose(&flow(text), b"xy");
        let (_, parsed) = parse_whole(&plain, &Meta::default());
        let before = Offsets::from(&parsed);
        let mut offsets = before;
        let mut packet = [&[0; 4][..], &plain].concat();
        l2::push_vlan(
            &mut packet,
            &mut offsets,
            crate::key::Vlan { tpid: 0x88a8.into(), tci: 0x1064.into() },
        )
        .unwrap();
        let (key, parsed) = parse_whole(&packet, &Meta { vlan_limit: 2, ..Meta::default() });
        assert_eq!((key.vlan.tpid.get(), key.vlan.tci.get()), (0x88a8, 0x1064));
        assert_eq!(Offsets::from(&parsed), offsets, "{text}");
        l2::pop_vlan(&mut packet, &mut offsets).unwrap();
        assert_eq!((&packet[4..], offsets), (&plain[..], before));

        let dl_type = flow(text).dl_type.get();
        let mut packet = [&[0; 4][..], &plain].concat();
        l2::push_mpls(&mut packet, &mut offsets, 0x8847, 0x5140).unwrap();
        let (key, parsed) = parse_whole(&packet, &Meta::default());
        assert_eq!((key.dl_type.get(), key.mpls[0].get()), (0x8847, 0x5140));
        assert_eq!(parsed.l2_5_ofs, offsets.l2_5);
        l2::set_mpls(&mut packet, &offsets, 0xffff_ffff, 0xff).unwrap();
        assert_eq!(parse_whole(&packet, &Meta::default()).0.mpls[0].get(), 0x51ff);
        l2::pop_mpls(&mut packet, &mut offsets, dl_type).unwrap();
        assert_eq!((&packet[4..], offsets), (&plain[..], before));
    }
}

/// No rewrite panics on a packet cut anywhere, with offsets that lie.
#[test]
fn hostile_offsets_do_nothing() {
    for text in FLOWS {
        let whole = compose(&flow(text), b"abc");
        for len in 0..whole.len() {
            for (l2_5, l3, l4) in [(14, 14, 34), (0xffff, 0xffff, 0xffff), (1, 2, 3), (60, 60, 90)] {
                let mut p = whole[..len].to_vec();
                let mut o = Offsets { l2_5, l3, l4, l2_pad: 9 };
                let _ = l3::set_ipv4(
                    &mut p,
                    &o,
                    &l3::SetIpv4 { addresses_mask: [0xff; 8], ..Default::default() },
                );
                let _ =
                    l3::set_ipv6(&mut p, &o, 58, &l3::SetIpv6 { dst_mask: [0xff; 16], ..Default::default() });
                let _ = l3::set_arp(&mut p, &o, &[1; 22], &[1; 22]);
                for proto in [6, 17, 132, 58] {
                    let _ = l4::set_ports(&mut p, &o, proto, &[1; 4], &[1; 4]);
                }
                let _ = l4::set_nd(&mut p, &o, &l4::SetNd { sll_mask: [0xff; 6], ..Default::default() });
                let _ = l4::set_icmp(&mut p, &o, [1, 1], [1, 1]);
                let _ = l2::set_mpls(&mut p, &o, 1, 1);
                let _ = l2::push_mpls(&mut p, &mut o, 0x8847, 1);
                let _ = l2::pop_mpls(&mut p, &mut o, 0x800);
                let _ = l2::pop_vlan(&mut p, &mut o);
                let _ = l2::push_vlan(&mut p, &mut o, crate::key::Vlan::default());
            }
        }
    }
}
