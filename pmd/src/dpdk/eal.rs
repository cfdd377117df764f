//! DPDK's environment: arguments from `Open_vSwitch.other_config`, the one initialisation of the process, its log, and the
//! registration of worker threads. Control plane.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use dpdk_sys as sys;

use super::{Errno, text};

static INITIALIZED: AtomicBool = AtomicBool::new(false);
static TRIED: AtomicBool = AtomicBool::new(false);

/// True once DPDK runs (`Open_vSwitch.dpdk_initialized`).
pub fn is_initialized() -> bool {
    INITIALIZED.load(SeqCst)
}

/// "DPDK 22.11.11" (`Open_vSwitch.dpdk_version`).
pub fn version() -> String {
    // SAFETY: returns a static string.
    text(unsafe { sys::rte_version() })
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InitError {
    #[error(
        "DPDK could not start ({cause}). EAL arguments were: {args}. Check free huge pages (grep Huge /proc/meminfo; reserve \
         with `sysctl -w vm.nr_hugepages=1024`), or run without them: \
         `ovs-vsctl set Open_vSwitch . other_config:dpdk-extra=\"--no-huge -m 512\"`; then restart ovs-vswitchd"
    )]
    Eal { cause: String, args: String },
    #[error("DPDK was tried and failed before; restart ovs-vswitchd to try again")]
    AlreadyTried,
    #[error("other_config:dpdk-alloc-mem and other_config:dpdk-socket-mem exclude each other; remove one")]
    TwoMemorySettings,
    #[error("other_config:dpdk-lcore-mask={0}: not a hexadecimal CPU mask")]
    LcoreMask(String),
}

/// What `other_config:dpdk-init` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    No,
    /// Start; failing is not fatal.
    Try,
    /// Start; failing is fatal to the daemon.
    Must,
}

/// Reads `dpdk-init` (false, true, try).
pub fn wish(other_config: &BTreeMap<String, String>) -> Wish {
    match other_config.get("dpdk-init").map(|s| s.to_ascii_lowercase()).as_deref() {
        Some("true") => Wish::Must,
        Some("try") => Wish::Try,
        _ => Wish::No,
    }
}

/// The EAL's argument list without the program name: `dpdk-extra` first, then what the other keys give unless the extra
/// arguments already say it, as OVS builds it. `cpu` is the CPU to run on when nothing names one.
pub fn arguments(other_config: &BTreeMap<String, String>, cpu: usize) -> Result<Vec<String>, InitError> {
    let key = |k: &str| other_config.get(k).filter(|v| !v.is_empty());
    let mut args: Vec<String> = match key("dpdk-extra") {
        Some(extra) => split_words(extra),
        None => Vec::new(),
    };
    let says = |args: &[String], names: &[&str]| {
        args.iter()
            .any(|a| names.iter().any(|n| a == n || (n.starts_with("--") && a.starts_with(&format!("{n}=")))))
    };
    let cores = ["-c", "-l", "--lcores"];
    if let Some(mask) = key("dpdk-lcore-mask") {
        if crate::cpumask::parse(mask).is_none() {
            return Err(InitError::LcoreMask(mask.clone()));
        }
        if !says(&args, &cores) {
            args.extend(["-c".into(), mask.clone()]);
        }
    }
    let no_huge = says(&args, &["--no-huge"]);
    if key("dpdk-alloc-mem").is_some() && key("dpdk-socket-mem").is_some() {
        return Err(InitError::TwoMemorySettings);
    }
    for (k, names, option) in [
        ("dpdk-hugepage-dir", ["--huge-dir", "--huge-dir"], "--huge-dir"),
        ("dpdk-alloc-mem", ["-m", "--socket-mem"], "-m"),
        ("dpdk-socket-mem", ["--socket-mem", "-m"], "--socket-mem"),
        ("dpdk-socket-limit", ["--socket-limit", "--socket-limit"], "--socket-limit"),
    ] {
        if let Some(value) = key(k).filter(|_| !says(&args, &names) && !no_huge) {
            args.extend([option.to_owned(), value.clone()]);
        }
    }
    if !says(&args, &["--in-memory", "--no-huge", "--huge-dir"]) && key("dpdk-hugepage-dir").is_none() {
        args.push("--in-memory".into());
    }
    if !says(&args, &cores) {
        args.extend(["--lcores".into(), format!("0@{cpu}")]);
    }
    Ok(args)
}

/// Words separated by white space; single and double quotes keep spaces.
fn split_words(s: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in s.chars() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Receives each line of DPDK's log with its level (1 = emergency .. 8 = debug).
pub type LogSink = fn(level: u8, line: &str);

static LOG_SINK: OnceLock<LogSink> = OnceLock::new();

extern "C" fn log_line(level: i32, line: *const c_char, len: usize) {
    // SAFETY: the C side passes a buffer of `len` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(line.cast::<u8>(), len) };
    if let Some(sink) = LOG_SINK.get() {
        for line in String::from_utf8_lossy(bytes).lines().filter(|l| !l.trim().is_empty()) {
            sink(level.clamp(1, 8) as u8, line.trim_end());
        }
    }
}

/// Starts DPDK, once per process, on a thread of its own so that the caller keeps its CPU affinity.
pub fn init(args: &[String], sink: LogSink) -> Result<(), InitError> {
    if TRIED.swap(true, SeqCst) {
        return Err(InitError::AlreadyTried);
    }
    let shown = args.join(" ");
    // The first sink stays: the log stream is opened once.
    let _ = LOG_SINK.set(sink);
    let words: Vec<CString> =
        std::iter::once("ovs-vswitchd").chain(args.iter().map(String::as_str)).map(super::c_string).collect();
    let run = move || {
        // EAL keeps pointers into argv for as long as it runs.
        let argv: &'static mut [*mut c_char] =
            Box::leak(words.into_iter().map(|w| w.into_raw()).collect::<Vec<_>>().into_boxed_slice());
        // SAFETY: called once per process (TRIED), with a valid argument vector that is never freed.
        unsafe {
            sys::vs_log_to(Some(log_line));
            if sys::rte_eal_init(argv.len() as i32, argv.as_mut_ptr()) < 0 {
                Err(Errno::last())
            } else {
                Ok(())
            }
        }
    };
    let result = std::thread::Builder::new()
        .name("dpdk-eal".into())
        .spawn(run)
        .map_err(|e| e.to_string())
        .and_then(|t| t.join().map_err(|_| "the start-up thread died".to_owned()))
        .and_then(|r| r.map_err(|e| e.to_string()));
    match result {
        Ok(()) => {
            INITIALIZED.store(true, SeqCst);
            Ok(())
        }
        Err(cause) => Err(InitError::Eal { cause, args: shown }),
    }
}

/// Frees EAL's run-time files. Nothing of DPDK may be used afterwards; call it as the process ends.
pub fn cleanup() {
    if INITIALIZED.swap(false, SeqCst) {
        // SAFETY: DPDK was initialised, and the caller is about to exit.
        unsafe { sys::rte_eal_cleanup() };
    }
}

/// Registers the calling thread so that mempools give it a cache; lasts as long as the value.
pub struct ThreadGuard(());

/// `None` without DPDK, or when it has no slot left (the thread then works without caches).
pub fn register_thread() -> Option<ThreadGuard> {
    // SAFETY: DPDK runs; a second registration of a thread fails harmlessly.
    (is_initialized() && unsafe { sys::rte_thread_register() } == 0).then_some(ThreadGuard(()))
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        if is_initialized() {
            // SAFETY: this thread was registered by `register_thread`.
            unsafe { sys::rte_thread_unregister() }
        }
    }
}

/// `dpdk/log-list`.
pub fn log_list() -> String {
    // SAFETY: prints to the stream given.
    super::printed(|f| unsafe { sys::rte_log_dump(f.cast()) })
}

/// `dpdk/lcore-list`.
pub fn lcore_list() -> String {
    // SAFETY: prints to the stream given.
    super::printed(|f| unsafe { sys::rte_lcore_dump(f.cast()) })
}

/// `dpdk/get-malloc-stats`.
pub fn malloc_stats() -> String {
    // SAFETY: prints to the stream given; a null type means all.
    super::printed(|f| unsafe { sys::rte_malloc_dump_stats(f.cast(), std::ptr::null()) })
}

/// `dpdk/log-set`: `level` or `pattern:level`.
pub fn log_set(argument: &str) -> Result<(), String> {
    const LEVELS: [&str; 8] =
        ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
    let (pattern, level) = argument.rsplit_once(':').unwrap_or(("*", argument));
    let number = LEVELS
        .iter()
        .position(|l| !level.is_empty() && l.starts_with(level))
        .map(|n| n as u32 + 1)
        .or_else(|| level.parse().ok().filter(|n| (1..=8).contains(n)))
        .ok_or_else(|| format!("invalid log level: {level}"))?;
    let pattern = super::c_string(pattern);
    // SAFETY: a terminated pattern and a level in range.
    match unsafe { sys::rte_log_set_level_pattern(pattern.as_ptr(), number) } {
        0 => Ok(()),
        _ => Err("cannot set log level".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(config: &[(&str, &str)]) -> Vec<String> {
        arguments(&config.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(), 1).unwrap()
    }

    #[test]
    fn arguments_are_those_of_ovs() {
        let got = args(&[
            ("dpdk-lcore-mask", "0x1"),
            ("dpdk-socket-mem", "512"),
            ("dpdk-extra", "--no-pci --file-prefix=probe1"),
        ]);
        assert_eq!(got.join(" "), "--no-pci --file-prefix=probe1 -c 0x1 --socket-mem 512 --in-memory");
        assert_eq!(args(&[]).join(" "), "--in-memory --lcores 0@1");
    }

    #[test]
    fn extra_arguments_win() {
        let got = args(&[
            ("dpdk-extra", "-l 0,1 --socket-mem=64 --vdev 'net_pcap0,iface=a b'"),
            ("dpdk-socket-mem", "9"),
        ]);
        assert_eq!(got, ["-l", "0,1", "--socket-mem=64", "--vdev", "net_pcap0,iface=a b", "--in-memory"]);
        let got = args(&[
            ("dpdk-extra", "--no-huge -m 256"),
            ("dpdk-socket-mem", "1024"),
            ("dpdk-lcore-mask", "3"),
        ]);
        assert_eq!(got.join(" "), "--no-huge -m 256 -c 3");
    }

    #[test]
    fn contradictions_are_refused() {
        let config = |k: &[(&str, &str)]| k.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let two = config(&[("dpdk-alloc-mem", "1"), ("dpdk-socket-mem", "1")]);
        assert_eq!(arguments(&two, 0), Err(InitError::TwoMemorySettings));
        assert!(matches!(arguments(&config(&[("dpdk-lcore-mask", "x")]), 0), Err(InitError::LcoreMask(_))));
    }
}
