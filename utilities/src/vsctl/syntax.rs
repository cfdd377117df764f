//! The table of commands: name, argument counts, options, completion grammar, function.

use daemon::getopt::Arg;

use super::cmd::{aa, bond, bridge, controller, misc, port, ssl, zone};
use super::cmdline::Command;
use super::context::{Context, Fail};
use super::db::{edit, query};

/// What runs a command.
pub(super) type Run = fn(&mut Context<'_>, &Command) -> Result<(), Fail>;

/// One command.
pub(super) struct Syntax {
    pub name: &'static str,
    pub min_args: usize,
    /// `usize::MAX`: no limit.
    pub max_args: usize,
    /// The arguments, in the grammar of `--commands`.
    pub arguments: &'static str,
    /// `--name` or, with an argument, `--name=`; separated by spaces.
    pub options: &'static str,
    /// May it change the database?
    pub writes: bool,
    pub run: Run,
}

const MANY: usize = usize::MAX;
const RO: bool = false;
const RW: bool = true;

macro_rules! commands {
    ($($name:literal, $min:expr, $max:expr, $arguments:literal, $options:literal, $writes:expr, $run:path;)*) => {
        &[$(Syntax {
            name: $name, min_args: $min, max_args: $max, arguments: $arguments,
            options: $options, writes: $writes, run: $run,
        }),*]
    };
}

/// Every command.
pub(super) const COMMANDS: &[Syntax] = commands! {
    "init", 0, 0, "", "", RW, misc::init;
    "show", 0, 0, "", "", RO, misc::show;
    "emer-reset", 0, 0, "", "", RW, misc::emer_reset;
    "comment", 0, MANY, "*ARG", "", RO, misc::comment;

    "add-br", 1, 3, "!NEW-BRIDGE ?PARENT ?NEW-VLAN", "--may-exist", RW, bridge::add_br;
    "del-br", 1, 1, "!BRIDGE", "--if-exists", RW, bridge::del_br;
    "list-br", 0, 0, "", "--real --fake", RO, bridge::list_br;
    "br-exists", 1, 1, "!BRIDGE", "", RO, bridge::br_exists;
    "br-to-vlan", 1, 1, "!BRIDGE", "", RO, bridge::br_to_vlan;
    "br-to-parent", 1, 1, "!BRIDGE", "", RO, bridge::br_to_parent;
    "br-set-external-id", 2, 3, "!BRIDGE !KEY ?VALUE", "", RW, bridge::br_set_external_id;
    "br-get-external-id", 1, 2, "!BRIDGE ?KEY", "", RO, bridge::br_get_external_id;

    "list-ports", 1, 1, "!BRIDGE", "", RO, port::list_ports;
    "add-port", 2, MANY, "!BRIDGE !NEW-PORT *COLUMN?:KEY=VALUE", "--may-exist", RW, port::add_port;
    "add-bond", 4, MANY, "!BRIDGE !BOND +IFACE *COLUMN?:KEY=VALUE", "--may-exist --fake-iface", RW, bond::add_bond;
    "add-bond-iface", 2, 2, "!BOND !IFACE", "--may-exist", RW, bond::add_bond_iface;
    "del-bond-iface", 1, 2, "?BOND !IFACE", "--if-exists", RW, bond::del_bond_iface;
    "del-port", 1, 2, "?BRIDGE !PORT|IFACE", "--if-exists --with-iface", RW, port::del_port;
    "port-to-br", 1, 1, "!PORT", "", RO, port::port_to_br;

    "list-ifaces", 1, 1, "!BRIDGE", "", RO, port::list_ifaces;
    "iface-to-br", 1, 1, "!IFACE", "", RO, port::iface_to_br;

    "get-controller", 1, 1, "!BRIDGE", "", RO, controller::get_controller;
    "del-controller", 1, 1, "!BRIDGE", "", RW, controller::del_controller;
    "set-controller", 1, MANY, "!BRIDGE +TARGET", "--inactivity-probe=", RW, controller::set_controller;
    "get-fail-mode", 1, 1, "!BRIDGE", "", RO, controller::get_fail_mode;
    "del-fail-mode", 1, 1, "!BRIDGE", "", RW, controller::del_fail_mode;
    "set-fail-mode", 2, 2, "!BRIDGE !MODE", "", RW, controller::set_fail_mode;

    "get-manager", 0, 0, "", "", RO, controller::get_manager;
    "del-manager", 0, 0, "", "", RW, controller::del_manager;
    "set-manager", 1, MANY, "+TARGET", "--inactivity-probe=", RW, controller::set_manager;

    "get-ssl", 0, 0, "", "", RO, ssl::get_ssl;
    "del-ssl", 0, 0, "", "", RW, ssl::del_ssl;
    "set-ssl", 3, 3, "!PRIVATE-KEY !CERTIFICATE !CA-CERT", "--bootstrap", RW, ssl::set_ssl;

    "add-aa-mapping", 3, 3, "!BRIDGE !ARG !ARG", "", RW, aa::add_aa_mapping;
    "del-aa-mapping", 3, 3, "!BRIDGE !ARG !ARG", "", RW, aa::del_aa_mapping;
    "get-aa-mapping", 1, 1, "!BRIDGE", "", RO, aa::get_aa_mapping;

    "add-zone-tp", 3, 18, "", "--may-exist", RW, zone::add_zone_tp;
    "del-zone-tp", 2, 2, "", "--if-exists", RW, zone::del_zone_tp;
    "list-zone-tp", 1, 1, "", "", RO, zone::list_zone_tp;
    "list-dp-cap", 1, 1, "", "", RO, zone::list_dp_cap;

    "get", 2, MANY, "!TABLE !RECORD *COLUMN?:KEY", "--if-exists --id=", RO, query::get;
    "list", 1, MANY, "!TABLE *RECORD", "--if-exists --columns=", RO, query::list;
    "find", 1, MANY, "!TABLE *COLUMN?:KEY=VALUE", "--columns=", RO, query::find;
    "wait-until", 2, MANY, "!TABLE !RECORD *COLUMN?:KEY=VALUE", "", RO, query::wait_until;
    "set", 3, MANY, "!TABLE !RECORD +COLUMN?:KEY=VALUE", "--if-exists", RW, edit::set;
    "add", 4, MANY, "!TABLE !RECORD !COLUMN +?KEY=VALUE", "--if-exists", RW, edit::add;
    "remove", 4, MANY, "!TABLE !RECORD !COLUMN +KEY|VALUE|KEY=VALUE", "--if-exists", RW, edit::remove;
    "clear", 3, MANY, "!TABLE !RECORD +COLUMN", "--if-exists", RW, edit::clear;
    "create", 2, MANY, "!TABLE +COLUMN?:KEY=VALUE", "--id=", RW, edit::create;
    "destroy", 1, MANY, "!TABLE *RECORD", "--if-exists --all", RW, edit::destroy;
};

impl Syntax {
    /// Whether the command has the option (with its dashes), and whether that takes an argument.
    pub(super) fn option(&self, name: &str) -> Option<Arg> {
        self.options.split_whitespace().find_map(|option| match option.strip_suffix('=') {
            Some(stem) if stem == name => Some(Arg::Required),
            None if option == name => Some(Arg::None),
            _ => None,
        })
    }
}

/// The options of all commands, without dashes.
pub(super) fn options() -> impl Iterator<Item = (&'static str, Arg)> {
    COMMANDS.iter().flat_map(|syntax| syntax.options.split_whitespace()).map(|option| {
        let option = option.trim_start_matches("--");
        match option.strip_suffix('=') {
            Some(stem) => (stem, Arg::Required),
            None => (option, Arg::None),
        }
    })
}

/// Whether some command has the option `name` (without dashes).
pub(super) fn is_option(name: &str) -> bool {
    options().any(|(option, _)| option == name)
}

/// The text of `--commands`.
pub(super) fn completion() -> String {
    let line = |syntax: &Syntax| {
        let options: String =
            syntax.options.split_whitespace().map(|option| format!("[{option}] ")).collect();
        format!("{options},{},{}\n", syntax.name, syntax.arguments)
    };
    COMMANDS.iter().map(line).collect()
}
