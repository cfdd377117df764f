//! What is played: the switch, its ports, the guest and the namespaces, all through the ordinary command-line tools.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::cast::{self, Cast};

/// Flows in the replayed capture.
const FLOWS: u32 = 1000;
/// Sources whose packets a rule drops, so that there is something to see in the ledger.
const DROPPED: &str = "10.0.0.0/28";
/// Bursts that circulate between the guest's two ports.
const BURSTS: u32 = 16;

/// The play, on a stage of processes.
pub struct Scene<'a> {
    cast: &'a mut Cast,
    /// Where the switch's own devices are, out of the way of any other switch.
    home: String,
    namespaces: [String; 2],
}

impl<'a> Scene<'a> {
    /// Nothing is there yet.
    pub fn new(cast: &'a mut Cast) -> Self {
        Self { cast, home: String::new(), namespaces: Default::default() }
    }

    /// ovs-vswitchd's control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.cast.dir().join("vswitchd.ctl")
    }

    fn vsctl(&self, args: &[&str]) -> Result<String, String> {
        let db = format!("--db=unix:{}", self.cast.path("db.sock"));
        cast::output(self.cast.tool("ovs-vsctl").args(["--timeout=20", &db]).args(args))
    }

    fn ofctl(&self, args: &[&str]) -> Result<String, String> {
        cast::output(self.cast.tool("ovs-ofctl").args(["-OOpenFlow13"]).args(args))
    }

    /// Makes the database and its server.
    pub fn start_database(&mut self) -> Result<(), String> {
        let schema = self.cast.path("vswitch.ovsschema");
        fs::write(&schema, super::super::SCHEMA).map_err(|e| format!("{schema}: {e}"))?;
        let db = self.cast.path("conf.db");
        cast::output(self.cast.tool("ovsdb-tool").args(["create", &db, &schema]))?;
        let mut server = self.cast.tool("ovsdb-server");
        server.args([&db, &format!("--remote=punix:{}", self.cast.path("db.sock")), "-vconsole:off"]);
        server.arg(format!("--unixctl={}", self.cast.path("ovsdb.ctl")));
        server.arg(format!("--log-file={}", self.cast.path("ovsdb-server.log")));
        self.cast.start("ovsdb-server", None, server)?;
        self.cast.wait("ovsdb-server answers", 15, |c| c.dir().join("db.sock").exists())?;
        self.vsctl(&["--no-wait", "init"]).map(drop)
    }

    /// Starts ovs-vswitchd with DPDK and one polling thread.
    pub fn start_switch(&mut self) -> Result<(), String> {
        let (memory, extra) = self.cast.eal();
        let mut set = vec![
            "--no-wait".to_string(),
            "set".into(),
            "Open_vSwitch".into(),
            ".".into(),
            "other_config:dpdk-init=true".into(),
            "other_config:dpdk-lcore-mask=0x1".into(),
            format!("other_config:pmd-cpu-mask={}", polling_mask()),
            format!("other_config:dpdk-extra=\"{extra}\""),
        ];
        set.extend(memory.map(|m| format!("other_config:dpdk-socket-mem={m}")));
        self.vsctl(&set.iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut switch = self.cast.tool("ovs-vswitchd");
        switch.arg(format!("unix:{}", self.cast.path("db.sock"))).arg("-vconsole:off");
        switch.arg(format!("--unixctl={}", self.cast.path("vswitchd.ctl")));
        switch.arg(format!("--log-file={}", self.cast.path("ovs-vswitchd.log")));
        self.home = self.cast.namespace("demo-sw")?;
        self.cast.start("ovs-vswitchd", Some(&self.home), switch)?;
        let db = format!("--db=unix:{}", self.cast.path("db.sock"));
        self.cast.wait("DPDK is initialised", 60, |c| {
            let asked = cast::output(c.tool("ovs-vsctl").args([
                "--timeout=5",
                &db,
                "get",
                "Open_vSwitch",
                ".",
                "dpdk_initialized",
            ]));
            asked.is_ok_and(|t| t.trim() == "true")
        })
    }

    /// src replays a capture without end, dst takes what comes; a rule drops a few flows.
    pub fn dpdk_ports(&mut self) -> Result<(), String> {
        let pcap = self.cast.path("flows.pcap");
        fs::write(&pcap, capture()).map_err(|e| format!("{pcap}: {e}"))?;
        self.vsctl(&["add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev"])?;
        self.vsctl(&[
            "add-port",
            "br0",
            "dst",
            "--",
            "set",
            "Interface",
            "dst",
            "type=dpdk",
            "ofport_request=2",
            "options:dpdk-devargs=net_null1,no-rx=1",
        ])?;
        for rule in [
            &format!("priority=20,in_port=1,ip,nw_src={DROPPED},actions=drop"),
            "priority=10,in_port=1,ip,actions=dec_ttl,output:2",
            "priority=10,in_port=3,actions=output:4",
            "priority=10,in_port=4,actions=output:3",
        ] {
            self.ofctl(&["add-flow", "br0", rule])?;
        }
        self.vsctl(&[
            "add-port",
            "br0",
            "src",
            "--",
            "set",
            "Interface",
            "src",
            "type=dpdk",
            "ofport_request=1",
            &format!("options:dpdk-devargs=net_pcap0,rx_pcap={pcap},infinite_rx=1"),
        ])
        .map(drop)
    }

    /// Two vhost-user ports whose guest sends every packet back by the other port.
    pub fn guest(&mut self) -> Result<(), String> {
        let sockets = [self.cast.path("vm0.sock"), self.cast.path("vm1.sock")];
        for (i, socket) in sockets.iter().enumerate() {
            let name = format!("vm{i}");
            self.vsctl(&[
                "add-port",
                "br0",
                &name,
                "--",
                "set",
                "Interface",
                &name,
                "type=dpdkvhostuserclient",
                &format!("ofport_request={}", 3 + i),
                &format!("options:vhost-server-path={socket}"),
            ])?;
        }
        let mut guest = Command::new("stdbuf");
        guest.args(["-o0", "dpdk-testpmd", "--lcores", "0@0,1@0"]).args(self.cast.guest_eal());
        for (i, socket) in sockets.iter().enumerate() {
            guest.args([
                "--vdev",
                &format!("net_virtio_user{i},path={socket},server=1,queue_size=1024,in_order=1"),
            ]);
        }
        guest.args([
            "--",
            "-i",
            "--nb-cores=1",
            "--forward-mode=io",
            "--total-num-mbufs=16384",
            "--txd=1024",
            "--rxd=1024",
        ]);
        self.cast.start("testpmd", None, guest)?;
        self.cast.wait("the guest is up", 30, |c| {
            fs::read_to_string(c.dir().join("testpmd.out")).is_ok_and(|t| t.contains("testpmd>"))
        })?;
        for port in ["vm0", "vm1"] {
            let db = format!("--db=unix:{}", self.cast.path("db.sock"));
            self.cast.wait("the switch sees the guest", 20, |c| {
                let asked =
                    cast::output(c.tool("ovs-vsctl").args([&db, "get", "Interface", port, "link_state"]));
                asked.is_ok_and(|t| t.trim() == "up")
            })?;
        }
        self.cast.tell("testpmd", &format!("start tx_first {BURSTS}"))
    }

    /// Two namespaces on veth pairs; the bridge learns their addresses.
    pub fn namespaces(&mut self) -> Result<(), String> {
        for (i, stem) in ["demo-a", "demo-b"].iter().enumerate() {
            let ns = self.cast.namespace(stem)?;
            let near = self.cast.veth(["va", "vb"][i], &self.home, &ns, &format!("10.77.0.{}/24", i + 1))?;
            self.vsctl(&["add-port", "br0", &near])?;
            self.namespaces[i] = ns;
        }
        let mut ping = Command::new("stdbuf");
        ping.args(["-oL", "ping", "-n", "-i", "0.2", "10.77.0.2"]);
        self.cast.start("ping", Some(&self.namespaces[0]), ping)
    }

    /// Waits for the first answer to the ping and the first packets out of dst and between the guest's ports.
    pub fn settle(&mut self) -> Result<(), String> {
        self.cast.wait("the namespaces answer each other", 20, |c| {
            fs::read_to_string(c.dir().join("ping.out")).is_ok_and(|t| t.contains("bytes from"))
        })?;
        for port in ["2", "3", "4"] {
            self.cast.wait(&format!("packets leave port {port}"), 20, |c| {
                let asked =
                    cast::output(c.tool("ovs-ofctl").args(["-OOpenFlow13", "dump-ports", "br0", port]));
                asked.is_ok_and(|t| t.contains("tx pkts=") && !t.contains("tx pkts=0,"))
            })?;
        }
        Ok(())
    }

    /// The newest line of the ping.
    pub fn last_ping(&self) -> String {
        let text = fs::read_to_string(self.cast.dir().join("ping.out")).unwrap_or_default();
        let line = text.lines().rev().find(|l| l.contains("bytes from")).unwrap_or("no answer yet");
        format!("ping {}: {line}", self.namespaces[0])
    }

    /// Ends the ping as Ctrl-C would; its own summary.
    pub fn ping_summary(&mut self) -> Result<String, String> {
        let pids = cast::run(&["ip", "netns", "pids", &self.namespaces[0]])?;
        for pid in pids.split_whitespace().filter_map(|p| p.parse().ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT);
        }
        let of = |c: &Cast| fs::read_to_string(c.dir().join("ping.out")).unwrap_or_default();
        self.cast.wait("ping ends", 5, |c| of(c).contains("packets transmitted"))?;
        let text = of(self.cast);
        let lines: Vec<_> = text.lines().collect();
        Ok([&lines[..lines.len().min(4)], &["..."], &lines[lines.len().saturating_sub(3)..]]
            .concat()
            .join("\n"))
    }

    /// `ovs-vsctl show`.
    pub fn show(&self) -> Result<String, String> {
        self.vsctl(&["show"])
    }

    /// An error unless everything that should have been seen was seen.
    pub fn verdict(&mut self) -> Result<(), String> {
        self.cast.alive()?;
        let errors = self.vsctl(&["--bare", "--columns=name,error", "find", "Interface", "error!=[]"])?;
        if !errors.trim().is_empty() {
            return Err(format!("ports with errors:\n{errors}"));
        }
        let ping = fs::read_to_string(self.cast.dir().join("ping.out")).unwrap_or_default();
        if !ping.contains(" 0% packet loss") {
            return Err("the namespaces lost packets".into());
        }
        Ok(())
    }
}

/// A polling thread on the second processor, beside the guest's on the first.
fn polling_mask() -> String {
    let online = hugepages::Host::default().online();
    let last = online.iter().copied().filter(|c| *c != 0).take(1).chain([0]).take(1).collect();
    hugepages::cpu::mask(&last)
}

/// A capture of [`FLOWS`] UDP datagrams of distinct five-tuples, 60 bytes each.
fn capture() -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65535, 1] {
        out.extend(word.to_le_bytes());
    }
    for i in 0..FLOWS {
        let packet = datagram(0x0a00_0000 + i, 0x0b00_0000, 1024 + i as u16, 80);
        for word in [0, 0, packet.len() as u32, packet.len() as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend(packet);
    }
    out
}

fn datagram(src: u32, dst: u32, src_port: u16, dst_port: u16) -> [u8; 60] {
    let mut p = [0u8; 60];
    p[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    p[12..14].copy_from_slice(&[8, 0]);
    p[14] = 0x45;
    p[16..18].copy_from_slice(&46u16.to_be_bytes());
    (p[22], p[23]) = (64, 17);
    p[26..30].copy_from_slice(&src.to_be_bytes());
    p[30..34].copy_from_slice(&dst.to_be_bytes());
    let sum = p[14..34].chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    p[24..26].copy_from_slice(&(!(((folded & 0xffff) + (folded >> 16)) as u16)).to_be_bytes());
    p[34..36].copy_from_slice(&src_port.to_be_bytes());
    p[36..38].copy_from_slice(&dst_port.to_be_bytes());
    p[38..40].copy_from_slice(&26u16.to_be_bytes());
    p
}
