//! `vswitch SUBCOMMAND`: what Open vSwitch has no tool for. Each subcommand is one module; this one only picks it.

mod demo;
mod doctor;
mod drops;
mod stats;
mod target;
mod top;

use std::process::ExitCode;

/// The schema that a new database is made with.
const SCHEMA: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vswitchd/vswitch.ovsschema"));

/// A subcommand's way of failing: the text for the operator.
type Outcome = Result<(), String>;

struct Subcommand {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Outcome,
}

const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "demo",
        usage: "[--keep] [--seconds N] [--bin DIR] | --stop DIR",
        about: "start a switch with guests and namespaces beside any other, show what it does, clean up",
        run: demo::run,
    },
    Subcommand {
        name: "doctor",
        usage: "",
        about: "say what this machine lacks for a polling switch, and the command that mends it",
        run: doctor::run,
    },
    Subcommand {
        name: "top",
        usage: "[-t TARGET] [-n TURNS]",
        about: "every second: packets, cycles per packet and cache hits of each polling thread and port",
        run: top::run,
    },
    Subcommand {
        name: "drops",
        usage: "[-t TARGET] [-n TURNS]",
        about: "where packets were lost: by reason and by port, in all and per second",
        run: drops::run,
    },
];

fn help() -> String {
    let mut text = "usage: vswitch SUBCOMMAND [OPTION...]\n\n".to_string();
    for s in SUBCOMMANDS {
        text += &format!("  vswitch {} {}\n      {}\n", s.name, s.usage, s.about);
    }
    text + "\nTARGET is ovs-vswitchd's control socket or its name in $OVS_RUNDIR.\n"
}

/// Runs `vswitch` with the arguments after the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    daemon::program::set_name("vswitch");
    let outcome = match args.first().map(String::as_str) {
        None | Some("help" | "-h" | "--help") => {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        Some("-V" | "--version") => {
            print!("{}", daemon::program::version_text());
            return ExitCode::SUCCESS;
        }
        Some(name) => match SUBCOMMANDS.iter().find(|s| s.name == name) {
            Some(s) => (s.run)(&args[1..]),
            None => Err(format!("unknown subcommand '{name}'; see vswitch --help")),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("vswitch: {text}");
            ExitCode::FAILURE
        }
    }
}
