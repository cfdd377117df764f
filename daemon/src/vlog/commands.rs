//! The unixctl commands `vlog/*`, with OVS's texts.

use std::fmt::Write as _;

use transport::unixctl::Registry;

use super::modules::{self, Destination};
use super::{sink, spec};

/// Adds `vlog/*`.
pub fn register(registry: &Registry) {
    registry.add("vlog/set", "{spec | PATTERN:destination:pattern}", 1..=usize::MAX, |args| {
        for arg in args {
            spec::set(arg)?;
        }
        Ok(String::new())
    });
    registry.add("vlog/list", "", 0..=0, |_| Ok(list()));
    registry.add("vlog/list-pattern", "", 0..=0, |_| Ok(list_pattern()));
    registry.add("vlog/reopen", "", 0..=0, |_| sink::reopen_log_file().map(|()| String::new()));
    registry.add("vlog/close", "", 0..=0, |_| {
        sink::close_log_file();
        Ok(String::new())
    });
    registry.add("vlog/enable-rate-limit", "[module]...", 0..=usize::MAX, |args| rate_limit(args, true));
    registry.add("vlog/disable-rate-limit", "[module]...", 0..=usize::MAX, |args| rate_limit(args, false));
}

fn list() -> String {
    let mut text = String::from(
        "                 console    syslog    file\n                 -------    ------    ------\n",
    );
    for (name, module) in modules::all() {
        let level = |destination: Destination| module.levels[destination as usize].name();
        let _ = write!(
            text,
            "{name:<16}  {:>4}       {:>4}       {:>4}",
            level(Destination::Console),
            level(Destination::Syslog),
            level(Destination::File),
        );
        text.push_str(if module.rate_limited { "\n" } else { "    (rate limiting disabled)\n" });
    }
    text
}

fn list_pattern() -> String {
    let mut text = String::from(
        "         prefix                            format\n         ------                            ------\n",
    );
    for (destination, prefix, pattern) in sink::patterns() {
        let _ = writeln!(text, "{:<9}{prefix:<34}{pattern}", destination.name());
    }
    text
}

fn rate_limit(args: &[String], on: bool) -> Result<String, String> {
    if args.is_empty() {
        modules::set_rate_limited(None, on);
    }
    for arg in args {
        if arg.eq_ignore_ascii_case("any") {
            modules::set_rate_limited(None, on);
            continue;
        }
        match modules::find(arg) {
            Some(name) => modules::set_rate_limited(Some(&name), on),
            None => return Err(format!("unknown module \"{arg}\"")),
        }
    }
    Ok(String::new())
}
