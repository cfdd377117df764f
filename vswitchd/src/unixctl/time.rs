//! `time/stop` and `time/warp`: the daemon's clock by hand, for tests.

use std::sync::Arc;

use transport::unixctl::Registry;

use crate::bridge::switch::Switch;

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let clock = switch.clock.clone();
    registry.add("time/stop", "", 0..=0, move |_| {
        clock.stop();
        Ok(String::new())
    });
    let (clock, s) = (switch.clock.clone(), switch.clone());
    registry.add("time/warp", "[large_msecs] msecs", 1..=2, move |args| {
        let number = |text: &String| text.parse::<i64>().ok().filter(|n| *n > 0);
        let (Some(total_ms), Some(step_ms)) = (number(&args[0]), args.last().and_then(number)) else {
            return Err("invalid MSECS".into());
        };
        let mut left_ms = total_ms;
        while left_ms > 0 {
            let step = step_ms.min(left_ms);
            clock.warp(step);
            left_ms -= step;
            s.worlds().iter().for_each(|world| crate::protocol::runner::settle(world));
            s.worlds().iter().filter_map(|w| w.revalidator()).for_each(|r| r.kick());
            // Each step is seen by the timers before the next.
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Ok("warped".into())
    });
}
