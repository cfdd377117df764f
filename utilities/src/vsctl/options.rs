//! The global options, and the options of the first command, which may stand among them.

use daemon::getopt::{self, Arg, Opt, Order};
use daemon::{alarm, dirs, options, program};
use ovsdb::table::{Format, Style};
use transport::tls;

use super::{help, syntax};

const OWN: &[Opt] = &[
    Opt::long("db", Arg::Required),
    Opt::long("no-syslog", Arg::None),
    Opt::long("no-wait", Arg::None),
    Opt::long("dry-run", Arg::None),
    Opt::long("oneline", Arg::None),
    Opt::both("timeout", 't', Arg::Required),
    Opt::long("retry", Arg::None),
    Opt::long("commands", Arg::None),
    Opt::long("options", Arg::None),
    Opt::long("leader-only", Arg::None),
    Opt::long("no-leader-only", Arg::None),
    Opt::long("shuffle-remotes", Arg::None),
    Opt::long("no-shuffle-remotes", Arg::None),
];

const TABLE: &[Opt] = &[
    Opt::both("format", 'f', Arg::Required),
    Opt::both("data", 'd', Arg::Required),
    Opt::long("no-headings", Arg::None),
    Opt::long("pretty", Arg::None),
    Opt::long("bare", Arg::None),
    Opt::long("max-column-width", Arg::Required),
];

/// The version of the schema we were written for.
const SCHEMA_VERSION: &str = "8.3.1";

/// An option of a command: its name with the dashes, and its argument.
pub(super) type CommandOption = (String, Option<String>);

/// What the command line says, apart from the commands.
pub(super) struct Options {
    pub db: String,
    pub wait: bool,
    pub dry_run: bool,
    pub oneline: bool,
    pub retry: bool,
    pub timeout_s: u64,
    pub style: Style,
    tls: tls::Config,
    /// Options found before the first command that belong to it.
    pub first_command: Vec<CommandOption>,
    /// The commands.
    pub rest: Vec<String>,
}

/// Every option that stands before the first command.
fn table() -> Vec<Opt> {
    let global = options::table(&[OWN, options::HELP, options::VLOG, TABLE, options::TLS]);
    let mut all = global;
    for (name, arg) in syntax::options() {
        if !all.iter().any(|opt| opt.long == name) {
            all.push(Opt::long(name, arg));
        }
    }
    all
}

/// Parses the arguments; prints and exits where an option asks for it.
pub(super) fn parse(args: &[String]) -> Options {
    let parsed = getopt::parse(args, &table(), Order::StopAtFirst).unwrap_or_else(|e| program::bad_usage(e));
    let mut options = Options {
        db: dirs::default_db(),
        wait: true,
        dry_run: false,
        oneline: false,
        retry: false,
        timeout_s: alarm::from_env().unwrap_or(0),
        style: Style::new(Format::List),
        tls: tls::Config::default(),
        first_command: Vec::new(),
        rest: parsed.rest,
    };
    for (name, value) in &parsed.options {
        options.apply(name, value.as_deref()).unwrap_or_else(|e| program::fatal(e));
    }
    tls::configure(options.tls.clone());
    options
}

impl Options {
    fn apply(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let text = value.unwrap_or_default();
        match name {
            "db" => self.db = text.to_owned(),
            "no-syslog" => daemon::vlog::set("vsctl:syslog:warn")?,
            "no-wait" => self.wait = false,
            "dry-run" => self.dry_run = true,
            "oneline" => self.oneline = true,
            "retry" => self.retry = true,
            "timeout" => {
                self.timeout_s =
                    text.parse().map_err(|_| format!("value {text} on -t or --timeout is invalid"))?;
            }
            "commands" => print_and_exit(&syntax::completion()),
            "options" => {
                print_and_exit(&help::options(&[OWN, options::HELP, options::VLOG, TABLE, options::TLS]))
            }
            "help" => print_and_exit(&help::usage()),
            "version" => {
                let text = format!("{}DB Schema {SCHEMA_VERSION}\n", program::version_text());
                print_and_exit(&text);
            }
            "leader-only" | "no-leader-only" | "shuffle-remotes" | "no-shuffle-remotes" => {}
            _ if syntax::is_option(name) => {
                self.first_command.push((format!("--{name}"), value.map(str::to_owned)));
            }
            _ if options::apply_tls(&mut self.tls, name, value) => {}
            _ if options::apply_vlog(name, value)? => {}
            _ => {
                self.style.apply(name, value)?;
            }
        }
        Ok(())
    }
}

fn print_and_exit(text: &str) -> ! {
    print!("{text}");
    std::process::exit(0)
}
