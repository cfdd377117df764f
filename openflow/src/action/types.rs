//! The arguments of the larger actions: plain data, no codec.

use std::net::IpAddr;

use super::Action;
use crate::matching::{Field, FieldValue, Subfield};
use crate::msg::PacketInReason;
use crate::types::{Cookie, MeterId, OfPort, TableId};

/// `controller(...)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Controller {
    /// Bytes of the packet to send; `u16::MAX` = all.
    pub max_len: u16,
    pub id: u16,
    pub reason: PacketInReason,
    pub userdata: Vec<u8>,
    /// Send a continuation and wait for NXT_RESUME.
    pub pause: bool,
    pub meter: Option<MeterId>,
}

impl Default for Controller {
    fn default() -> Self {
        Controller {
            max_len: u16::MAX,
            id: 0,
            reason: PacketInReason::Action,
            userdata: Vec::new(),
            pause: false,
            meter: None,
        }
    }
}

/// `set_field`, `load`: the bits of `mask` of `field` take the bits of `value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetField {
    pub field: Field,
    /// Right-justified; zero outside `mask`.
    pub value: FieldValue,
    pub mask: FieldValue,
    /// Written (and printed) as `load`, that is NXAST_REG_LOAD.
    pub load: bool,
}

/// `move:S->D`, equal widths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegMove {
    pub src: Subfield,
    pub dst: Subfield,
}

/// `resubmit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resubmit {
    pub in_port: OfPort,
    pub table: TableId,
    /// Look up the original direction's addresses and ports.
    pub with_ct_orig: bool,
    /// Written with NXAST_RESUBMIT, that is without a table.
    pub portonly: bool,
}

/// `write_metadata`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metadata {
    pub value: u64,
    pub mask: u64,
}

/// What a hash covers (`multipath`, `bundle`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u16)]
pub enum HashFields {
    EthSrc = 0,
    SymmetricL4 = 1,
    SymmetricL3L4 = 2,
    SymmetricL3L4Udp = 3,
    NwSrc = 4,
    NwDst = 5,
    SymmetricL3 = 6,
}

/// How `multipath` picks a link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u16)]
pub enum MultipathAlgorithm {
    ModuloN = 0,
    HashThreshold = 1,
    Hrw = 2,
    IterHash = 3,
}

/// `multipath(fields,basis,algorithm,n_links,arg,dst)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Multipath {
    pub fields: HashFields,
    pub basis: u16,
    pub algorithm: MultipathAlgorithm,
    /// Number of links minus one.
    pub max_link: u16,
    pub arg: u32,
    pub dst: Subfield,
}

/// How `bundle` picks a member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u16)]
pub enum BundleAlgorithm {
    ActiveBackup = 0,
    Hrw = 1,
}

/// `bundle(...)`: output to a live member, or with `dst` load its number there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    pub algorithm: BundleAlgorithm,
    pub fields: HashFields,
    pub basis: u16,
    pub dst: Option<Subfield>,
    pub members: Vec<OfPort>,
}

/// `learn(...)`: adds a flow made from the packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Learn {
    pub idle_s: u16,
    pub hard_s: u16,
    pub priority: u16,
    pub cookie: Cookie,
    pub table: TableId,
    pub send_flow_rem: bool,
    /// Learned flows go when the learning flow goes.
    pub delete_learned: bool,
    pub fin_idle_s: u16,
    pub fin_hard_s: u16,
    /// Flows learned at most; 0 = no limit.
    pub limit: u32,
    /// Set to 1 when the flow exists after the action, else 0.
    pub result_dst: Option<Subfield>,
    pub specs: Vec<LearnSpec>,
}

impl Default for Learn {
    fn default() -> Self {
        Learn {
            idle_s: 0,
            hard_s: 0,
            priority: 32768,
            cookie: Cookie(0),
            table: TableId(1),
            send_flow_rem: false,
            delete_learned: false,
            fin_idle_s: 0,
            fin_hard_s: 0,
            limit: 0,
            result_dst: None,
            specs: Vec::new(),
        }
    }
}

/// One field of a learned flow: `n_bits` from `src` to `dst`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LearnSpec {
    pub n_bits: u16,
    pub src: LearnSrc,
    pub dst: LearnDst,
}

/// Where a learned value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LearnSrc {
    Field(Subfield),
    /// The low `n_bits` bits.
    Immediate(FieldValue),
}

/// What the learned value becomes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LearnDst {
    Match(Subfield),
    Load(Subfield),
    Output,
}

/// `ct(...)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conntrack {
    pub commit: bool,
    pub force: bool,
    pub zone: CtZoneSrc,
    /// Where the tracked copy continues; `None` = no recirculation.
    pub recirc_table: Option<TableId>,
    /// 0, 21 (ftp) or 69 (tftp).
    pub alg: u16,
    /// `set_field`, `move`, `load` on ct_mark and ct_label, and at most one `Nat`.
    pub actions: Vec<Action>,
}

/// Where `ct` takes its zone from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CtZoneSrc {
    Immediate(u16),
    Field(Subfield),
}

/// Which address `nat` changes; neither = only the tracked mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NatKind {
    Tracked,
    Src,
    Dst,
}

/// `nat(...)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nat {
    pub kind: NatKind,
    pub persistent: bool,
    pub hash: bool,
    pub random: bool,
    /// First and (when a range) last address, one family.
    pub addr_min: Option<IpAddr>,
    pub addr_max: Option<IpAddr>,
    /// First and (when a range) last port.
    pub port_min: Option<u16>,
    pub port_max: Option<u16>,
}

/// Which direction `sample` reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SampleDirection {
    Default = 0,
    Ingress = 1,
    Egress = 2,
}

/// `sample(...)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Out of 65535; never 0.
    pub probability: u16,
    pub collector_set_id: u32,
    pub obs_domain_id: u32,
    pub obs_point_id: u32,
    pub sampling_port: OfPort,
    pub direction: SampleDirection,
}

/// `encap(...)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Encap {
    Ethernet,
    /// 0x8847 or 0x8848.
    Mpls(u16),
    Nsh {
        /// 1 or 2; `None` = not given.
        md_type: Option<u8>,
        tlvs: Vec<NshTlv>,
    },
}

/// One metadata TLV of `encap(nsh(...))`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NshTlv {
    pub class: u16,
    pub kind: u8,
    pub value: Vec<u8>,
}
