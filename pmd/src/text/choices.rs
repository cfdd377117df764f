//! The commands that choose between implementations of lookup, parser, datapath interface and actions. There is one of each
//! here, picked by the processor; scripts that choose get their answers and find their choice again, and that is all it does.

use std::collections::BTreeMap;

use crate::Datapath;

/// Names that may be chosen.
const LOOKUPS: [&str; 2] = ["autovalidator", "generic"];
const PARSERS: [&str; 3] = ["autovalidator", "scalar", "study"];
const INTERFACE: &str = "dpif_scalar";
const ACTIONS: [&str; 2] = ["scalar", "autovalidator"];
/// Packets that the parser "study" looks at.
const STUDY_PACKETS: u32 = 128;

/// What was chosen.
pub(crate) struct Choices {
    /// Priority of each lookup.
    lookups: [u8; LOOKUPS.len()],
    /// Parser of PMD threads that have another than `parser`.
    parsers: BTreeMap<u32, &'static str>,
    parser: &'static str,
    actions: &'static str,
}

impl Default for Choices {
    fn default() -> Self {
        Choices { lookups: [0, 1], parsers: BTreeMap::new(), parser: "scalar", actions: "scalar" }
    }
}

fn with<R>(datapath: &Datapath, f: impl FnOnce(&mut Choices) -> R) -> R {
    f(&mut datapath.0.choices.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn cores(datapath: &Datapath) -> Vec<u32> {
    datapath.0.workers().iter().filter(|w| !w.is_main()).map(|w| w.core).collect()
}

fn list(cores: impl Iterator<Item = u32>) -> String {
    let cores: Vec<String> = cores.map(|c| c.to_string()).collect();
    if cores.is_empty() { "none".to_owned() } else { cores.join(",") }
}

pub(super) fn lookup_show(datapath: &Datapath, _: &[String]) -> Result<String, String> {
    let priorities = with(datapath, |c| c.lookups);
    let lines = LOOKUPS.iter().zip(priorities).map(|(name, priority)| {
        let uses = u8::from(*name == "generic");
        format!("  {name} (Use count: {uses}, Priority: {priority})\n")
    });
    Ok("Available dpcls implementations:\n".to_owned() + &lines.collect::<String>())
}

pub(super) fn lookup_set(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let priority =
        args[1].parse::<u8>().map_err(|_| "error converting priority, use integer in range 0-255")?;
    let at = LOOKUPS.iter().position(|n| *n == args[0]).ok_or("error, subtable lookup function not found")?;
    with(datapath, |c| c.lookups[at] = priority);
    Ok("Lookup priority change affected 0 dpcls ports and 0 subtables.\n".to_owned())
}

pub(super) fn parser_show(datapath: &Datapath, _: &[String]) -> Result<String, String> {
    let cores = cores(datapath);
    Ok(with(datapath, |c| {
        let lines = PARSERS.iter().map(|name| {
            let has = |core: &u32| c.parsers.get(core).copied().unwrap_or(c.parser) == *name;
            format!("  {name} (available: True pmds: {})\n", list(cores.iter().copied().filter(has)))
        });
        "Available MFEX implementations:\n".to_owned() + &lines.collect::<String>()
    }))
}

pub(super) fn parser_set(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let (core, rest) = match args {
        [flag, core, rest @ ..] if flag == "-pmd" => {
            let bad = || {
                format!("Error: miniflow extract parser not changed, PMD thread passed is not valid: {core}.")
            };
            (Some(core.parse::<u32>().map_err(|_| bad())?), rest)
        }
        rest => (None, rest),
    };
    let name = rest.first().ok_or("Error: no miniflow extract name provided.")?;
    let known = PARSERS.iter().find(|p| *p == name);
    let known = known.ok_or_else(|| format!("Error: unknown miniflow extract implementation {name}."))?;
    if let Some(core) = core.filter(|core| !cores(datapath).contains(core)) {
        return Err(format!(
            "Error: miniflow extract parser not changed, PMD thread {core} not in use, pass a valid pmd thread ID."
        ));
    }
    let study = match rest.get(1) {
        None => STUDY_PACKETS,
        Some(n) => n.parse().map_err(|_| format!("Error: invalid study_pkt_cnt value: {n}."))?,
    };
    with(datapath, |c| match core {
        Some(core) => drop(c.parsers.insert(core, known)),
        None => {
            c.parsers.clear();
            c.parser = known;
        }
    });
    let on = core.map_or_else(String::new, |core| format!(", on pmd thread {core}"));
    let studying = if *known == "study" { format!(", studying {study} packets") } else { String::new() };
    Ok(format!("Miniflow extract implementation set to {name}{on}{studying}.\n"))
}

pub(super) fn interface_show(datapath: &Datapath, _: &[String]) -> Result<String, String> {
    let pmds = list(cores(datapath).into_iter());
    Ok(format!("Available DPIF implementations:\n  {INTERFACE} (pmds: {pmds})\n"))
}

pub(super) fn interface_set(_: &Datapath, args: &[String]) -> Result<String, String> {
    match args[0].as_str() {
        INTERFACE => Ok(format!("DPIF implementation set to {INTERFACE}.\n")),
        name => Err(format!("DPIF implementation not available: Unknown DPIF implementation {name}.")),
    }
}

pub(super) fn actions_show(datapath: &Datapath, _: &[String]) -> Result<String, String> {
    let chosen = with(datapath, |c| c.actions);
    let lines = ACTIONS.iter().map(|name| {
        let active = if *name == chosen { "Yes" } else { "No" };
        format!("  {name} (available: Yes, active: {active})\n")
    });
    Ok("Available Actions implementations:\n".to_owned() + &lines.collect::<String>())
}

pub(super) fn actions_set(datapath: &Datapath, args: &[String]) -> Result<String, String> {
    let known = ACTIONS.iter().find(|n| **n == args[0]);
    let known =
        known.ok_or_else(|| format!("Error: unknown action implementation, {}, specified!", args[0]))?;
    with(datapath, |c| c.actions = known);
    Ok(format!("Action implementation set to {known}.\n"))
}
