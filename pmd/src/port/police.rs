//! Ingress policing: token buckets for bytes and for packets of a port (`ingress_policing_rate` / `_burst`,
//! `ingress_policing_kpkts_rate` / `_burst`). Costs one load per burst while it is off.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use dpif::port::Policing;

use crate::packet::Batch;
use crate::tsc;

/// Bytes of a packet that a rate does not count.
const ETHERNET_LEN: usize = 14;
/// The burst that a rate has when none is configured, in kilobits and in thousands of packets.
const BURST_DEFAULT_KB: u32 = 8000;
const BURST_DEFAULT_KPKTS: u32 = 16;

/// See the module text. Queues of one port share it.
#[derive(Default)]
pub struct Policer {
    on: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    config: Policing,
    bits: Bucket,
    packets: Bucket,
    /// Cycles when the buckets were filled last.
    filled: u64,
}

#[derive(Default)]
struct Bucket {
    /// Tokens per second; 0 = no limit.
    rate: u64,
    size: u64,
    level: u64,
}

impl Bucket {
    fn new(rate: u64, size: u64) -> Bucket {
        Bucket { rate, size, level: size }
    }

    fn fill(&mut self, cycles: u64, hz: u64) {
        let earned = u128::from(cycles) * u128::from(self.rate) / u128::from(hz.max(1));
        self.level = self.level.saturating_add(earned as u64).min(self.size);
    }

    fn has(&self, n: u64) -> bool {
        self.rate == 0 || self.level >= n
    }

    fn take(&mut self, n: u64) {
        self.level = self.level.saturating_sub(n);
    }
}

impl Policer {
    #[inline(always)]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Takes over the configuration; an unchanged one keeps its buckets.
    pub fn set(&self, config: &Policing) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.config == *config {
            return;
        }
        let or = |value: u32, default: u32| u64::from(if value == 0 { default } else { value });
        *state = State {
            config: *config,
            bits: Bucket::new(
                u64::from(config.rate_kbps) * 1000,
                or(config.burst_kb, BURST_DEFAULT_KB) * 1000,
            ),
            packets: Bucket::new(
                u64::from(config.rate_kpps) * 1000,
                or(config.burst_kpkts, BURST_DEFAULT_KPKTS) * 1000,
            ),
            filled: tsc::now(),
        };
        self.on.store(config.rate_kbps != 0 || config.rate_kpps != 0, Relaxed);
    }

    /// Drops what exceeds the rates; returns how many packets.
    #[cold]
    pub fn police(&self, batch: &mut Batch) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let (now, hz) = (tsc::now(), tsc::hz());
        let cycles = now.wrapping_sub(state.filled);
        // Short steps would round the earnings away.
        if cycles > hz / 100_000 {
            state.bits.fill(cycles, hz);
            state.packets.fill(cycles, hz);
            state.filled = now;
        }
        let before = batch.len();
        batch.retain(|packet| {
            let bits = packet.len().saturating_sub(ETHERNET_LEN) as u64 * 8;
            let pass = state.bits.has(bits) && state.packets.has(1);
            if pass {
                state.bits.take(bits);
                state.packets.take(1);
            }
            pass
        });
        before - batch.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_rest_is_dropped() {
        let policer = Policer::default();
        assert!(!policer.is_on());
        policer.set(&Policing { rate_kbps: 1, burst_kb: 8, ..Policing::default() });
        assert!(policer.is_on());
        let mut batch: Batch = (0..20).map(|_| crate::Packet::with_len(114).unwrap()).collect();
        assert_eq!(
            policer.police(&mut batch),
            10,
            "8000 bits are ten packets of 100 bytes behind their headers"
        );
        assert_eq!(batch.len(), 10);
        policer.set(&Policing::default());
        assert!(!policer.is_on());
    }
}
