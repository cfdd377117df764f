//! ovsdb-client: one command against one server. The binary parses options and daemonises.

mod connection;
mod data;
mod lock;
mod monitor;
mod schema;
mod wait;

use serde_json::Value;

use self::connection::Connection;
use super::input::parse_argument;
use super::table::{Style, Table};

/// What the command line says beside the command.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub style: Style,
    /// `--timestamp`.
    pub timestamp: bool,
    /// `--force`.
    pub force: bool,
    /// The server that is used where none is named.
    pub default_server: String,
}

/// How a command ends badly: the sentence to print, and status 1.
pub type Failure = String;
type Done = Result<i32, Failure>;

/// Needs of a command before its own arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Server,
    Database,
}

struct Command {
    name: &'static str,
    needs: Needs,
    args: std::ops::RangeInclusive<usize>,
}

const fn command(name: &'static str, needs: Needs, min: usize, max: usize) -> Command {
    Command { name, needs, args: min..=max }
}

const COMMANDS: [Command; 21] = [
    command("list-dbs", Needs::Server, 0, 0),
    command("get-schema", Needs::Database, 0, 0),
    command("get-schema-version", Needs::Database, 0, 0),
    command("get-schema-cksum", Needs::Database, 0, 0),
    command("list-tables", Needs::Database, 0, 0),
    command("list-columns", Needs::Database, 0, 1),
    command("transact", Needs::Server, 1, 1),
    command("query", Needs::Server, 1, 1),
    command("monitor", Needs::Database, 1, usize::MAX),
    command("monitor-cond", Needs::Database, 2, 3),
    command("monitor-cond-since", Needs::Database, 2, 4),
    command("wait", Needs::Server, 2, 2),
    command("convert", Needs::Server, 1, 1),
    command("needs-conversion", Needs::Server, 1, 1),
    command("dump", Needs::Database, 0, usize::MAX),
    command("backup", Needs::Database, 0, 0),
    command("restore", Needs::Database, 0, 0),
    command("lock", Needs::Server, 1, 1),
    command("steal", Needs::Server, 1, 1),
    command("unlock", Needs::Server, 1, 1),
    command("help", Needs::Server, 0, usize::MAX),
];

/// A command on its way.
struct Run {
    connection: Connection,
    options: Options,
    /// Empty for commands without one.
    database: String,
    args: Vec<String>,
    n_tables: usize,
}

impl Run {
    /// Prints a table, with a blank line between two.
    fn print(&mut self, table: &Table) {
        if self.n_tables > 0 && self.options.style.format != super::table::Format::Json {
            println!();
        }
        self.n_tables += 1;
        print!("{}", table.format(&self.options.style));
    }

    /// Prints a JSON value and the end of the line.
    fn print_json(&self, v: &Value) {
        let mut text = String::new();
        if self.options.style.pretty {
            crate::json::write_pretty(v, 0, &mut text);
        } else {
            crate::json::write(v, &mut text);
        }
        println!("{text}");
    }
}

/// Runs the command `words` and gives the exit status.
///
/// # Errors
/// The sentence to print before exiting with status 1.
pub async fn run(words: &[String], options: Options) -> Done {
    let Some((name, args)) = words.split_first() else {
        return Err("missing command name; use --help for help".into());
    };
    let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
        return Err(format!("unknown command '{name}'; use --help for help"));
    };
    let min = *command.args.start();
    let mut args = args.to_vec();
    let server = if args.len() > min && looks_like_server(&args[0]) {
        args.remove(0)
    } else {
        options.default_server.clone()
    };
    let mut connection = Connection::open(&server).await?;
    let mut database = String::new();
    if command.needs == Needs::Database {
        let names = connection.list_dbs().await?;
        if args.len() > min && names.contains(&args[0]) {
            database = args.remove(0);
        } else {
            database = default_database(&names)?;
        }
    }
    if !command.args.contains(&args.len()) {
        return Err(format!("invalid syntax for '{name}' (use --help for help)"));
    }
    let mut run = Run { connection, options, database, args, n_tables: 0 };
    match command.name {
        "list-dbs" => schema::list_dbs(&mut run).await,
        "get-schema" => schema::get_schema(&mut run).await,
        "get-schema-version" => schema::get_member(&mut run, "version").await,
        "get-schema-cksum" => schema::get_member(&mut run, "cksum").await,
        "list-tables" => schema::list_tables(&mut run).await,
        "list-columns" => schema::list_columns(&mut run).await,
        "needs-conversion" => schema::needs_conversion(&mut run).await,
        "convert" => schema::convert(&mut run).await,
        "transact" => data::transact(&mut run).await,
        "query" => data::query(&mut run).await,
        "dump" => data::dump(&mut run).await,
        "backup" => data::backup(&mut run).await,
        "restore" => data::restore(&mut run).await,
        "monitor" => monitor::plain(&mut run).await,
        "monitor-cond" => monitor::conditional(&mut run, false).await,
        "monitor-cond-since" => monitor::conditional(&mut run, true).await,
        "wait" => wait::wait(&mut run).await,
        _ => lock::lock(&mut run, command.name).await,
    }
}

fn looks_like_server(arg: &str) -> bool {
    arg.starts_with(|c: char| c.is_ascii_alphabetic()) && arg.contains(':')
}

fn default_database(names: &[String]) -> Result<String, Failure> {
    if names.iter().any(|n| n == "Open_vSwitch") {
        return Ok("Open_vSwitch".into());
    }
    let mut own = names.iter().filter(|n| !n.starts_with('_'));
    match (own.next(), own.next()) {
        (Some(only), None) => Ok(only.clone()),
        _ => Err("could not find a default database, please specify a database name".into()),
    }
}
