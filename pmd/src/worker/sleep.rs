//! Sleeping of a worker that has nothing to poll busily: in poll(2) on its ports' descriptors and one event descriptor.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::plan::Poll;

/// The longest sleep; only a safety net, every event wakes.
const SLEEP_MAX_MS: u16 = 250;
/// The longest sleep when there is no event descriptor.
const BLIND_SLEEP_MS: u64 = 1;

/// One worker's alarm clock.
pub struct Sleeper {
    event: Option<EventFd>,
    asleep: AtomicBool,
}

impl Default for Sleeper {
    fn default() -> Self {
        Self::new()
    }
}

impl Sleeper {
    pub fn new() -> Sleeper {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Sleeper { event: EventFd::from_value_and_flags(0, flags).ok(), asleep: AtomicBool::new(false) }
    }

    /// Wakes the worker if it sleeps or is about to. A system call only then.
    pub fn wake(&self) {
        if self.asleep.swap(false, SeqCst)
            && let Some(event) = &self.event
        {
            // Fails only when the counter is full, and then the worker is awake.
            let _ = event.write(1);
        }
    }

    /// Sleeps until a port is readable, `wake`, or the time is up; not at all when `has_work` after falling asleep.
    pub fn sleep(&self, polls: &[Poll], has_work: impl Fn() -> bool) {
        let Some(event) = &self.event else {
            std::thread::sleep(std::time::Duration::from_millis(BLIND_SLEEP_MS));
            return;
        };
        self.asleep.store(true, SeqCst);
        if !has_work() {
            let mut fds = vec![PollFd::new(event.as_fd(), PollFlags::POLLIN)];
            for fd in polls.iter().filter_map(|p| p.port.device.poll_fd()) {
                // SAFETY: the plan holds the port and with it the descriptor while this borrow lives.
                fds.push(PollFd::new(unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) }, PollFlags::POLLIN));
            }
            // An interrupted sleep is a short one.
            let _ = nix::poll::poll(&mut fds, PollTimeout::from(SLEEP_MAX_MS));
        }
        self.asleep.store(false, SeqCst);
        // Empty already when nobody called.
        let _ = event.read();
    }
}
