//! The same random rules and packets through Debian's ovs-vswitchd (dummy datapath) and through our translation:
//! `ofproto/trace` must agree in the final flow, the datapath actions and errors, and our megaflow may differ from
//! theirs only in being narrower or wider where that is valid (proven by the classifier's oracle test).
//!
//! Needs Debian's openvswitch-switch-dpdk; says so and passes when it is not there.
//! `DIFF_SEED` and `DIFF_ROUNDS` choose the cases; the seed is printed with each difference.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use dpif::{Clock, DpPort};
use openflow::msg::{FlowModCommand, GroupModCommand};
use openflow::text::Protocols;
use openflow::{OfPort, Version};
use vswitchd::ofproto::config::VlanMode;
use vswitchd::ofproto::{BridgeConfig, BundleInput, NoEvents, Ofproto, PortInput, World};
use vswitchd::trace;

const VSWITCHD: &str = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
const N_PORTS: u32 = 4;
const LOCAL_DP_PORT: u32 = 100;

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Debian's daemon in a directory of its own; ends with it.
struct Debian {
    dir: PathBuf,
    /// How flows are sent: `-OOpenFlow13`.
    version: &'static str,
}

impl Debian {
    fn start(version: &'static str) -> Option<Debian> {
        if !Path::new(VSWITCHD).exists() {
            return None;
        }
        let dir = std::env::temp_dir().join(format!("xlate-diff-{}{version}", std::process::id()));
        std::fs::create_dir_all(&dir).ok()?;
        let this = Debian { dir, version };
        let db = format!("unix:{}/db.sock", this.dir.display());
        this.run("ovsdb-tool", &["create", "conf.db", "/usr/share/openvswitch/vswitch.ovsschema"]);
        let remote = format!("--remote=p{db}");
        this.run(
            "ovsdb-server",
            &["--detach", "--no-chdir", "--pidfile", "-vconsole:off", &remote, "conf.db"],
        );
        this.run("ovs-vsctl", &[&format!("--db={db}"), "--no-wait", "init"]);
        this.run(
            VSWITCHD,
            &[
                "--enable-dummy=override",
                "--disable-system",
                "--detach",
                "--no-chdir",
                "--pidfile",
                "-vconsole:off",
                &db,
            ],
        );
        let mut args: Vec<String> = vec![format!("--db={db}")];
        args.extend(
            "add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure".split(' ').map(String::from),
        );
        for n in 1..=N_PORTS {
            let add = format!("-- add-port br0 p{n} -- set interface p{n} type=dummy ofport_request={n}");
            args.extend(add.split(' ').map(String::from));
        }
        this.run("ovs-vsctl", &args.iter().map(String::as_str).collect::<Vec<_>>());
        Some(this)
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.dir).stderr(Stdio::piped()).stdin(Stdio::null());
        for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            command.env(name, &self.dir);
        }
        command
    }

    fn run(&self, program: &str, args: &[&str]) -> String {
        let output = self.command(program, args).output().expect("Debian's tools are installed");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Loads groups and flows; returns the error names of flows that it refused, in place.
    fn load(&self, groups: &[String], flows: &[String]) -> Vec<Option<String>> {
        self.run("ovs-ofctl", &["-OOpenFlow13", "del-flows", "br0"]);
        self.run("ovs-ofctl", &["-OOpenFlow13", "del-groups", "br0"]);
        std::fs::write(self.dir.join("groups"), groups.join("\n") + "\n").unwrap();
        self.run("ovs-ofctl", &["-OOpenFlow13", "add-groups", "br0", "groups"]);
        flows.iter().map(|flow| self.add(flow)).collect()
    }

    fn add(&self, flow: &str) -> Option<String> {
        let mut command = self.command("ovs-ofctl", &[self.version, "add-flow", "br0", flow]);
        let output = command.output().expect("Debian's tools are installed");
        let text = String::from_utf8_lossy(&output.stderr);
        let at = text.find("OFPB");
        let name =
            |at: usize| text[at..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        match at {
            Some(at) => Some(name(at)),
            None => (!output.status.success()).then(|| text.trim().to_string()),
        }
    }

    fn trace(&self, flow: &str) -> String {
        self.run("ovs-appctl", &["-t", "ovs-vswitchd-dpdk", "ofproto/trace", "br0", flow])
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        for (target, args) in
            [("ovs-vswitchd-dpdk", vec!["exit", "--cleanup"]), ("ovsdb-server", vec!["exit"])]
        {
            let mut all = vec!["-t", target];
            all.extend(args);
            let _ = self.command("ovs-appctl", &all).stdout(Stdio::null()).status();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Ours, with the same ports.
fn ours() -> (Arc<World>, Arc<Ofproto>) {
    let world = World::new(Clock::default());
    let bridge = world.bridge_add("br0", BridgeConfig::default(), Arc::new(NoEvents));
    let ports = (1..=N_PORTS).map(|n| (OfPort(n), n, format!("p{n}")));
    for (number, dp_port, name) in ports.chain([(OfPort::LOCAL, LOCAL_DP_PORT, "br0".to_string())]) {
        bridge.port_set(&PortInput {
            number,
            name: name.clone(),
            dp_port: Some(DpPort(dp_port)),
            link_up: true,
            admin_up: true,
            ..PortInput::default()
        });
        bridge.bundle_set(&BundleInput::trunk(&name, number));
    }
    (world, bridge)
}

fn load(bridge: &Ofproto, groups: &[String], flows: &[String], usable: Protocols) -> Vec<Option<String>> {
    bridge.flush();
    for text in groups {
        let parsed = openflow::text::group::parse(text, GroupModCommand::Add, None).expect(text);
        bridge.group_mod(&parsed.0).expect(text);
    }
    flows.iter().map(|text| add(bridge, text, usable).err()).collect()
}

fn add(bridge: &Ofproto, text: &str, usable: Protocols) -> Result<(), String> {
    let parsed = openflow::text::flow::parse(text, FlowModCommand::Add, None).map_err(|e| e.to_string())?;
    if !parsed.usable.intersects(usable) {
        return Err("not for this version".into());
    }
    bridge.flow_mod(&parsed.flow).map_err(|e| format!("{e:?}"))
}

fn ours_trace(world: &Arc<World>, flow: &str) -> String {
    let args = ["br0".to_string(), flow.to_string()];
    trace::run(world, &trace::parse(std::slice::from_ref(world), &args).expect(flow))
}

/// What a table is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// OpenFlow 1.0 with Nicira's extensions: sent and printed as written.
    Nxm,
    /// OpenFlow 1.3 with action sets.
    Sets,
    /// OpenFlow 1.3 with check_pkt_larger. (With action sets, too, Debian's runs the set twice for large packets.)
    Branches,
}

const IPS: &[&str] = &["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.168.0.1", "224.0.0.1"];
const PREFIXES: &[&str] =
    &["10.0.0.1", "10.0.0.0/24", "10.0.0.0/16", "10.0.0.0/8", "192.168.0.0/16", "10.0.0.2/31"];
const MACS: &[&str] = &["00:00:00:00:00:01", "00:00:00:00:00:02", "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:01"];
const PORTS: &[&str] = &["80", "443", "8080", "0x50/0xfff0", "0x1f00/0xff00"];

fn random_match(rng: &mut Rng, table: usize) -> String {
    let mut m: Vec<String> = Vec::new();
    if rng.one_in(2) {
        m.push(format!("in_port={}", rng.pick(&["1", "2", "3", "LOCAL"])));
    }
    if rng.one_in(5) {
        m.push(
            rng.pick(&[
                "dl_vlan=5",
                "dl_vlan=6,dl_vlan_pcp=3",
                "vlan_tci=0x0000/0x1fff",
                "vlan_tci=0x1000/0x1000",
            ])
            .into(),
        );
    }
    if rng.one_in(5) {
        m.push(format!("dl_dst={}", rng.pick(MACS)));
    }
    if rng.one_in(6) {
        m.push(format!("dl_src={}", rng.pick(&[MACS[0], MACS[1], "00:00:00:00:00:00/01:00:00:00:00:00"])));
    }
    if table > 0 && rng.one_in(3) {
        m.push(rng.pick(&["reg0=1", "reg1=0x5/0xff", "metadata=0x3"]).into());
    }
    match rng.below(7) {
        0 => m.push("ip".into()),
        1 | 2 => {
            m.push(rng.pick(&["tcp", "udp"]).into());
            if rng.one_in(2) {
                m.push(format!("{}={}", rng.pick(&["tp_src", "tp_dst"]), rng.pick(PORTS)));
            }
        }
        3 => m.push("icmp".into()),
        4 => m.push(
            rng.pick(&["arp", "arp,arp_op=1", "arp,arp_tpa=10.0.0.1", "ipv6,ipv6_src=2001:db8::/32"]).into(),
        ),
        _ => {}
    }
    let is_ip = m.iter().any(|f| matches!(f.as_str(), "ip" | "tcp" | "udp" | "icmp"));
    if is_ip && rng.one_in(2) {
        m.push(format!("{}={}", rng.pick(&["nw_src", "nw_dst"]), rng.pick(PREFIXES)));
    }
    if is_ip && rng.one_in(6) {
        m.push(rng.pick(&["nw_tos=32", "nw_ttl=64", "nw_ecn=1"]).into());
    }
    m.join(",")
}

fn random_action(rng: &mut Rng, kind: Kind, table: usize, depth: usize) -> String {
    let next = table + 1 + rng.below(2);
    match rng.below(if depth == 0 { 33 } else { 28 }) {
        0..=4 => format!("output:{}", 1 + rng.below(4)),
        5 => "in_port".into(),
        6 => rng.pick(&["flood", "all", "local"]).into(),
        7 => "normal".into(),
        8 => format!("mod_dl_src:{}", rng.pick(MACS)),
        9 => format!("mod_dl_dst:{}", rng.pick(MACS)),
        10 if kind == Kind::Nxm => format!("mod_nw_src:{}", rng.pick(IPS)),
        11 if kind == Kind::Nxm => format!("mod_nw_dst:{}", rng.pick(IPS)),
        10 => format!("set_field:{}->ip_src", rng.pick(IPS)),
        11 => format!("set_field:{}->ip_dst", rng.pick(IPS)),
        12 => "dec_ttl".into(),
        13 if kind == Kind::Nxm => "mod_nw_tos:32".into(),
        // Not parts of fields: how wide a set's mask is depends on how wide the megaflow's is.
        13 => "mod_nw_ttl:9".into(),
        // OpenFlow 1.3 turns setting into pushing where the match does not say that there is a tag.
        14 if kind == Kind::Nxm => rng.pick(&["mod_vlan_vid:7", "mod_vlan_pcp:2", "strip_vlan"]).into(),
        14 => rng.pick(&["strip_vlan", "push_vlan:0x8100"]).into(),
        15 | 16 if kind == Kind::Nxm => rng
            .pick(&["load:1->NXM_NX_REG0[]", "load:5->NXM_NX_REG1[0..7]", "load:2->NXM_OF_IN_PORT[]"])
            .into(),
        15 | 16 => rng
            .pick(&[
                "load:1->NXM_NX_REG0[]",
                "load:5->NXM_NX_REG1[0..7]",
                "set_field:0x3->metadata",
                "load:0xa->NXM_OF_IP_SRC[0..7]",
                "set_field:00:00:00:00:00:05/00:00:00:00:00:ff->eth_dst",
                "load:2->NXM_OF_IN_PORT[]",
            ])
            .into(),
        17 | 18 => rng
            .pick(&[
                "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
                "move:NXM_OF_IP_SRC[0..15]->NXM_NX_REG2[0..15]",
                "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]",
                "move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]",
            ])
            .into(),
        19 => "push:NXM_NX_REG0[],pop:NXM_NX_REG1[]".into(),
        20 => "output:NXM_NX_REG0[0..15]".into(),
        21 | 22 => format!("resubmit(,{next})"),
        23 => format!("resubmit({},{next})", 1 + rng.below(3)),
        24 => rng
            .pick(&["controller", "controller(max_len=64,reason=no_match)", "note:01.02.03.04.05.06"])
            .into(),
        25 => "multipath(symmetric_l4,50,modulo_n,4,0,NXM_NX_REG3[])".into(),
        // Without a match on the protocol these would also change ICMP types, which Debian's does in its slow path.
        26 if kind == Kind::Nxm => "in_port".into(),
        26 => rng.pick(&["mod_tp_dst:99", "mod_tp_src:98"]).into(),
        27 => "exit".into(),
        28 => format!("group:{}", 1 + rng.below(3)),
        29 if kind == Kind::Sets => "exit".into(),
        29 => "check_pkt_larger(200)->NXM_NX_REG0[0]".into(),
        30 | 31 => {
            let n = 1 + rng.below(3);
            let list: Vec<String> = (0..n).map(|_| random_action(rng, kind, table, depth + 1)).collect();
            format!("clone({})", list.join(","))
        }
        _ if kind == Kind::Nxm => "note:01.02.03.04.05.06".into(),
        _ => "push_mpls:0x8847,set_field:17->mpls_label".into(),
    }
}

fn random_flow(rng: &mut Rng, kind: Kind, n: usize) -> String {
    let table = [0, 0, 1, 1, 2, 3][rng.below(6)];
    let mut actions: Vec<String> =
        (0..1 + rng.below(4)).map(|_| random_action(rng, kind, table, 0)).collect();
    if kind == Kind::Sets && rng.one_in(8) {
        actions.push(
            rng.pick(&[
                "write_actions(output:2,mod_dl_dst:00:00:00:00:00:07)",
                "clear_actions",
                "write_metadata:0x3/0xf",
            ])
            .into(),
        );
    }
    if kind != Kind::Nxm && rng.one_in(6) {
        actions.push(format!("goto_table:{}", table + 1 + rng.below(3)));
    }
    let matching = random_match(rng, table);
    let comma = if matching.is_empty() { "" } else { "," };
    // Distinct priorities: which of two equal rules wins is nobody's promise.
    format!(
        "table={table},priority={},{matching}{comma}cookie={:#x},actions={}",
        100 + n,
        n % 3,
        actions.join(",")
    )
}

fn random_packet(rng: &mut Rng) -> String {
    let mut p = format!("in_port={}", rng.pick(&["1", "2", "3", "4", "LOCAL"]));
    if rng.one_in(4) {
        p += rng.pick(&[",dl_vlan=5,dl_vlan_pcp=0", ",dl_vlan=6,dl_vlan_pcp=3", ",dl_vlan=9,dl_vlan_pcp=1"]);
    }
    let _ = write!(p, ",dl_src={},dl_dst={}", rng.pick(&MACS[..2]), rng.pick(MACS));
    let (src, dst) = (rng.pick(IPS), rng.pick(IPS));
    let ttl = rng.pick(&["1", "64", "2"]);
    let (sport, dport) = (rng.pick(&["80", "1000", "8081"]), rng.pick(&["80", "443", "8080", "95"]));
    let ip = format!("nw_src={src},nw_dst={dst},nw_ttl={ttl},nw_tos={}", rng.pick(&["0", "32"]));
    p + &match rng.below(8) {
        0 | 1 => format!(",tcp,{ip},tp_src={sport},tp_dst={dport}"),
        2 | 3 => format!(",udp,{ip},udp_src={sport},udp_dst={dport}"),
        4 => format!(",icmp,{ip},icmp_type=8"),
        5 => format!(",arp,arp_op=1,arp_spa={src},arp_tpa={dst}"),
        6 => {
            format!(",tcp6,ipv6_src=2001:db8::1,ipv6_dst=fe80::2,nw_ttl={ttl},tp_src={sport},tp_dst={dport}")
        }
        _ => ",dl_type=0x1234".to_string(),
    }
}

/// Table, priority and match of a flow, without the cookie and the actions.
fn bare(flow: &str) -> &str {
    flow.split(",cookie=").next().unwrap_or(flow)
}

/// Lines of a trace that both must agree on. Action lines are left to golden tests (OpenFlow 1.3 rewrites some
/// actions on the wire); ids of frozen states are numbers of their own.
fn essence(trace: &str) -> Vec<String> {
    let tables = |l: &str| {
        let t = l.trim_start();
        t.split_once(". ").is_some_and(|(n, _)| n.parse::<u8>().is_ok()) || t.starts_with(">>>>")
    };
    let tail =
        |l: &str| ["Final flow:", "Datapath actions:", "Translation failed"].iter().any(|p| l.starts_with(p));
    trace.lines().filter(|l| tables(l) || tail(l)).map(|l| canonical(l.trim())).collect()
}

/// Without recirculation ids; floods in any order.
fn canonical(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("recirc_id=").or_else(|| rest.find("recirc(0x")) {
        let end = rest[at..].find([',', ')']).map_or(rest.len(), |n| at + n);
        let start = at + rest[at..].find(['=', '(']).unwrap_or(0) + 1;
        out.push_str(&rest[..start]);
        out.push('N');
        rest = &rest[end..];
    }
    out.push_str(rest);
    match out.strip_prefix("Datapath actions: ") {
        Some(actions) => format!("Datapath actions: {}", sorted_runs(actions)),
        None => out,
    }
}

/// Sorts neighbouring plain outputs, inside parentheses too.
fn sorted_runs(actions: &str) -> String {
    let mut out = String::new();
    let mut run: Vec<u32> = Vec::new();
    for item in actions.split_inclusive([',', '(', ')']) {
        let word = item.trim_end_matches([',', '(', ')']);
        let end = &item[word.len()..];
        match word.parse::<u32>() {
            Ok(n) => {
                run.push(n);
                if end == ")" {
                    flush(&mut run, &mut out);
                    out.push(')');
                }
            }
            Err(_) => {
                flush(&mut run, &mut out);
                out.push_str(item);
            }
        }
    }
    flush(&mut run, &mut out);
    out
}

fn flush(run: &mut Vec<u32>, out: &mut String) {
    run.sort_unstable();
    run.drain(..).for_each(|n| {
        let _ = write!(out, "{n},");
    });
}

fn megaflow(trace: &str) -> &str {
    trace.lines().find_map(|l| l.strip_prefix("Megaflow: ")).unwrap_or("")
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[test]
fn random_tables_translate_as_debians_do() {
    compare("-OOpenFlow13", &[Kind::Sets, Kind::Branches], &essence);
}

#[test]
fn whole_traces_read_as_debians_do() {
    let whole = |trace: &str| {
        let lines = trace.lines().filter(|l| !l.starts_with("Megaflow: "));
        lines.map(canonical).collect()
    };
    compare("-OOpenFlow10", &[Kind::Nxm], &whole);
}

/// Loads random tables of `kinds` into both, sends random packets through, and compares what `essence` leaves.
fn compare(version: &'static str, kinds: &[Kind], essence: &dyn Fn(&str) -> Vec<String>) {
    let Some(debian) = Debian::start(version) else {
        eprintln!("SKIPPED: {VSWITCHD} is not installed");
        return;
    };
    let usable = Protocols::of(if version == "-OOpenFlow10" { Version::V1_0 } else { Version::V1_3 });
    let (world, bridge) = ours();
    let (seed, rounds) = (number("DIFF_SEED", 1), number("DIFF_ROUNDS", 6));
    let groups: Vec<String> = [
        "group_id=1,type=all,bucket=output:1,bucket=set_field:00:00:00:00:00:09->eth_dst,output:2",
        "group_id=2,type=indirect,bucket=dec_ttl,output:3",
        "group_id=3,type=ff,bucket=watch_port:1,output:4",
    ]
    .map(String::from)
    .to_vec();
    let (mut n, mut same_megaflow, mut differences) = (0, 0, String::new());
    for round in seed..seed + rounds {
        let mut rng = Rng(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let kind = kinds[round as usize % kinds.len()];
        let flows: Vec<String> = (0..30).map(|n| random_flow(&mut rng, kind, n)).collect();
        let refused = (debian.load(&groups, &flows), load(&bridge, &groups, &flows, usable));
        for ((flow, theirs), mine) in flows.iter().zip(&refused.0).zip(&refused.1) {
            if theirs.is_some() != mine.is_some() {
                let _ =
                    writeln!(differences, "\n#### seed {round}: {flow}\nDebian {theirs:?}, ours {mine:?}");
                debian.run("ovs-ofctl", &[debian.version, "--strict", "del-flows", "br0", bare(flow)]);
                let text = openflow::text::flow::parse(bare(flow), FlowModCommand::DeleteStrict, None);
                text.ok().map(|parsed| bridge.flow_mod(&parsed.flow));
            }
        }
        for _ in 0..20 {
            let packet = random_packet(&mut rng);
            let (theirs, mine) = (debian.trace(&packet), ours_trace(&world, &packet));
            n += 1;
            same_megaflow += usize::from(megaflow(&theirs) == megaflow(&mine));
            if essence(&theirs) != essence(&mine) {
                let _ = writeln!(
                    differences,
                    "\n#### seed {round}: {packet}\n-- Debian:\n{theirs}-- ours:\n{mine}"
                );
            }
        }
    }
    eprintln!("{n} traces, {same_megaflow} with equal megaflows");
    assert!(differences.is_empty(), "{differences}");
}

/// A port's VLAN settings: for ovs-vsctl, and as ours.
fn random_bundle(rng: &mut Rng, n: u32) -> (String, BundleInput) {
    let mut b = BundleInput::trunk(&format!("p{n}"), OfPort(n));
    let mut settings = Vec::new();
    let tag = [5, 6, 7][rng.below(3)];
    let mode = ["trunk", "access", "native-tagged", "native-untagged", "dot1q-tunnel"][rng.below(5)];
    b.vlan_mode = match mode {
        "access" => VlanMode::Access,
        "native-tagged" => VlanMode::NativeTagged,
        "native-untagged" => VlanMode::NativeUntagged,
        "dot1q-tunnel" => VlanMode::Dot1qTunnel,
        _ => VlanMode::Trunk,
    };
    settings.push(format!("vlan_mode={mode}"));
    if mode != "trunk" {
        b.tag = tag;
        settings.push(format!("tag={tag}"));
    }
    if matches!(mode, "trunk" | "native-tagged" | "native-untagged") && rng.one_in(2) {
        b.trunks = vec![5, 6];
        if mode != "trunk" {
            b.trunks.push(tag);
        }
        settings.push("trunks=5,6".into());
    }
    if mode == "dot1q-tunnel" && rng.one_in(2) {
        b.cvlans = vec![9];
        settings.push("cvlans=9".into());
    }
    if rng.one_in(3) {
        b.protected = true;
        settings.push("protected=true".into());
    }
    (settings.join(" "), b)
}

/// Which port gets the packet with which tags, in any order.
fn deliveries(actions: &str, mut tags: Vec<String>) -> Vec<String> {
    let mut out = Vec::new();
    let mut items = actions.split(',');
    while let Some(item) = items.next() {
        if let Some(first) = item.strip_prefix("push_vlan(") {
            let mut text = first.to_string();
            while !text.ends_with(')') {
                text = format!("{text},{}", items.next().expect("a closing parenthesis"));
            }
            tags.push(text);
        } else if item == "pop_vlan" {
            tags.pop();
        } else {
            out.push(format!("{item} {tags:?}"));
        }
    }
    out.sort();
    out
}

#[test]
fn normal_treats_vlans_as_debians_does() {
    let Some(debian) = Debian::start("-OOpenFlow14") else {
        eprintln!("SKIPPED: {VSWITCHD} is not installed");
        return;
    };
    let (world, bridge) = ours();
    let db = format!("--db=unix:{}/db.sock", debian.dir.display());
    let flows = ["actions=normal".to_string()];
    debian.load(&[], &flows);
    load(&bridge, &[], &flows, Protocols::of(Version::V1_4));
    let mut differences = String::new();
    let seed = number("DIFF_SEED", 1);
    for round in seed..seed + 2 * number("DIFF_ROUNDS", 6) {
        let mut rng = Rng(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut args = vec![db.clone()];
        let mut shown = String::new();
        for n in 1..=N_PORTS {
            let (settings, bundle) = random_bundle(&mut rng, n);
            let clear = format!("-- clear port p{n} tag trunks cvlans vlan_mode other_config");
            let set = format!("{clear} -- set port p{n} protected=false {settings}");
            args.extend(set.split(' ').map(String::from));
            let _ = write!(shown, "p{n}: {settings}; ");
            bridge.bundle_set(&bundle);
        }
        debian.run("ovs-vsctl", &args.iter().map(String::as_str).collect::<Vec<_>>());
        for _ in 0..20 {
            let port = ["1", "2", "3", "4", "LOCAL"][rng.below(5)];
            let vlan =
                ["", "vlan(vid=5,pcp=0)", "vlan(vid=6,pcp=3)", "vlan(vid=9,pcp=1)", "vlan(vid=0,pcp=2)"]
                    [rng.below(5)];
            let dp_port = if port == "LOCAL" { "100" } else { port };
            let eth = "eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)";
            let ip = "eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)";
            let packet = if vlan.is_empty() {
                format!("in_port({dp_port}),{eth},{ip}")
            } else {
                format!("in_port({dp_port}),{eth},eth_type(0x8100),{vlan},encap({ip})")
            };
            let theirs = debian.run("ovs-appctl", &["-t", "ovs-vswitchd-dpdk", "ofproto/trace", &packet]);
            let request =
                trace::parse(std::slice::from_ref(&world), std::slice::from_ref(&packet)).expect(&packet);
            let mine = trace::run(&world, &request);
            let start: Vec<String> = vlan.strip_prefix("vlan(").map(String::from).into_iter().collect();
            let result = |text: &str| {
                let actions = text.lines().find_map(|l| l.strip_prefix("Datapath actions: ")).unwrap_or("");
                let notes: Vec<String> =
                    text.lines().filter(|l| l.contains(">>") || l.contains("->")).map(String::from).collect();
                (deliveries(actions, start.clone()), notes)
            };
            if result(&theirs) != result(&mine) {
                let _ = writeln!(
                    differences,
                    "\n#### seed {round}: {shown} {packet}\n-- Debian:\n{theirs}-- ours:\n{mine}"
                );
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
