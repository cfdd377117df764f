//! Who plays: processes, namespaces, devices and the directory, and taking all of them away again, also after a
//! failure or an interrupt. What a kept demo needs to be ended later stands in its directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hugepages::{Host, Pool};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Huge memory for the switch and its guest.
const HUGE_WANTED_MIB: u64 = 1600;
/// What the switch takes of it.
const SWITCH_MIB: u64 = 1024;
/// Ordinary memory instead, when there are no huge pages.
const ORDINARY_MIB: u64 = 1024;
/// How long a process may take to end by itself.
const END_MAX: Duration = Duration::from_secs(8);
/// Stems of the names under which DPDK keeps files of the switch and of its guest.
const PREFIXES: [&str; 2] = ["demo", "guest"];
/// Where DPDK keeps them; a process that ends leaves them behind.
const DPDK_RUNDIR: &str = "/var/run/dpdk";
/// Lists what a kept demo has made.
const KEPT: &str = "demo.made";

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// An error once the user has pressed Ctrl-C.
pub fn interrupted() -> Result<(), String> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
}

/// Lets SIGINT and SIGTERM only set a flag, so that everything is taken away in order. Handlers, not a blocked mask:
/// the children would inherit that.
fn catch_interrupts() -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |e: std::io::Error| format!("cannot catch signals: {e}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let _in_runtime = runtime.enter();
    let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    drop(_in_runtime);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = int.recv() => (), _ = term.recv() => () }
            INTERRUPTED.store(true, Ordering::Relaxed);
        })
    });
    Ok(())
}

/// Everything the demo has made.
pub struct Cast {
    dir: PathBuf,
    bin: PathBuf,
    keep: bool,
    children: Vec<(String, Child)>,
    namespaces: Vec<String>,
    raised: Option<(Pool, u64)>,
    /// Where the demo has mounted hugetlbfs, if it had to.
    mounted: Option<PathBuf>,
    huge: bool,
    cleaned: bool,
}

impl Cast {
    /// An empty stage in a new directory.
    pub fn new(bin: PathBuf, keep: bool) -> Result<Self, String> {
        catch_interrupts()?;
        let dir = PathBuf::from(format!("/tmp/vswitch-demo-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(Self {
            dir,
            bin,
            keep,
            children: vec![],
            namespaces: vec![],
            raised: None,
            mounted: None,
            huge: false,
            cleaned: false,
        })
    }

    /// The private directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the binaries are.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// A path in the private directory.
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// A name for a namespace or device that nobody else uses.
    pub fn unique(&self, stem: &str) -> String {
        format!("{stem}{:x}", std::process::id())
    }

    /// Reserves huge pages if it may; tells what the switch will run on.
    pub fn memory(&mut self) -> Result<String, String> {
        let host = Host::default();
        match host.reserve(HUGE_WANTED_MIB) {
            Ok(raised) => {
                self.raised = raised;
                let fresh = host.mounts().is_empty();
                match host.mount() {
                    Ok(at) => {
                        self.huge = true;
                        self.mounted = fresh.then(|| at.clone());
                        Ok(format!(
                            "{} MiB of huge pages are free, mounted at {}",
                            host.huge_free_mib(),
                            at.display()
                        ))
                    }
                    Err(e) => Ok(format!(
                        "no huge pages (cannot mount hugetlbfs: {e}): running on ordinary memory, slower"
                    )),
                }
            }
            Err(e) => Ok(format!("no huge pages: {e}\n  running on ordinary memory, slower")),
        }
    }

    /// EAL's words for the memory and the private name: (dpdk-socket-mem, the rest).
    pub fn eal(&self) -> (Option<String>, String) {
        let prefix = format!("--no-pci --file-prefix={}", self.unique(PREFIXES[0]));
        if self.huge {
            (Some(SWITCH_MIB.to_string()), prefix)
        } else {
            (None, format!("{prefix} --no-huge -m {ORDINARY_MIB}"))
        }
    }

    /// EAL's words for the guest.
    pub fn guest_eal(&self) -> Vec<String> {
        let mut words = vec![
            format!("--file-prefix={}", self.unique(PREFIXES[1])),
            "--no-pci".into(),
            "-m".into(),
            "512".into(),
        ];
        words.push(if self.huge { "--single-file-segments" } else { "--no-huge" }.into());
        words
    }

    /// A tool of the switch, in its environment.
    pub fn tool(&self, name: &str) -> Command {
        let mut c = Command::new(self.bin.join(name));
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            c.env(variable, &self.dir);
        }
        c.stdin(Stdio::null());
        c
    }

    /// Starts a process that lives until the end; its output goes to `NAME.out`.
    pub fn start(&mut self, name: &str, namespace: Option<&str>, command: Command) -> Result<(), String> {
        let log = File::create(self.dir.join(format!("{name}.out"))).map_err(|e| format!("{name}: {e}"))?;
        let err = log.try_clone().map_err(|e| format!("{name}: {e}"))?;
        // nothing outlives the demo, however it ends, unless it is to be kept
        let mut c = if self.keep {
            Command::new("setsid")
        } else {
            let mut c = Command::new("setpriv");
            c.args(["--pdeathsig", "KILL"]);
            std::os::unix::process::CommandExt::process_group(&mut c, 0);
            c
        };
        if let Some(ns) = namespace {
            c.args(["ip", "netns", "exec", ns]);
        }
        c.arg(command.get_program()).args(command.get_args());
        c.envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        let child = c
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(err)
            .spawn()
            .map_err(|e| format!("cannot start {name}: {e}"))?;
        self.children.push((name.to_string(), child));
        Ok(())
    }

    /// Writes a line to a process's standard input.
    pub fn tell(&mut self, name: &str, line: &str) -> Result<(), String> {
        use std::io::Write;
        let (_, child) =
            self.children.iter_mut().find(|(n, _)| n == name).ok_or_else(|| format!("no {name}"))?;
        let input = child.stdin.as_mut().ok_or_else(|| format!("{name} reads nothing"))?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(|e| format!("{name}: {e}"))
    }

    /// An error naming the first process that has ended, with the end of its output.
    pub fn alive(&mut self) -> Result<(), String> {
        interrupted()?;
        for (name, child) in &mut self.children {
            if let Ok(Some(status)) = child.try_wait()
                && name != "ping"
            {
                let text = fs::read_to_string(self.dir.join(format!("{name}.out"))).unwrap_or_default();
                let tail: Vec<_> = text.lines().rev().take(8).collect();
                return Err(format!(
                    "{name} ended ({status}):\n    {}",
                    tail.into_iter().rev().collect::<Vec<_>>().join("\n    ")
                ));
            }
        }
        Ok(())
    }

    /// Waits until `ready` says so; an error when a process ends or the time is over.
    pub fn wait(&mut self, what: &str, limit_s: u64, ready: impl Fn(&Self) -> bool) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(limit_s);
        loop {
            self.alive()?;
            if ready(self) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!(
                    "not within {limit_s} s: {what}; see the logs in {}",
                    self.dir.display()
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A new namespace.
    pub fn namespace(&mut self, stem: &str) -> Result<String, String> {
        let name = self.unique(stem);
        run(&["ip", "netns", "add", &name])?;
        self.namespaces.push(name.clone());
        run(&["ip", "-n", &name, "link", "set", "lo", "up"])?;
        Ok(name)
    }

    /// A veth pair: one end in the namespace `near`, the other in `far` with an address. Gives the near end's name.
    pub fn veth(&self, stem: &str, near: &str, far: &str, address: &str) -> Result<String, String> {
        let (name, peer) = (format!("{stem}0"), format!("{stem}1"));
        run(&[
            "ip", "link", "add", &name, "netns", near, "type", "veth", "peer", "name", &peer, "netns", far,
        ])?;
        run(&["ip", "-n", near, "link", "set", &name, "up"])?;
        run(&["ip", "-n", far, "link", "set", &peer, "up"])?;
        run(&["ip", "-n", far, "addr", "add", address, "dev", &peer])?;
        Ok(name)
    }

    /// Writes down what was made, for [`stop_kept`], and forgets it.
    pub fn keep(&mut self) -> Result<(), String> {
        let mut text = String::new();
        for (name, child) in &self.children {
            text += &format!("process {} {name}\n", child.id());
        }
        text.extend(self.namespaces.iter().map(|n| format!("namespace {n}\n")));
        text.extend(PREFIXES.iter().map(|p| format!("dpdk {}\n", self.unique(p))));
        text.extend(self.mounted.iter().map(|at| format!("mount {}\n", at.display())));
        if let Some((Pool { page_kib, node, total, .. }, before)) = &self.raised {
            let node = node.map_or("-".into(), |n| n.to_string());
            text += &format!("huge {page_kib} {node} {total} {before}\n");
        }
        fs::write(self.dir.join(KEPT), text).map_err(|e| format!("{KEPT}: {e}"))?;
        for (_, child) in &mut self.children {
            std::mem::forget(child.stdin.take()); // testpmd ends when its input is closed
        }
        self.cleaned = true;
        Ok(())
    }

    /// Ends every process, newest first, and removes everything that was made.
    pub fn clean(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.cleaned, true) {
            return Ok(());
        }
        for (_, child) in self.children.iter_mut().rev() {
            end(child);
        }
        for n in &self.namespaces {
            let _ = run(&["ip", "netns", "del", n]);
        }
        for prefix in PREFIXES {
            forget_dpdk(&self.unique(prefix));
        }
        if let Some(raised) = &self.raised {
            Host::default().give_back(raised);
        }
        if let Some(at) = &self.mounted {
            let _ = run(&["umount", &at.display().to_string()]);
        }
        fs::remove_dir_all(&self.dir).map_err(|e| format!("{}: {e}", self.dir.display()))
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        if !self.cleaned {
            eprintln!("cleaning up after the failure");
            let _ = self.clean();
        }
    }
}

/// Removes what DPDK has left behind under this name.
fn forget_dpdk(prefix: &str) {
    let _ = fs::remove_dir_all(Path::new(DPDK_RUNDIR).join(prefix));
}

fn end(child: &mut Child) {
    let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
    let limit = Instant::now() + END_MAX;
    while Instant::now() < limit {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Runs a command to its end; its output, or its error text.
pub fn run(argv: &[&str]) -> Result<String, String> {
    output(Command::new(argv[0]).args(&argv[1..]).stdin(Stdio::null()))
}

/// The same for a prepared command.
pub fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.output().map_err(|e| format!("cannot run {name}: {e}"))?;
    if !done.status.success() {
        let words: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        return Err(format!("{name} {}: {}", words.join(" "), String::from_utf8_lossy(&done.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Ends a demo that was kept, by what it wrote down in its directory.
pub fn stop_kept(dir: &Path) -> Result<(), String> {
    let made = fs::read_to_string(dir.join(KEPT))
        .map_err(|e| format!("{} holds no kept demo ({e})", dir.display()))?;
    let (mut processes, mut rest) = (Vec::new(), Vec::new());
    for line in made.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["process", pid, name] => processes.extend(pid.parse().ok().map(|pid: i32| (pid, name))),
            ["namespace" | "dpdk" | "mount", _] | ["huge", _, _, _, _] => rest.push(words),
            _ => return Err(format!("{}: odd line '{line}'", dir.join(KEPT).display())),
        }
    }
    for (pid, _) in processes.iter().rev().filter(|(pid, _)| is_ours(*pid, dir)) {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGTERM);
        let limit = Instant::now() + END_MAX;
        while is_ours(*pid, dir) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(20));
        }
        if is_ours(*pid, dir) {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
    }
    for words in rest {
        match words[..] {
            ["namespace", name] => drop(run(&["ip", "netns", "del", name])),
            ["dpdk", prefix] => forget_dpdk(prefix),
            ["mount", at] => drop(run(&["umount", at])),
            ["huge", page_kib, node, total, before] => {
                let number = |text: &str| text.parse::<u64>().unwrap_or(0);
                let pool = Pool {
                    page_kib: number(page_kib),
                    node: node.parse().ok(),
                    total: number(total),
                    free: 0,
                };
                Host::default().give_back(&(pool, number(before)));
            }
            _ => {}
        }
    }
    fs::remove_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))
}

/// A process of the demo in `dir`: its number may have been given to another since.
fn is_ours(pid: i32, dir: &Path) -> bool {
    let has = |file: &str| {
        fs::read(format!("/proc/{pid}/{file}"))
            .is_ok_and(|text| String::from_utf8_lossy(&text).contains(&*dir.to_string_lossy()))
    };
    has("cmdline") || has("environ")
}
