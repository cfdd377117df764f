//! The thread that gives the machines their time. Every bridge of a datapath is run when its next deadline has come, when
//! a frame for a protocol arrived, and now and then for links that change by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::ofproto::World;

/// Runs are at most so far apart.
const INTERVAL_MS_MAX: i64 = 100;
/// And at least so far.
const INTERVAL_MS_MIN: i64 = 1;
/// Frames that go round between bridges at one moment.
const ROUNDS_MAX: usize = 64;

/// The thread; ended by `stop`.
pub struct Runner {
    world: Arc<World>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Runner {
    pub fn start(world: Arc<World>) -> std::io::Result<Runner> {
        let stop = Arc::new(AtomicBool::new(false));
        let (w, s) = (world.clone(), stop.clone());
        let thread = std::thread::Builder::new().name("monitor".into()).spawn(move || run(&w, &s))?;
        Ok(Runner { world, stop, thread: Some(thread) })
    }

    pub fn stop(mut self) {
        self.stop.store(true, Relaxed);
        self.world.protocol_wake.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(world: &World, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        let deadline_ms = run_once(world).deadline_ms;
        let wait_ms = deadline_ms.saturating_sub(world.clock.now_ms());
        // A stopped clock reaches no deadline by itself.
        let wait_ms = if world.clock.is_stopped() { INTERVAL_MS_MAX } else { wait_ms };
        let wait_ms = wait_ms.clamp(INTERVAL_MS_MIN, INTERVAL_MS_MAX);
        world.protocol_wake.wait(Duration::from_millis(wait_ms as u64));
    }
}

/// Runs all bridges once for this moment.
fn run_once(world: &World) -> super::engine::Ran {
    let now_ms = world.clock.now_ms();
    let mut all = super::engine::Ran { n_sent: 0, deadline_ms: super::NEVER };
    for bridge in world.bridges() {
        let ran = bridge.protocols.run(&bridge, now_ms);
        all.n_sent += ran.n_sent;
        all.deadline_ms = all.deadline_ms.min(ran.deadline_ms);
    }
    all
}

/// Runs all bridges until nothing more happens at this moment (`time/warp`, after a change of the configuration).
pub fn settle(world: &World) {
    for _ in 0..ROUNDS_MAX {
        if run_once(world).n_sent == 0 {
            break;
        }
    }
}
