//! The daemon's clock: one object that every timer reads. Under `--enable-dummy` it can be stopped and warped
//! (`time/stop`, `time/warp`), which moves every timer of the daemon.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic milliseconds since the clock was made, plus what it was warped by. Cheap to clone; all clones are one clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    start: Instant,
    stopped: AtomicBool,
    /// While running: added to the elapsed time. While stopped: the time itself.
    offset_ms: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(Inner {
            start: Instant::now(),
            stopped: AtomicBool::new(false),
            offset_ms: AtomicI64::new(0),
        }))
    }
}

impl Clock {
    /// Monotonic time in ms.
    pub fn now_ms(&self) -> i64 {
        let offset = self.0.offset_ms.load(Relaxed);
        if self.0.stopped.load(Relaxed) { offset } else { offset + self.0.start.elapsed().as_millis() as i64 }
    }

    /// Wall-clock time in ms since 1970.
    pub fn wall_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }

    /// Freezes the clock (`time/stop`).
    pub fn stop(&self) {
        let now = self.now_ms();
        self.0.offset_ms.store(now, Relaxed);
        self.0.stopped.store(true, Relaxed);
    }

    /// Moves the clock forward by `ms`.
    pub fn warp(&self, ms: i64) {
        self.0.offset_ms.fetch_add(ms, Relaxed);
    }

    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Relaxed)
    }
}
