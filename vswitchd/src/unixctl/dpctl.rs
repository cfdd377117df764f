//! `dpctl/*`: what `ovs-dpctl` does, in the daemon. The datapath's name may be left out when there is one.

use std::fmt::Write as _;
use std::sync::Arc;

use dpif::text::{Names, parse_actions, parse_key, parse_ufid};
use dpif::{FlowError, FlowPut, WorkerId};
use transport::unixctl::Registry;

use super::dpif::kind_text;
use super::flows::{self, PortNames, Style};
use crate::bridge::switch::{Backer, Switch};

const MANY: std::ops::RangeInclusive<usize> = 0..=usize::MAX;

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let add = |name: &str, usage: &str, args, run: fn(&Switch, &Request) -> Result<String, String>| {
        let switch = switch.clone();
        registry.add(name, usage, args, move |args| {
            let request = Request::parse(args)?;
            run(&switch, &request).map_err(|e| format!("{}: {e}", daemon::program::name()))
        });
    };
    add("dpctl/dump-dps", "", 0..=0, |s, _| {
        Ok(used(s).map(|b| format!("{}@{}\n", b.kind, b.name)).collect())
    });
    add("dpctl/show", "[-s] [dp...]", MANY, show);
    add("dpctl/dump-flows", "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]", 0..=6, dump_flows);
    add("dpctl/add-flow", "[dp] flow actions", 2..=3, add_flow);
    add("dpctl/mod-flow", "[dp] flow actions", 2..=3, mod_flow);
    add("dpctl/get-flow", "[dp] ufid", 1..=2, get_flow);
    add("dpctl/del-flow", "[dp] flow", 1..=2, del_flow);
    add("dpctl/del-flows", "[dp] [file]", 0..=2, del_flows);
    add("dpctl/parse-actions", "actions", 1..=1, |_, request| {
        let actions = parse_actions(request.words[0], &dpif::text::Numbers);
        let actions = actions.map_err(|_| "odp_actions_from_string (Invalid argument)")?;
        Ok(dpif::text::format_actions(&actions, &dpif::text::Numbers) + "\n")
    });
}

/// The arguments: options, then words.
struct Request<'a> {
    style: Style,
    statistics: bool,
    words: Vec<&'a str>,
}

impl<'a> Request<'a> {
    fn parse(args: &'a [String]) -> Result<Self, String> {
        let mut request = Request { style: Style::default(), statistics: false, words: Vec::new() };
        for arg in args {
            match arg.as_str() {
                "-m" | "--more" => request.style = Style { more: true, names: true },
                "--names" => request.style.names = true,
                "--no-names" => request.style.names = false,
                "-s" | "--statistics" => request.statistics = true,
                "--may-create" | "--read-only" | "-c" | "--clear" => {}
                word => request.words.push(word),
            }
        }
        Ok(request)
    }

    /// Splits off the datapath when more than `n` words are there.
    fn datapath<'s>(&self, switch: &'s Switch, n: usize) -> Result<(&'s Backer, &[&'a str]), String> {
        if self.words.len() > n {
            let (name, rest) = self.words.split_first().ok_or("missing arguments")?;
            return Ok((named(switch, name)?, rest));
        }
        Ok((the_one(switch)?, &self.words))
    }
}

/// Datapaths with a bridge.
pub(super) fn used(switch: &Switch) -> impl Iterator<Item = &Backer> {
    let bridges = switch.bridges();
    switch.backers().iter().filter(move |b| bridges.iter().any(|live| live.backer.kind == b.kind))
}

fn the_one(switch: &Switch) -> Result<&Backer, String> {
    let mut all = used(switch);
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err("no datapaths exist".into()),
        (Some(_), Some(_)) => Err("multiple datapaths, specify one".into()),
    }
}

fn named<'s>(switch: &'s Switch, text: &str) -> Result<&'s Backer, String> {
    let (kind, name) = text.split_once('@').unwrap_or(("", text));
    let found = used(switch).find(|b| b.name == name && (kind.is_empty() || b.kind == kind));
    found.ok_or_else(|| "datapath not found (Invalid argument)".to_string())
}

fn show(switch: &Switch, request: &Request<'_>) -> Result<String, String> {
    let mut text = String::new();
    if request.words.is_empty() {
        used(switch).for_each(|b| show_one(b, request.statistics, &mut text));
    }
    for name in &request.words {
        let backer =
            named(switch, name).map_err(|_| format!("opening datapath {name} failed (No such device)"))?;
        show_one(backer, request.statistics, &mut text);
    }
    Ok(text)
}

fn show_one(backer: &Backer, statistics: bool, text: &mut String) {
    let stats = backer.datapath.stats();
    let _ = writeln!(text, "{}@{}:", backer.kind, backer.name);
    let _ = writeln!(text, "  lookups: hit:{} missed:{} lost:{}", stats.hit, stats.missed, stats.lost);
    let _ = writeln!(text, "  flows: {}", stats.n_flows);
    for (port, name, kind) in backer.datapath.ports() {
        let status = backer.datapath.port_status(port).unwrap_or_default();
        let _ = writeln!(text, "  port {port}: {name} ({})", kind_text(&status, &kind));
        if let (true, Ok(s)) = (statistics, backer.datapath.port_stats(port)) {
            let known = |n: Option<u64>| n.map_or_else(|| "?".to_string(), |n| n.to_string());
            let counted = |n: u64| known((!s.is_traffic_only).then_some(n));
            let _ = writeln!(
                text,
                "    RX packets:{} errors:{} dropped:{} overruns:{} frame:{}",
                s.rx_packets,
                counted(s.rx_errors),
                counted(s.rx_dropped),
                known(s.rx_over_err),
                known(s.rx_frame_err)
            );
            let _ = writeln!(
                text,
                "    TX packets:{} errors:{} dropped:{} aborted:? carrier:?",
                s.tx_packets,
                counted(s.tx_errors),
                counted(s.tx_dropped)
            );
            let _ = writeln!(text, "    collisions:{}", known(s.collisions));
            let _ = writeln!(text, "    RX bytes:{}  TX bytes:{}", s.rx_bytes, s.tx_bytes);
        }
    }
}

fn dump_flows(switch: &Switch, request: &Request<'_>) -> Result<String, String> {
    let mut backer = None;
    let (mut filter, mut worker) = (None, None);
    for word in &request.words {
        if let Some(text) = word.strip_prefix("filter=") {
            filter = Some(text.to_string());
        } else if let Some(core) = word.strip_prefix("pmd=") {
            let core: i64 = core.parse().map_err(|_| "Invalid pmd")?;
            worker = Some(u32::try_from(core).map_or(WorkerId::MAIN, WorkerId));
        } else if let Some(kind) = word.strip_prefix("type=") {
            if !["ovs", "all", "non-offloaded"].contains(&kind) {
                return Ok(String::new());
            }
        } else {
            backer = Some(named(switch, word)?);
        }
    }
    let backer = backer.map_or_else(|| the_one(switch), Ok)?;
    let datapath = backer.datapath.as_ref();
    let names = PortNames::new(datapath, request.style.names);
    let now_ms = switch.clock.now_ms();
    let (mut text, mut last) = (String::new(), None);
    datapath.flow_dump(&mut |flow| {
        if worker.is_some_and(|w| w != flow.worker()) {
            return;
        }
        let line = line(flow, request.style, &names, now_ms);
        if filter.as_ref().is_some_and(|f| !line.contains(f.as_str())) {
            return;
        }
        if last != Some(flow.worker()) {
            last = Some(flow.worker());
            let _ = match flow.worker() {
                WorkerId::MAIN => writeln!(text, "flow-dump from the main thread:"),
                WorkerId(core) => writeln!(text, "flow-dump from pmd on cpu core: {core}"),
            };
        }
        text.push_str(&line);
    });
    Ok(text)
}

fn line(flow: &Arc<dyn dpif::flows::Megaflow>, style: Style, names: &dyn Names, now_ms: i64) -> String {
    let (key, stats) = (flows::key(flow, style, ", ", names), flows::stats(&flow.stats(), now_ms));
    let dp = if style.more { "dp:ovs, " } else { "" };
    format!("{key}, {stats}, {dp}actions:{}\n", flows::actions(flow, names))
}

fn put(backer: &Backer, words: &[&str]) -> Result<FlowPut, String> {
    let names = PortNames::new(backer.datapath.as_ref(), true);
    let [flow, actions] = words else { return Err("missing arguments".into()) };
    let (key, mask) =
        parse_key(flow, &names).map_err(|e| format!("parsing flow key ({e}) (Invalid argument)"))?;
    let actions = parse_actions(actions, &names).map_err(|_| "parsing actions (Invalid argument)")?;
    Ok(FlowPut { worker: None, key, mask, actions, owner: None })
}

fn flow_error(what: &str, error: FlowError) -> String {
    match error {
        FlowError::Exists => format!("{what} (File exists)"),
        FlowError::NotFound => format!("{what} (No such file or directory)"),
        other => format!("{what} ({other})"),
    }
}

fn add_flow(switch: &Switch, request: &Request<'_>) -> Result<String, String> {
    let (backer, words) = request.datapath(switch, 2)?;
    let put = put(backer, words)?;
    backer.datapath.flow_put(put).map_err(|e| flow_error("updating flow table", e))?;
    Ok(String::new())
}

fn mod_flow(switch: &Switch, request: &Request<'_>) -> Result<String, String> {
    let (backer, words) = request.datapath(switch, 2)?;
    let put = put(backer, words)?;
    let found = find(backer, |f| f.mask() == put.mask && f.key() == put.key.masked(&put.mask));
    if found.is_empty() {
        return Err("updating flow table (No such file or directory)".into());
    }
    for flow in found {
        let done = backer.datapath.flow_modify(&flow, put.actions.clone());
        done.map_err(|e| flow_error("updating flow table", e))?;
    }
    Ok(String::new())
}

fn get_flow(switch: &Switch, request: &Request<'_>) -> Result<String, String> {
    let (backer, words) = request.datapath(switch, 1)?;
    let ufid = words.first().and_then(|text| parse_ufid(text)).ok_or("parsing flow ufid")?;
    let names = PortNames::new(backer.datapath.as_ref(), request.style.names);
    let found = find(backer, |f| f.ufid() == ufid);
    if found.is_empty() {
        return Err("getting flow (No such file or directory)".into());
    }
    let now_ms = switch.clock.now_ms();
    Ok(found.iter().map(|f| line(f, request.style, &names, now_ms)).collect())
}

fn del_flow(switch: &Switch, request: &Request<'_>) -> Result<String, String> {
    let (backer, words) = request.datapath(switch, 1)?;
    let text = words.first().copied().unwrap_or_default();
    let found = match parse_ufid(text) {
        Some(ufid) => find(backer, |f| f.ufid() == ufid),
        None => {
            let names = PortNames::new(backer.datapath.as_ref(), true);
            let (key, mask) =
                parse_key(text, &names).map_err(|e| format!("parsing flow key ({e}) (Invalid argument)"))?;
            find(backer, |f| f.mask() == mask && f.key() == key.masked(&mask))
        }
    };
    if found.is_empty() {
        return Err("deleting flow (No such file or directory)\nPerhaps you need to specify a UFID?".into());
    }
    for flow in found {
        backer.datapath.flow_delete(&flow).map_err(|e| flow_error("deleting flow", e))?;
    }
    Ok(String::new())
}

fn del_flows(switch: &Switch, request: &Request<'_>) -> Result<String, String> {
    let (backer, _) = request.datapath(switch, 0)?;
    backer.datapath.flow_flush();
    Ok(String::new())
}

fn find(
    backer: &Backer,
    picks: impl Fn(&Arc<dyn dpif::flows::Megaflow>) -> bool,
) -> Vec<Arc<dyn dpif::flows::Megaflow>> {
    let mut found = Vec::new();
    backer.datapath.flow_dump(&mut |flow| {
        if picks(flow) {
            found.push(flow.clone());
        }
    });
    found
}
