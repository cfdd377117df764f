//! The commands of a command line: split at `--`, options before the name, counted arguments.

use std::collections::BTreeMap;

use daemon::getopt::Arg;

use super::options::CommandOption;
use super::syntax::{COMMANDS, Syntax};

/// One command to run.
pub(super) struct Command {
    pub syntax: &'static Syntax,
    /// By name with the dashes.
    pub options: BTreeMap<String, Option<String>>,
    pub args: Vec<String>,
}

impl Command {
    /// Whether the option was given.
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.contains_key(option)
    }

    /// The argument of an option.
    pub(super) fn value(&self, option: &str) -> Option<&str> {
        self.options.get(option)?.as_deref()
    }

    /// Argument `at`; empty if there are fewer (the table says how many there are).
    pub(super) fn arg(&self, at: usize) -> &str {
        self.args.get(at).map_or("", String::as_str)
    }

    /// Argument `at`, if there is one.
    pub(super) fn optional(&self, at: usize) -> Option<&str> {
        self.args.get(at).map(String::as_str)
    }

    /// The arguments from `at` on.
    pub(super) fn tail(&self, at: usize) -> &[String] {
        self.args.get(at..).unwrap_or_default()
    }

    /// The command as it was typed, for messages.
    pub(super) fn text(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for (name, value) in &self.options {
            words.push(match value {
                Some(value) => format!("{name}={value}"),
                None => name.clone(),
            });
        }
        words.push(self.syntax.name.to_owned());
        words.extend(self.args.iter().cloned());
        words.join(" ")
    }
}

/// Parses `args`; `first` are options of the first command found among the global ones.
pub(super) fn parse(args: &[String], first: &[CommandOption]) -> Result<Vec<Command>, String> {
    let mut commands = Vec::new();
    let mut first = first;
    for words in args.split(|arg| arg == "--").filter(|words| !words.is_empty()) {
        commands.push(parse_one(words, first)?);
        first = &[];
    }
    if commands.is_empty() {
        return Err("missing command name (use --help for help)".to_owned());
    }
    Ok(commands)
}

fn parse_one(words: &[String], first: &[CommandOption]) -> Result<Command, String> {
    let mut options: BTreeMap<String, Option<String>> = first.iter().cloned().collect();
    let n_options = words.iter().take_while(|word| word.starts_with('-')).count();
    for word in &words[..n_options] {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        if options.insert(name.to_owned(), value).is_some() {
            return Err(format!("'{name}' option specified multiple times"));
        }
    }
    let Some((name, args)) = words[n_options..].split_first() else {
        return Err("missing command name (use --help for help)".to_owned());
    };
    let syntax = COMMANDS
        .iter()
        .find(|syntax| syntax.name == name)
        .ok_or_else(|| format!("unknown command '{name}'; use --help for help"))?;
    check_options(syntax, &options)?;
    check_count(syntax, args.len())?;
    Ok(Command { syntax, options, args: args.to_vec() })
}

fn check_options(syntax: &Syntax, options: &BTreeMap<String, Option<String>>) -> Result<(), String> {
    let command = syntax.name;
    for (name, value) in options {
        match (syntax.option(name), value) {
            (None, _) => return Err(format!("'{command}' command has no '{name}' option")),
            (Some(Arg::Required), None) => {
                return Err(format!("missing argument to '{name}' option on '{command}' command"));
            }
            (Some(Arg::None), Some(_)) => {
                return Err(format!("'{name}' option on '{command}' does not accept an argument"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_count(syntax: &Syntax, n_args: usize) -> Result<(), String> {
    let Syntax { name, min_args, max_args, .. } = syntax;
    if n_args < *min_args {
        return Err(format!("'{name}' command requires at least {min_args} arguments"));
    }
    if n_args > *max_args {
        return Err(format!("'{name}' command takes at most {max_args} arguments"));
    }
    Ok(())
}
