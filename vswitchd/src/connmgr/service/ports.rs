//! Requests about ports, and packets in from controllers.

use std::sync::atomic::Ordering::Relaxed;

use openflow::msg::{FlowMod, PacketOut, PortDesc, PortMod, PortStats};
use openflow::{OfPort, OfpError};

use super::BridgeService;
use crate::ofproto::Origin;
use crate::ofproto::snapshot::Port;

impl BridgeService {
    /// No packet is ever buffered, so a buffer id names nothing; the flow is changed all the same.
    pub(super) fn flow_mod(&self, fm: &FlowMod, origin: Option<Origin>) -> Result<(), OfpError> {
        self.ofproto.flow_mod_deferred(fm, origin)?;
        if fm.buffer_id.is_some() { Err(OfpError::OFPBRC_BUFFER_UNKNOWN) } else { Ok(()) }
    }

    pub(super) fn packet_out(&self, po: &PacketOut) -> Result<(), OfpError> {
        if po.buffer_id.is_some() {
            return Err(OfpError::OFPBRC_BUFFER_UNKNOWN);
        }
        self.ofproto.packet_out(po)
    }

    pub(super) fn port_mod(&self, pm: &PortMod) -> Result<(), OfpError> {
        let Some(up) = self.ofproto.port_mod(pm)? else { return Ok(()) };
        let port = self.ofproto.ports().into_iter().find(|p| p.number == pm.port);
        if let Some(dp_port) = port.and_then(|p| p.dp_port) {
            let done = self.datapath.port_set_admin_up(dp_port, up);
            return done.map_err(|_| OfpError::OFPPMFC_EPERM);
        }
        Ok(())
    }

    pub(super) fn port_descs(&self, number: OfPort) -> Vec<PortDesc> {
        let mut descs = self.ofproto.port_descs();
        descs.retain(|d| number == OfPort::ANY || d.port == number);
        descs
    }

    pub(super) fn port_stats(&self, number: OfPort) -> Result<Vec<PortStats>, OfpError> {
        let ports = self.ofproto.ports_listed();
        let mut wanted = ports.iter().filter(|p| number == OfPort::ANY || p.number == number).peekable();
        if number != OfPort::ANY && wanted.peek().is_none() {
            return Err(OfpError::OFPBRC_BAD_PORT);
        }
        Ok(wanted.map(|p| self.stats_of(p)).collect())
    }

    fn stats_of(&self, port: &Port) -> PortStats {
        let age_ms = (self.ofproto.now_ms() - port.created_ms).max(0);
        let mut out = PortStats {
            port: port.number,
            rx_packets: u64::MAX,
            tx_packets: u64::MAX,
            rx_bytes: u64::MAX,
            tx_bytes: u64::MAX,
            rx_dropped: u64::MAX,
            tx_dropped: u64::MAX,
            rx_errors: u64::MAX,
            tx_errors: u64::MAX,
            rx_frame_err: u64::MAX,
            rx_over_err: u64::MAX,
            rx_crc_err: u64::MAX,
            collisions: u64::MAX,
            duration_s: (age_ms / 1000) as u32,
            duration_ns: (age_ms % 1000) as u32 * 1_000_000,
            rfc2819: None,
            custom: Vec::new(),
        };
        match port.dp_port.map(|p| self.datapath.port_stats(p)) {
            Some(Ok(stats)) => {
                out.rx_packets = stats.rx_packets;
                out.tx_packets = stats.tx_packets;
                out.rx_bytes = stats.rx_bytes;
                out.tx_bytes = stats.tx_bytes;
                if !stats.is_traffic_only {
                    out.rx_dropped = stats.rx_dropped;
                    out.tx_dropped = stats.tx_dropped;
                    out.rx_errors = stats.rx_errors;
                    out.tx_errors = stats.tx_errors;
                }
                let known = |n: Option<u64>| n.unwrap_or(u64::MAX);
                out.rx_frame_err = known(stats.rx_frame_err);
                out.rx_over_err = known(stats.rx_over_err);
                out.rx_crc_err = known(stats.rx_crc_err);
                out.collisions = known(stats.collisions);
                out.custom = stats.custom;
            }
            Some(Err(_)) => {}
            None => {
                out.rx_packets = port.counters.rx_packets.load(Relaxed);
                out.rx_bytes = port.counters.rx_bytes.load(Relaxed);
                out.tx_packets = port.counters.tx_packets.load(Relaxed);
                out.tx_bytes = port.counters.tx_bytes.load(Relaxed);
            }
        }
        out
    }
}
