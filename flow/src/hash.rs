//! Hashes of flows. Two kinds, not to be mixed:
//!
//! - `flow_hash` (and `fold` for masked keys): internal, keyed, fast, for the caches and tables of one process. Folded 64x64-bit
//!   multiplication: three independent products for the base line, so no CPU feature test and ~5 cycles in a burst.
//! - `visible`: the hashes whose result decides a path (bonds, groups, multipath, dp_hash), bit for bit as Debian's
//!   build of OVS computes them (`hash_add` is the murmur-like one there, not CRC).

use crate::key::{Flow, LineMap};

const K: [u64; 6] = [
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
    0x1d8e_4e27_c47d_124f,
    0xeb44_acca_b455_d165,
];

/// Both halves of the 128-bit product, one xored into the other.
#[inline(always)]
pub const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    product as u64 ^ (product >> 64) as u64
}

/// Hash of the microflow for the caches: ports, Ethernet, VLAN, IPv4, L4 ports, ct_state, and the addresses of the
/// lines beyond the base when `lines` has them. Fields that change within a connection (TTL, TOS, TCP flags) and
/// marks are left out. `seed` is random per process, so that nobody outside can aim at one slot. The high half is never 0:
/// caches keep it as a signature beside empty places.
#[inline(always)]
pub fn flow_hash(key: &Flow, lines: LineMap, seed: u64) -> u32 {
    let w = &key.lines()[0];
    let mut hash = fold(w[0] ^ K[0] ^ seed, w[1] ^ K[1])
        ^ fold(w[2] ^ K[2] ^ seed, w[3] ^ K[3])
        ^ fold(w[4] ^ K[4] ^ seed, w[6] ^ K[5]);
    if lines != LineMap::BASE {
        hash ^= beyond_base(key, lines, seed);
    }
    let hash = fold(hash, K[0]);
    let hash = (hash ^ hash >> 32) as u32;
    hash | u32::from(hash <= 0xffff) << 16
}

fn beyond_base(key: &Flow, lines: LineMap, seed: u64) -> u64 {
    const L3: usize = 1;
    const L2: usize = 2;
    const TUNNEL: usize = 4;
    let mut hash = 0;
    if lines.contains(L3) {
        let w = &key.lines()[L3];
        hash ^= fold(w[0] ^ K[1] ^ seed, w[2] ^ K[2]) ^ fold(w[1] ^ K[3] ^ seed, w[3] ^ K[4]);
    }
    if lines.contains(L2) {
        let w = &key.lines()[L2];
        hash ^= fold(w[0] ^ K[2] ^ seed, w[1] ^ K[5]);
    }
    if lines.contains(TUNNEL) {
        let w = &key.lines()[TUNNEL];
        hash ^= fold(w[0] ^ K[3] ^ seed, w[5] ^ K[0]) ^ fold(w[2] ^ w[4] ^ K[4] ^ seed, w[1] ^ w[3] ^ K[2]);
    }
    hash
}

/// Hash of words one after the other, in the order they are given.
#[derive(Clone, Copy)]
pub struct Masked(u64);

impl Masked {
    #[inline(always)]
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ K[5])
    }
    /// Adds one (masked) word.
    #[inline(always)]
    pub const fn add(self, word: u64) -> Self {
        Self(fold(self.0 ^ word, K[0]))
    }
    #[inline(always)]
    pub const fn finish(self) -> u32 {
        (self.0 ^ self.0 >> 32) as u32
    }
}

/// Hashes that operators and peers can see the result of.
pub mod visible {
    use crate::key::{Be16, Flow};
    use crate::proto::{eth, ip, packet_type};

    /// One step of the generic word hash.
    pub const fn add(hash: u32, data: u32) -> u32 {
        let data = data.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        (hash ^ data).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    }
    pub const fn add64(hash: u32, data: u64) -> u32 {
        add(add(hash, data as u32), (data >> 32) as u32)
    }
    /// Ends a hash; `fin` is usually the number of bytes.
    pub const fn finish(hash: u32, fin: u32) -> u32 {
        let mut h = hash ^ fin;
        h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
        h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
        h ^ h >> 16
    }
    /// Generic hash of two words.
    pub const fn two_words(first: u32, second: u32) -> u32 {
        finish(add(add(first, 0), second), 8)
    }
    /// Generic hash of bytes: little-endian words, the last one filled with zeros.
    pub fn bytes(data: &[u8], basis: u32) -> u32 {
        let hash = data.chunks(4).fold(basis, |h, chunk| add(h, word(chunk)));
        finish(hash, data.len() as u32)
    }

    fn word(chunk: &[u8]) -> u32 {
        let mut buf = [0; 4];
        buf[..chunk.len()].copy_from_slice(chunk);
        u32::from_le_bytes(buf)
    }

    /// Bob Jenkins's lookup3 as OVS uses it.
    pub fn jhash(data: &[u8], basis: u32) -> u32 {
        let start = 0xdead_beef_u32.wrapping_add(data.len() as u32).wrapping_add(basis);
        let mut s = [start; 3];
        let (chunks, rest) = data.as_chunks::<12>();
        for chunk in chunks {
            add_chunk(&mut s, chunk);
            mix(&mut s);
        }
        if !rest.is_empty() {
            add_chunk(&mut s, rest);
            last(&mut s);
        }
        s[2]
    }

    fn add_chunk(s: &mut [u32; 3], chunk: &[u8]) {
        for (state, bytes) in s.iter_mut().zip(chunk.chunks(4)) {
            *state = state.wrapping_add(word(bytes));
        }
    }

    fn mix(s: &mut [u32; 3]) {
        let [mut a, mut b, mut c] = *s;
        for (x, y) in [(4, 6), (8, 16), (19, 4)] {
            // Two of six rounds; the roles of a, b, c rotate.
            a = a.wrapping_sub(c) ^ c.rotate_left(x);
            c = c.wrapping_add(b);
            b = b.wrapping_sub(a) ^ a.rotate_left(y);
            a = a.wrapping_add(c);
            (a, b, c) = (c, a, b);
        }
        *s = [a, b, c];
    }

    fn last(s: &mut [u32; 3]) {
        let [mut a, mut b, mut c] = *s;
        for rot in [14, 11, 25, 16, 4, 14, 24] {
            c = (c ^ b).wrapping_sub(b.rotate_left(rot));
            (a, b, c) = (b, c, a);
        }
        // Seven steps rotate the roles by one.
        *s = [c, a, b];
    }

    fn ipv6_words(addr: &[u8; 16]) -> [u64; 2] {
        let half = |n: usize| u64::from_le_bytes(std::array::from_fn(|i| addr[n + i]));
        [half(0), half(8)]
    }

    fn vlan_xor(flow: &Flow) -> Be16 {
        Be16((flow.vlan.tci.0 ^ flow.vlan_inner.tci.0) & Be16::new(0x0fff).0)
    }

    fn mac_xor(flow: &Flow) -> [u8; 6] {
        std::array::from_fn(|n| flow.dl_src[n] ^ flow.dl_dst[n])
    }

    /// Addresses, protocol and ports as they are (`hash(l4)`, dp_hash, UDP source ports of tunnels).
    pub fn five_tuple(flow: &Flow, basis: u32) -> u32 {
        let mut hash = basis;
        match flow.dl_type.get() {
            eth::IPV6 => {
                for word in ipv6_words(&flow.ipv6_src).into_iter().chain(ipv6_words(&flow.ipv6_dst)) {
                    hash = add64(hash, word);
                }
            }
            eth::IP => hash = add(add(hash, flow.nw_src.0), flow.nw_dst.0),
            _ => return finish(hash, 42),
        }
        hash = add(hash, flow.nw_proto.into());
        if matches!(flow.nw_proto, ip::TCP | ip::UDP | ip::SCTP | ip::ICMP | ip::ICMPV6) {
            hash = add(hash, u32::from(flow.tp_src.0) | u32::from(flow.tp_dst.0) << 16);
        }
        finish(hash, 42)
    }

    /// The same for both directions: MACs, VLAN, addresses, protocol, TCP and SCTP ports (`balance-tcp`, `sym_l4`).
    pub fn symmetric_l4(flow: &Flow, basis: u32) -> u32 {
        let mut fields = [0; 32];
        let mut proto = 0;
        match flow.dl_type.get() {
            eth::IP => {
                fields[..4].copy_from_slice(&(flow.nw_src.0 ^ flow.nw_dst.0).to_ne_bytes());
                proto = flow.nw_proto;
            }
            eth::IPV6 => {
                let xor: [u8; 16] = std::array::from_fn(|n| flow.ipv6_src[n] ^ flow.ipv6_dst[n]);
                fields[..16].copy_from_slice(&xor);
                proto = flow.nw_proto;
            }
            _ => {}
        }
        fields[16..18].copy_from_slice(&flow.dl_type.0.to_ne_bytes());
        fields[18..20].copy_from_slice(&vlan_xor(flow).0.to_ne_bytes());
        if matches!(proto, ip::TCP | ip::SCTP) {
            fields[20..22].copy_from_slice(&(flow.tp_src.0 ^ flow.tp_dst.0).to_ne_bytes());
        }
        fields[22..28].copy_from_slice(&mac_xor(flow));
        fields[28] = proto;
        jhash(&fields, basis)
    }

    /// MACs and VLAN; 0 for a packet without Ethernet header.
    fn symmetric_l2(flow: &Flow, basis: u32) -> u32 {
        if flow.packet_type.get() != packet_type::ETHERNET {
            return 0;
        }
        let mut fields = [0; 12];
        fields[..2].copy_from_slice(&flow.dl_type.0.to_ne_bytes());
        fields[2..4].copy_from_slice(&vlan_xor(flow).0.to_ne_bytes());
        fields[4..10].copy_from_slice(&mac_xor(flow));
        finish(fields.chunks(4).fold(basis, |h, chunk| add(h, word(chunk))), basis)
    }

    /// The addresses' part of the symmetric hashes; `None` for other than IP.
    fn symmetric_addresses(flow: &Flow, basis: u32) -> Option<u32> {
        match flow.dl_type.get() {
            eth::IP => Some(add(basis, flow.nw_src.0 ^ flow.nw_dst.0)),
            eth::IPV6 => {
                let (a, b) = (ipv6_words(&flow.ipv6_src), ipv6_words(&flow.ipv6_dst));
                Some(add64(add64(basis, a[0] ^ b[0]), a[1] ^ b[1]))
            }
            _ => None,
        }
    }

    /// Addresses, protocol, TCP and SCTP (and if wanted UDP) ports; other packets by MACs.
    pub fn symmetric_l3l4(flow: &Flow, basis: u32, with_udp_ports: bool) -> u32 {
        let Some(hash) = symmetric_addresses(flow, basis) else { return symmetric_l2(flow, basis) };
        let mut hash = add(hash, flow.nw_proto.into());
        let proto = flow.nw_proto;
        if matches!(proto, ip::TCP | ip::SCTP) || (with_udp_ports && proto == ip::UDP) {
            hash = add(hash, (flow.tp_src.0 ^ flow.tp_dst.0).into());
        }
        finish(hash, basis)
    }

    /// Addresses and Ethernet type only.
    pub fn symmetric_l3(flow: &Flow, basis: u32) -> u32 {
        let mut fields = [0; 20];
        match flow.dl_type.get() {
            eth::IP => fields[..4].copy_from_slice(&(flow.nw_src.0 ^ flow.nw_dst.0).to_ne_bytes()),
            eth::IPV6 => {
                for (n, byte) in fields[..16].iter_mut().enumerate() {
                    *byte = flow.ipv6_src[n] ^ flow.ipv6_dst[n];
                }
            }
            _ => {}
        }
        fields[16..18].copy_from_slice(&flow.dl_type.0.to_ne_bytes());
        jhash(&fields, basis)
    }

    /// What `multipath` and `bundle` may hash; the numbers are those of the wire.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum HashFields {
        EthSrc,
        SymmetricL4,
        SymmetricL3L4,
        SymmetricL3L4Udp,
        NwSrc,
        NwDst,
        SymmetricL3,
    }

    /// Hash of the chosen fields.
    pub fn fields(flow: &Flow, fields: HashFields, basis: u32) -> u32 {
        let address = |v4: u32, v6: &[u8; 16]| match flow.dl_type.get() {
            eth::IP => jhash(&v4.to_ne_bytes(), basis),
            eth::IPV6 => jhash(v6, basis),
            _ => basis,
        };
        match fields {
            HashFields::EthSrc => jhash(&flow.dl_src, basis),
            HashFields::SymmetricL4 => symmetric_l4(flow, basis),
            HashFields::SymmetricL3L4 => symmetric_l3l4(flow, basis, false),
            HashFields::SymmetricL3L4Udp => symmetric_l3l4(flow, basis, true),
            HashFields::NwSrc => address(flow.nw_src.0, &flow.ipv6_src),
            HashFields::NwDst => address(flow.nw_dst.0, &flow.ipv6_dst),
            HashFields::SymmetricL3 => symmetric_l3(flow, basis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// lookup3 written out, as a check of the rotating form.
    fn lookup3(k: &[u32], basis: u32) -> u32 {
        let start = 0xdead_beef_u32.wrapping_add(4 * k.len() as u32).wrapping_add(basis);
        let (mut a, mut b, mut c) = (start, start, start);
        let mut k = k;
        while k.len() >= 3 {
            a = a.wrapping_add(k[0]);
            b = b.wrapping_add(k[1]);
            c = c.wrapping_add(k[2]);
            macro_rules! step {
                ($x:ident $y:ident $z:ident $r:literal) => {
                    $x = $x.wrapping_sub($z);
                    $x ^= $z.rotate_left($r);
                    $z = $z.wrapping_add($y);
                };
            }
            step!(a b c 4);
            step!(b c a 6);
            step!(c a b 8);
            step!(a b c 16);
            step!(b c a 19);
            step!(c a b 4);
            k = &k[3..];
        }
        if k.is_empty() {
            return c;
        }
        a = a.wrapping_add(k[0]);
        b = b.wrapping_add(*k.get(1).unwrap_or(&0));
        macro_rules! step {
            ($x:ident $y:ident $r:literal) => {
                $x ^= $y;
                $x = $x.wrapping_sub($y.rotate_left($r));
            };
        }
        step!(c b 14);
        step!(a c 11);
        step!(b a 25);
        step!(c b 16);
        step!(a c 4);
        step!(b a 14);
        step!(c b 24);
        c
    }

    #[test]
    fn jhash_is_lookup3() {
        let words: Vec<u32> = (0..9).map(|n: u32| n.wrapping_mul(0x9e37_79b9)).collect();
        for n in 0..words.len() {
            let bytes: Vec<u8> = words[..n].iter().flat_map(|w| w.to_le_bytes()).collect();
            assert_eq!(visible::jhash(&bytes, 7), lookup3(&words[..n], 7), "{n} words");
        }
    }

    /// Low halves that Debian's ovs-vswitchd put into registers by `multipath(FIELDS,7,modulo_n,65536,0,REG)`.
    #[test]
    fn agrees_with_ovs() {
        use visible::HashFields::*;
        let all = [EthSrc, SymmetricL4, SymmetricL3L4, SymmetricL3L4Udp, NwSrc, NwDst, SymmetricL3];
        for (text, expected) in [
            (
                "tcp,nw_src=10.1.2.3,nw_dst=10.4.5.6,tp_src=1000,tp_dst=80",
                [0xc109, 0x2cc0, 0x7ada, 0x7ada, 0xaa29, 0x6cd2, 0x3fe0],
            ),
            (
                "udp,nw_src=10.1.2.3,nw_dst=10.4.5.6,tp_src=1000,tp_dst=80",
                [0xc109, 0xcd3c, 0x8291, 0xf00c, 0xaa29, 0x6cd2, 0x3fe0],
            ),
            (
                "tcp6,ipv6_src=1::2,ipv6_dst=fe80::99,tp_src=1000,tp_dst=80",
                [0xc109, 0x3bf4, 0x773e, 0x773e, 0xcf11, 0x971b, 0xaa68],
            ),
            ("arp", [0xc109, 0x91d5, 0xda9, 0xda9, 0x7, 0x7, 0x8f4a]),
            (
                "sctp,dl_vlan=5,nw_src=10.1.2.3,nw_dst=10.4.5.6,tp_src=1000,tp_dst=80",
                [0xc109, 0x9185, 0x74f6, 0x74f6, 0xaa29, 0x6cd2, 0x3fe0],
            ),
        ] {
            let mut flow = crate::Match::parse(text, None).unwrap().flow;
            (flow.dl_src, flow.dl_dst) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
            assert_eq!(all.map(|f| visible::fields(&flow, f, 7) & 0xffff), expected, "{text}");
        }
    }

    #[test]
    fn symmetric_hashes_ignore_direction() {
        let mut there = Flow::ZERO;
        for (n, byte) in there.dl_dst.iter_mut().enumerate() {
            *byte = n as u8;
        }
        there.dl_type = 0x0800.into();
        there.nw_proto = 6;
        (there.nw_src, there.nw_dst) = (0x0a00_0001.into(), 0x0a00_0002.into());
        (there.tp_src, there.tp_dst) = (1000.into(), 80.into());
        let mut back = there;
        (back.dl_src, back.dl_dst) = (there.dl_dst, there.dl_src);
        (back.nw_src, back.nw_dst) = (there.nw_dst, there.nw_src);
        (back.tp_src, back.tp_dst) = (there.tp_dst, there.tp_src);
        assert_eq!(visible::symmetric_l4(&there, 5), visible::symmetric_l4(&back, 5));
        assert_eq!(visible::symmetric_l3l4(&there, 5, true), visible::symmetric_l3l4(&back, 5, true));
        assert_ne!(visible::five_tuple(&there, 0), visible::five_tuple(&back, 0));
        assert_ne!(visible::symmetric_l4(&there, 5), visible::symmetric_l4(&there, 6));
    }

    /// Flows that differ in one low bit spread over all slots of a table.
    #[test]
    fn internal_hash_spreads_neighbours() {
        const N: usize = 4096;
        let mut slots = vec![0u32; N];
        for n in 0..N as u32 {
            let mut key = Flow::ZERO;
            key.nw_dst = n.into();
            slots[flow_hash(&key, LineMap::BASE, 1) as usize % N] += 1;
        }
        assert!(slots.iter().all(|&n| n < 12), "a slot has {:?}", slots.iter().max());
        assert!(slots.iter().filter(|&&n| n == 0).count() < N / 2);
    }
}
