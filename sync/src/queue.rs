//! A bounded queue of commands from control threads to one worker. Senders never block: a full queue is refused and
//! counted, and the caller decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam::queue::ArrayQueue;

/// The queue had no room; the command comes back.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueFull<T>(pub T);

struct Shared<T> {
    queue: ArrayQueue<T>,
    n_refused: AtomicU64,
}

/// Any number of them, on any threads.
pub struct Sender<T>(Arc<Shared<T>>);

/// The worker's end.
pub struct Receiver<T>(Arc<Shared<T>>);

/// A queue of at most `capacity` commands (at least 1).
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared { queue: ArrayQueue::new(capacity.max(1)), n_refused: AtomicU64::new(0) });
    (Sender(shared.clone()), Receiver(shared))
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sender<T> {
    pub fn send(&self, command: T) -> Result<(), QueueFull<T>> {
        self.0.queue.push(command).map_err(|command| {
            self.0.n_refused.fetch_add(1, Relaxed);
            QueueFull(command)
        })
    }
    /// Commands that were refused so far.
    pub fn n_refused(&self) -> u64 {
        self.0.n_refused.load(Relaxed)
    }
    pub fn len(&self) -> usize {
        self.0.queue.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.queue.is_empty()
    }
}

impl<T> Receiver<T> {
    /// True when nothing waits; two relaxed loads, for the worker's turn.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.0.queue.is_empty()
    }
    pub fn receive(&self) -> Option<T> {
        self.0.queue.pop()
    }
    /// Takes at most `n_max` commands.
    pub fn drain(&self, n_max: usize) -> impl Iterator<Item = T> {
        (0..n_max).map_while(|_| self.0.queue.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_and_counts_when_full() {
        let (sender, receiver) = channel(2);
        assert_eq!((sender.send(1), sender.send(2), sender.send(3)), (Ok(()), Ok(()), Err(QueueFull(3))));
        assert_eq!((sender.n_refused(), sender.len()), (1, 2));
        assert_eq!(receiver.drain(8).collect::<Vec<_>>(), [1, 2]);
        assert!(receiver.is_empty() && receiver.receive().is_none());
    }

    #[test]
    fn every_command_arrives_once() {
        let (sender, receiver) = channel(64);
        std::thread::scope(|scope| {
            for thread in 0..3u32 {
                let sender = sender.clone();
                scope.spawn(move || {
                    for n in 0..1000 {
                        while sender.send(thread * 1000 + n).is_err() {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            let mut seen = vec![false; 3000];
            let mut n = 0;
            while n < 3000 {
                for command in receiver.drain(16) {
                    assert!(!std::mem::replace(&mut seen[command as usize], true));
                    n += 1;
                }
            }
        });
    }
}
