//! `--timeout=SECS` of the tools: the process dies of SIGALRM, as scripts that look at the exit
//! status expect, after saying so.

use std::time::Duration;

/// Dies in `seconds`. 0: never.
pub fn set(seconds: u64) {
    if seconds == 0 {
        return;
    }
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds));
        tracing::warn!(target: "fatal_signal", "terminating with signal 14 (Alarm clock)");
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGALRM);
        std::process::exit(142);
    });
}

/// The timeout of `$OVS_CTL_TIMEOUT`, in seconds.
pub fn from_env() -> Option<u64> {
    std::env::var("OVS_CTL_TIMEOUT").ok()?.parse().ok()
}
