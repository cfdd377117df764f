//! The time stamp counter: cycles for accounts, and milliseconds derived from it once per burst. Falls back to the monotonic
//! clock in nanoseconds on machines without one.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Cycles since some time in the past.
#[inline(always)]
pub fn now() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 CPU has the instruction.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}

/// Cycles per second, measured once.
pub fn hz() -> u64 {
    static HZ: OnceLock<u64> = OnceLock::new();
    *HZ.get_or_init(|| {
        const SAMPLE: Duration = Duration::from_millis(20);
        let (t0, c0) = (Instant::now(), now());
        std::thread::sleep(SAMPLE);
        let (t, c) = (t0.elapsed(), now().wrapping_sub(c0));
        ((u128::from(c) * 1_000_000_000) / t.as_nanos().max(1)).max(1) as u64
    })
}
