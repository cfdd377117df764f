//! Connects, runs the commands in one transaction, commits it, tries again when the database
//! changed under it, waits for ovs-vswitchd, prints.

use std::time::Duration;

use daemon::program;
use ovsdb::client::{Client, CommitStatus, Interest, Outcome, Replica, Request, Transaction};
use transport::target::ParseError;

use super::cmdline::Command;
use super::context::{Context, Fail, Output};
use super::options::Options;
use super::post;

/// When `--retry` says that it still tries.
const HINT_RETRY: Duration = Duration::from_secs(1);

/// What the commands of one try want.
struct Plan {
    request: Request,
    outputs: Vec<Output>,
    /// Interfaces to check after the wait.
    expected: Vec<String>,
}

/// Runs `commands`; gives the exit status.
pub(super) async fn run(options: &Options, commands: &[Command], called: &str) -> u8 {
    let db = &options.db;
    let mut client = connect(options);
    explain_retry(options, &mut client).await;
    loop {
        let replica = match client.ready().await {
            Ok(replica) => replica,
            Err(reason) => program::fatal(format!("{db}: database connection failed ({reason})")),
        };
        let plan = match plan(replica, options, commands, called) {
            Ok(plan) => plan,
            Err(Fail::Fatal(text)) => program::fatal(text),
            Err(Fail::Exit(status)) => return status,
            Err(Fail::Wait) => {
                client.wait_after(client.seqno()).await;
                continue;
            }
        };
        let seqno = client.seqno();
        let status = match options.dry_run {
            true => CommitStatus::Success(Outcome::default()),
            false => client.commit(plan.request).await,
        };
        match status {
            CommitStatus::TryAgain | CommitStatus::NotLocked => client.wait_after(seqno).await,
            CommitStatus::Error(text) => {
                tracing::warn!(target: "ovsdb_idl", "transaction error: {text}");
                program::fatal(format!("transaction error: {text}"))
            }
            CommitStatus::Unchanged => {
                print(options, &plan.outputs, &Outcome::default());
                return 0;
            }
            CommitStatus::Success(outcome) => {
                print(options, &plan.outputs, &outcome);
                if let Some(next_cfg) = outcome.counter.filter(|_| options.wait) {
                    finish(&mut client, options, next_cfg, &plan.expected).await;
                }
                return 0;
            }
        }
    }
}

fn connect(options: &Options) -> Client {
    let db = &options.db;
    let client = Client::new(db, "Open_vSwitch", Interest::all()).unwrap_or_else(|error| {
        let reason = match error {
            ParseError::Method(_) => "Address family not supported by protocol".to_owned(),
            other => other.to_string(),
        };
        program::fatal(format!("{db}: database connection failed ({reason})"))
    });
    if options.retry {
        return client;
    }
    let n_servers = u32::try_from(db.split(',').count()).unwrap_or(1);
    client.with_max_tries(n_servers)
}

/// With `--retry`, says once that there is no server yet.
async fn explain_retry(options: &Options, client: &mut Client) {
    if options.retry && tokio::time::timeout(HINT_RETRY, client.ready()).await.is_err() {
        let reason = client.last_error().unwrap_or("no answer");
        eprintln!("{}: {}: still trying to connect ({reason})", program::name(), options.db);
    }
}

/// Runs the commands on the rows as they are now.
fn plan(replica: &Replica, options: &Options, commands: &[Command], called: &str) -> Result<Plan, Fail> {
    let mut txn = Transaction::new(replica);
    txn.comment(&comment(called));
    let mut ctx = Context::new(txn);
    let mut outputs = Vec::new();
    for command in commands {
        (command.syntax.run)(&mut ctx, command)?;
        outputs.push(std::mem::take(&mut ctx.output));
    }
    check_symbols(&ctx)?;
    if options.wait && !options.dry_run {
        ctx.txn.increment("Open_vSwitch", ctx.root, "next_cfg");
    }
    Ok(Plan { expected: ctx.expected, outputs, request: ctx.txn.finish() })
}

/// Every `@name` must have been created, and should have been referred to.
fn check_symbols(ctx: &Context<'_>) -> Result<(), Fail> {
    for (name, symbol) in ctx.symbols.iter() {
        if !symbol.created {
            return Err(format!(
                "row id \"{name}\" is referenced but never created (e.g. with \"-- --id={name} create ...\")"
            )
            .into());
        }
        if !symbol.strong_ref {
            let reference = match symbol.weak_ref {
                true => "only a weak reference",
                false => "no reference",
            };
            tracing::warn!(
                target: "vsctl",
                "row id \"{name}\" was created but {reference} to it was inserted, so it will not actually appear in the database"
            );
        }
    }
    Ok(())
}

async fn finish(client: &mut Client, options: &Options, next_cfg: i64, expected: &[String]) {
    let db = &options.db;
    if let Err(reason) = post::wait_for_reload(client, next_cfg).await {
        program::fatal(format!("{db}: database connection failed ({reason})"));
    }
    if let Some(replica) = client.replica() {
        post::check(replica, expected);
    }
}

/// Prints what the commands left, in their order.
fn print(options: &Options, outputs: &[Output], outcome: &Outcome) {
    let (mut out, mut first) = (String::new(), true);
    for output in outputs {
        let text = match output.created {
            Some(uuid) => format!("{}\n", outcome.inserted.get(&uuid).unwrap_or(&uuid)),
            None => output.text.clone(),
        };
        match &output.table {
            Some(table) => table.write(&options.style, &mut first, &mut out),
            None if options.oneline => {
                let line = text.strip_suffix('\n').unwrap_or(&text);
                out.push_str(&line.replace('\\', "\\\\").replace('\n', "\\n"));
                out.push('\n');
            }
            None => out.push_str(&text),
        }
    }
    print!("{out}");
}

/// The text that the transaction leaves in the database's log.
fn comment(called: &str) -> String {
    let name = program::name();
    let parent = std::os::unix::process::parent_id();
    let cmdline = std::fs::read(format!("/proc/{parent}/cmdline")).unwrap_or_default();
    let argv0 = cmdline.split(|byte| *byte == 0).next().unwrap_or_default();
    match String::from_utf8_lossy(argv0).as_ref() {
        "" => format!("{name}: {called}"),
        parent => format!("{name} (invoked by {parent}): {called}"),
    }
}

/// The command line as one text, arguments in quotes where they need them.
pub(super) fn quoted_command_line(args: &[String]) -> String {
    let mut words = vec![program::argv0().to_owned()];
    words.extend(args.iter().map(|arg| {
        match arg.is_empty() || arg.contains([' ', '\t', '\r', '\n', '\x0b', '\\', '\'', '"']) {
            true => format!("\"{}\"", arg.replace('\\', "\\\\").replace('"', "\\\"")),
            false => arg.clone(),
        }
    }));
    words.join(" ")
}
