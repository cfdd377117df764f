//! What waits to be written to one peer: the engine appends, the session's writer takes all.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Bytes that may wait for a peer before its updates are merged and its requests left unread.
pub const BACKLOG_SIZE_MAX: usize = 4 << 20;

/// Bytes that wait for one peer.
#[derive(Debug, Default)]
pub struct Outbox {
    buf: Mutex<String>,
    /// Not yet in the socket, those in the writer's hands included.
    len: AtomicUsize,
    closing: AtomicBool,
    /// Merged updates wait for the peer to catch up.
    lagging: AtomicBool,
    queued: AtomicBool,
    /// Wakes the writer.
    pub ready: Notify,
    /// Wakes the reader that waits for the backlog to shrink.
    pub drained: Notify,
    /// Wakes the reader when the session is to end.
    pub closed: Notify,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, String> {
        self.buf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one message made of `parts`, without waking the writer.
    pub fn push(&self, parts: &[&str]) {
        let mut buf = self.lock();
        let before = buf.len();
        for p in parts {
            buf.push_str(p);
        }
        self.len.fetch_add(buf.len() - before, Ordering::Relaxed);
    }

    pub fn wake(&self) {
        self.ready.notify_one();
    }

    /// Everything that waits to be written.
    pub fn take(&self) -> String {
        std::mem::take(&mut *self.lock())
    }

    /// `n` bytes have gone into the socket.
    pub fn written(&self, n: usize) {
        let before = self.len.fetch_sub(n, Ordering::Relaxed);
        if before >= BACKLOG_SIZE_MAX / 2 {
            self.drained.notify_one();
        }
    }

    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub fn is_full(&self) -> bool {
        self.len() >= BACKLOG_SIZE_MAX
    }

    /// Ends the session after what is in the outbox.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.ready.notify_one();
        self.closed.notify_one();
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub fn set_lagging(&self, lagging: bool) {
        self.lagging.store(lagging, Ordering::Relaxed);
    }

    pub fn is_lagging(&self) -> bool {
        self.lagging.load(Ordering::Relaxed)
    }
}

/// Wakes writers that have only updates to write a few at a time, so that requests that arrive
/// meanwhile go first and updates of several transactions leave in one write.
#[derive(Clone, Debug, Default)]
pub struct Pacer {
    shared: Arc<PacerShared>,
}

#[derive(Debug, Default)]
struct PacerShared {
    queue: Mutex<VecDeque<Arc<Outbox>>>,
    ready: Notify,
}

/// Writers woken before the engine gets its turn again.
const PACE: usize = 4;

impl Pacer {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Arc<Outbox>>> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the writer of `outbox` woken soon.
    pub fn wake(&self, outbox: &Arc<Outbox>) {
        if !outbox.queued.swap(true, Ordering::Relaxed) {
            self.queue().push_back(outbox.clone());
            self.shared.ready.notify_one();
        }
    }

    /// Wakes writers for ever.
    pub async fn run(self) {
        loop {
            for _ in 0..PACE {
                let Some(outbox) = self.queue().pop_front() else { break };
                outbox.queued.store(false, Ordering::Relaxed);
                outbox.wake();
            }
            if self.queue().is_empty() {
                self.shared.ready.notified().await;
            } else {
                tokio::task::yield_now().await;
            }
        }
    }
}
