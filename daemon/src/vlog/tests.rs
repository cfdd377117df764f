//! Patterns, specifications, rate limits, and one run through the whole chain into a file.

use std::time::{Duration, UNIX_EPOCH};

use super::limit::{Bucket, Verdict};
use super::pattern::{Line, expand};
use super::*;

#[test]
fn the_file_pattern_gives_ovs_lines() {
    let line = Line {
        number: 42,
        module: "bridge",
        level: Level::Warn,
        message: "hello",
        thread: "pmd-c01",
        facility: 3,
        now: UNIX_EPOCH + Duration::from_millis(1_704_164_645_678),
    };
    assert_eq!(
        expand("%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m", &line),
        "2024-01-02T03:04:05.678Z|00042|bridge(pmd-c01)|WARN|hello"
    );
    assert_eq!(expand("<%B>[%-6p][%6p]%%%t%", &line), "<28>[WARN  ][  WARN]%pmd-c01");
}

#[test]
fn specifications() {
    assert_eq!(set("foo"), Err("no destination, level, or module \"foo\"".into()));
    assert_eq!(set("file:info:dbg"), Err("cannot specify multiple levels".into()));
    assert_eq!(set("PATTERN:foo:bar"), Err("unknown destination \"foo\"".into()));
    assert_eq!(set("FACILITY:foo"), Err("invalid facility".into()));
    set("Raft:file:EMER").unwrap();
    assert_eq!(modules::lookup("raft").levels[2], Level::Emer);
    assert_eq!(modules::lookup("raft").levels[0], Level::Info);
    set("raft,any").unwrap();
    assert_eq!(modules::lookup("raft").levels, [Level::Dbg; 3]);
}

#[test]
fn targets_name_modules() {
    assert_eq!(modules::of_target("bridge"), "bridge");
    assert_eq!(modules::of_target("vswitchd::bridge::apply"), "bridge");
    assert_eq!(modules::of_target("vswitchd"), "vswitchd");
}

#[test]
fn rate_limits() {
    let mut bucket = Bucket::new(1, 0);
    for _ in 0..4 {
        assert_eq!(bucket.take(0), Verdict::Pass);
    }
    assert_eq!(bucket.take(1000), Verdict::Drop);
    assert_eq!(bucket.take(3000), Verdict::Drop);
    let note =
        "Dropped 2 log messages in last 60 seconds (most recently, 58 seconds ago) due to excessive rate";
    assert_eq!(bucket.take(61_000), Verdict::PassAfter(note.into()));
}

#[test]
fn events_reach_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    init(Level::Off);
    open_log_file(&path).unwrap();
    tracing::info!(target: "lacp", "one {}", 1);
    tracing::debug!(target: "lacp", "not yet");
    set("lacp:file:dbg").unwrap();
    tracing::debug!(target: "lacp", "two\nlines");
    for _ in 0..100 {
        tracing::warn!(target: "lacp", rl = 1, "often");
    }
    close_log_file();
    let text = std::fs::read_to_string(&path).unwrap();
    let tails: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("|lacp"))
        .map(|line| line.split('|').next_back().unwrap())
        .collect();
    assert_eq!(tails, ["one 1", "two", "lines", "often", "often", "often", "often"]);
}
