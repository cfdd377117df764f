//! After the commit: the wait for ovs-vswitchd, and what it said about the new ports.

use std::time::{Duration, Instant};

use daemon::{dirs, pidfile, program};
use ovsdb::client::{Client, Replica};

/// When a wait is explained, if no daemon is seen and if one is.
const HINT_ABSENT: Duration = Duration::from_secs(1);
const HINT_PRESENT: Duration = Duration::from_secs(10);

/// Waits until ovs-vswitchd has applied configuration `next_cfg`. `Err`: the connection is lost.
pub(super) async fn wait_for_reload(client: &mut Client, next_cfg: i64) -> Result<(), String> {
    let start = Instant::now();
    let mut hinted = false;
    loop {
        if is_applied(client.ready().await?, next_cfg) {
            return Ok(());
        }
        let hint = tokio::time::sleep_until((start + HINT_ABSENT).into());
        if hinted {
            client.next().await;
            continue;
        }
        tokio::select! {
            _ = client.next() => {}
            () = hint => {
                hinted = explain(start);
                if !hinted {
                    // A daemon runs; it may be busy.
                    let _ = tokio::time::timeout(Duration::from_millis(500), client.next()).await;
                }
            }
        }
    }
}

fn is_applied(replica: &Replica, next_cfg: i64) -> bool {
    let cur_cfg = replica.first("Open_vSwitch").and_then(|row| row.integer("cur_cfg"));
    cur_cfg.is_some_and(|cur_cfg| cur_cfg >= next_cfg)
}

/// Prints one line about the wait when it is time to; says whether it did.
fn explain(start: Instant) -> bool {
    let advice = "(--no-wait skips the wait, --timeout=SECS bounds it)";
    match pidfile::read(&dirs::in_rundir("ovs-vswitchd.pid")) {
        Ok(_) if start.elapsed() < HINT_PRESENT => return false,
        Ok(pid) => eprintln!(
            "{}: still waiting for ovs-vswitchd (pid {pid}) to apply the change {advice}",
            program::name()
        ),
        Err(_) => eprintln!(
            "{}: waiting for ovs-vswitchd to apply the change, but none seems to run {advice}",
            program::name()
        ),
    }
    true
}

/// Reports the interfaces of `names` that ovs-vswitchd could not set up.
pub(super) fn check(replica: &Replica, names: &[String]) {
    let mut failed = false;
    for name in names {
        let Some(iface) = replica.find("Interface", "name", name) else { continue };
        if iface.integer("ofport").is_some_and(|ofport| ofport != -1) {
            continue;
        }
        let reason = iface.str("error").map(|error| format!(": {error}")).unwrap_or_default();
        eprintln!(
            "{}: Error detected while setting up '{name}'{reason}.  See ovs-vswitchd log for details.",
            program::name()
        );
        failed = true;
    }
    if failed {
        let logdir = dirs::logdir();
        eprintln!("{}: The default log directory is \"{}\".", program::name(), logdir.display());
    }
}
