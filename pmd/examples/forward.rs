//! The packet path without a control plane: net_pcap (endless replay) -> the datapath -> net_null, and what a packet costs.
//!
//! ```text
//! forward [--flows N] [--rules port|l2|l4|vlan|ttl|pipeline] [--seconds S] [--core C] [--extra "EAL ARGS"] [--set key=value]...
//! ```
//! Needs root and huge pages, or `--extra "--no-huge -m 2048"`. Rules: `port` makes one megaflow on the ingress port, `l2`
//! one per destination address, `l4` one per five-tuple; `vlan` pushes a tag, `ttl` sets the TTL, `pipeline` sets both addresses
//! and the TTL.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use dpif::{
    Action, Clock, Control, DatapathConfig, DpPort, Flows, Megaflow, PortSpec, Ports, Set, Upcall,
    UpcallHandler, UpcallReply,
};
use flow::{Be16, Be32};
use pmd::{Datapath, Options};

#[derive(Clone, Copy, PartialEq)]
enum Rules {
    Port,
    L2,
    L4,
    Vlan,
    Ttl,
    Pipeline,
}

struct Forward(Rules);

impl UpcallHandler for Forward {
    fn upcall(&self, upcall: &Upcall<'_>, reply: &mut UpcallReply) {
        let m = &mut reply.mask.0;
        m.recirc_id = u32::MAX;
        m.in_port = u32::MAX;
        m.packet_type = Be32::MAX;
        m.dl_type = Be16::MAX;
        m.nw_frag = u8::MAX;
        if self.0 == Rules::L2 {
            m.dl_dst = [0xff; 6];
        }
        if self.0 == Rules::L4 {
            m.nw_proto = u8::MAX;
            (m.nw_src, m.nw_dst) = (Be32::MAX, Be32::MAX);
            (m.tp_src, m.tp_dst) = (Be16::MAX, Be16::MAX);
        }
        let ttl = || {
            Action::Set(Set::Ipv4 {
                src: Be32::ZERO,
                src_mask: Be32::ZERO,
                dst: Be32::ZERO,
                dst_mask: Be32::ZERO,
                tos: 0,
                tos_mask: 0,
                ttl: 63,
                ttl_mask: 255,
            })
        };
        match self.0 {
            Rules::Vlan => {
                reply.actions.push(Action::PushVlan { tpid: Be16::new(0x8100), tci: Be16::new(0x1064) });
            }
            Rules::Ttl => reply.actions.push(ttl()),
            Rules::Pipeline => {
                let (src, dst) = ([2, 0xaa, 0, 0, 0, 1], [2, 0xaa, 0, 0, 0, 2]);
                let (src_mask, dst_mask) = ([0xff; 6], [0xff; 6]);
                reply.actions.extend([Action::Set(Set::Eth { src, src_mask, dst, dst_mask }), ttl()]);
            }
            _ => {}
        }
        reply.actions.push(Action::Output(DpPort(3 - upcall.flow.in_port)));
        reply.owner = None::<Arc<dyn Any + Send + Sync>>;
    }

    fn installed(&self, _flow: &Arc<dyn Megaflow>) {}
}

struct Args {
    flows: u32,
    rules: Rules,
    seconds: u64,
    core: u32,
    extra: String,
    set: BTreeMap<String, String>,
}

fn args() -> Args {
    let mut out = Args {
        flows: 1000,
        rules: Rules::Port,
        seconds: 3,
        core: 1,
        extra: String::new(),
        set: BTreeMap::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_default();
        match word.as_str() {
            "--flows" => out.flows = value.parse().expect("--flows N"),
            "--seconds" => out.seconds = value.parse().expect("--seconds S"),
            "--core" => out.core = value.parse().expect("--core C"),
            "--extra" => out.extra = value,
            "--set" => {
                let (k, v) = value.split_once('=').expect("--set key=value");
                out.set.insert(k.to_owned(), v.to_owned());
            }
            "--rules" => {
                out.rules = match value.as_str() {
                    "port" => Rules::Port,
                    "l2" => Rules::L2,
                    "l4" => Rules::L4,
                    "vlan" => Rules::Vlan,
                    "ttl" => Rules::Ttl,
                    "pipeline" => Rules::Pipeline,
                    _ => panic!("--rules port|l2|l4|vlan|ttl|pipeline"),
                }
            }
            _ => panic!("unknown option {word}"),
        }
    }
    out
}

/// A capture of `n` UDP flows of 60-byte packets, in the order of a fixed shuffle.
fn write_pcap(path: &std::path::Path, n: u32) {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 2 | 4 << 16, 0, 0, 65535, 1] {
        out.extend(word.to_ne_bytes());
    }
    for k in 0..n {
        let i = (u64::from(k) * 2_654_435_761 % u64::from(n)) as u32;
        let mut p = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0];
        p.extend((0x0a00_0000 + (i & 0xffff)).to_be_bytes());
        p.extend((0x0b00_0000 + (i >> 16)).to_be_bytes());
        p.extend(((1024 + i % 50_000) as u16).to_be_bytes());
        p.extend([0, 80, 0, 26, 0, 0]);
        p.resize(60, 0);
        for word in [0, 0, 60u32, 60] {
            out.extend(word.to_ne_bytes());
        }
        out.extend(&p);
    }
    std::fs::File::create(path).and_then(|mut f| f.write_all(&out)).expect("capture written");
}

fn port(name: &str, devargs: String) -> PortSpec {
    PortSpec {
        name: name.to_owned(),
        kind: "dpdk".to_owned(),
        options: [("dpdk-devargs".to_owned(), devargs)].into(),
        ..PortSpec::default()
    }
}

fn log(level: u8, line: &str) {
    if level <= 4 {
        eprintln!("dpdk: {line}");
    }
}

fn main() {
    let args = args();
    let dir = std::env::temp_dir().join(format!("forward-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("temporary directory");
    let pcap = dir.join("flows.pcap");
    write_pcap(&pcap, args.flows);
    let datapath = Datapath::new(Options {
        clock: Clock::default(),
        rundir: dir.to_string_lossy().into_owned(),
        dpdk_log: log,
        dummy: false,
        dummy_numa: Vec::new(),
        compose: None,
    })
    .expect("datapath starts");
    datapath.set_handler(Arc::new(Forward(args.rules)));
    let mut other_config: BTreeMap<String, String> = [
        ("dpdk-init".to_owned(), "true".to_owned()),
        ("dpdk-lcore-mask".to_owned(), "0x1".to_owned()),
        ("dpdk-socket-mem".to_owned(), "1024".to_owned()),
        ("dpdk-extra".to_owned(), format!("--no-pci {}", args.extra)),
        ("pmd-cpu-mask".to_owned(), format!("{:#x}", 1u64 << args.core)),
    ]
    .into();
    other_config.extend(args.set.clone());
    datapath
        .configure(&DatapathConfig { other_config, flow_limit: 2_000_000 })
        .unwrap_or_else(|e| panic!("{e}"));
    let src = port("src", format!("net_pcap0,rx_pcap={},infinite_rx=1", pcap.display()));
    let dst = port("dst", "net_null1,no-rx=1".to_owned());
    datapath.port_add(&dst, Some(DpPort(2))).unwrap_or_else(|e| panic!("{e}"));
    datapath.port_add(&src, Some(DpPort(1))).unwrap_or_else(|e| panic!("{e}"));
    std::thread::sleep(Duration::from_millis(1500));
    for command in pmd::text::commands(&datapath) {
        if command.name == "dpif-netdev/pmd-stats-clear" {
            (command.run)(&[]).expect("cleared");
        }
    }
    let before = datapath.port_stats(DpPort(2)).expect("dst is there").tx_packets;
    std::thread::sleep(Duration::from_secs(args.seconds));
    let sent = datapath.port_stats(DpPort(2)).expect("dst is there").tx_packets - before;
    for command in pmd::text::commands(&datapath) {
        if ["dpif-netdev/pmd-stats-show", "vswitch/stages"].contains(&command.name) {
            println!("{}", (command.run)(&[]).expect("shown"));
        }
    }
    println!(
        "{:.2} Mpps out of dst, {} megaflows, {} masks",
        sent as f64 / args.seconds as f64 / 1e6,
        datapath.n_flows(),
        datapath.stats().n_masks
    );
    datapath.stop();
    let _ = std::fs::remove_dir_all(&dir);
}
