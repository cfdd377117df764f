//! The grammar of `-v` and `vlog/set`: words for a module, a destination and a level, or
//! `PATTERN:DESTINATION:pattern`, or `FACILITY:name`.

use super::modules::{self, Destination, Level};
use super::sink;

/// Applies a specification. `Err` is OVS's text; nothing is changed then.
pub fn set(spec: &str) -> Result<(), String> {
    let keyword = |name: &str| {
        let head = spec.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| &spec[name.len()..])
    };
    if let Some(rest) = keyword("PATTERN:") {
        return set_pattern(rest);
    }
    if let Some(name) = keyword("FACILITY:") {
        return sink::set_facility(name);
    }
    let (mut module, mut level, mut destination) = (None, None, None);
    for word in spec.split([' ', ',', ':', '\t']).filter(|word| !word.is_empty()) {
        if word.eq_ignore_ascii_case("ANY") {
            continue;
        } else if let Some(found) = Destination::from_name(word) {
            once(&mut destination, found, "destination")?;
        } else if let Some(found) = Level::from_name(word) {
            once(&mut level, found, "level")?;
        } else if let Some(found) = modules::find(word) {
            once(&mut module, found, "module")?;
        } else {
            return Err(format!("no destination, level, or module \"{word}\""));
        }
    }
    super::set_levels(module.as_deref(), destination, level.unwrap_or(Level::Dbg));
    Ok(())
}

fn once<T>(slot: &mut Option<T>, value: T, what: &str) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("cannot specify multiple {what}s")),
    }
}

/// `DESTINATION:pattern`, after `PATTERN:`.
fn set_pattern(rest: &str) -> Result<(), String> {
    let (name, pattern) = rest.split_once(':').unwrap_or((rest, ""));
    if name.is_empty() {
        return Err("missing destination".to_owned());
    }
    let destinations = match Destination::from_name(name) {
        Some(destination) => vec![destination],
        None if name.eq_ignore_ascii_case("ANY") => Destination::ALL.to_vec(),
        None => return Err(format!("unknown destination \"{name}\"")),
    };
    if pattern.is_empty() {
        return Err("missing pattern".to_owned());
    }
    for destination in destinations {
        sink::set_pattern(destination, pattern);
    }
    Ok(())
}
