//! `Flow`: every header and metadata field a packet can be matched on, at a fixed place; `Mask`: the same
//! layout, where a set bit means "this bit was looked at".
//!
//! The struct is made of 64-byte lines. Line 0 alone holds all that an untunnelled IPv4 (or plain Ethernet)
//! packet has, so that the fast path reads, hashes and compares one cache line:
//!
//! ```text
//! line 0  base      ports, Ethernet, outer VLAN, IPv4, L4, ct_state/zone/mark, pkt_mark
//! line 1  l3        IPv6 addresses and label, ND target, ARP/ND hardware addresses
//! line 2  l2        inner VLAN, MPLS, dp_hash, NSH, ND/IGMP extras
//! line 3  ct        ct_label and the original-direction tuple
//! line 4  tunnel    outer addresses, id, flags, ports
//! line 5  tunnel x  ERSPAN, GTP-U, presence map of the option fields
//! line 6-9          tunnel option fields (256 bytes)
//! line 10 pipeline  metadata, conj_id, actset_output     } OpenFlow only: never in a datapath key
//! line 11 regs      reg0..reg15                          }
//! ```
//!
//! Header fields keep network byte order in the type (`Be16`...); a bare integer is host order. A field that a
//! packet does not have is zero. Padding is always zero, so lines compare and hash as bytes.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! big_endian {
    ($name:ident, $int:ty) => {
        /// An integer in network byte order; `get` and `new` convert from and to host order.
        #[derive(
            Clone,
            Copy,
            Default,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            FromBytes,
            IntoBytes,
            Immutable,
            KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name(pub $int);

        impl $name {
            pub const ZERO: Self = Self(0);
            pub const MAX: Self = Self(<$int>::MAX);

            pub const fn new(host: $int) -> Self {
                Self(host.to_be())
            }
            pub const fn get(self) -> $int {
                <$int>::from_be(self.0)
            }
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl From<$int> for $name {
            fn from(host: $int) -> Self {
                Self::new(host)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:#x}", self.get())
            }
        }
    };
}

big_endian!(Be16, u16);
big_endian!(Be32, u32);
big_endian!(Be64, u64);

/// Lines of a `Flow`.
pub const N_LINES: usize = 12;
/// Lines that a datapath key may use; the ones after it belong to the OpenFlow pipeline.
pub const N_DP_LINES: usize = 10;
/// MPLS labels kept in a key; deeper ones are not matched on.
pub const MPLS_LABELS_MAX: usize = 3;
/// VLAN tags kept in a key.
pub const VLAN_TAGS_MAX: usize = 2;
/// Bytes of tunnel option fields (`tun_metadata0..63`) kept in a key.
pub const TUN_METADATA_LEN: usize = 256;
/// OpenFlow registers (`reg0`..).
pub const N_REGS: usize = 16;

/// One 802.1Q/802.1ad tag; `tci` has the CFI bit (0x1000) set when the tag is present, as OVS has it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Vlan {
    pub tpid: Be16,
    pub tci: Be16,
}

/// Set in `Vlan::tci` when the tag exists.
pub const VLAN_CFI: u16 = 0x1000;

/// Every field a packet can be matched on. See the module text for the layout.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Flow {
    // line 0: base
    /// Datapath port in a datapath key, OpenFlow port inside translation; host order.
    pub in_port: u32,
    pub recirc_id: u32,
    pub dl_dst: [u8; 6],
    pub dl_src: [u8; 6],
    /// Outer tag.
    pub vlan: Vlan,
    pub dl_type: Be16,
    /// `NW_FRAG_ANY`, `NW_FRAG_LATER`.
    pub nw_frag: u8,
    /// IP protocol, or the low byte of the ARP opcode.
    pub nw_proto: u8,
    /// IPv4 source, or ARP sender protocol address.
    pub nw_src: Be32,
    pub nw_dst: Be32,
    /// TCP/UDP/SCTP port, or ICMP type.
    pub tp_src: Be16,
    /// TCP/UDP/SCTP port, or ICMP code.
    pub tp_dst: Be16,
    pub tcp_flags: Be16,
    /// DSCP and ECN.
    pub nw_tos: u8,
    pub nw_ttl: u8,
    /// Namespace (high 16 bits) and type; 0 = Ethernet.
    pub packet_type: Be32,
    /// `CS_*` bits, host order.
    pub ct_state: u32,
    pub ct_zone: u16,
    pub pad0: [u8; 2],
    pub ct_mark: u32,
    pub pkt_mark: u32,

    // line 1: l3
    pub ipv6_src: [u8; 16],
    pub ipv6_dst: [u8; 16],
    pub nd_target: [u8; 16],
    /// ARP sender hardware address, or ND source link-layer option.
    pub arp_sha: [u8; 6],
    /// ARP target hardware address, or ND target link-layer option.
    pub arp_tha: [u8; 6],
    /// 20 bits.
    pub ipv6_label: Be32,

    // line 2: l2
    pub vlan_inner: Vlan,
    /// Label stack entries, outermost first.
    pub mpls: [Be32; MPLS_LABELS_MAX],
    pub dp_hash: u32,
    pub skb_priority: u32,
    /// ND reserved word (RSO flags), or IGMP group.
    pub nd_reserved: Be32,
    pub nd_options_type: u8,
    pub pad2: [u8; 3],
    pub nsh_flags: u8,
    pub nsh_ttl: u8,
    pub nsh_mdtype: u8,
    pub nsh_np: u8,
    /// Service path id (24 bits) and index (8 bits).
    pub nsh_path_hdr: Be32,
    pub nsh_context: [Be32; 4],
    pub pad2b: [u8; 8],

    // line 3: ct
    pub ct_label: [u8; 16],
    pub ct_nw_src: Be32,
    pub ct_nw_dst: Be32,
    pub ct_tp_src: Be16,
    pub ct_tp_dst: Be16,
    pub ct_nw_proto: u8,
    pub pad3: [u8; 3],
    pub ct_ipv6_src: [u8; 16],
    pub ct_ipv6_dst: [u8; 16],

    // line 4: tunnel
    pub tun_dst: Be32,
    pub tun_src: Be32,
    pub tun_ipv6_dst: [u8; 16],
    pub tun_ipv6_src: [u8; 16],
    pub tun_id: Be64,
    /// `TUN_F_*`, host order.
    pub tun_flags: u16,
    pub tun_tos: u8,
    pub tun_ttl: u8,
    pub tun_tp_src: Be16,
    pub tun_tp_dst: Be16,
    pub tun_gbp_id: Be16,
    pub tun_gbp_flags: u8,
    pub tun_erspan_ver: u8,
    pub tun_erspan_idx: Be32,

    // line 5: tunnel x
    pub tun_erspan_dir: u8,
    pub tun_erspan_hwid: u8,
    pub tun_gtpu_flags: u8,
    pub tun_gtpu_msgtype: u8,
    pub pad5: [u8; 4],
    /// Bit n: `tun_metadata<n>` is present.
    pub tun_md_present: u64,
    pub pad5b: [u8; 48],

    // lines 6-9
    pub tun_metadata: [u8; TUN_METADATA_LEN],

    // line 10: pipeline
    pub metadata: Be64,
    pub conj_id: u32,
    pub actset_output: u32,
    pub pad10: [u8; 48],

    // line 11: registers, host order
    pub regs: [u32; N_REGS],
}

const _: () = assert!(size_of::<Flow>() == N_LINES * 64);
const _: () = assert!(std::mem::offset_of!(Flow, ipv6_src) == 64);
const _: () = assert!(std::mem::offset_of!(Flow, vlan_inner) == 128);
const _: () = assert!(std::mem::offset_of!(Flow, ct_label) == 192);
const _: () = assert!(std::mem::offset_of!(Flow, tun_dst) == 256);
const _: () = assert!(std::mem::offset_of!(Flow, tun_erspan_dir) == 320);
const _: () = assert!(std::mem::offset_of!(Flow, tun_metadata) == 384);
const _: () = assert!(std::mem::offset_of!(Flow, metadata) == 640);
const _: () = assert!(std::mem::offset_of!(Flow, regs) == 704);

/// `nw_frag`: the packet is a fragment.
pub const NW_FRAG_ANY: u8 = 1;
/// `nw_frag`: the packet is not the first fragment.
pub const NW_FRAG_LATER: u8 = 2;

/// One line as eight words.
pub type Line = [u64; 8];

/// A set of lines, bit n = line n.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct LineMap(pub u16);

impl LineMap {
    pub const BASE: LineMap = LineMap(1);
    pub const ALL: LineMap = LineMap((1 << N_LINES) - 1);

    pub const fn contains(self, line: usize) -> bool {
        self.0 >> line & 1 != 0
    }
    pub fn insert(&mut self, line: usize) {
        self.0 |= 1 << line;
    }
    /// The lines of the set, lowest first.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..N_LINES).filter(move |&n| self.contains(n))
    }
}

impl Default for Flow {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

impl Flow {
    /// All fields zero.
    pub const ZERO: Flow = zerocopy::transmute!([0u64; N_LINES * 8]);

    fn new_zeroed() -> Self {
        Self::ZERO
    }

    /// The flow as lines of eight words.
    pub fn lines(&self) -> &[Line; N_LINES] {
        zerocopy::transmute_ref!(self)
    }

    /// The flow as lines of eight words, to write.
    pub fn lines_mut(&mut self) -> &mut [Line; N_LINES] {
        zerocopy::transmute_mut!(self)
    }

    /// Lines with any bit set.
    pub fn used_lines(&self) -> LineMap {
        let mut map = LineMap::default();
        for (n, line) in self.lines().iter().enumerate() {
            if line.iter().any(|&w| w != 0) {
                map.insert(n);
            }
        }
        map
    }

    /// Zeroes every line that is not in `valid` (a burst key holds rubbish there).
    pub fn zero_except(&mut self, valid: LineMap) {
        for (n, line) in self.lines_mut().iter_mut().enumerate() {
            if !valid.contains(n) {
                *line = [0; 8];
            }
        }
    }

    /// `self & mask`, the canonical key of a masked flow.
    pub fn masked(&self, mask: &Mask) -> Flow {
        let mut out = *self;
        for (line, m) in out.lines_mut().iter_mut().zip(mask.0.lines()) {
            for (word, m) in line.iter_mut().zip(m) {
                *word &= m;
            }
        }
        out
    }
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut list = f.debug_map();
        for (n, line) in self.lines().iter().enumerate() {
            if line.iter().any(|&w| w != 0) {
                list.entry(&n, &format_args!("{:016x?}", line.map(u64::to_be)));
            }
        }
        list.finish()
    }
}

/// Which bits of a `Flow` matter: 1 = exact, 0 = wildcarded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Mask(pub Flow);

impl Mask {
    /// Everything wildcarded.
    pub const NONE: Mask = Mask(Flow::ZERO);

    /// Adds the bits of `other`.
    pub fn union(&mut self, other: &Mask) {
        for (line, o) in self.0.lines_mut().iter_mut().zip(other.0.lines()) {
            for (word, o) in line.iter_mut().zip(o) {
                *word |= o;
            }
        }
    }

    /// True when `a` and `b` agree in every bit of the mask.
    pub fn matches(&self, a: &Flow, b: &Flow) -> bool {
        let words = |f| -> &[u64] { Flow::lines(f).as_flattened() };
        self.0.lines().as_flattened().iter().zip(words(a)).zip(words(b)).all(|((m, a), b)| (a ^ b) & m == 0)
    }

    /// True when every bit of `other` is also in `self`.
    pub fn covers(&self, other: &Mask) -> bool {
        self.0.lines().as_flattened().iter().zip(other.0.lines().as_flattened()).all(|(s, o)| o & !s == 0)
    }
}
