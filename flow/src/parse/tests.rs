//! The byte vectors of reliability.md 1d, and cuts of every packet at every length.
use super::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect()
}

fn run(bytes: &[u8]) -> (Flow, Parsed) {
    parse_whole(bytes, &Meta::received(0, 7))
}

const V01: &str =
    "02000000000202000000000188470000104000001040000010400000104000001040000010400000104000001040";
const V02: &str = "0200000000020200000000018847";
const V03: &str = "0200000000020200000000018847000010";
const V04: &str = "02000000000202000000000108004b000028000100004006d36fc0a80a01c0a80a02010101010101010101010101010101010101010101010101";
const V05: &str = "02000000000202000000000108004500002e000100004000e57bc0a80a01c0a80a02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const V06: &str = "02000000000202000000000108004500001c000100004011e57cc0a80a01c0a80a021234003500080000";
const V07: &str = "02000000000202000000000186dd6000000000303afffe800000000000000000000000000001fe80000000000000000000000000000288000000200000000000000000000000000000000000002010000000000000000000000000000";
// V08-V10 have one zero byte less than the printed vectors, whose ND target is 17 bytes long.
const V08: &str = "02000000000202000000000186dd6000000000203afffe800000000000000000000000000001ff0200000000000000000000000000018800000020000000fe80000000000000000000000000000102ff000000000000";
const V09: &str = "02000000000202000000000186dd6000000000203afffe800000000000000000000000000001ff0200000000000000000000000000018800000020000000fe8000000000000000000000000000010200000000000000";
const V10: &str = "02000000000202000000000186dd6000000000203afffe800000000000000000000000000001ff0200000000000000000000000000018801000020000000fe8000000000000000000000000000010201000000000000";
const V17: &str =
    "020000000002020000000001080045000024000100004011e574c0a80a01c0a80a029c4017c1001000003f00655800000000";

#[test]
fn mpls_keeps_three_labels() {
    let (key, parsed) = run(&hex(V01));
    assert_eq!(key.mpls.map(Be32::get), [0x1040; 3]);
    assert_eq!((parsed.l2_5_ofs, parsed.l3_ofs), (14, 46));
    for cut in [V02, V03] {
        let (key, parsed) = run(&hex(cut));
        assert_eq!(key.mpls.map(Be32::get), [0; 3]);
        assert_eq!(key.dl_type.get(), eth::MPLS);
        assert_eq!(parsed.malformed, Malformed::Mpls);
    }
}

#[test]
fn ipv4_header_longer_than_datagram() {
    let (key, parsed) = run(&hex(V04));
    assert_eq!(parsed.malformed, Malformed::Ipv4);
    assert_eq!((key.dl_type.get(), key.nw_proto, key.nw_src.get()), (eth::IP, 0, 0));
    assert_eq!(parsed.l4_ofs, NO_OFFSET);
}

#[test]
fn ipv4_protocol_zero_is_a_protocol() {
    let (key, parsed) = run(&hex(V05));
    assert_eq!((key.nw_proto, key.nw_ttl, parsed.malformed), (0, 64, Malformed::No));
    assert_eq!(key.nw_src.get(), 0xc0a8_0a01);
}

#[test]
fn padding_is_not_part_of_the_key() {
    let bare = hex(V06);
    let (key, _) = run(&bare);
    assert_eq!((key.tp_src.get(), key.tp_dst.get()), (0x1234, 0x35));
    for pad in [1, 256, 20_000] {
        let mut padded = bare.clone();
        padded.resize(bare.len() + pad, 0);
        let (padded_key, parsed) = run(&padded);
        assert_eq!(padded_key, key);
        assert_eq!(usize::from(parsed.l2_pad), pad);
    }
}

#[test]
fn ipv6_payload_longer_than_packet() {
    let (key, parsed) = run(&hex(V07));
    assert_eq!(parsed.malformed, Malformed::Ipv6);
    assert_eq!((key.dl_type.get(), key.nw_proto, key.ipv6_src), (eth::IPV6, 0, [0; 16]));
}

#[test]
fn nd_option_that_does_not_fit_ends_the_walk() {
    for vector in [V08, V09] {
        let (key, parsed) = run(&hex(vector));
        assert_eq!(key.nd_target[15], 1);
        assert_eq!((key.arp_tha, key.nd_options_type, parsed.malformed), ([0; 6], 0, Malformed::No));
        assert_eq!(key.nd_reserved.get(), 0x2000_0000);
    }
    let (key, _) = run(&hex(V10));
    assert_eq!((key.tp_src.get(), key.tp_dst.get(), key.nd_target), (136, 1, [0; 16]));
}

#[test]
fn geneve_outer_is_plain_udp() {
    assert_eq!(run(&hex(V17)).0.tp_dst.get(), 6081);
}

#[test]
fn tags_beyond_the_limit_stay_in_dl_type() {
    let qinq = hex("02000000000202000000000188a8006481000032080045000000");
    let with = |limit| parse_whole(&qinq, &Meta { vlan_limit: limit, ..Meta::default() }).0;
    assert_eq!((with(0).dl_type.get(), with(0).vlan.tci.get()), (0x88a8, 0));
    assert_eq!((with(1).dl_type.get(), with(1).vlan.tci.get()), (0x8100, 0x1064));
    assert_eq!((with(2).dl_type.get(), with(2).vlan_inner.tci.get()), (0x0800, 0x1032));
}

/// The lines not reported as valid are never written, whatever the packet; the others do not depend on what was
/// in the key before.
#[test]
fn writes_exactly_the_declared_lines() {
    let rubbish = {
        let mut flow = Flow::ZERO;
        flow.lines_mut().as_flattened_mut().fill(0xdead_beef_dead_beef);
        flow
    };
    for vector in [V01, V02, V03, V04, V05, V06, V07, V08, V09, V10, V17] {
        let whole = hex(vector);
        for len in 0..=whole.len() {
            let meta = Meta::received(len, 3);
            let (mut a, mut b) = (Flow::ZERO, rubbish);
            let parsed = parse(&whole[..len], &meta, &mut a);
            assert_eq!(parse(&whole[..len], &meta, &mut b), parsed);
            for n in 0..crate::N_LINES {
                let expected = if parsed.lines.contains(n) { a.lines()[n] } else { rubbish.lines()[n] };
                assert_eq!(b.lines()[n], expected, "line {n} of {vector} cut at {len}");
            }
            assert_eq!(a.used_lines().0 & !parsed.lines.0, 0);
        }
    }
}

/// Random and hostile packets with the flow that Debian's `ovs-ofctl parse-pcap` printed for them.
#[test]
fn sees_what_ovs_sees() {
    let mut failures = Vec::new();
    for line in include_str!("golden.txt").lines() {
        let (packet, expected) = line.split_once('\t').unwrap();
        let meta = Meta { in_port: 0xffff, vlan_limit: 2, ..Meta::default() };
        let got = crate::Match::of_packet(&parse_whole(&hex(packet), &meta).0).to_string();
        if got != expected {
            failures.push(format!("{packet}\n ovs  {expected}\n ours {got}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The fast profiles and the scalar parser agree on packets that are nearly common: one of each profile with random
/// bytes changed, cut or padded.
#[test]
fn fast_profiles_equal_the_scalar_parser() {
    let texts = ["udp,dl_vlan=5", "udp", "tcp", "tcp,dl_vlan=0", "tcp6", "udp6", "sctp", "icmp6"];
    let mut state = 1u64;
    let mut random = move |n: usize| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % n
    };
    let mut n_fast = 0;
    for round in 0..60_000 {
        let mut flow = crate::Match::parse(texts[round % texts.len()], None).unwrap().flow;
        (flow.nw_src, flow.nw_dst) = (0x0a01_0203.into(), 0x0a04_0506.into());
        (flow.tp_src, flow.tp_dst, flow.nw_ttl) = (7.into(), 9.into(), 64);
        let mut packet = crate::packet::compose(&flow, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        for _ in 0..random(4) {
            let at = random(packet.len());
            packet[at] = if random(2) == 0 { random(256) as u8 } else { packet[at] ^ 1 << random(8) };
        }
        match random(6) {
            0 => packet.truncate(random(packet.len() + 1)),
            1 => packet.resize(packet.len() + random(300), 0xee),
            _ => {}
        }
        let carried = (Flow::ZERO, LineMap(8));
        let meta = Meta {
            recirc_id: random(2) as u32,
            ct_state: random(256) as u32,
            ct_zone: random(65536) as u16,
            pkt_mark: random(1 << 20) as u32,
            dp_hash: (random(20) == 0).into(),
            vlan_limit: random(3) as u8,
            carry: (random(20) == 0).then_some((&carried.0, carried.1)),
            ..Meta::received(packet.len(), random(1 << 30) as u32)
        };
        let (mut a, mut b) = (Flow::ZERO, Flow::ZERO);
        a.lines_mut().as_flattened_mut().fill(0x77);
        b.lines_mut().as_flattened_mut().fill(0x77);
        let head = &packet[..packet.len().min(128)];
        let (fast, scalar) = (parse(head, &meta, &mut a), parse_scalar(head, meta.len, &meta, &mut b));
        assert!(fast == scalar && a == b, "round {round}: {packet:02x?}\n{fast:?}\n{scalar:?}\n{a:?}\n{b:?}");
        let mut offsets = Offsets::ip(1, 2, 3);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("bmi2")
        {
            let mut c = Flow::ZERO;
            c.lines_mut().as_flattened_mut().fill(0x77);
            let shared = vector::Shared::new(&meta);
            // SAFETY: the CPU has what it needs.
            let found = unsafe { vector::parse_avx512(head, meta.len, &meta, &shared, &mut c, &mut offsets) };
            let same = (found.lines, found.malformed, found.tcp_flags)
                == (scalar.lines, scalar.malformed, b.tcp_flags)
                && offsets == Offsets::from(&scalar);
            assert!(
                same && b == c,
                "{round}: {packet:02x?}\n{found:?} {offsets:?}\n{scalar:?}\n{c:?}\n{b:?}"
            );
        }
        n_fast += usize::from(fast::parse(head, meta.len, &meta, &mut a, &mut offsets).is_some());
    }
    assert!(n_fast > 10_000, "{n_fast}");
}

/// An independent parser agrees wherever it accepts a packet: random bytes behind plausible starts.
#[test]
fn agrees_with_etherparse() {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    let mut state = 7u64;
    let mut random = move |n: usize| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % n
    };
    let texts = ["udp,dl_vlan=5", "udp", "tcp", "tcp6", "udp6", "icmp", "ip,nw_frag=first,nw_proto=17"];
    let (mut n_ip, mut n_ports) = (0, 0);
    for round in 0..40_000 {
        let mut flow = crate::Match::parse(texts[round % texts.len()], None).unwrap().flow;
        (flow.nw_src, flow.tp_src, flow.tp_dst) = (0x0a01_0203.into(), 7.into(), 9.into());
        let mut packet = crate::packet::compose(&flow, &[1; 24]);
        for _ in 0..random(3) {
            let at = 12 + random(packet.len() - 12);
            packet[at] = random(256) as u8;
        }
        packet.truncate(packet.len() - random(2) * random(8));
        let (key, parsed) = parse_whole(&packet, &Meta::default());
        let Ok(other) = SlicedPacket::from_ethernet(&packet) else { continue };
        if parsed.malformed != Malformed::No {
            continue;
        }
        match &other.net {
            Some(NetSlice::Ipv4(ip)) if key.dl_type.get() == eth::IP => {
                let header = ip.header();
                assert_eq!(key.nw_src.get().to_be_bytes(), header.source());
                assert_eq!(key.nw_dst.get().to_be_bytes(), header.destination());
                assert_eq!((key.nw_proto, key.nw_ttl), (header.protocol().0, header.ttl()));
                assert_eq!(key.nw_frag != 0, header.is_fragmenting_payload());
                n_ip += 1;
            }
            Some(NetSlice::Ipv6(ip)) if key.dl_type.get() == eth::IPV6 => {
                assert_eq!(key.ipv6_src, ip.header().source());
                assert_eq!(key.ipv6_dst, ip.header().destination());
                assert_eq!(
                    (key.ipv6_label.get(), key.nw_ttl),
                    (ip.header().flow_label().value(), ip.header().hop_limit())
                );
                n_ip += 1;
            }
            _ => continue,
        }
        let ports = match &other.transport {
            Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port()),
            Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port()),
            _ => continue,
        };
        assert_eq!((key.tp_src.get(), key.tp_dst.get()), ports, "{packet:02x?}");
        n_ports += 1;
    }
    assert!(n_ip > 10_000 && n_ports > 10_000, "{n_ip} {n_ports}");
}
