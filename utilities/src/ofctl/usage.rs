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
    c("show", "SWITCH", 1, 1),
    c("monitor", "SWITCH [MISSLEN] [invalid_ttl] [watch:[...]]", 1, 99),
    c("snoop", "SWITCH", 1, 1),
    c("dump-desc", "SWITCH", 1, 1),
    c("dump-tables", "SWITCH", 1, 1),
    c("dump-table-features", "SWITCH", 1, 1),
    c("dump-table-desc", "SWITCH", 1, 1),
    c("dump-flows", "SWITCH [FLOW]", 1, 2),
    c("dump-aggregate", "SWITCH [FLOW]", 1, 2),
    c("queue-stats", "SWITCH [PORT [QUEUE]]", 1, 3),
    c("queue-get-config", "SWITCH [PORT]", 1, 2),
    c("add-flow", "SWITCH FLOW", 2, 2),
    c("add-flows", "SWITCH FILE", 2, 2),
    c("mod-flows", "SWITCH FLOW", 2, 2),
    c("del-flows", "SWITCH [FLOW]", 1, 2),
    c("replace-flows", "SWITCH FILE", 2, 2),
    c("diff-flows", "SOURCE1 SOURCE2", 2, 2),
    c("add-meter", "SWITCH METER", 2, 2),
    c("mod-meter", "SWITCH METER", 2, 2),
    c("del-meter", "SWITCH METER", 1, 2),
    c("del-meters", "SWITCH [METER]", 1, 2),
    c("dump-meter", "SWITCH METER", 1, 2),
    c("dump-meters", "SWITCH [METER]", 1, 2),
    c("meter-stats", "SWITCH [METER]", 1, 2),
    c("meter-features", "SWITCH", 1, 1),
    c("packet-out", "SWITCH IN_PORT ACTIONS PACKET...", 2, 999),
    c("dump-ports", "SWITCH [PORT]", 1, 2),
    c("dump-ports-desc", "SWITCH [PORT]", 1, 2),
    c("mod-port", "SWITCH IFACE ACT", 3, 3),
    c("mod-table", "SWITCH TABLE MOD", 3, 3),
    c("get-frags", "SWITCH", 1, 1),
    c("set-frags", "SWITCH FRAG_MODE", 2, 2),
    c("probe", "TARGET", 1, 1),
    c("ping", "TARGET [N]", 1, 2),
    c("dump-ipfix-bridge", "SWITCH", 1, 1),
    c("dump-ipfix-flow", "SWITCH", 1, 1),
    c("ct-flush-zone", "SWITCH ZONE", 2, 2),
    c("ofp-parse", "FILE", 1, 1),
    c("add-group", "SWITCH GROUP", 1, 2),
    c("add-groups", "SWITCH FILE", 1, 2),
    c("mod-group", "SWITCH GROUP", 1, 2),
    c("del-groups", "SWITCH [GROUP]", 1, 2),
    c("insert-buckets", "SWITCH GROUP", 1, 2),
    c("remove-buckets", "SWITCH GROUP", 1, 2),
    c("dump-groups", "SWITCH [GROUP]", 1, 2),
    c("dump-group-stats", "SWITCH [GROUP]", 1, 2),
    c("dump-group-features", "SWITCH", 1, 1),
    c("bundle", "SWITCH FILE", 2, 2),
    c("add-tlv-map", "SWITCH MAP...", 2, 2),
    c("del-tlv-map", "SWITCH [MAP]", 1, 2),
    c("dump-tlv-map", "SWITCH", 1, 1),
    c("help", "", 0, 99),
    c("list-commands", "", 0, 99),
    c("parse-flow", "FLOW", 1, 1),
    c("parse-flows", "FILE", 1, 1),
    c("parse-group", "GROUP", 1, 1),
    c("parse-actions", "VERSION", 1, 1),
    c("parse-instructions", "VERSION", 1, 1),
    c("ofp-print", "HEX [VERBOSITY]", 1, 2),
    c("print-error", "ENUM", 1, 1),
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
