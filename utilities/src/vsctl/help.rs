//! The texts of `--help` and `--options`.

use daemon::getopt::{Arg, Opt};
use daemon::{dirs, options as shared, program, vlog};

/// The text of `--options`: one line per spelling, for completion.
pub(super) fn options(tables: &[&[Opt]]) -> String {
    let mut text = String::new();
    for opt in tables.iter().flat_map(|table| table.iter()) {
        let argument = opt.arg != Arg::None;
        text.push_str(&format!("--{}{}\n", opt.long, if argument { "=ARG" } else { "" }));
        if let Some(short) = opt.short {
            text.push_str(&format!("-{short}{}\n", if argument { " ARG" } else { "" }));
        }
    }
    text
}

/// The text of `--help`.
pub(super) fn usage() -> String {
    let name = program::name();
    let db = dirs::default_db();
    let log_file = vlog::default_log_file();
    let log = shared::usage_vlog(&log_file.display().to_string());
    format!(
        "{name}: ovs-vswitchd management utility
usage: {name} [OPTIONS] COMMAND [ARG...] [-- [OPTIONS] COMMAND [ARG...]]...
All commands of a command line are one transaction.

Open vSwitch commands:
  init                        create the database's one row, if it is missing
  show                        print an overview of the configuration
  emer-reset                  drop controllers, managers, mirrors, monitoring

Bridge commands:
  [--may-exist] add-br BRIDGE               create a bridge
  [--may-exist] add-br BRIDGE PARENT VLAN   create a fake bridge in PARENT on VLAN
  [--if-exists] del-br BRIDGE               delete a bridge and all of its ports
  [--real] [--fake] list-br   print the names of the bridges
  br-exists BRIDGE            exit 2 if BRIDGE does not exist
  br-to-vlan BRIDGE           print the VLAN which BRIDGE is on
  br-to-parent BRIDGE         print the parent of BRIDGE
  br-set-external-id BRIDGE KEY [VALUE]  set or unset KEY on BRIDGE
  br-get-external-id BRIDGE [KEY]        print KEY's value, or all pairs

Port commands (a bond is a single port):
  list-ports BRIDGE           print the names of the ports on BRIDGE
  [--may-exist] add-port BRIDGE PORT [COLUMN[:KEY]=VALUE]...
  [--may-exist] [--fake-iface] add-bond BRIDGE PORT IFACE IFACE... [COLUMN[:KEY]=VALUE]...
  [--may-exist] add-bond-iface BOND IFACE
  [--if-exists] del-bond-iface [BOND] IFACE
  [--if-exists] [--with-iface] del-port [BRIDGE] PORT
  port-to-br PORT             print the name of the bridge that contains PORT

Interface commands (a bond has several):
  list-ifaces BRIDGE          print the names of the interfaces on BRIDGE
  iface-to-br IFACE           print the name of the bridge that contains IFACE

Controller and manager commands:
  get-controller BRIDGE       print the controllers of BRIDGE
  del-controller BRIDGE       delete the controllers of BRIDGE
  [--inactivity-probe=MSECS] set-controller BRIDGE TARGET...
  get-fail-mode BRIDGE        print the fail mode of BRIDGE
  del-fail-mode BRIDGE        delete the fail mode of BRIDGE
  set-fail-mode BRIDGE MODE   MODE is standalone or secure
  get-manager                 print the managers
  del-manager                 delete the managers
  [--inactivity-probe=MSECS] set-manager TARGET...

SSL commands:
  get-ssl, del-ssl            print or delete the SSL configuration
  [--bootstrap] set-ssl PRIVATE-KEY CERTIFICATE CA-CERT

Auto Attach commands:
  add-aa-mapping BRIDGE I-SID VLAN, del-aa-mapping BRIDGE I-SID VLAN
  get-aa-mapping BRIDGE

Conntrack zone commands:
  [--may-exist] add-zone-tp DATAPATH zone=ZONE POLICY=TIMEOUT...
  [--if-exists] del-zone-tp DATAPATH zone=ZONE
  list-zone-tp DATAPATH, list-dp-cap DATAPATH

Database commands:
  list TBL [REC]...           list records (all of them by default)
  find TBL CONDITION...       list the records that satisfy CONDITION
  get TBL REC COL[:KEY]...    print values
  set TBL REC COL[:KEY]=VALUE...       set values
  add TBL REC COL [KEY=]VALUE...       add to a set or map
  remove TBL REC COL [KEY=]VALUE...    remove from a set or map
  clear TBL REC COL...        empty columns
  [--id=@NAME] create TBL COL[:KEY]=VALUE...  create a record
  destroy TBL REC...          delete records
  wait-until TBL REC [COL[:KEY]=VALUE]...  wait until a condition is true
Records are named by uuid (or its beginning), by their name, target or id, by the bridge (Controller,
NetFlow, sFlow, IPFIX, AutoAttach) or port (QoS) that uses them, or by \".\" if there is only one.

Options:
  --db=DATABASE               connect to DATABASE
                              (default: {db})
  --no-wait                   do not wait for ovs-vswitchd to reconfigure
  --retry                     keep trying to connect to server forever
  -t, --timeout=SECS          wait at most SECS seconds for ovs-vswitchd
  --dry-run                   do not commit changes to database
  --oneline                   print exactly one line of output per command

Output formatting options (of list and find):
  -f, --format=FORMAT         \"table\", \"list\", \"html\", \"csv\", or \"json\"
  -d, --data=FORMAT           \"string\", \"bare\", or \"json\"
  --no-headings               omit table heading row
  --pretty                    pretty-print JSON in output
  --bare                      equivalent to \"--format=list --data=bare --no-headings\"
{log}  --no-syslog             equivalent to --verbose=vsctl:syslog:warn

Other options:
  -h, --help                  display this help message
  -V, --version               display version information
"
    )
}
