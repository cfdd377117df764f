//! A bell: threads ring it, one thread waits for it with a time limit. Rings while nobody waits are kept as one.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

#[derive(Default)]
pub struct Wake {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Wake {
    pub fn wake(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(|e| e.into_inner());
        if !std::mem::replace(&mut *rung, true) {
            self.bell.notify_all();
        }
    }

    /// Waits for a ring, or `limit`; true when it rang.
    pub fn wait(&self, limit: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(|e| e.into_inner());
        let (mut rung, _) =
            self.bell.wait_timeout_while(rung, limit, |rung| !*rung).unwrap_or_else(|e| e.into_inner());
        std::mem::take(&mut *rung)
    }
}
