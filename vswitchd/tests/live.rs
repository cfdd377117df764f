//! The control plane on a datapath in memory, driven by Debian's ovsdb-server, ovs-vsctl and ovs-ofctl. One test in
//! one process, because the run directory is the process's.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use common::Lab;

#[test]
fn debian_tools_drive_the_control_plane() {
    let Some(mut lab) = Lab::start() else { return };
    bridges_and_ports(&lab);
    errors_stay_with_their_port(&lab);
    flows(&lab);
    bundles_and_groups(&lab);
    hostile_peers_harm_nobody(&lab);
    monitors_hear_of_ports(&lab);
    lab.kill_server();
    flows_survive_without_the_database(&lab);
    lab.start_server();
    everything_is_as_before(&lab);
}

fn bridges_and_ports(lab: &Lab) {
    lab.vsctl(&[
        "add-br",
        "br0",
        "--",
        "add-port",
        "br0",
        "p1",
        "--",
        "set",
        "interface",
        "p1",
        "type=dummy",
        "ofport_request=5",
    ]);
    lab.vsctl(&["add-port", "br0", "p2", "tag=7", "--", "set", "interface", "p2", "type=dummy"]);
    assert_eq!(lab.vsctl(&["get", "interface", "p1", "ofport"]).trim(), "5");
    assert_eq!(lab.vsctl(&["get", "interface", "p2", "ofport"]).trim(), "1");
    assert_eq!(lab.vsctl(&["get", "interface", "br0", "ofport"]).trim(), "65534");
    assert_eq!(lab.vsctl(&["get", "interface", "p1", "error", "link_state", "mtu"]), "[]\nup\n1500\n");
    assert_eq!(lab.vsctl(&["get", "bridge", "br0", "datapath_version"]).trim(), "\"<built-in>\"");
    assert_eq!(lab.vsctl(&["get", "open", ".", "datapath_types"]).trim(), "[netdev]");
    let mac = lab.vsctl(&["get", "interface", "br0", "mac_in_use"]);
    let id = lab.vsctl(&["get", "bridge", "br0", "datapath_id"]);
    assert_eq!(format!("0000{}", mac.trim().trim_matches('"').replace(':', "")), id.trim().trim_matches('"'));
    lab.until("statistics", |lab| {
        lab.vsctl(&["get", "interface", "p1", "statistics"]).contains("rx_packets=7")
    });
}

fn errors_stay_with_their_port(lab: &Lab) {
    let before = lab.datapath.log.lock().unwrap().len();
    let output = lab.vsctl_output(&[
        "add-port",
        "br0",
        "bad1",
        "--",
        "add-port",
        "br0",
        "p3",
        "--",
        "set",
        "interface",
        "p3",
        "type=dummy",
    ]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("could not open network device bad1 (No such device)"), "{stderr}");
    assert_eq!(lab.vsctl(&["get", "interface", "bad1", "ofport"]).trim(), "-1");
    assert_eq!(lab.vsctl(&["get", "interface", "p3", "ofport"]).trim(), "2");
    lab.vsctl(&["del-port", "bad1", "--", "del-port", "p3"]);
    let log = lab.datapath.log.lock().unwrap();
    assert!(!log[before..].iter().any(|l| l.ends_with(" p1") || l.ends_with(" p2")), "{:?}", &log[before..]);
}

fn flows(lab: &Lab) {
    assert!(lab.ofctl(&["dump-flows", "br0"]).contains("priority=0 actions=NORMAL"));
    lab.ofctl(&["add-flow", "br0", "priority=40,tcp,in_port=5,tp_dst=443 actions=strip_vlan,resubmit(,5)"]);
    lab.ofctl(&["-O", "OpenFlow13", "add-flow", "br0", "table=5,actions=normal"]);
    let dump = lab.ofctl(&["--no-stats", "dump-flows", "br0"]);
    assert!(dump.contains("priority=40,tcp,in_port=5,tp_dst=443 actions=strip_vlan,resubmit(,5)"), "{dump}");
    for version in ["OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"] {
        let dump = lab.ofctl(&["-O", version, "dump-flows", "br0"]);
        assert!(dump.contains("tp_dst=443"), "{version}: {dump}");
        let show = lab.ofctl(&["-O", version, "show", "br0"]);
        assert!(
            show.contains("5(p1): addr:aa:55:aa:55:00:") && show.contains("LOCAL(br0)"),
            "{version}: {show}"
        );
        let ports = lab.ofctl(&["-O", version, "dump-ports", "br0", "5"]);
        assert!(ports.contains("rx pkts=7"), "{version}: {ports}");
        lab.ofctl(&["-O", version, "dump-tables", "br0"]);
        lab.ofctl(&["-O", version, "dump-aggregate", "br0"]);
        lab.ofctl(&["-O", version, "dump-desc", "br0"]);
    }
    lab.ofctl(&["del-flows", "br0", "tcp"]);
    assert!(!lab.ofctl(&["dump-flows", "br0"]).contains("tp_dst=443"));
    lab.ofctl(&["mod-port", "br0", "p1", "no-flood"]);
    assert!(lab.ofctl(&["show", "br0"]).contains("NO_FLOOD"));
    let output = lab.ofctl_output(&["-O", "OpenFlow13", "add-flow", "br0", "actions=group:77"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("OFPBAC_BAD_OUT_GROUP"));
}

fn bundles_and_groups(lab: &Lab) {
    let flows = lab.dir.join("flows.txt");
    std::fs::write(&flows, "add table=3,ip,actions=drop\nadd table=3,arp,actions=normal\n").unwrap();
    let file = flows.to_str().unwrap();
    lab.ofctl(&["-O", "OpenFlow14", "--bundle", "add-flows", "br0", file]);
    let dump = lab.ofctl(&["-O", "OpenFlow14", "--no-stats", "dump-flows", "br0", "table=3"]);
    assert!(dump.contains("ip actions=drop") && dump.contains("arp actions=NORMAL"), "{dump}");
    lab.ofctl(&[
        "-O",
        "OpenFlow13",
        "add-group",
        "br0",
        "group_id=1,type=all,bucket=output:1,bucket=output:5",
    ]);
    let groups = lab.ofctl(&["-O", "OpenFlow13", "dump-groups", "br0"]);
    assert!(
        groups.contains("group_id=1,type=all,bucket=actions=output:1,bucket=actions=output:5"),
        "{groups}"
    );
    lab.ofctl(&["-O", "OpenFlow13", "del-groups", "br0"]);
}

/// Peers that send rubbish, half a message, floods, or never read; each on a connection of its own.
fn hostile_peers_harm_nobody(lab: &Lab) {
    let connect = || UnixStream::connect(lab.dir.join("br0.mgmt")).unwrap();
    const HELLO: [u8; 8] = [4, 0, 0, 8, 0, 0, 0, 1];
    let silent = connect();
    let mut rubbish = connect();
    let _ = rubbish.write_all(b"GET / HTTP/1.1\r\n\r\n");
    let mut half = connect();
    half.write_all(&HELLO).unwrap();
    half.write_all(&[4, 14, 255, 255, 0, 0]).unwrap();
    let mut short = connect();
    short.write_all(&[4, 0, 0, 3, 0, 0, 0, 1]).unwrap();
    let mut old = connect();
    old.write_all(&HELLO).unwrap();
    old.write_all(&[9, 2, 0, 8, 0, 0, 0, 5]).unwrap();
    let mut flood = connect();
    flood.write_all(&HELLO).unwrap();
    flood.set_nonblocking(true).unwrap();
    // Table features requests: each answer is a thousand times the size, and nobody reads them.
    let request: Vec<u8> = [4, 18, 0, 16, 0, 0, 0, 7, 0, 12, 0, 0, 0, 0, 0, 0].repeat(4096);
    for _ in 0..50 {
        let _ = flood.write(&request);
        assert!(lab.ofctl(&["dump-desc", "br0"]).contains("Open vSwitch"));
    }
    let mut answer = Vec::new();
    rubbish.read_to_end(&mut answer).unwrap();
    short.read_to_end(&mut answer).unwrap();
    old.read_to_end(&mut answer).unwrap();
    silent.set_nonblocking(true).unwrap();
    drop((silent, half, flood));
    lab.until("the connections' end", |lab| {
        lab.switch.bridge("br0").unwrap().controllers.n_connections() == 0
    });
}

fn monitors_hear_of_ports(lab: &Lab) {
    let output = std::process::Command::new("timeout")
        .args(["2", "ovs-ofctl", "monitor", "br0", "65534"])
        .env("OVS_RUNDIR", &lab.dir)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    lab.until("the monitor", |lab| lab.switch.bridge("br0").unwrap().controllers.n_connections() == 1);
    std::thread::sleep(std::time::Duration::from_millis(300));
    lab.vsctl(&["add-port", "br0", "p9", "--", "set", "interface", "p9", "type=dummy"]);
    lab.vsctl(&["del-port", "p9"]);
    let output = output.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("OFPT_PORT_STATUS") && text.contains("ADD: ") && text.contains("DEL: "), "{text}");
}

fn flows_survive_without_the_database(lab: &Lab) {
    let dump = lab.ofctl(&["-O", "OpenFlow14", "--no-stats", "dump-flows", "br0", "table=3"]);
    assert!(dump.contains("arp actions=NORMAL"), "{dump}");
    assert_eq!(lab.switch.bridges().len(), 1);
}

fn everything_is_as_before(lab: &Lab) {
    let before = lab.datapath.log.lock().unwrap().len();
    lab.until("status after the reconnection", |lab| {
        lab.vsctl(&["--no-wait", "get", "interface", "p1", "mac_in_use"]).contains("aa:55")
    });
    lab.vsctl(&["set", "bridge", "br0", "external_ids:x=y"]);
    assert_eq!(lab.datapath.log.lock().unwrap()[before..], [] as [&str; 0]);
    lab.vsctl(&["del-br", "br0"]);
    assert!(lab.datapath.ports.lock().unwrap().is_empty());
    assert!(!lab.dir.join("br0.mgmt").exists());
}
