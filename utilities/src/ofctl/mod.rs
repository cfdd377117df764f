//! `ovs-ofctl`: one command on one switch's OpenFlow, or offline on texts and bytes.
//!
//! Plane: control. `usage` has the table of commands, `options` the options, `conn` the connection; the other files
//! are the commands by subject.

mod conn;
mod ctflush;
mod flows;
mod groups;
mod matches;
mod monitor;
mod names;
mod offline;
mod options;
mod packets;
mod show;
mod usage;

use std::process::ExitCode;

use daemon::program::{self, fatal};
use openflow::Version;
use openflow::msg::nicira::TlvCommand;
use openflow::msg::{FlowModCommand, GroupModCommand, Message, MeterModCommand};
use options::Options;

/// The program: parses the command line, runs the command.
pub fn main() -> ExitCode {
    program::set_name("ovs-ofctl");
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut o = options::parse(&args);
    if o.args.is_empty() {
        fatal("missing command name; use --help for help");
    }
    let name = o.args.remove(0);
    let Some(command) = usage::COMMANDS.iter().find(|c| c.name == name) else {
        fatal(format!("unknown command '{name}'; use --help for help"));
    };
    let n = o.args.len();
    if n < *command.args.start() {
        fatal(format!("'{name}' command requires at least {} arguments", command.args.start()));
    }
    if n > *command.args.end() {
        fatal(format!("'{name}' command takes at most {} arguments", command.args.end()));
    }
    let args = std::mem::take(&mut o.args);
    ExitCode::from(run(&o, command.name, &args))
}

pub(crate) fn print_options<'a>(o: &Options) -> openflow::print::Options<'a> {
    openflow::print::Options { verbosity: o.verbosity, ..Default::default() }
}

fn run(o: &Options, name: &str, args: &[String]) -> u8 {
    let first = args.first().map_or("", String::as_str);
    let second = args.get(1).map(String::as_str);
    let text = second.unwrap_or("");
    let strict = |loose, strict| if o.strict { strict } else { loose };
    match name {
        "show" => show::show(o, first),
        "monitor" => monitor::monitor(o, first, args.get(1..).unwrap_or_default()),
        "snoop" => monitor::snoop(o, first),
        "dump-desc" => show::stats(o, first, &Message::DescRequest),
        "dump-tables" => show::stats(o, first, &Message::TableStatsRequest),
        "dump-table-features" => groups::table_features(o, first),
        "dump-table-desc" => groups::table_desc(o, first),
        "dump-flows" => flows::dump(o, first, text),
        "dump-aggregate" => flows::aggregate(o, first, text),
        "queue-stats" => show::queue_stats(o, first, &args[1..]),
        "queue-get-config" => show::queue_config(o, first, args.get(1)),
        "add-flow" => flows::modify(o, first, text, FlowModCommand::Add, text == "-"),
        "add-flows" => flows::modify(o, first, text, FlowModCommand::Add, true),
        "mod-flows" => {
            let command = strict(FlowModCommand::Modify, FlowModCommand::ModifyStrict);
            flows::modify(o, first, text, command, text == "-");
        }
        "del-flows" => {
            let command = strict(FlowModCommand::Delete, FlowModCommand::DeleteStrict);
            flows::modify(o, first, text, command, text == "-");
        }
        "replace-flows" => flows::replace(o, first, text),
        "diff-flows" => return flows::diff(o, [first, text]),
        "add-meter" => groups::meter(o, first, text, MeterModCommand::Add),
        "mod-meter" => groups::meter(o, first, text, MeterModCommand::Modify),
        "del-meter" | "del-meters" => groups::meter(o, first, text, MeterModCommand::Delete),
        "dump-meter" | "dump-meters" => {
            groups::meter_query(o, first, args.get(1), Message::MeterConfigRequest)
        }
        "meter-stats" => groups::meter_query(o, first, args.get(1), Message::MeterStatsRequest),
        "meter-features" => groups::meter_query(o, first, None, |_| Message::MeterFeaturesRequest),
        "packet-out" => monitor::packet_out(o, first, &args[1..]),
        "dump-ports" => show::ports(o, first, args.get(1)),
        "dump-ports-desc" => show::ports_desc(o, first, args.get(1)),
        "mod-port" => show::mod_port(o, first, text, &args[2]),
        "mod-table" => show::mod_table(o, first, text, &args[2]),
        "get-frags" => show::frags(o, first),
        "set-frags" => show::set_frags(o, first, text),
        "probe" => monitor::probe(o, first),
        "ping" => monitor::ping(o, first, args.get(1)),
        "benchmark" => monitor::benchmark(o, first, text, args.get(2).map_or("", String::as_str)),
        "dump-ipfix-bridge" => show::stats(o, first, &Message::IpfixBridgeRequest),
        "dump-ipfix-flow" => show::stats(o, first, &Message::IpfixFlowRequest),
        "ct-flush-zone" => ctflush::zone(o, first, text),
        "ct-flush" => ctflush::tuples(o, first, args.get(1..).unwrap_or_default()),
        "ofp-parse" => offline::ofp_parse(o, first),
        "add-group" => groups::modify(o, first, text, GroupModCommand::Add, text == "-"),
        "add-groups" => groups::modify(o, first, text, GroupModCommand::Add, true),
        "mod-group" => {
            let command = if o.may_create { GroupModCommand::AddOrMod } else { GroupModCommand::Modify };
            groups::modify(o, first, text, command, text == "-");
        }
        "del-groups" => groups::delete(o, first, args.get(1)),
        "insert-buckets" => groups::modify(o, first, text, GroupModCommand::InsertBucket, text == "-"),
        "remove-buckets" => groups::modify(o, first, text, GroupModCommand::RemoveBucket, text == "-"),
        "dump-groups" => groups::dump(o, first, args.get(1)),
        "dump-group-stats" => groups::dump_stats(o, first, args.get(1)),
        "dump-group-features" => show::stats(o, first, &Message::GroupFeaturesRequest),
        "bundle" => groups::bundle(o, first, text),
        "add-tlv-map" => groups::tlv(o, first, args.get(1), TlvCommand::Add),
        "del-tlv-map" => groups::tlv(o, first, args.get(1), TlvCommand::Delete),
        "dump-tlv-map" => show::transaction(o, first, &Message::TlvTableRequest),
        "list-commands" => {
            println!("The available commands are:");
            usage::COMMANDS.iter().for_each(|c| println!("  {:<23} {}", c.name, c.usage));
        }
        _ => offline_command(o, name, args, first),
    }
    0
}

fn offline_command(o: &Options, name: &str, args: &[String], first: &str) {
    match name {
        "parse-flow" => offline::parse_flow(o, first),
        "parse-flows" => offline::parse_flows(o, first),
        "parse-group" => offline::parse_group(o, first),
        "parse-actions" => offline::parse_actions(first, false),
        "parse-instructions" => offline::parse_actions(first, true),
        "ofp-print" => offline::ofp_print(first, args.get(1)),
        "ofp-parse-pcap" => packets::ofp_parse_pcap(o, first, args.get(1..).unwrap_or_default()),
        "parse-nx-match" | "parse-nxm" => matches::parse_nxm(o, Version::V1_0),
        "parse-oxm" => matches::parse_nxm(o, offline::version_arg(first)),
        "parse-ofp10-match" => matches::parse_ofp10(),
        "parse-ofp11-match" => matches::parse_ofp11(),
        "check-vlan" => matches::check_vlan(first, args.get(1).map_or("", String::as_str)),
        "parse-pcap" => packets::parse_pcap(args),
        "parse-packet" => packets::parse_packet(),
        "compose-packet" => packets::compose_packet(first, args.get(1)),
        "encode-error-reply" => offline::encode_error(first, args.get(1).map_or("", String::as_str)),
        "encode-hello" => offline::encode_hello(first),
        "parse-key-value" => offline::parse_key_value(args),
        "print-error" => offline::print_error(first),
        _ => print!("{}", usage::text()),
    }
}
