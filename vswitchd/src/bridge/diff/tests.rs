use std::collections::BTreeMap;

use dpif::DpPort;
use openflow::types::OfPort;

use super::super::actual::Attached;
use super::super::desire::{Dummy, desire};
use super::super::rows::{self, Tables, Uuid};
use super::*;

/// Bridges with the names of their ports; `change` edits each interface row.
fn tables(bridges: &[(&str, &[&str])], change: impl Fn(&mut rows::Interface)) -> Tables {
    let mut t = Tables::default();
    let mut open = rows::OpenVSwitch::default();
    // The same name has the same UUID in every table made here.
    let id = |kind: u8, name: &str| {
        let mut bytes = [0; 16];
        bytes[0] = kind;
        bytes[1..=name.len()].copy_from_slice(name.as_bytes());
        Uuid::from_bytes(bytes)
    };
    for (name, ports) in bridges {
        let mut br =
            rows::Bridge { name: name.to_string(), datapath_type: "netdev".into(), ..Default::default() };
        for port in *ports {
            let (p, i) = (id(1, port), id(2, port));
            let mut row =
                rows::Interface { name: port.to_string(), kind: "dummy".into(), ..Default::default() };
            change(&mut row);
            t.interfaces.insert(i, row);
            t.ports
                .insert(p, rows::Port { name: port.to_string(), interfaces: vec![i], ..Default::default() });
            br.ports.push(p);
        }
        let b = id(3, name);
        open.bridges.push(b);
        t.bridges.insert(b, br);
    }
    t.open_vswitch = Some((Uuid::nil(), open));
    t
}

/// The state after `desired` was applied without errors.
fn applied(desired: &Desired) -> Actual {
    let mut actual = Actual::default();
    for (name, bridge) in &desired.bridges {
        let mut interfaces = BTreeMap::new();
        for iface in bridge.ports.values().flat_map(|p| p.interfaces.values()) {
            let n = interfaces.len() as u32 + 1;
            let ofport = if iface.is_local { OfPort::LOCAL } else { OfPort(n) };
            let outcome = match &iface.backing {
                Ok(_) => Ok(Attached { ofport, dp_port: Some(DpPort(n)) }),
                Err(e) => Err(e.clone()),
            };
            interfaces.insert(iface.name.clone(), ActualInterface { applied: iface.clone(), outcome });
        }
        actual.bridges.insert(name.clone(), ActualBridge { applied: bridge.clone(), interfaces });
    }
    actual
}

fn want(t: &Tables) -> Desired {
    desire(t, Dummy::On)
}

#[test]
fn nothing_changed_means_no_step() {
    let d = want(&tables(&[("br0", &["p1", "p2"])], |_| ()));
    assert_eq!(diff(&d, &applied(&d)), []);
}

#[test]
fn a_new_bridge_comes_up_local_port_first() {
    let d = want(&tables(&[("br0", &["p1"])], |_| ()));
    let bridge = "br0".to_string();
    let attach = |i: &str| Step::AttachInterface { bridge: "br0".into(), interface: i.into() };
    let set = |p: &str| Step::SetPort { bridge: "br0".into(), port: p.into() };
    assert_eq!(
        diff(&d, &Actual::default()),
        [
            Step::CreateBridge { bridge: bridge.clone() },
            Step::ConfigureBridge { bridge: bridge.clone() },
            attach("br0"),
            attach("p1"),
            set("br0"),
            set("p1"),
            Step::SetControllers { bridge },
        ]
    );
}

#[test]
fn adding_a_port_touches_no_other() {
    let before = applied(&want(&tables(&[("br0", &["p1"])], |_| ())));
    let d = want(&tables(&[("br0", &["p1", "p2"])], |_| ()));
    assert_eq!(
        diff(&d, &before),
        [
            Step::AttachInterface { bridge: "br0".into(), interface: "p2".into() },
            Step::SetPort { bridge: "br0".into(), port: "p2".into() },
        ]
    );
}

#[test]
fn a_port_that_moves_is_detached_before_it_is_attached() {
    let before = applied(&want(&tables(&[("br0", &["p1"]), ("br1", &[])], |_| ())));
    let steps = diff(&want(&tables(&[("br0", &[]), ("br1", &["p1"])], |_| ())), &before);
    let at = |s: Step| steps.iter().position(|x| *x == s).unwrap_or_else(|| panic!("{s:?} not in {steps:?}"));
    let off = at(Step::DetachInterface { bridge: "br0".into(), interface: "p1".into() });
    assert!(off < at(Step::AttachInterface { bridge: "br1".into(), interface: "p1".into() }));
}

#[test]
fn a_failed_port_is_tried_again_and_a_changed_one_reconfigured() {
    let t = tables(&[("br0", &["p1", "p2"])], |_| ());
    let mut before = applied(&want(&t));
    before.bridges.get_mut("br0").unwrap().interfaces.get_mut("p1").unwrap().outcome = Err("no".into());
    let t = tables(&[("br0", &["p1", "p2"])], |i| i.mtu_request = Some(9000));
    assert_eq!(
        diff(&want(&t), &before),
        [
            Step::ReconfigureInterface { bridge: "br0".into(), interface: "p2".into() },
            Step::AttachInterface { bridge: "br0".into(), interface: "p1".into() },
            Step::SetPort { bridge: "br0".into(), port: "p1".into() },
        ]
    );
}

#[test]
fn a_new_number_request_makes_the_port_anew() {
    let before = applied(&want(&tables(&[("br0", &["p1"])], |_| ())));
    let t = tables(&[("br0", &["p1"])], |i| i.ofport_request = Some(77));
    let steps = diff(&want(&t), &before);
    assert_eq!(steps[0], Step::DetachInterface { bridge: "br0".into(), interface: "p1".into() });
    assert_eq!(steps[1], Step::AttachInterface { bridge: "br0".into(), interface: "p1".into() });
    // The request was not met (the number was taken): do not flap.
    assert_eq!(diff(&want(&t), &applied(&want(&t))), []);
}

#[test]
fn a_bridge_that_changes_its_datapath_is_made_anew_and_an_unknown_one_is_not_made() {
    let mut t = tables(&[("br0", &["p1"])], |_| ());
    let before = applied(&want(&t));
    t.bridges.values_mut().for_each(|b| b.datapath_type = "dummy".into());
    let steps = diff(&want(&t), &before);
    assert!(steps.contains(&Step::DeleteBridge { bridge: "br0".into() }));
    assert!(steps.contains(&Step::CreateBridge { bridge: "br0".into() }));
    t.bridges.values_mut().for_each(|b| b.datapath_type = "foo".into());
    let steps = diff(&want(&t), &before);
    assert_eq!(steps.last(), Some(&Step::DeleteBridge { bridge: "br0".into() }));
}
