//! The options of ovs-ofctl.

use daemon::getopt::{self, Arg, Opt, Order};
use daemon::options::{DAEMON, DaemonOptions, HELP, TLS, VLOG, apply_vlog, table};
use daemon::program::{fatal, version_text};
use openflow::text::Protocols;
use openflow::{Version, VersionSet};

const OWN: &[Opt] = &[
    Opt::both("timeout", 't', Arg::Required),
    Opt::long("strict", Arg::None),
    Opt::long("read-only", Arg::None),
    Opt::long("readd", Arg::None),
    Opt::both("flow-format", 'F', Arg::Required),
    Opt::both("packet-in-format", 'P', Arg::Required),
    Opt::both("more", 'm', Arg::None),
    Opt::long("timestamp", Arg::None),
    Opt::long("sort", Arg::Optional),
    Opt::long("rsort", Arg::Optional),
    Opt::long("names", Arg::None),
    Opt::long("no-names", Arg::None),
    Opt::long("stats", Arg::None),
    Opt::long("no-stats", Arg::None),
    Opt::long("bundle", Arg::None),
    Opt::long("color", Arg::Optional),
    Opt::long("may-create", Arg::None),
    Opt::both("protocols", 'O', Arg::Required),
];

/// A field to sort flows by, and the direction.
#[derive(Clone, Debug)]
pub struct SortKey {
    /// `None` = priority.
    pub field: Option<openflow::matching::Field>,
    pub ascending: bool,
}

/// What was asked for.
pub struct Options {
    pub args: Vec<String>,
    pub strict: bool,
    pub readd: bool,
    pub bundle: bool,
    pub may_create: bool,
    pub timestamp: bool,
    pub verbosity: u8,
    /// `None`: not said.
    pub names: Option<bool>,
    pub stats: bool,
    pub sort: Vec<SortKey>,
    pub versions: VersionSet,
    pub formats: Protocols,
    pub packet_in_format: Option<openflow::msg::PacketInFormat>,
    pub daemon: DaemonOptions,
}

impl Options {
    /// The protocols that -O and -F allow.
    pub fn allowed(&self) -> Protocols {
        self.versions.iter().fold(Protocols::empty(), |all, v| all | Protocols::of(v)) & self.formats
    }
}

/// Parses the command line; ends the program on errors, --help and --version.
pub fn parse(args: &[String]) -> Options {
    let opts = table(&[OWN, DAEMON, TLS, VLOG, HELP]);
    let parsed = getopt::parse(args, &opts, Order::Permute).unwrap_or_else(|e| {
        eprintln!("ovs-ofctl: {e}");
        std::process::exit(1)
    });
    let mut o = Options {
        args: parsed.rest,
        strict: false,
        readd: false,
        bundle: false,
        may_create: false,
        timestamp: false,
        verbosity: 0,
        names: None,
        stats: true,
        sort: Vec::new(),
        versions: VersionSet::of(Version::V1_0),
        formats: Protocols::ANY,
        packet_in_format: None,
        daemon: DaemonOptions::default(),
    };
    for (name, value) in parsed.options {
        apply(&mut o, name, value.as_deref()).unwrap_or_else(|e| fatal(e));
    }
    // Bundles are newer than what is spoken by default.
    if o.bundle {
        for v in [Version::V1_4, Version::V1_5] {
            o.versions.insert(v);
        }
    }
    o
}

fn apply(o: &mut Options, name: &str, value: Option<&str>) -> Result<(), String> {
    let text = value.unwrap_or_default();
    match name {
        "timeout" => {
            let seconds: u32 = text
                .parse()
                .ok()
                .filter(|&s| s > 0)
                .ok_or_else(|| format!("value {text} on -t or --timeout is invalid"))?;
            alarm(seconds);
        }
        "strict" => o.strict = true,
        "readd" => o.readd = true,
        "bundle" => o.bundle = true,
        "may-create" => o.may_create = true,
        "timestamp" => o.timestamp = true,
        "more" => o.verbosity += 1,
        "names" => o.names = Some(true),
        "no-names" => o.names = Some(false),
        "stats" => o.stats = true,
        "no-stats" => o.stats = false,
        "read-only" | "color" => {}
        "sort" | "rsort" => o.sort.push(sort_key(value, name == "sort")?),
        "flow-format" => {
            o.formats = Protocols::parse(text).ok_or_else(|| format!("unknown flow format(s) \"{text}\""))?
        }
        "packet-in-format" => {
            o.packet_in_format = Some(match text {
                "standard" | "openflow10" => openflow::msg::PacketInFormat::Standard,
                "nxt_packet_in" | "nxm" => openflow::msg::PacketInFormat::Nxt,
                "nxt_packet_in2" => openflow::msg::PacketInFormat::Nxt2,
                _ => return Err(format!("unknown packet-in format \"{text}\"")),
            })
        }
        "protocols" => {
            let mut set = VersionSet::NONE;
            for name in text.split([',', ' ', '\t']).filter(|s| !s.is_empty()) {
                set.insert(
                    Version::from_name(name)
                        .ok_or_else(|| format!("{name}: not a valid OpenFlow version"))?,
                );
            }
            o.versions = set;
        }
        "help" => {
            print!("{}", super::usage::text());
            std::process::exit(0);
        }
        "version" => {
            println!("{}\nOpenFlow versions 0x1:0x6", version_text().trim_end());
            std::process::exit(0);
        }
        _ => {
            let _ = apply_vlog(name, value)? || o.daemon.apply(name, value)?;
        }
    }
    Ok(())
}

fn sort_key(value: Option<&str>, ascending: bool) -> Result<SortKey, String> {
    let field = match value {
        None => return Ok(SortKey { field: None, ascending }),
        Some(v) if v.eq_ignore_ascii_case("priority") => None,
        Some(v) => {
            Some(openflow::matching::Field::from_name(v).ok_or_else(|| format!("{v}: unknown field name"))?)
        }
    };
    Ok(SortKey { field, ascending })
}

/// Ends the program with SIGALRM after so many seconds.
fn alarm(seconds: u32) {
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(seconds.into()));
        eprintln!("ovs-ofctl: terminating with signal 14 (Alarm clock)");
        std::process::exit(142);
    });
}
