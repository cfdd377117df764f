//! `vswitch SUBCOMMAND`: what Open vSwitch has no tool for. Each subcommand is one module with its options; this one only
//! picks it.

mod demo;
mod doctor;
mod drops;
mod stats;
mod target;
mod top;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The schema that a new database is made with.
const SCHEMA: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vswitchd/vswitch.ovsschema"));

#[derive(Parser)]
#[command(name = "vswitch", about = "What Open vSwitch has no tool for", disable_version_flag = true)]
struct Cli {
    /// Print the version and exit
    #[arg(short = 'V', long)]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Start a switch with guests and namespaces beside any other, show what it does, clean up
    Demo(demo::Options),
    /// Say what this machine lacks for a polling switch, and the command that mends it
    Doctor,
    /// Every second: packets, cycles per packet and cache hits of each polling thread and port
    Top(target::Options),
    /// Where packets were lost: by reason and by port, in all and per second
    Drops(target::Options),
}

/// Runs `vswitch` with the arguments after the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    daemon::program::set_name("vswitch");
    let cli = Cli::parse_from(std::iter::once("vswitch".to_owned()).chain(args));
    if !matches!(cli.command, Some(Command::Demo(_))) {
        // The demo cleans up before it ends, also when nobody listens any more.
        daemon::program::die_by_sigpipe();
    }
    if cli.version {
        print!("{}", daemon::program::version_text());
        return ExitCode::SUCCESS;
    }
    let outcome = match cli.command {
        None => {
            use clap::CommandFactory;
            Cli::command().print_help().map_err(|e| e.to_string())
        }
        Some(Command::Demo(options)) => demo::run(options),
        Some(Command::Doctor) => doctor::run(),
        Some(Command::Top(options)) => top::run(&options),
        Some(Command::Drops(options)) => drops::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("vswitch: {text}");
            ExitCode::FAILURE
        }
    }
}
