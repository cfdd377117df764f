//! The whole datapath over dummy ports: packets in, packets and counters out. Waiting is for conditions, never for time.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use dpif::{
    Action, Actions, Control, DatapathConfig, DpPort, DropReason, Execute, ExecuteRequest, FlowPut, Flows,
    Megaflow, PortError, PortSpec, Ports, Upcall, UpcallKind, UpcallReply, Userspace, UserspaceKind, Verdict,
};
use flow::{Flow, Mask};

use super::*;

type Answer = Box<dyn Fn(&Flow) -> (Verdict, Actions) + Send + Sync>;

/// Answers each miss by `actions`; packets to userspace are counted and sent to port 2.
struct Handler {
    actions: Answer,
    misses: AtomicUsize,
    installed: AtomicUsize,
    userspace: AtomicUsize,
}

impl dpif::UpcallHandler for Handler {
    fn upcall(&self, upcall: &Upcall<'_>, reply: &mut UpcallReply) {
        if let UpcallKind::Userspace(what) = upcall.kind {
            assert_eq!(what.cookie, 77);
            self.userspace.fetch_add(1, SeqCst);
            reply.actions.push(Action::Output(DpPort(2)));
            return;
        }
        self.misses.fetch_add(1, SeqCst);
        assert!(upcall.packet.len() >= 14);
        let (verdict, actions) = (self.actions)(upcall.flow);
        reply.verdict = verdict;
        reply.actions = actions;
        reply.mask.0.in_port = u32::MAX;
        reply.mask.0.recirc_id = u32::MAX;
        reply.owner = Some(Arc::new(upcall.flow.in_port) as Arc<dyn Any + Send + Sync>);
    }

    fn installed(&self, flow: &Arc<dyn Megaflow>) {
        assert!(!flow.is_dead());
        self.installed.fetch_add(1, SeqCst);
    }
}

struct Rig {
    dp: Datapath,
    handler: Arc<Handler>,
}

fn spec(name: &str, kind: &str) -> PortSpec {
    PortSpec { name: name.into(), kind: kind.into(), ..PortSpec::default() }
}

fn options() -> Options {
    Options {
        clock: Clock::default(),
        rundir: "/nonexistent".into(),
        dpdk_log: |_, _| {},
        dummy: true,
        dummy_numa: Vec::new(),
        compose: None,
    }
}

fn rig(kind: &str, actions: impl Fn(&Flow) -> (Verdict, Actions) + Send + Sync + 'static) -> Rig {
    let handler = Arc::new(Handler {
        actions: Box::new(actions),
        misses: AtomicUsize::new(0),
        installed: AtomicUsize::new(0),
        userspace: AtomicUsize::new(0),
    });
    let dp = Datapath::new(options()).unwrap();
    dp.set_handler(handler.clone());
    for (no, name) in [(1, "p1"), (2, "p2"), (3, "p3")] {
        assert_eq!(dp.port_add(&spec(name, kind), Some(DpPort(no))), Ok(DpPort(no)));
        dp.port_set_admin_up(DpPort(no), true).unwrap();
    }
    Rig { dp, handler }
}

fn until(what: &str, mut ok: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !ok() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn udp() -> Vec<u8> {
    let mut p = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0];
    p.extend([10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 80, 0, 26, 0, 0]);
    p.resize(60, 0);
    p
}

impl Rig {
    fn inject(&self, name: &str, packet: &[u8], n: usize) {
        let port = self.dp.0.state().ports.iter().flatten().find(|p| p.name == name).cloned().unwrap();
        for _ in 0..n {
            port.device.inject(0, crate::Packet::from_bytes(packet).unwrap()).unwrap();
        }
    }
    fn sent(&self, no: u32) -> u64 {
        self.dp.port_stats(DpPort(no)).unwrap().tx_packets
    }
    fn dropped(&self, reason: DropReason) -> u64 {
        self.dp.0.workers().iter().map(|w| w.stats.values().drops[reason as usize]).sum()
    }
    fn flows(&self) -> Vec<Arc<dyn Megaflow>> {
        let mut all = Vec::new();
        self.dp.flow_dump(&mut |f| all.push(f.clone()));
        all
    }
    fn run(&self, name: &str, args: &[&str]) -> Result<String, String> {
        let args: Vec<String> = args.iter().map(|a| a.to_string()).collect();
        let all = crate::text::commands(&self.dp);
        let command = all.iter().find(|c| c.name == name).unwrap();
        assert!((command.args_min..=command.args_max).contains(&args.len()));
        (command.run)(&args)
    }
}

fn to_port_2(_: &Flow) -> (Verdict, Actions) {
    (Verdict::Install, vec![Action::Output(DpPort(2))])
}

#[test]
fn one_miss_then_hits() {
    let r = rig("dummy", to_port_2);
    r.inject("p1", &udp(), 1);
    until("the first packet is through", || r.sent(2) == 1);
    r.inject("p1", &udp(), 99);
    until("all are through", || r.sent(2) == 100);
    assert_eq!((r.handler.misses.load(SeqCst), r.handler.installed.load(SeqCst)), (1, 1));
    let flows = r.flows();
    assert_eq!(flows.len(), 1);
    let stats = flows[0].stats();
    assert_eq!((stats.packets, stats.bytes), (100, 6000));
    assert_eq!(flows[0].owner().and_then(|o| o.downcast_ref::<u32>()), Some(&1));
    let total = Flows::stats(&r.dp);
    assert_eq!((total.hit, total.missed, total.lost, total.n_flows, total.n_masks), (99, 1, 0, 1, 1));
    assert_eq!(r.dp.port_stats(DpPort(1)).unwrap().rx_packets, 100);
}

#[test]
fn megaflows_are_changed_and_deleted() {
    let r = rig("dummy", to_port_2);
    r.inject("p1", &udp(), 1);
    until("installed", || r.flows().len() == 1);
    let flow = r.flows().remove(0);
    r.dp.flow_modify(&flow, vec![Action::Output(DpPort(3))]).unwrap();
    until("modified", || *flow.actions() == [Action::Output(DpPort(3))]);
    r.inject("p1", &udp(), 5);
    until("sent by the new actions", || r.sent(3) == 5);
    r.dp.flow_delete(&flow).unwrap();
    until("deleted", || flow.is_dead() && r.flows().is_empty() && r.dp.n_flows() == 0);
    assert_eq!(r.dp.flow_delete(&flow), Err(dpif::FlowError::NotFound));
    r.inject("p1", &udp(), 1);
    until("asked again", || r.handler.misses.load(SeqCst) == 2);
    until("there again", || r.flows().len() == 1);
    r.dp.flow_flush();
    until("flushed", || r.flows().is_empty());
}

#[test]
fn put_from_outside() {
    let r = rig("dummy", |_| (Verdict::Error, vec![]));
    let (mut key, mut mask) = (Flow::ZERO, Mask::NONE);
    (key.in_port, mask.0.in_port) = (1, u32::MAX);
    let put = || FlowPut { worker: None, key, mask, actions: vec![Action::Output(DpPort(2))], owner: None };
    r.dp.flow_put(put()).unwrap();
    until("installed", || r.flows().len() == 1);
    assert_eq!(r.dp.flow_put(put()), Err(dpif::FlowError::Exists));
    r.inject("p1", &udp(), 3);
    until("through", || r.sent(2) == 3);
    r.inject("p3", &udp(), 2);
    until("refused", || r.dropped(DropReason::UpcallError) == 2);
    assert_eq!(Flows::stats(&r.dp).lost, 2);
}

#[test]
fn the_flow_limit_holds() {
    let r = rig("dummy", to_port_2);
    r.dp.set_flow_limit(0);
    r.inject("p1", &udp(), 40);
    until("through all the same", || r.sent(2) == 40);
    assert!(r.flows().is_empty());
    assert_eq!(r.dp.0.main.stats.values().limit_reached, 40);
}

#[test]
fn recirculation_goes_round_and_is_bounded() {
    let r = rig("dummy", |f| match f.recirc_id {
        0 => (Verdict::Install, vec![Action::Recirc(1)]),
        5 => (Verdict::Install, vec![Action::Output(DpPort(2))]),
        n => (Verdict::Install, vec![Action::Recirc(n + 1)]),
    });
    r.inject("p1", &udp(), 40);
    until("five times round", || r.sent(2) == 40);
    assert_eq!(r.dp.0.main.stats.values().recirculated, 200);
    let r = rig("dummy", |f| (Verdict::Install, vec![Action::Recirc(f.recirc_id + 1)]));
    r.inject("p1", &udp(), 3);
    until("given up", || r.dropped(DropReason::Recirc) == 3);
}

#[test]
fn userspace_actions_and_execution() {
    let what = Userspace { kind: UserspaceKind::SlowPath { reason: 1 }, cookie: 77, userdata: vec![] };
    let action = Action::Userspace(Box::new(what));
    let first = action.clone();
    let r = rig("dummy", move |_| (Verdict::Install, vec![first.clone()]));
    r.inject("p1", &udp(), 3);
    until("handled", || r.sent(2) == 3);
    assert_eq!(r.handler.userspace.load(SeqCst), 3);
    let flow = Flow { in_port: u32::MAX, ..Flow::ZERO };
    let run =
        |actions: &[Action]| r.dp.execute(&ExecuteRequest { packet: &udp(), flow: &flow, actions, mtu: 0 });
    run(&[Action::Output(DpPort(3)), action]).unwrap();
    until("executed", || r.sent(3) == 1 && r.sent(2) == 4);
    run(&[Action::Output(DpPort(999))]).unwrap();
    until("no such port", || r.dropped(DropReason::InvalidPort) == 1);
}

#[test]
fn bad_packets_are_counted() {
    let r = rig("dummy", to_port_2);
    r.inject("p1", &udp()[..13], 4);
    until("dropped", || r.dropped(DropReason::RxInvalid) == 4);
    r.inject("p1", &[0; 3000], 1);
    until("too long for p2", || r.dp.port_stats(DpPort(2)).unwrap().tx_dropped == 1);
    let text = r.run("vswitch/drops", &[]).unwrap();
    assert!(
        text.lines().any(|l| l.starts_with("rx-invalid") && l.contains("port p1") && l.ends_with('4')),
        "{text}"
    );
    assert!(text.lines().any(|l| l.starts_with("tx-mtu") && l.contains("port p2")), "{text}");
}

#[test]
fn ports_come_and_go() {
    let r = rig("dummy", to_port_2);
    assert_eq!(r.dp.port_add(&spec("p1", "dummy"), None), Err(PortError::Exists("p1".into())));
    let unknown = r.dp.port_add(&spec("x", "nonsense"), None).unwrap_err().to_string();
    assert!(unknown.contains("type \"nonsense\" is unknown"), "{unknown}");
    let no_dpdk = r.dp.port_add(
        &PortSpec { options: [("dpdk-devargs".into(), "net_null0".into())].into(), ..spec("d", "dpdk") },
        None,
    );
    assert!(no_dpdk.unwrap_err().to_string().contains("dpdk-init=true"));
    assert_eq!(
        r.dp.port_add(&spec("d", "dpdk"), None).unwrap_err().to_string(),
        "'d' is missing 'options:dpdk-devargs'. The old 'dpdk<port_id>' names are not supported"
    );
    r.inject("p1", &udp(), 1);
    until("installed", || r.sent(2) == 1);
    r.dp.port_remove(DpPort(2)).unwrap();
    r.inject("p1", &udp(), 2);
    until("nowhere to go", || r.dropped(DropReason::InvalidPort) == 2);
    assert_eq!(r.dp.port_add(&spec("p4", "dummy"), None), Ok(DpPort(2)), "the lowest free number");
    let names: Vec<String> = r.dp.ports().into_iter().map(|p| p.1).collect();
    assert_eq!(names, ["p1", "p4", "p3"]);
    assert!(r.dp.port_stats(DpPort(9)).is_err());
}

#[test]
fn a_pmd_thread_serves_and_moves() {
    let r = rig("dummy-pmd", to_port_2);
    let workers = r.dp.0.workers();
    assert_eq!(workers.len(), 2, "one PMD thread and the main worker");
    r.inject("p1", &udp(), 50);
    until("through", || r.sent(2) == 50);
    assert_eq!(workers[0].stats.values().rx_packets, 50);
    let shown = r.run("dpif-netdev/pmd-rxq-show", &[]).unwrap();
    assert!(shown.starts_with("Displaying last 60 seconds pmd usage %\npmd thread numa_id "), "{shown}");
    assert!(
        shown.contains("  port: p1                queue-id:  0 (enabled)   pmd usage: NOT AVAIL\n"),
        "{shown}"
    );
    // Another core, while packets flow.
    let core = publish::cores(&[])[0].id;
    let config = |mask: String| DatapathConfig {
        other_config: [("pmd-cpu-mask".to_owned(), mask)].into(),
        flow_limit: 1000,
    };
    r.inject("p1", &udp(), 500);
    r.dp.configure(&config(format!("{:x}", 1u64 << core))).unwrap();
    r.inject("p1", &udp(), 450);
    until("nothing lost", || r.sent(2) == 1000);
    assert_eq!(r.dp.0.workers()[0].core, core);
    assert!(r.run("dpif-netdev/pmd-stats-show", &[]).unwrap().contains(&format!(" core_id {core}:\n")));
    assert!(r.dp.configure(&config("zz".into())).unwrap_err().contains("pmd-cpu-mask"));
    for no in 1..=3 {
        r.dp.port_remove(DpPort(no)).unwrap();
    }
    assert_eq!(r.dp.0.workers().len(), 1, "no PMD ports, no PMD threads");
}

#[test]
fn receive_takes_hexadecimal_and_flows() {
    let r = rig("dummy", to_port_2);
    let hex: String = udp().iter().map(|b| format!("{b:02x}")).collect();
    r.run("netdev-dummy/receive", &["p1", &hex, "--len", "100", &hex]).unwrap();
    until("both through", || r.sent(2) == 2);
    assert_eq!(r.dp.port_stats(DpPort(2)).unwrap().tx_bytes, 160);
    let flow = "in_port(p1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800),\
                ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)";
    r.run("netdev-dummy/receive", &["p1", flow, flow, "--len", "200"]).unwrap();
    until("these as well", || r.sent(2) == 4);
    assert_eq!(r.dp.port_stats(DpPort(2)).unwrap().tx_bytes, 160 + 106 + 200);
    assert_eq!(r.run("netdev-dummy/receive", &["nope", &hex]).unwrap_err(), "no such dummy netdev");
    assert!(r.run("netdev-dummy/receive", &["p1", "abc"]).is_err());
    assert_eq!(r.run("netdev-dummy/set-admin-state", &["p2", "down"]).unwrap(), "OK");
    r.run("netdev-dummy/receive", &["p1", &hex]).unwrap();
    until("received", || r.dp.port_stats(DpPort(1)).unwrap().rx_packets == 5);
}

#[test]
fn stats_text_has_the_lines_that_scripts_read() {
    let r = rig("dummy-pmd", to_port_2);
    r.inject("p1", &udp(), 64);
    until("through", || r.sent(2) == 64);
    let text = r.run("dpif-netdev/pmd-stats-show", &[]).unwrap();
    for line in [
        "  packets received: 64\n",
        "  packet recirculations: 0\n",
        "  avg. datapath passes per packet: 1.00\n",
        "  miss with success upcall: 1\n",
        "  processing cycles: ",
        "  avg processing cycles per packet: ",
        "main thread:\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    r.run("dpif-netdev/pmd-stats-clear", &[]).unwrap();
    assert!(r.run("dpif-netdev/pmd-stats-show", &[]).unwrap().contains("  packets received: 0\n"));
    assert!(r.run("dpif-netdev/pmd-perf-show", &[]).unwrap().contains("  Rx packets:"));
    assert!(r.run("dpif-netdev/pmd-stats-show", &["anything"]).is_ok(), "there is one datapath: it is meant");
}

#[test]
fn one_ports_misses_do_not_starve_another() {
    const SLOW: Duration = Duration::from_micros(100);
    let r = rig("dummy", |flow| {
        if flow.in_port != 4 {
            return (Verdict::Install, vec![Action::Output(DpPort(2))]);
        }
        let begin = Instant::now();
        while begin.elapsed() < SLOW {
            std::hint::spin_loop();
        }
        (Verdict::Execute, vec![Action::Output(DpPort(3))])
    });
    for (no, name) in [(4, "storm"), (5, "calm")] {
        assert_eq!(r.dp.port_open(&spec(name, "dummy"), Some(DpPort(no))), Ok(DpPort(no)));
        r.inject(name, &udp(), 1000);
    }
    r.dp.port_start(&[DpPort(4), DpPort(5)]);
    until("the calm port's packets are through", || r.sent(2) == 1000);
    let stormed = r.sent(3);
    assert!(stormed < 500, "{stormed} misses were handled before 1000 hits");
    until("the storm is served after all", || r.sent(3) == 1000);
}

#[test]
fn ports_change_while_upcalls_run() {
    let r = rig("dummy-pmd", |flow| (Verdict::Execute, vec![Action::Output(DpPort(flow.in_port + 1))]));
    let end = Instant::now() + Duration::from_millis(300);
    let mut n = 0u32;
    while Instant::now() < end || n < 20 {
        until("the queue has room", || r.sent(2) + 800 > 20 * u64::from(n));
        n += 1;
        r.inject("p1", &udp(), 20);
        let no = r.dp.port_add(&spec(&format!("x{n}"), "dummy-pmd"), None).unwrap();
        let mut changed = spec("p3", "dummy-pmd");
        changed.options.insert("n_rxq".into(), (n % 3 + 1).to_string());
        r.dp.port_reconfigure(DpPort(3), &changed).unwrap();
        let config = [("emc-insert-inv-prob".to_owned(), n.to_string())].into();
        r.dp.configure(&DatapathConfig { other_config: config, flow_limit: 100 }).unwrap();
        r.dp.port_remove(no).unwrap();
    }
    until("nothing was lost meanwhile", || r.sent(2) == 20 * u64::from(n));
}
