//! Reading `key=value` options as OVS does: unknown keys are ignored, unreadable values mean the default.

use std::collections::BTreeMap;

pub type Map = BTreeMap<String, String>;

/// "true" or "false", in any case; anything else is the default.
pub fn flag(map: &Map, key: &str, default: bool) -> bool {
    match map.get(key) {
        Some(v) if default => !v.eq_ignore_ascii_case("false"),
        Some(v) => v.eq_ignore_ascii_case("true"),
        None => default,
    }
}

/// A decimal number; the default when missing or not one.
pub fn number<T: std::str::FromStr>(map: &Map, key: &str, default: T) -> T {
    map.get(key).and_then(|v| v.trim().parse().ok()).unwrap_or(default)
}
