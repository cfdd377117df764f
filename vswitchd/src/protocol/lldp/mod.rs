//! The Link Layer Discovery Protocol (IEEE 802.1AB): tells the neighbour who we are, and remembers who it is.
//!
//! The Auto-Attach elements of the protocol (I-SID assignments) are not spoken; mappings are listed as pending.

mod pdu;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::NEVER;
pub use pdu::Neighbor;

pub const LLDP_TYPE: u16 = 0x88cc;
/// Nearest bridge (802.1AB table 7-1).
pub const ADDRESS: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0x0e];
const INTERVAL_MS: i64 = 30_000;
/// A message lives for this many intervals.
const HOLD: i64 = 4;
/// Neighbours of one port (hubs between).
const NEIGHBORS_MAX: usize = 32;

/// What a port tells of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    pub port_name: String,
    pub chassis_mac: [u8; 6],
    pub system_name: String,
    pub system_description: String,
    /// I-SID to VLAN.
    pub mappings: BTreeMap<u32, u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    pub tx: u64,
    pub rx: u64,
    pub rx_discarded: u64,
    pub rx_unrecognized: u64,
    pub aged_out: u64,
    pub inserted: u64,
    pub deleted: u64,
    pub dropped: u64,
}

#[derive(Clone, Debug)]
pub struct Lldp {
    pub config: Config,
    pub counters: Counters,
    neighbors: Vec<(Neighbor, i64)>,
    next_tx_ms: i64,
}

impl Lldp {
    pub fn new(config: Config, now_ms: i64) -> Self {
        Lldp { config, counters: Counters::default(), neighbors: Vec::new(), next_tx_ms: now_ms }
    }

    pub fn configure(&mut self, config: Config, now_ms: i64) {
        if self.config != config {
            self.config = config;
            // News is told at once.
            self.next_tx_ms = now_ms;
        }
    }

    pub fn neighbors(&self) -> impl Iterator<Item = &Neighbor> {
        self.neighbors.iter().map(|(n, _)| n)
    }

    /// What follows the Ethernet type.
    pub fn receive(&mut self, payload: &[u8], now_ms: i64) {
        self.counters.rx += 1;
        let Some((neighbor, ttl_s, n_unknown)) = pdu::parse(payload) else {
            self.counters.rx_discarded += 1;
            return;
        };
        self.counters.rx_unrecognized += n_unknown;
        let same = |n: &Neighbor| (&n.chassis, &n.port) == (&neighbor.chassis, &neighbor.port);
        let known = self.neighbors.iter().position(|(n, _)| same(n));
        if ttl_s == 0 {
            if let Some(n) = known {
                self.neighbors.remove(n);
                self.counters.deleted += 1;
            }
            return;
        }
        let until_ms = now_ms + i64::from(ttl_s) * 1000;
        match known {
            Some(n) => self.neighbors[n] = (neighbor, until_ms),
            None if self.neighbors.len() >= NEIGHBORS_MAX => self.counters.dropped += 1,
            None => {
                self.neighbors.push((neighbor, until_ms));
                self.counters.inserted += 1;
            }
        }
    }

    /// Time passes: what to send behind the Ethernet type, and the next deadline.
    pub fn run(&mut self, now_ms: i64) -> (Option<Vec<u8>>, i64) {
        let before = self.neighbors.len();
        self.neighbors.retain(|(_, until_ms)| now_ms < *until_ms);
        self.counters.aged_out += (before - self.neighbors.len()) as u64;
        let mut out = None;
        if now_ms >= self.next_tx_ms {
            self.next_tx_ms = now_ms + INTERVAL_MS;
            self.counters.tx += 1;
            out = Some(pdu::emit(&self.config, (HOLD * INTERVAL_MS / 1000) as u16));
        }
        let aging_ms = self.neighbors.iter().map(|(_, ms)| *ms).min().unwrap_or(NEVER);
        (out, self.next_tx_ms.min(aging_ms))
    }

    /// `autoattach/status`.
    pub fn show_status(&self) -> String {
        format!("LLDP: {}\n", self.config.port_name)
    }

    /// `autoattach/show-isid`.
    pub fn show_isid(&self) -> String {
        let mut out = format!(
            "LLDP: {}\n{:<8} {:<4} {:<11} {:<8}\n{:-<8} {:-<4} {:-<11} {:-<8}\n",
            self.config.port_name, "I-SID", "VLAN", "Source", "Status", "", "", "", ""
        );
        for (isid, vlan) in &self.config.mappings {
            let _ = writeln!(out, "{isid:<8} {vlan:<4} {:<11} {:<11}", "Switch", "Pending");
        }
        out
    }

    /// `autoattach/statistics`.
    pub fn show_statistics(&self) -> String {
        let c = &self.counters;
        format!(
            "Statistics: {}\n  tx cnt: {}\n  rx cnt: {}\n  rx discarded cnt: {}\n  rx unrecognized cnt: {}\n  \
             ageout cnt: {}\n  insert cnt: {}\n  delete cnt: {}\n  drop cnt: {}\n",
            self.config.port_name,
            c.tx,
            c.rx,
            c.rx_discarded,
            c.rx_unrecognized,
            c.aged_out,
            c.inserted,
            c.deleted,
            c.dropped
        )
    }
}
