//! Egress QoS of a port (`Port.qos`): `egress-policer` (one bucket), `trtcm-policer` (RFC 4115: committed and excess rates,
//! of the port and of its queue), and the `max-rate` of the kernel's types, which a switch that has no kernel path polices
//! in software. Costs one load per burst while it is off. Rates and bursts are bytes without the Ethernet header.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use dpif::port::{Qos, QueueStats};

use super::options::{Map, number};
use crate::packet::Batch;
use crate::tsc;

const ETHERNET_LEN: usize = 14;
/// The queue of packets that no action gave another one.
const QUEUE_DEFAULT: u32 = 0;
/// Burst of a kernel type that names none: so many ms at its rate.
const LINUX_BURST_MS: u64 = 10;

/// Types that a port polled by PMD threads takes, and those of kernel interfaces.
pub const DPDK_TYPES: [&str; 2] = ["egress-policer", "trtcm-policer"];
pub const LINUX_TYPES: [&str; 7] =
    ["linux-netem", "linux-fq_codel", "linux-codel", "linux-hfsc", "linux-noop", "linux-sfq", "linux-htb"];

/// Committed and excess buckets in bytes; a rate of 0 leaves its bucket empty for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Profile {
    cir: u64,
    cbs: u64,
    eir: u64,
    ebs: u64,
}

impl Profile {
    fn of(config: &Map) -> Profile {
        let get = |key| number(config, key, 0u64);
        Profile { cir: get("cir"), cbs: get("cbs"), eir: get("eir"), ebs: get("ebs") }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Color {
    Green,
    Yellow,
    Red,
}

#[derive(Clone, Copy, Default)]
struct Meter {
    profile: Profile,
    committed: u64,
    excess: u64,
    /// Cycles up to which each bucket was filled.
    filled: (u64, u64),
}

impl Meter {
    fn new(profile: Profile, now: u64) -> Meter {
        Meter { profile, committed: profile.cbs, excess: profile.ebs, filled: (now, now) }
    }

    fn fill(&mut self, now: u64) {
        let hz = u128::from(tsc::hz());
        let earn = |level: &mut u64, rate: u64, size: u64, filled: &mut u64| {
            let earned = (u128::from(now.wrapping_sub(*filled)) * u128::from(rate) / hz) as u64;
            if earned != 0 {
                *level = level.saturating_add(earned).min(size);
                // Only what was paid out: fractions of a byte are not lost in a fast row of bursts.
                *filled += (u128::from(earned) * hz / u128::from(rate)) as u64;
            }
        };
        let p = self.profile;
        earn(&mut self.committed, p.cir, p.cbs, &mut self.filled.0);
        earn(&mut self.excess, p.eir, p.ebs, &mut self.filled.1);
    }

    /// Takes the bytes from the first bucket that has them; what came in yellow may only use the excess.
    fn color(&mut self, len: u64, was: Color) -> Color {
        if was == Color::Red {
            return Color::Red;
        }
        if was == Color::Green && self.committed >= len {
            self.committed -= len;
            return Color::Green;
        }
        if self.excess >= len {
            self.excess -= len;
            return Color::Yellow;
        }
        Color::Red
    }
}

/// See the module text. Senders of one port share it.
#[derive(Default)]
pub struct Shaper {
    on: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    config: Option<Qos>,
    port: Meter,
    queue: Option<Meter>,
    sent: QueueStats,
}

impl Shaper {
    #[inline(always)]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Takes over the configuration; an unchanged one keeps its buckets. Says what is wrong with one that cannot be.
    pub fn set(&self, config: Option<&Qos>) -> Result<(), String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.config.as_ref() == config {
            return Ok(());
        }
        let now = tsc::now();
        let (port, queue) = match config {
            None => (None, None),
            Some(qos) => profiles(qos)?,
        };
        *state = State {
            config: config.cloned(),
            port: Meter::new(port.unwrap_or_default(), now),
            queue: queue.map(|profile| Meter::new(profile, now)),
            sent: QueueStats::default(),
        };
        self.on.store(port.is_some(), Relaxed);
        Ok(())
    }

    /// Drops what exceeds the rates; returns how many packets.
    #[cold]
    pub fn police(&self, batch: &mut Batch) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let now = tsc::now();
        state.port.fill(now);
        if let Some(queue) = &mut state.queue {
            queue.fill(now);
        }
        let before = batch.len();
        batch.retain(|packet| {
            let len = packet.len().saturating_sub(ETHERNET_LEN) as u64;
            let first = state.queue.as_mut().map_or(Color::Green, |queue| queue.color(len, Color::Green));
            let pass = state.port.color(len, first) != Color::Red;
            if pass {
                state.sent.packets += 1;
                state.sent.bytes += len;
            } else {
                state.sent.errors += 1;
            }
            pass
        });
        before - batch.len()
    }

    pub fn stats(&self) -> QueueStats {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).sent
    }
}

/// The profile of the port (`None`: nothing to police) and of the queue in front of it.
#[allow(clippy::type_complexity)]
fn profiles(qos: &Qos) -> Result<(Option<Profile>, Option<Profile>), String> {
    let wrong = |what: &str| Err(format!("QoS type {}: {what}", qos.kind));
    let profile = Profile::of(&qos.config);
    match qos.kind.as_str() {
        "egress-policer" if profile.cir == 0 || profile.cbs == 0 => {
            wrong("other_config needs cir (bytes per second) and cbs (bytes), both above 0")
        }
        "egress-policer" => Ok((Some(Profile { eir: 0, ebs: 0, ..profile }), None)),
        "trtcm-policer" if profile.cir == 0 && profile.eir == 0 => {
            wrong("other_config needs cir and cbs, or eir and ebs, above 0")
        }
        "trtcm-policer" => Ok((Some(profile), qos.queues.get(&QUEUE_DEFAULT).map(Profile::of))),
        "linux-htb" | "linux-hfsc" => {
            let bits = number(&qos.config, "max-rate", 0u64);
            let rate = bits / 8;
            let burst = number(&qos.config, "burst", rate * LINUX_BURST_MS / 1000).max(2 * 1514);
            Ok(((rate != 0).then_some(Profile { cir: rate, cbs: burst, eir: 0, ebs: 0 }), None))
        }
        kind if kind.is_empty() || LINUX_TYPES.contains(&kind) => Ok((None, None)),
        _ => wrong("this switch does not know it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qos(kind: &str, config: &[(&str, &str)], queue: &[(&str, &str)]) -> Qos {
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let queues = if queue.is_empty() { Default::default() } else { [(0, map(queue))].into() };
        Qos { kind: kind.into(), config: map(config), queues }
    }

    fn burst(n: usize, len: usize) -> Batch {
        (0..n).map(|_| crate::Packet::with_len(len).unwrap()).collect()
    }

    #[test]
    fn a_policer_lets_its_burst_pass() {
        let shaper = Shaper::default();
        assert!(!shaper.is_on());
        shaper.set(Some(&qos("egress-policer", &[("cir", "1"), ("cbs", "1000")], &[]))).unwrap();
        assert!(shaper.is_on());
        let mut batch = burst(20, 114);
        assert_eq!(shaper.police(&mut batch), 10, "1000 bytes are ten packets of 100 and their headers");
        assert_eq!(shaper.stats(), QueueStats { packets: 10, bytes: 1000, errors: 10 });
        shaper.set(None).unwrap();
        assert!(!shaper.is_on());
    }

    #[test]
    fn excess_comes_after_committed_and_the_queue_before_the_port() {
        let shaper = Shaper::default();
        let port = [("cir", "1"), ("cbs", "500"), ("eir", "1"), ("ebs", "300")];
        shaper.set(Some(&qos("trtcm-policer", &port, &[]))).unwrap();
        assert_eq!(shaper.police(&mut burst(20, 114)), 12);
        // The queue passes two green and one yellow: the port has room for all.
        let queue = [("cir", "1"), ("cbs", "200"), ("eir", "1"), ("ebs", "100")];
        shaper.set(Some(&qos("trtcm-policer", &port, &queue))).unwrap();
        assert_eq!(shaper.police(&mut burst(20, 114)), 17);
    }

    #[test]
    fn a_rate_is_kept() {
        let mut meter = Meter::new(Profile { cir: 1_000_000, cbs: 2000, eir: 0, ebs: 0 }, 0);
        let (hz, mut sent) = (tsc::hz(), 0);
        // A second in steps of 10 us, each offering 100 bytes: ten times the rate.
        for n in 1..=100_000u64 {
            meter.fill((u128::from(hz) * u128::from(n) / 100_000) as u64);
            if meter.color(100, Color::Green) == Color::Green {
                sent += 100;
            }
        }
        assert!((990_000..=1_003_000).contains(&sent), "{sent}");
    }

    #[test]
    fn nonsense_is_refused_and_kernel_types_are_taken() {
        let shaper = Shaper::default();
        assert!(shaper.set(Some(&qos("egress-policer", &[("cir", "0")], &[]))).is_err());
        assert!(shaper.set(Some(&qos("bogus", &[], &[]))).is_err());
        shaper.set(Some(&qos("linux-noop", &[], &[]))).unwrap();
        assert!(!shaper.is_on());
        shaper.set(Some(&qos("linux-htb", &[("max-rate", "8000")], &[]))).unwrap();
        assert!(shaper.is_on());
    }
}
