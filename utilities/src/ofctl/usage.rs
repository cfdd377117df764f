//! The commands: one table for dispatch, `help` and `list-commands`.

/// A command: name, arguments, how many.
pub struct Command {
    pub name: &'static str,
    pub usage: &'static str,
    pub args: std::ops::RangeInclusive<usize>,
}

const fn c(name: &'static str, usage: &'static str, min: usize, max: usize) -> Command {
    Command { name, usage, args: min..=max }
}

/// Every command.
pub const COMMANDS: &[Command] = &[
    c("show", "switch", 1, 1),
    c("monitor", "switch [misslen] [invalid_ttl] [watch:[...]]", 1, 99),
    c("snoop", "switch", 1, 1),
    c("dump-desc", "switch", 1, 1),
    c("dump-tables", "switch", 1, 1),
    c("dump-table-features", "switch", 1, 1),
    c("dump-table-desc", "switch", 1, 1),
    c("dump-flows", "switch", 1, 2),
    c("dump-aggregate", "switch", 1, 2),
    c("queue-stats", "switch [port [queue]]", 1, 3),
    c("queue-get-config", "switch [port [queue]]", 1, 3),
    c("add-flow", "switch flow", 2, 2),
    c("add-flows", "switch file", 2, 2),
    c("mod-flows", "switch flow", 2, 2),
    c("del-flows", "switch [flow]", 1, 2),
    c("replace-flows", "switch file", 2, 2),
    c("diff-flows", "source1 source2", 2, 2),
    c("add-meter", "switch meter", 2, 2),
    c("mod-meter", "switch meter", 2, 2),
    c("del-meter", "switch meter", 1, 2),
    c("del-meters", "switch", 1, 2),
    c("dump-meter", "switch meter", 1, 2),
    c("dump-meters", "switch", 1, 2),
    c("meter-stats", "switch [meter]", 1, 2),
    c("meter-features", "switch", 1, 1),
    c("packet-out", "switch \"in_port=<port> packet=<hex data> actions=...\"", 2, 999),
    c("dump-ports", "switch [port]", 1, 2),
    c("dump-ports-desc", "switch [port]", 1, 2),
    c("mod-port", "switch iface act", 3, 3),
    c("mod-table", "switch mod", 3, 3),
    c("get-frags", "switch", 1, 1),
    c("set-frags", "switch frag_mode", 2, 2),
    c("probe", "target", 1, 1),
    c("ping", "target [n]", 1, 2),
    c("benchmark", "target n count", 3, 3),
    c("dump-ipfix-bridge", "switch", 1, 1),
    c("dump-ipfix-flow", "switch", 1, 1),
    c("ct-flush-zone", "switch zone", 2, 2),
    c("ct-flush", "switch [zone=N] [ct-orig-tuple [ct-reply-tuple]]", 1, 4),
    c("ofp-parse", "file", 1, 1),
    c("ofp-parse-pcap", "pcap", 1, 999),
    c("add-group", "switch group", 1, 2),
    c("add-groups", "switch file", 1, 2),
    c("mod-group", "switch group", 1, 2),
    c("del-groups", "switch [group]", 1, 2),
    c("insert-buckets", "switch [group]", 1, 2),
    c("remove-buckets", "switch [group]", 1, 2),
    c("dump-groups", "switch [group]", 1, 2),
    c("dump-group-stats", "switch [group]", 1, 2),
    c("dump-group-features", "switch", 1, 1),
    c("bundle", "switch file", 2, 2),
    c("add-tlv-map", "switch map", 2, 2),
    c("del-tlv-map", "switch [map]", 1, 2),
    c("dump-tlv-map", "switch", 1, 1),
    c("help", "", 0, 99),
    c("list-commands", "", 0, 99),
    c("parse-flow", "", 1, 1),
    c("parse-flows", "", 1, 1),
    c("parse-group", "", 1, 1),
    c("parse-nx-match", "", 0, 0),
    c("parse-nxm", "", 0, 0),
    c("parse-oxm", "", 1, 1),
    c("parse-actions", "", 1, 1),
    c("parse-instructions", "", 1, 1),
    c("parse-ofp10-match", "", 0, 0),
    c("parse-ofp11-match", "", 0, 0),
    c("parse-pcap", "", 1, 999),
    c("check-vlan", "", 2, 2),
    c("print-error", "", 1, 1),
    c("encode-error-reply", "", 2, 2),
    c("ofp-print", "", 1, 2),
    c("encode-hello", "", 1, 1),
    c("parse-key-value", "", 1, 999),
    c("compose-packet", "", 1, 2),
    c("parse-packet", "", 0, 0),
];

/// The help text.
pub fn text() -> String {
    let mut out =
        "ovs-ofctl: OpenFlow switch management utility\nusage: ovs-ofctl [OPTIONS] COMMAND [ARG...]\n\n"
            .to_owned();
    for command in COMMANDS {
        out += &format!("  {} {}\n", command.name, command.usage);
    }
    out + "\nSWITCH is a bridge, a socket, tcp:HOST[:PORT] or unix:FILE.\n"
}
