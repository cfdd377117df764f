//! What makes a program an OVS daemon or tool: directories, vlog, options, pidfile, detach and
//! monitor, coverage and memory reports.
//!
//! Responsibility: the process, not what it does. Plane: control. Imports only `transport`.
//! Crates that may not import this one log through `tracing` (see [`vlog`]).
//!
//! The order in a daemon's `main`, where everything before step 4 is single-threaded:
//! ```no_run
//! use daemon::{getopt, lifecycle, memory::Memory, options, program, vlog};
//!
//! let args: Vec<String> = std::env::args().collect();
//! program::set_name(&args[0]);                                           // 1
//! vlog::init(vlog::Level::Info);
//! lifecycle::log_panics();
//! let opts = options::table(&[options::HELP, options::DAEMON, options::VLOG, options::TLS]);
//! let parsed = getopt::parse(&args[1..], &opts, getopt::Order::Permute)   // 2
//!     .unwrap_or_else(|e| program::bad_usage(e));
//! let mut daemon = options::DaemonOptions::default();
//! for (name, value) in &parsed.options {
//!     match *name {
//!         "version" => { print!("{}", program::version_text()); return }
//!         _ => { daemon.apply(name, value.as_deref()).unwrap_or_else(|e| program::fatal(e)); }
//!     }
//! }
//! let startup = daemon.lifecycle.start().unwrap_or_else(|e| program::fatal(e)); // 3: forks
//! let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap(); // 4
//! runtime.block_on(async {
//!     let registry = options::registry(&Memory::default());
//!     let exit = daemon::service::Exit::register(&registry, "");
//!     daemon::service::spawn(&daemon, registry).unwrap_or_else(|e| program::fatal(e));
//!     let _running = startup.complete();                                  // 5: parent exits 0
//!     exit.wait().await;                                                  // exit, TERM, INT
//! });
//! ```

pub mod alarm;
pub mod coverage;
pub mod dirs;
pub mod getopt;
pub mod lifecycle;
pub mod memory;
pub mod options;
pub mod pidfile;
pub mod program;
pub mod service;
mod title;
pub mod user;
pub mod vlog;
