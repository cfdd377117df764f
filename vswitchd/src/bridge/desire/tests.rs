use super::super::rows::{self, Tables};
use super::*;

/// A database with bridge br0 and the given interfaces, one port each.
fn one_bridge(change: impl FnOnce(&mut rows::Bridge), ifaces: Vec<(rows::Port, rows::Interface)>) -> Tables {
    let mut t = Tables::default();
    let id = |n: u128| Uuid::from_u128(n);
    let mut br = rows::Bridge { name: "br0".into(), datapath_type: "netdev".into(), ..Default::default() };
    for (n, (mut port, iface)) in ifaces.into_iter().enumerate() {
        let (p, i) = (id(100 + n as u128), id(200 + n as u128));
        port.name = iface.name.clone();
        port.interfaces = vec![i];
        t.interfaces.insert(i, iface);
        t.ports.insert(p, port);
        br.ports.push(p);
    }
    change(&mut br);
    t.bridges.insert(id(1), br);
    let open = rows::OpenVSwitch { bridges: vec![id(1)], ..Default::default() };
    t.open_vswitch = Some((id(0), open));
    t
}

fn iface(name: &str, kind: &str) -> (rows::Port, rows::Interface) {
    (rows::Port::default(), rows::Interface { name: name.into(), kind: kind.into(), ..Default::default() })
}

#[test]
fn empty_database_wants_nothing() {
    assert_eq!(desire(&Tables::default(), Dummy::Off), Desired::default());
}

#[test]
fn local_port_exists_without_a_row_and_is_always_internal() {
    let d = desire(&one_bridge(|_| (), vec![]), Dummy::Off);
    let local = &d.bridges["br0"].ports["br0"].interfaces["br0"];
    assert!(local.is_local);
    assert_eq!(local.kind, "internal");
    let d = desire(&one_bridge(|_| (), vec![iface("br0", "tap")]), Dummy::Off);
    assert_eq!(d.bridges["br0"].ports["br0"].interfaces["br0"].kind, "internal");
    assert_eq!(d.bridges["br0"].ports.len(), 1);
}

#[test]
fn unset_type_is_a_system_port() {
    let d = desire(&one_bridge(|_| (), vec![iface("eth0", "")]), Dummy::Off);
    let Ok(Backing::Datapath(spec)) = &d.bridges["br0"].ports["eth0"].interfaces["eth0"].backing else {
        panic!()
    };
    assert_eq!(spec.kind, "system");
}

#[test]
fn datapath_types() {
    assert_eq!(Dummy::Off.datapath_type(""), Some("netdev"));
    assert_eq!(Dummy::Off.datapath_type("dummy"), None);
    assert_eq!(Dummy::On.datapath_type("dummy"), Some("dummy"));
    assert_eq!(Dummy::On.datapath_type("system"), Some("netdev"));
    assert_eq!(Dummy::System.datapath_type("system"), Some("dummy"));
    assert_eq!(Dummy::Override.datapath_type("netdev"), Some("dummy"));
    assert_eq!(Dummy::Override.datapath_type("foo"), None);
    let d = desire(&one_bridge(|b| b.datapath_type = String::new(), vec![]), Dummy::Off);
    assert!(d.warnings[0].contains("userspace datapath"), "{:?}", d.warnings);
}

#[test]
fn vlan_modes() {
    type Case<'a> = (Option<&'a str>, Option<i64>, &'a [i64], VlanMode, Option<u16>, &'a [u16]);
    let cases: [Case<'_>; 6] = [
        (None, None, &[], VlanMode::Trunk, None, &[]),
        (None, Some(7), &[8], VlanMode::Access, Some(7), &[]),
        (None, None, &[9, 8, 9, 5000], VlanMode::Trunk, None, &[8, 9]),
        (Some("native-tagged"), Some(5), &[6], VlanMode::NativeTagged, Some(5), &[6]),
        (Some("access"), None, &[], VlanMode::Access, Some(0), &[]),
        (Some("nonsense"), Some(3), &[], VlanMode::Trunk, None, &[]),
    ];
    for (mode, tag, trunks, want_mode, want_tag, want_trunks) in cases {
        let mut p = iface("p1", "dummy");
        p.0.vlan_mode = mode.map(Into::into);
        p.0.tag = tag;
        p.0.trunks = trunks.to_vec();
        let d = desire(&one_bridge(|_| (), vec![p]), Dummy::On);
        let vlan = &d.bridges["br0"].ports["p1"].vlan;
        assert_eq!((vlan.mode, vlan.tag, vlan.trunks.as_slice()), (want_mode, want_tag, want_trunks));
    }
}

#[test]
fn patch_ports_need_a_peer_other_than_themselves() {
    let mut good = iface("pa", "patch");
    good.1.options.insert("peer".into(), "pb".into());
    let mut own = iface("po", "patch");
    own.1.options.insert("peer".into(), "po".into());
    let d = desire(&one_bridge(|_| (), vec![good, own, iface("pn", "patch")]), Dummy::Off);
    let backing = |n: &str| d.bridges["br0"].ports[n].interfaces[n].backing.clone();
    assert_eq!(backing("pa"), Ok(Backing::Patch { peer: "pb".into() }));
    assert_eq!(backing("po"), Err("po: patch peer must not be self".into()));
    assert_eq!(backing("pn"), Err("pn: patch type requires valid 'peer' argument".into()));
}

#[test]
fn default_mac_is_made_from_the_uuid_as_ovs_does() {
    let uuid: Uuid = "23ac77d8-4ba5-49d6-8bd5-9eabdbb97f4a".parse().unwrap();
    let mut t = one_bridge(|_| (), vec![]);
    let row = t.bridges.pop_first().unwrap().1;
    t.bridges.insert(uuid, row);
    t.open_vswitch.as_mut().unwrap().1.bridges = vec![uuid];
    let d = desire(&t, Dummy::Off);
    assert_eq!(d.bridges["br0"].default_mac, [0xda, 0x77, 0xac, 0x23, 0xd6, 0x49]);
}

#[test]
fn datapath_ids() {
    use super::bridge::test_parse_dpid as parse;
    assert_eq!(parse("00000000000000ff"), Some(255));
    assert_eq!(parse("0x1f"), Some(31));
    assert_eq!(parse("1f"), None);
    assert_eq!(parse("0000000000000000"), None);
    assert_eq!(parse("0x11111111111111111"), None);
}

#[test]
fn settings_out_of_range_fall_back() {
    let mut t = one_bridge(
        |b| {
            b.other_config =
                [("mac-aging-time", "1"), ("mac-table-size", "x"), ("hwaddr", "01:00:00:00:00:01")]
                    .map(|(k, v)| (k.to_string(), v.to_string()))
                    .into();
            b.protocols = vec!["OpenFlow13".into(), "Bogus".into()];
            b.fail_mode = Some("secure".into());
        },
        vec![],
    );
    t.open_vswitch.as_mut().unwrap().1.other_config = [
        ("max-idle", "3"),
        ("stats-update-interval", "7000"),
        ("flow-limit", "0x10"),
        ("flow-restore-wait", "true"),
    ]
    .map(|(k, v)| (k.to_string(), v.to_string()))
    .into();
    let d = desire(&t, Dummy::Off);
    let br = &d.bridges["br0"];
    assert_eq!((br.mac_age_s, br.mac_table_len_max, br.hwaddr), (15, 8192, None));
    assert!(br.protocols.contains(Version::V1_3) && !br.protocols.contains(Version::V1_0));
    assert_eq!(br.fail_mode, FailMode::Secure);
    assert_eq!((d.switch.idle_ms_max, d.switch.stats_interval_ms, d.switch.flow_limit), (10_000, 7000, 16));
    assert!(d.switch.flow_restore_wait);
    assert_eq!(d.warnings, ["bridge br0: ignoring unknown protocol Bogus"]);
}

#[test]
fn an_interface_belongs_to_the_first_bridge_that_names_it() {
    let mut t = one_bridge(|_| (), vec![iface("p1", "dummy")]);
    let port = *t.ports.keys().next().unwrap();
    let second = rows::Bridge { name: "br1".into(), ports: vec![port], ..Default::default() };
    t.bridges.insert(Uuid::from_u128(2), second);
    t.open_vswitch.as_mut().unwrap().1.bridges.push(Uuid::from_u128(2));
    let d = desire(&t, Dummy::On);
    assert!(d.bridges["br0"].ports.contains_key("p1"));
    assert!(!d.bridges["br1"].ports.contains_key("p1"));
    assert!(d.warnings.iter().any(|w| w.contains("in use by bridge br0")), "{:?}", d.warnings);
}

use openflow::types::Version;
