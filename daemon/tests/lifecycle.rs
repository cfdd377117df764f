//! The sleeper daemon as a real process: detach, pidfile, control socket, monitor, exit.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use transport::unixctl::Client;

/// The example, which cargo builds beside the tests.
fn sleeper() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/sleeper")
}

fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(sleeper()).args(args).env("OVS_RUNDIR", dir).env("OVS_LOGDIR", dir).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn pid(dir: &Path) -> Option<i32> {
    std::fs::read_to_string(dir.join("sleeper.pid")).ok()?.trim_end().parse().ok()
}

fn ask(dir: &Path, command: &str) -> Result<String, String> {
    let path = dir.join(format!("sleeper.{}.ctl", pid(dir).unwrap()));
    Client::connect(&path).unwrap().transact(command, &[]).map_err(|e| e.to_string())?
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < end, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn detaches_answers_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let args = ["--detach", "--pidfile", "--log-file", "--no-chdir"];
    let started = run(dir, &args);
    assert!(started.status.success(), "{}", stderr(&started));
    let first = pid(dir).unwrap();
    let comm = std::fs::read_to_string(format!("/proc/{first}/comm")).unwrap();
    assert_eq!(comm, "sleeper\n");

    assert!(ask(dir, "version").unwrap().starts_with("sleeper (Open vSwitch) 3.1.0\n"));
    assert!(ask(dir, "list-commands").unwrap().contains("\n  vlog/reopen             \n"));
    assert_eq!(ask(dir, "nonsense").unwrap_err().split_whitespace().next(), Some("\"nonsense\""));
    assert!(ask(dir, "coverage/show").unwrap().contains("sleeper_started"));
    std::fs::rename(dir.join("sleeper.log"), dir.join("old.log")).unwrap();
    ask(dir, "vlog/reopen").unwrap();
    let log = std::fs::read_to_string(dir.join("sleeper.log")).unwrap();
    assert!(log.contains("|vlog|INFO|opened log file "), "{log}");

    let again = run(dir, &args);
    let path = dir.join("sleeper.pid");
    assert_eq!(again.status.code(), Some(1));
    let text = format!("{}: already running as pid {first}, aborting\n", path.display());
    assert!(stderr(&again).ends_with(&text), "{}", stderr(&again));

    ask(dir, "exit").unwrap();
    until("the pidfile is gone", || !path.exists());
    until("the socket is gone", || !dir.join(format!("sleeper.{first}.ctl")).exists());
}

#[test]
fn a_child_that_fails_to_start_fails_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["--detach", "--monitor", "--pidfile", "fail"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), format!("{}: told to fail\n", "sleeper"));
    assert_eq!(pid(dir.path()), None);
}

#[test]
fn the_monitor_restarts_a_crash_and_follows_an_exit() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let started = run(dir, &["--detach", "--monitor", "--pidfile", "--log-file"]);
    assert!(started.status.success(), "{}", stderr(&started));
    let first = pid(dir).unwrap();
    let monitor = parent_of(first);
    assert!(ask(dir, "abort").is_err());
    until("another daemon runs", || pid(dir).is_some_and(|pid| pid != first));
    let second = pid(dir).unwrap();
    assert_eq!(parent_of(second), monitor);
    until("it answers", || {
        let path = dir.join(format!("sleeper.{second}.ctl"));
        Client::connect(&path).is_ok_and(|mut c| c.transact("exit", &[]).is_ok())
    });
    until("the monitor is gone", || !Path::new(&format!("/proc/{monitor}")).exists());
    let log = std::fs::read_to_string(dir.join("sleeper.log")).unwrap();
    assert!(log.contains("|daemon|ERR|1 crashes: pid "), "{log}");
}

fn parent_of(pid: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    line.trim().parse().unwrap()
}
