//! The table of commands of one daemon, and its two built-in ones: `list-commands`, `version`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, RwLock};

/// One command. `run` may block; it is never called on a runtime's own thread.
pub trait Command: Send + Sync {
    /// The name, such as `fdb/show`.
    fn name(&self) -> &str;
    /// The arguments in words, such as `[bridge...]`; `None` hides it from `list-commands`.
    fn usage(&self) -> Option<&str>;
    /// Fewest arguments.
    fn min_args(&self) -> usize;
    /// Most arguments; `usize::MAX` for no limit.
    fn max_args(&self) -> usize;
    /// Does it. `args` are without the name and within the limits. `Err` is an error reply.
    fn run(&self, args: &[String]) -> Result<String, String>;
    /// Called after the reply to a success was sent (or could not be): what must not come before
    /// the reply, such as the end of the process.
    fn replied(&self, _args: &[String]) {}
}

/// The text of the `version` command.
#[derive(Clone, Debug)]
pub struct Version(pub String);

/// A command made of a closure.
pub struct FnCommand<F> {
    name: String,
    usage: Option<String>,
    args: std::ops::RangeInclusive<usize>,
    run: F,
}

impl<F> FnCommand<F>
where
    F: Fn(&[String]) -> Result<String, String> + Send + Sync,
{
    /// A listed command; `args` is the range of argument counts.
    pub fn new(name: &str, usage: &str, args: std::ops::RangeInclusive<usize>, run: F) -> Self {
        Self { name: name.to_owned(), usage: Some(usage.to_owned()), args, run }
    }

    /// A command that `list-commands` does not show.
    pub fn hidden(name: &str, args: std::ops::RangeInclusive<usize>, run: F) -> Self {
        Self { name: name.to_owned(), usage: None, args, run }
    }
}

impl<F> Command for FnCommand<F>
where
    F: Fn(&[String]) -> Result<String, String> + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn usage(&self) -> Option<&str> {
        self.usage.as_deref()
    }

    fn min_args(&self) -> usize {
        *self.args.start()
    }

    fn max_args(&self) -> usize {
        *self.args.end()
    }

    fn run(&self, args: &[String]) -> Result<String, String> {
        (self.run)(args)
    }
}

/// The commands of a daemon. Clones share one table; commands may come and go at any time.
#[derive(Clone)]
pub struct Registry {
    commands: Arc<RwLock<BTreeMap<String, Arc<dyn Command>>>>,
    version: Version,
}

impl Registry {
    /// A table with `list-commands` and `version` only.
    pub fn new(version: Version) -> Self {
        Self { commands: Arc::default(), version }
    }

    /// Adds a command, replacing one of the same name.
    pub fn register(&self, command: impl Command + 'static) {
        let name = command.name().to_owned();
        self.write().insert(name, Arc::new(command));
    }

    /// Adds a closure as a listed command.
    pub fn add<F>(&self, name: &str, usage: &str, args: std::ops::RangeInclusive<usize>, run: F)
    where
        F: Fn(&[String]) -> Result<String, String> + Send + Sync + 'static,
    {
        self.register(FnCommand::new(name, usage, args, run));
    }

    /// Removes a command.
    pub fn unregister(&self, name: &str) {
        self.write().remove(name);
    }

    /// Runs `name`, checking the number of arguments, with OVS's error texts.
    pub fn dispatch(&self, name: &str, args: &[String]) -> Result<String, String> {
        match name {
            "list-commands" if args.is_empty() => return Ok(self.list()),
            "version" if args.is_empty() => return Ok(self.version.0.clone()),
            "list-commands" | "version" => return Err(too_many(name, 0)),
            _ => {}
        }
        let command = self.read().get(name).cloned();
        let Some(command) = command else {
            return Err(format!(
                "\"{name}\" is not a valid command (use \"list-commands\" to see a list of valid commands)"
            ));
        };
        if args.len() < command.min_args() {
            let n = command.min_args();
            return Err(format!("\"{name}\" command requires at least {n} arguments"));
        }
        if args.len() > command.max_args() {
            return Err(too_many(name, command.max_args()));
        }
        command.run(args)
    }

    /// Tells `name` that its reply was sent.
    pub(super) fn replied(&self, name: &str, args: &[String]) {
        let command = self.read().get(name).cloned();
        if let Some(command) = command {
            command.replied(args);
        }
    }

    /// The text of `list-commands`.
    fn list(&self) -> String {
        let commands = self.read();
        let mut rows: Vec<(&str, &str)> = vec![("list-commands", ""), ("version", "")];
        rows.extend(commands.values().filter_map(|c| Some((c.name(), c.usage()?))));
        rows.sort_unstable();
        let mut text = String::from("The available commands are:\n");
        for (name, usage) in rows {
            let _ = writeln!(text, "  {name:<23} {usage}");
        }
        text
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Arc<dyn Command>>> {
        self.commands.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Arc<dyn Command>>> {
        self.commands.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn too_many(name: &str, max: usize) -> String {
    format!("\"{name}\" command takes at most {max} arguments")
}
