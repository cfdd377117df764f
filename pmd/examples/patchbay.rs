//! Ports of any kind wired in pairs (1-2, 3-4, ..) by the datapath alone, for trying devices by hand and in scripts.
//!
//! ```text
//! patchbay SECONDS [set:key=value]... KIND,NAME[,option=value]...
//! patchbay 10 set:dpdk-init=true dpdkvhostuserclient,v1,vhost-server-path=/tmp/v1 dpdkvhostuserclient,v2,vhost-server-path=/tmp/v2
//! patchbay 10 system,veth0 internal,int0
//! ```
//! Prints "ready", then each port's counters and what was dropped once a second. A port that fails says why and is left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dpif::{
    Action, Clock, Control, DatapathConfig, DpPort, Flows, Megaflow, PortSpec, Ports, Upcall, UpcallHandler,
    UpcallReply,
};
use pmd::{Datapath, Options};

struct Pairs;

impl UpcallHandler for Pairs {
    fn upcall(&self, upcall: &Upcall<'_>, reply: &mut UpcallReply) {
        let m = &mut reply.mask.0;
        (m.recirc_id, m.in_port) = (u32::MAX, u32::MAX);
        m.packet_type = flow::Be32::MAX;
        m.dl_type = flow::Be16::MAX;
        reply.actions.push(Action::Output(DpPort(((upcall.flow.in_port - 1) ^ 1) + 1)));
    }
    fn installed(&self, _flow: &Arc<dyn Megaflow>) {}
}

fn spec(word: &str) -> PortSpec {
    let mut parts = word.splitn(3, ',');
    let kind = parts.next().unwrap_or_default().to_owned();
    let name = parts.next().unwrap_or_default().to_owned();
    let mut spec = PortSpec { kind, name, ..PortSpec::default() };
    // devargs have commas of their own and come last.
    let mut rest = parts.next().unwrap_or_default();
    while let Some((key, tail)) = rest.split_once('=') {
        let end = if key == "dpdk-devargs" { tail.len() } else { tail.find(',').unwrap_or(tail.len()) };
        match key {
            "mtu_request" => spec.mtu_request = tail[..end].parse().ok(),
            _ => drop(spec.options.insert(key.to_owned(), tail[..end].to_owned())),
        }
        rest = tail[end..].trim_start_matches(',');
    }
    spec
}

fn main() {
    let mut words = std::env::args().skip(1);
    let seconds: u64 = words.next().and_then(|s| s.parse().ok()).expect("patchbay SECONDS PORT...");
    let datapath = Datapath::new(Options {
        clock: Clock::default(),
        rundir: std::env::temp_dir().to_string_lossy().into_owned(),
        dpdk_log: |level, line| {
            if level <= 5 {
                eprintln!("dpdk: {line}")
            }
        },
        dummy: true,
        dummy_numa: Vec::new(),
        compose: None,
    })
    .expect("datapath starts");
    datapath.set_handler(Arc::new(Pairs));
    let mut other_config = BTreeMap::new();
    let mut specs = Vec::new();
    for word in words {
        match word.strip_prefix("set:").and_then(|kv| kv.split_once('=')) {
            Some((k, v)) => drop(other_config.insert(k.to_owned(), v.to_owned())),
            None => specs.push(spec(&word)),
        }
    }
    if let Err(e) = datapath.configure(&DatapathConfig { other_config, flow_limit: 200_000 }) {
        println!("configure: {e}");
    }
    for spec in specs {
        match datapath.port_add(&spec, None) {
            Ok(no) => {
                let up = datapath.port_set_admin_up(no, true);
                println!("{no}: {} {:?} {up:?}", spec.name, datapath.port_status(no).map(|s| s.status));
            }
            Err(e) => println!("{}: {e}", spec.name),
        }
    }
    println!("ready");
    for _ in 0..seconds {
        std::thread::sleep(Duration::from_secs(1));
        for (no, name, _) in datapath.ports() {
            let (s, status) = (datapath.port_stats(no), datapath.port_status(no));
            let (Ok(s), Ok(status)) = (s, status) else { continue };
            println!(
                "{no} {name}: link {} rx {} ({} B) tx {} ({} B) rx_dropped {} tx_dropped {}",
                status.link_up,
                s.rx_packets,
                s.rx_bytes,
                s.tx_packets,
                s.tx_bytes,
                s.rx_dropped,
                s.tx_dropped
            );
        }
    }
    for command in pmd::text::commands(&datapath) {
        if ["dpif-netdev/pmd-stats-show", "dpif-netdev/pmd-rxq-show", "vswitch/drops", "vswitch/stages"]
            .contains(&command.name)
        {
            println!("{}", (command.run)(&[]).unwrap_or_else(|e| e));
        }
    }
    println!("{} megaflows", datapath.n_flows());
    datapath.stop();
}
