//! Who we are: the program's name as in `argv[0]`, its version text, and how it dies of a fatal
//! error. Set once at the start of `main`.

use std::sync::OnceLock;

/// The OVS version we stand in for: the last word of the first `--version` line.
pub const OVS_VERSION: &str = "3.1.0";

static ARGV0: OnceLock<String> = OnceLock::new();

/// Sets `argv[0]`. The first call wins.
pub fn set_name(argv0: &str) {
    let _ = ARGV0.set(argv0.to_owned());
}

/// The program's name: the last component of `argv[0]`.
pub fn name() -> &'static str {
    argv0().rsplit('/').next().unwrap_or_default()
}

/// `argv[0]` as it was given.
pub fn argv0() -> &'static str {
    ARGV0.get().map_or("vswitch", String::as_str)
}

/// Starts a command-line tool: name, logging (to the console up to `console`), and death by
/// SIGPIPE as other tools. Gives the arguments without `argv[0]`.
pub fn start(console: crate::vlog::Level) -> Vec<String> {
    let mut args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    set_name(&args.next().unwrap_or_default());
    die_by_sigpipe();
    crate::vlog::init(console);
    args.collect()
}

/// From here on a reader that goes away (`... | head`) ends the program in silence, as it ends others.
pub fn die_by_sigpipe() {
    // SAFETY: no handler is installed; the default action is restored.
    let _ = unsafe {
        nix::sys::signal::signal(nix::sys::signal::Signal::SIGPIPE, nix::sys::signal::SigHandler::SigDfl)
    };
}

/// Prints what was asked for (`--version`, `--help`) and exits with status 0; a daemon ignores SIGPIPE, so a reader that
/// has gone away is no error.
pub fn answer(text: &str) -> ! {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
    std::process::exit(0)
}

/// Prints `ARGV0: TEXT`, as glibc reports a bad option, and exits with status 1.
pub fn bad_usage(text: impl std::fmt::Display) -> ! {
    eprintln!("{}: {text}", argv0());
    std::process::exit(1)
}

/// The text of `--version` and of the unixctl command `version`: the line that scripts parse,
/// then this product and its own version.
pub fn version_text() -> String {
    let own = env!("CARGO_PKG_VERSION");
    format!("{} (Open vSwitch) {OVS_VERSION}\nvswitch {own}\n", name())
}

/// Prints `NAME: TEXT` on stderr and exits with status 1.
pub fn fatal(text: impl std::fmt::Display) -> ! {
    eprintln!("{}: {text}", name());
    crate::pidfile::remove_held();
    std::process::exit(1)
}
