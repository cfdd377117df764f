//! The tasks every daemon runs on its tokio runtime: the unixctl server, the coverage sampler,
//! and waiting for the end (`exit`, SIGTERM, SIGINT).

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use transport::unixctl::{Command, Registry, Server};

use crate::coverage;
use crate::options::DaemonOptions;

/// Starts the unixctl server (unless `--unixctl=none`) and the sampler. Call inside a runtime.
/// `Err` is the text for the operator. The control socket's file goes when the runtime does.
pub fn spawn(options: &DaemonOptions, registry: Registry) -> Result<(), String> {
    tokio::spawn(async {
        let mut tick = tokio::time::interval(Duration::from_secs(coverage::SAMPLE_INTERVAL_S));
        loop {
            tick.tick().await;
            coverage::sample();
        }
    });
    if let Some(path) = options.unixctl_path() {
        let server = Server::bind(&path, registry).map_err(|e| {
            let text = transport::strerror(&e);
            format!("could not initialize control socket {} ({text})", path.display())
        })?;
        tokio::spawn(server.run());
    }
    Ok(())
}

/// The request to end, by whatever way it comes.
#[derive(Clone, Debug)]
pub struct Exit {
    asked: watch::Sender<Option<Vec<String>>>,
}

impl Exit {
    /// Adds the unixctl command `exit`; `usage` names its one optional argument (`[--cleanup]`)
    /// or is empty.
    pub fn register(registry: &Registry, usage: &str) -> Self {
        let (asked, _) = watch::channel(None);
        let exit = Self { asked };
        registry.register(ExitCommand { usage: usage.to_owned(), exit: exit.clone() });
        exit
    }

    /// Asks the daemon to end, with the arguments of `exit`.
    pub fn ask(&self, args: Vec<String>) {
        self.asked.send_replace(Some(args));
    }

    /// True once asked.
    pub fn is_asked(&self) -> bool {
        self.asked.borrow().is_some()
    }

    /// Waits for `exit`, SIGTERM, SIGINT or SIGHUP; gives the arguments of `exit`.
    pub async fn wait(&self) -> Vec<String> {
        let mut asked = self.asked.subscribe();
        let asked = async {
            match asked.wait_for(Option::is_some).await {
                Ok(args) => args.clone().unwrap_or_default(),
                Err(_) => Vec::new(),
            }
        };
        tokio::select! {
            args = asked => args,
            () = terminated() => Vec::new(),
        }
    }
}

/// The unixctl command `exit`: asks once its client has the reply.
struct ExitCommand {
    usage: String,
    exit: Exit,
}

impl Command for ExitCommand {
    fn name(&self) -> &str {
        "exit"
    }

    fn usage(&self) -> Option<&str> {
        Some(&self.usage)
    }

    fn min_args(&self) -> usize {
        0
    }

    fn max_args(&self) -> usize {
        usize::from(!self.usage.is_empty())
    }

    fn run(&self, _: &[String]) -> Result<String, String> {
        Ok(String::new())
    }

    fn replied(&self, args: &[String]) {
        self.exit.ask(args.to_vec());
    }
}

/// Waits for a signal that ends a daemon.
async fn terminated() {
    let mut waits = tokio::task::JoinSet::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        waits.spawn(async move {
            match signal(kind) {
                Ok(mut signals) => {
                    signals.recv().await;
                }
                Err(_) => std::future::pending().await,
            }
        });
    }
    waits.join_next().await;
}
