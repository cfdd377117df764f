//! How the demo shows itself: steps with a running clock, and a frame redrawn in place on a terminal.
//! Without a terminal everything is plain lines.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a step that takes long says so without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// How often the clock of a step moves on a terminal.
const TICK: Duration = Duration::from_millis(100);

/// The terminal, or the absence of one.
pub struct Stage {
    terminal: bool,
}

impl Stage {
    /// Standard output.
    pub fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal() }
    }

    /// Does `work` and shows that it is being done.
    pub fn step<T>(&self, what: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let (done, start) = (AtomicBool::new(false), Instant::now());
        self.say(what, None);
        let outcome = std::thread::scope(|scope| {
            let clock = scope.spawn(|| self.tick(what, start, &done));
            let outcome = work();
            done.store(true, Ordering::Release);
            clock.thread().unpark();
            outcome
        });
        let mark = if outcome.is_ok() { "done" } else { "FAILED" };
        let seconds = start.elapsed().as_secs_f64();
        if self.terminal {
            println!("\r\x1b[K* {what}: {mark} ({seconds:.1} s)");
        } else if outcome.is_err() || start.elapsed() > LINE_EVERY {
            println!("* {what}: {mark} ({seconds:.1} s)");
        }
        outcome
    }

    fn tick(&self, what: &str, start: Instant, done: &AtomicBool) {
        let every = if self.terminal { TICK } else { LINE_EVERY };
        loop {
            std::thread::park_timeout(every);
            if done.load(Ordering::Acquire) {
                return;
            }
            self.say(what, Some(start.elapsed()));
        }
    }

    fn say(&self, what: &str, since: Option<Duration>) {
        match (self.terminal, since) {
            (true, since) => print!("\r\x1b[K* {what} ... {:.1} s", since.unwrap_or_default().as_secs_f64()),
            (false, None) => println!("* {what}"),
            (false, Some(d)) => println!("  ... {:.0} s", d.as_secs_f64()),
        }
        let _ = std::io::stdout().flush();
    }

    /// A place for text that changes.
    pub fn frame(&self) -> Frame {
        Frame { terminal: self.terminal, height: 0 }
    }
}

/// Text that replaces itself on a terminal.
pub struct Frame {
    terminal: bool,
    height: usize,
}

impl Frame {
    /// Draws over what was drawn before.
    pub fn draw(&mut self, text: &str) {
        if self.terminal && self.height > 0 {
            print!("\x1b[{}A\x1b[J", self.height);
        }
        println!("{text}");
        self.height = text.lines().count();
        let _ = std::io::stdout().flush();
    }
}
