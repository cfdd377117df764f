//! ovsdb-tool: commands on database files and schema files, without a server.

mod files;
mod log;
mod run;
mod version;

use std::path::PathBuf;

/// What the command line says beside the command.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub default_db: PathBuf,
    pub default_schema: PathBuf,
    /// Role for `query` and `transact`.
    pub rbac_role: String,
    /// How often `-m` was given.
    pub more: u32,
}

/// A sentence to print before exiting with status 1.
pub type Failure = String;

type Run = fn(&Options, &[String]) -> Result<i32, Failure>;

struct Command {
    name: &'static str,
    usage: &'static str,
    min: usize,
    max: usize,
    run: Run,
}

const fn command(name: &'static str, usage: &'static str, min: usize, max: usize, run: Run) -> Command {
    Command { name, usage, min, max, run }
}

const COMMANDS: [Command; 25] = [
    command("create", "[db [schema]]", 0, 2, files::create),
    command("create-cluster", "db contents local", 3, 3, files::no_cluster),
    command("join-cluster", "db name local remote...", 4, usize::MAX, files::no_cluster),
    command("compact", "[db [dst]]", 0, 2, files::compact),
    command("convert", "[db [schema [dst]]]", 0, 3, files::convert),
    command("needs-conversion", "", 0, 2, files::needs_conversion),
    command("db-name", "[db]", 0, 1, |o, a| files::db_member(o, a, |s| &s.name)),
    command("db-version", "[db]", 0, 1, |o, a| files::db_member(o, a, |s| &s.version)),
    command("db-cksum", "[db]", 0, 1, |o, a| files::db_member(o, a, |s| &s.cksum)),
    command("db-cid", "db", 1, 1, files::not_clustered),
    command("db-sid", "db", 1, 1, files::not_clustered),
    command("db-local-address", "db", 1, 1, files::not_clustered),
    command("db-is-clustered", "db", 1, 1, |_, a| files::is_kind(a, b"OVSDB CLUSTER ")),
    command("db-is-standalone", "db", 1, 1, |_, a| files::is_kind(a, b"OVSDB JSON ")),
    command("schema-name", "[schema]", 0, 1, |o, a| files::schema_member(o, a, |s| &s.name)),
    command("schema-version", "[schema]", 0, 1, |o, a| files::schema_member(o, a, |s| &s.version)),
    command("schema-cksum", "[schema]", 0, 1, |o, a| files::schema_member(o, a, |s| &s.cksum)),
    command("query", "[db] trns", 1, 2, run::query),
    command("transact", "[db] trns", 1, 2, run::transact),
    command("show-log", "[db]", 0, 1, log::show),
    command("check-cluster", "db...", 1, usize::MAX, files::not_clustered),
    command("compare-versions", "a op b", 3, 3, version::compare),
    command("help", "", 0, 0, list),
    command("list-commands", "", 0, 0, list),
    command("cluster-to-standalone", "db clusterdb", 2, 2, files::no_cluster),
];

fn list(_: &Options, _: &[String]) -> Result<i32, Failure> {
    println!("The available commands are:");
    for c in &COMMANDS {
        println!("  {:<23} {}", c.name, c.usage);
    }
    Ok(0)
}

/// Runs the command `words` and gives the exit status.
///
/// # Errors
/// The sentence to print before exiting with status 1.
pub fn run(words: &[String], options: &Options) -> Result<i32, Failure> {
    let Some((name, args)) = words.split_first() else {
        return Err("missing command name; use --help for help".into());
    };
    let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
        return Err(format!("unknown command '{name}'; use --help for help"));
    };
    if args.len() < command.min {
        return Err(format!("'{name}' command requires at least {} arguments", command.min));
    }
    if args.len() > command.max {
        return Err(format!("'{name}' command takes at most {} arguments", command.max));
    }
    (command.run)(options, args)
}

impl Options {
    fn db(&self, args: &[String], at: usize) -> PathBuf {
        args.get(at).map_or_else(|| self.default_db.clone(), PathBuf::from)
    }

    fn schema(&self, args: &[String], at: usize) -> PathBuf {
        args.get(at).map_or_else(|| self.default_schema.clone(), PathBuf::from)
    }
}
