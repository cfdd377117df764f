//! IPFIX exporter statistics (Nicira).

use crate::codec::{Body, Encoder};
use crate::raw::Kind;
use crate::wire::{Decode, Put};

/// Counters of one exporter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IpfixStats {
    pub total_flows: u64,
    pub current_flows: u64,
    pub pkts: u64,
    pub ipv4_pkts: u64,
    pub ipv6_pkts: u64,
    pub error_pkts: u64,
    pub ipv4_error_pkts: u64,
    pub ipv6_error_pkts: u64,
    pub tx_pkts: u64,
    pub tx_errors: u64,
    /// 0 in the bridge's reply.
    pub collector_set_id: u32,
}

pub(crate) fn decode(b: &mut Body<'_>) -> Decode<IpfixStats> {
    let mut s = IpfixStats::default();
    for slot in [
        &mut s.total_flows,
        &mut s.current_flows,
        &mut s.pkts,
        &mut s.ipv4_pkts,
        &mut s.ipv6_pkts,
        &mut s.error_pkts,
        &mut s.ipv4_error_pkts,
        &mut s.ipv6_error_pkts,
        &mut s.tx_pkts,
        &mut s.tx_errors,
    ] {
        *slot = b.r.u64()?;
    }
    s.collector_set_id = b.r.u32()?;
    b.r.skip(4)?;
    Ok(s)
}

pub(crate) fn encode(e: &mut Encoder, kind: Kind, stats: &[IpfixStats]) {
    if !e.begin(kind) {
        return;
    }
    e.entries(stats, |e, s| {
        for v in [
            s.total_flows,
            s.current_flows,
            s.pkts,
            s.ipv4_pkts,
            s.ipv6_pkts,
            s.error_pkts,
            s.ipv4_error_pkts,
            s.ipv6_error_pkts,
            s.tx_pkts,
            s.tx_errors,
        ] {
            e.w.u64(v);
        }
        e.w.u32(s.collector_set_id);
        e.w.zeros(4);
    });
}
