//! `Action`: everything a flow can do, independent of protocol version. Instructions are actions too
//! (`Meter`, `ClearActions`, `WriteActions`, `WriteMetadata`, `GotoTable`); a list is kept in OVS's order and
//! `instruction` converts it from and to the instructions of OpenFlow 1.1+.
//!
//! Control plane: decoded once per flow-mod, executed by translation, never by a PMD.

mod basic;
pub mod bundle;
pub mod check;
mod controller;
mod ct;
pub mod field;
pub mod instruction;
mod learn;
pub mod list;
mod multipath;
mod nsh;
mod output;
mod raw;
mod sample;
pub mod types;

pub use list::{DecodeCtx, EncodeCtx};
pub(crate) use output::port_11;
pub use types::*;

use crate::matching::{Field, Subfield};
use crate::types::{GroupId, MeterId, OfPort, QueueId, TableId};

/// One action or instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    // output
    /// `output:P`; `max_len` only matters for `CONTROLLER`.
    Output { port: OfPort, max_len: u16 },
    /// `output:F[a..b]`.
    OutputReg { src: Subfield, max_len: u16 },
    /// `output(port=P,max_len=N)`.
    OutputTrunc { port: OfPort, max_len: u32 },
    /// `controller(...)`.
    Controller(Box<Controller>),
    /// `enqueue:P:Q`.
    Enqueue { port: OfPort, queue: QueueId },
    /// `group:N`.
    Group(GroupId),
    /// `bundle(...)`, `bundle_load(...)`.
    Bundle(Box<Bundle>),

    // header changes
    /// `set_field:V[/M]->F` and `load:V->F[a..b]`.
    SetField(Box<SetField>),
    /// `move:S->D`.
    RegMove(Box<RegMove>),
    /// `push:F`.
    StackPush(Subfield),
    /// `pop:F`.
    StackPop(Subfield),
    /// `mod_vlan_vid:V` (pushes a tag when there is none) or `set_vlan_vid:V`.
    SetVlanVid { vid: u16, push_if_needed: bool },
    /// `mod_vlan_pcp:P` or `set_vlan_pcp:P`; `pcp` is 0..7.
    SetVlanPcp { pcp: u8, push_if_needed: bool },
    /// `strip_vlan`, of OpenFlow 1.0.
    StripVlan,
    /// `pop_vlan`: the same in the words of OpenFlow 1.1+.
    PopVlan,
    /// `push_vlan:ETHERTYPE`.
    PushVlan(u16),
    /// `mod_dl_src:MAC`.
    SetEthSrc([u8; 6]),
    /// `mod_dl_dst:MAC`.
    SetEthDst([u8; 6]),
    /// `mod_nw_src:IP`.
    SetIpv4Src([u8; 4]),
    /// `mod_nw_dst:IP`.
    SetIpv4Dst([u8; 4]),
    /// `mod_nw_tos:TOS`: the DSCP in the upper six bits.
    SetIpDscp(u8),
    /// `mod_nw_ecn:ECN`.
    SetIpEcn(u8),
    /// `mod_nw_ttl:TTL`.
    SetIpTtl(u8),
    /// `mod_tp_src:PORT`.
    SetL4Src(u16),
    /// `mod_tp_dst:PORT`.
    SetL4Dst(u16),
    /// `dec_ttl`, `dec_ttl(id,...)`: packets that expire go to these controllers. Plain `dec_ttl` is `[0]` with
    /// `counted` false.
    DecTtl { ids: Vec<u16>, counted: bool },
    /// `set_mpls_label:L` (20 bits).
    SetMplsLabel(u32),
    /// `set_mpls_tc:T` (3 bits).
    SetMplsTc(u8),
    /// `set_mpls_ttl:T`.
    SetMplsTtl(u8),
    /// `dec_mpls_ttl`.
    DecMplsTtl,
    /// `push_mpls:ETHERTYPE`.
    PushMpls(u16),
    /// `pop_mpls:ETHERTYPE`.
    PopMpls(u16),
    /// `dec_nsh_ttl`.
    DecNshTtl,
    /// `delete_field:F`.
    DeleteField(Field),

    // metadata
    /// `set_tunnel:ID`, `set_tunnel64:ID` (`wide`).
    SetTunnel { id: u64, wide: bool },
    /// `set_queue:Q`.
    SetQueue(QueueId),
    /// `pop_queue`.
    PopQueue,
    /// `fin_timeout(...)`, in seconds.
    FinTimeout { idle_s: u16, hard_s: u16 },

    // flow table interaction
    /// `resubmit(P,T[,ct])`; `in_port` `IN_PORT` = unchanged, table `ALL` = the current one.
    Resubmit(Resubmit),
    /// `learn(...)`.
    Learn(Box<Learn>),
    /// `conjunction(ID,k/n)`: `clause` counts from 0.
    Conjunction { id: u32, clause: u8, n_clauses: u8 },

    // arithmetic
    /// `multipath(...)`.
    Multipath(Box<Multipath>),

    // other
    /// `note:hh.hh`.
    Note(Vec<u8>),
    /// `exit`.
    Exit,
    /// `sample(...)`.
    Sample(Box<Sample>),
    /// `clone(...)`.
    Clone(Vec<Action>),
    /// `ct(...)`; its nested list may hold one `Nat`.
    Ct(Box<Conntrack>),
    /// `nat(...)`; only inside `Ct`.
    Nat(Box<Nat>),
    /// `ct_clear`.
    CtClear,
    /// `encap(...)`.
    Encap(Box<Encap>),
    /// `decap`, `decap(packet_type(ns=,type=))`.
    Decap { new_packet_type: Option<u32> },
    /// `check_pkt_larger(N)->F[b]`.
    CheckPktLarger { len: u16, dst: Subfield },
    /// `debug_slow`; only with `--enable-dummy`.
    DebugSlow,
    /// `debug_recirc`; only with `--enable-dummy`.
    DebugRecirc,

    // instructions
    /// `meter:N`.
    Meter(MeterId),
    /// `clear_actions`.
    ClearActions,
    /// `write_actions(...)`.
    WriteActions(Vec<Action>),
    /// `write_metadata:V/M`.
    WriteMetadata(Box<Metadata>),
    /// `goto_table:T`.
    GotoTable(TableId),
}
