//! A datapath in memory, and a whole control plane on a real ovsdb-server, for tests that drive it with Debian's tools.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dpif::flows::{Megaflow, MeterConfig, MeterStats};
use dpif::{
    Clock, Control, Datapath, DatapathConfig, DatapathStats, DpPort, Execute, ExecuteRequest, FlowError,
    FlowPut, Flows, PortError, PortSpec, PortStats, PortStatus, Ports,
};
use vswitchd::bridge::desire::Dummy;
use vswitchd::bridge::load::interest;
use vswitchd::bridge::run::{LOCK, Runner, Setup};
use vswitchd::bridge::switch::{Backer, Switch};
use vswitchd::ofproto::World;
use vswitchd::upcall::{Revalidator, Upcalls};

/// Ports are entries of a map; a name that starts with `bad` cannot be opened.
#[derive(Default)]
pub struct FakeDatapath {
    pub ports: Mutex<BTreeMap<u32, PortSpec>>,
    /// Everything that was asked for, in order.
    pub log: Mutex<Vec<String>>,
    changes: AtomicU64,
}

impl FakeDatapath {
    fn say(&self, text: String) {
        self.log.lock().unwrap().push(text);
    }
}

impl Ports for FakeDatapath {
    fn port_add(&self, spec: &PortSpec, _: Option<DpPort>) -> Result<DpPort, PortError> {
        self.say(format!("add {}", spec.name));
        if spec.name.starts_with("bad") {
            return Err(PortError::Device("No such device".into()));
        }
        let mut ports = self.ports.lock().unwrap();
        if ports.values().any(|p| p.name == spec.name) {
            return Err(PortError::Exists(spec.name.clone()));
        }
        let number = (1..).find(|n| !ports.contains_key(n)).unwrap();
        ports.insert(number, spec.clone());
        Ok(DpPort(number))
    }
    fn port_remove(&self, port: DpPort) -> Result<(), PortError> {
        let spec = self.ports.lock().unwrap().remove(&port.0).ok_or(PortError::NotFound(port.to_string()))?;
        self.say(format!("remove {}", spec.name));
        Ok(())
    }
    fn port_reconfigure(&self, port: DpPort, spec: &PortSpec) -> Result<(), PortError> {
        self.say(format!("reconfigure {}", spec.name));
        self.ports.lock().unwrap().insert(port.0, spec.clone());
        Ok(())
    }
    fn port_status(&self, port: DpPort) -> Result<PortStatus, PortError> {
        let ports = self.ports.lock().unwrap();
        let spec = ports.get(&port.0).ok_or(PortError::NotFound(port.to_string()))?;
        Ok(PortStatus {
            mac: spec.mac.unwrap_or([0xaa, 0x55, 0xaa, 0x55, 0, port.0 as u8]),
            mtu: spec.mtu_request.unwrap_or(1500),
            admin_up: true,
            link_up: true,
            shown_kind: spec.kind.clone(),
            ..PortStatus::default()
        })
    }
    fn port_stats(&self, _: DpPort) -> Result<PortStats, PortError> {
        Ok(PortStats { rx_packets: 7, ..PortStats::default() })
    }
    fn port_set_admin_up(&self, _: DpPort, _: bool) -> Result<(), PortError> {
        Ok(())
    }
    fn ports(&self) -> Vec<(DpPort, String, String)> {
        let ports = self.ports.lock().unwrap();
        ports.iter().map(|(n, s)| (DpPort(*n), s.name.clone(), s.kind.clone())).collect()
    }
    fn port_changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }
    fn port_kinds(&self) -> Vec<&'static str> {
        vec!["dummy", "internal", "system", "tap"]
    }
}

impl Flows for FakeDatapath {
    fn flow_put(&self, _: FlowPut) -> Result<(), FlowError> {
        Ok(())
    }
    fn flow_modify(&self, _: &Arc<dyn Megaflow>, _: dpif::Actions) -> Result<(), FlowError> {
        Ok(())
    }
    fn flow_delete(&self, _: &Arc<dyn Megaflow>) -> Result<(), FlowError> {
        Ok(())
    }
    fn flow_flush(&self) {}
    fn flow_dump(&self, _: &mut dyn FnMut(&Arc<dyn Megaflow>)) {}
    fn n_flows(&self) -> usize {
        0
    }
    fn stats(&self) -> DatapathStats {
        DatapathStats::default()
    }
}

impl Execute for FakeDatapath {
    fn execute(&self, request: &ExecuteRequest<'_>) -> Result<(), FlowError> {
        self.say(format!("execute {}", dpif::text::format_actions(request.actions, &dpif::text::Numbers)));
        Ok(())
    }
}

impl Control for FakeDatapath {
    fn configure(&self, _: &DatapathConfig) -> Result<(), String> {
        Ok(())
    }
    fn set_flow_limit(&self, _: usize) {}
    fn type_and_name(&self) -> (&'static str, &'static str) {
        ("netdev", "ovs-netdev")
    }
    fn meter_set(&self, _: u32, _: Option<MeterConfig>) -> Result<(), String> {
        Ok(())
    }
    fn meter_stats(&self, _: u32) -> Option<MeterStats> {
        None
    }
}

/// The control plane with Debian's ovsdb-server and tools, in a directory of its own.
pub struct Lab {
    pub dir: PathBuf,
    pub datapath: Arc<FakeDatapath>,
    pub switch: Arc<Switch>,
    server: Option<Child>,
    runtime: Option<tokio::runtime::Runtime>,
    exit: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _temp: tempfile::TempDir,
}

impl Lab {
    /// `None` (said on stderr) where Debian's tools are not installed.
    pub fn start() -> Option<Lab> {
        if ["ovsdb-tool", "ovsdb-server", "ovs-vsctl", "ovs-ofctl"].iter().any(|t| which(t).is_none()) {
            eprintln!("SKIPPED: Debian's openvswitch-common and openvswitch-switch are not installed");
            return None;
        }
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().to_path_buf();
        // SAFETY: set before the threads of this test start; every test of this binary uses its own process.
        unsafe { std::env::set_var("OVS_RUNDIR", &dir) };
        let db = dir.join("conf.db");
        assert!(
            run(&dir, "ovsdb-tool", &["create", path(&db), "/usr/share/openvswitch/vswitch.ovsschema"])
                .status
                .success()
        );
        let datapath = Arc::new(FakeDatapath::default());
        let clock = Clock::default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let world = World::new(clock.clone());
        let shared: Arc<dyn Datapath> = datapath.clone();
        world.set_datapath(shared.clone());
        let _ = Revalidator::start(Upcalls::new(world.clone()), shared.clone()).unwrap();
        let backer = Backer { kind: "netdev", name: "ovs-netdev", datapath: shared, world };
        let switch = Switch::new(clock, runtime.handle().clone(), vec![backer]);
        let mut lab = Lab {
            dir,
            datapath,
            switch,
            server: None,
            runtime: Some(runtime),
            exit: None,
            thread: None,
            _temp: temp,
        };
        lab.start_server();
        lab.start_control_plane();
        Some(lab)
    }

    pub fn start_server(&mut self) {
        let child = Command::new("ovsdb-server")
            .arg(self.dir.join("conf.db"))
            .arg(format!("--remote=punix:{}/db.sock", self.dir.display()))
            .arg(format!("--unixctl={}/ovsdb.ctl", self.dir.display()))
            .args(["-vconsole:off", "--no-chdir"])
            .env("OVS_RUNDIR", &self.dir)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.server = Some(child);
        self.until("the database's socket", |lab| lab.dir.join("db.sock").exists());
        self.vsctl(&["--no-wait", "init"]);
    }

    pub fn kill_server(&mut self) {
        if let Some(mut child) = self.server.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_file(self.dir.join("db.sock"));
    }

    fn start_control_plane(&mut self) {
        let (exit, asked) = tokio::sync::oneshot::channel::<()>();
        let remote = format!("unix:{}/db.sock", self.dir.display());
        let client = ovsdb::client::Client::new(&remote, "Open_vSwitch", interest()).unwrap().with_lock(LOCK);
        let setup = Setup {
            switch: self.switch.clone(),
            dummy: Dummy::Off,
            datapath_types: vec!["netdev".into()],
            configured: Box::new(|_| ()),
        };
        let handle = self.runtime.as_ref().unwrap().handle().clone();
        self.exit = Some(exit);
        self.thread = Some(std::thread::spawn(move || {
            let runner = Runner::new(setup, client, Box::new(|| ()));
            let task = handle.spawn(async move {
                runner.run(async { drop(asked.await) }).await;
            });
            handle.block_on(task).unwrap();
        }));
    }

    /// Runs ovs-vsctl, which waits until the configuration is in force.
    pub fn vsctl(&self, args: &[&str]) -> String {
        let output = self.vsctl_output(args);
        assert!(output.status.success(), "ovs-vsctl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn vsctl_output(&self, args: &[&str]) -> Output {
        let db = format!("--db=unix:{}/db.sock", self.dir.display());
        let all: Vec<&str> = ["--timeout=10", &db].iter().copied().chain(args.iter().copied()).collect();
        run(&self.dir, "ovs-vsctl", &all)
    }

    pub fn ofctl(&self, args: &[&str]) -> String {
        let output = self.ofctl_output(args);
        assert!(output.status.success(), "ovs-ofctl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn ofctl_output(&self, args: &[&str]) -> Output {
        run(&self.dir, "timeout", &[&["10", "ovs-ofctl"], args].concat())
    }

    pub fn until(&self, what: &str, done: impl Fn(&Lab) -> bool) {
        let end = Instant::now() + Duration::from_secs(15);
        while !done(self) {
            assert!(Instant::now() < end, "gave up waiting for {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.exit.take().map(|exit| exit.send(()));
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
        self.kill_server();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn run(dir: &Path, program: &str, args: &[&str]) -> Output {
    Command::new(program).args(args).env("OVS_RUNDIR", dir).stdin(Stdio::null()).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn which(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|d| d.join(program)).find(|p| p.exists())
}
