//! `diff`: the steps from what is to what is wanted. Pure. Steps that free names and numbers come first; whatever is
//! the same in both gets no step, so traffic there is not touched.

use super::actual::{Actual, ActualBridge, ActualInterface};
use super::desire::{Backing, Bridge, Desired, Interface};

/// One change. Names refer to the desired state, except in the two kinds that remove.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    DetachInterface {
        bridge: String,
        interface: String,
    },
    DeletePort {
        bridge: String,
        port: String,
    },
    DeleteBridge {
        bridge: String,
    },
    CreateBridge {
        bridge: String,
    },
    /// Settings of the bridge itself.
    ConfigureBridge {
        bridge: String,
    },
    AttachInterface {
        bridge: String,
        interface: String,
    },
    /// Same device and number, other options.
    ReconfigureInterface {
        bridge: String,
        interface: String,
    },
    /// VLAN settings or members of a port.
    SetPort {
        bridge: String,
        port: String,
    },
    SetMirrors {
        bridge: String,
    },
    SetControllers {
        bridge: String,
    },
}

/// The steps that turn `actual` into `desired`, in order.
pub fn diff(desired: &Desired, actual: &Actual) -> Vec<Step> {
    let mut steps = Vec::new();
    for (name, is) in &actual.bridges {
        match desired.bridges.get(name).filter(|want| same_bridge(want, is)) {
            Some(want) => remove_stale(want, is, &mut steps),
            None => remove_bridge(name, is, &mut steps),
        }
    }
    for (name, want) in &desired.bridges {
        if want.datapath_type.is_err() {
            continue;
        }
        let is = actual.bridges.get(name).filter(|is| same_bridge(want, is));
        if is.is_none() {
            steps.push(Step::CreateBridge { bridge: name.clone() });
        }
        if is.is_none_or(|is| !same_settings(want, &is.applied)) {
            steps.push(Step::ConfigureBridge { bridge: name.clone() });
        }
    }
    for want in desired.bridges.values().filter(|w| w.datapath_type.is_ok()) {
        let is = actual.bridges.get(&want.name).filter(|is| same_bridge(want, is));
        bring_up(want, is, &mut steps);
    }
    steps
}

/// The bridge can go on as it is: the same datapath. (A bridge deleted and made anew in one transaction goes on.)
fn same_bridge(want: &Bridge, is: &ActualBridge) -> bool {
    want.datapath_type == is.applied.datapath_type
}

fn same_settings(want: &Bridge, is: &Bridge) -> bool {
    let settings = |b: &Bridge| {
        let mut b = b.clone();
        b.ports.clear();
        b.controllers.clear();
        b.mirrors.clear();
        b
    };
    settings(want) == settings(is)
}

fn remove_bridge(name: &str, is: &ActualBridge, steps: &mut Vec<Step>) {
    for (interface, _) in is.interfaces.iter().filter(|(_, i)| i.outcome.is_ok()) {
        steps.push(Step::DetachInterface { bridge: name.into(), interface: interface.clone() });
    }
    steps.push(Step::DeleteBridge { bridge: name.into() });
}

fn remove_stale(want: &Bridge, is: &ActualBridge, steps: &mut Vec<Step>) {
    for (name, iface) in is.interfaces.iter() {
        let keep = find_interface(want, name).is_some_and(|(_, w)| may_stay(w, iface));
        if !keep && iface.outcome.is_ok() {
            steps.push(Step::DetachInterface { bridge: want.name.clone(), interface: name.clone() });
        }
    }
    for port in is.applied.ports.keys().filter(|p| !want.ports.contains_key(*p)) {
        steps.push(Step::DeletePort { bridge: want.name.clone(), port: port.clone() });
    }
}

/// An attached interface may stay when its device and its number can.
fn may_stay(want: &Interface, is: &ActualInterface) -> bool {
    let same_backing = match (&want.backing, &is.applied.backing) {
        (Ok(Backing::Datapath(_)), Ok(Backing::Datapath(_))) => want.kind == is.applied.kind,
        (Ok(Backing::Patch { .. }), Ok(Backing::Patch { .. })) => true,
        _ => false,
    };
    let same_number = match (want.ofport_request, &is.outcome) {
        (Some(request), Ok(attached)) if !want.is_local => {
            // A request that could not be met when it was first made is not tried again.
            request == attached.ofport.0 || is.applied.ofport_request == Some(request)
        }
        _ => true,
    };
    same_backing && same_number
}

fn find_interface<'a>(bridge: &'a Bridge, name: &str) -> Option<(&'a str, &'a Interface)> {
    bridge.ports.values().find_map(|p| Some((p.name.as_str(), p.interfaces.get(name)?)))
}

fn bring_up(want: &Bridge, is: Option<&ActualBridge>, steps: &mut Vec<Step>) {
    let mut attach = Vec::new();
    let mut attach_ports = std::collections::BTreeSet::new();
    for port in want.ports.values() {
        for iface in port.interfaces.values() {
            let stays = is
                .and_then(|is| is.interfaces.get(&iface.name))
                .filter(|now| now.outcome.is_ok() && may_stay(iface, now));
            match stays {
                None => {
                    attach.push(iface);
                    attach_ports.insert(port.name.as_str());
                }
                Some(now) if iface.backing != now.applied.backing => steps.push(Step::ReconfigureInterface {
                    bridge: want.name.clone(),
                    interface: iface.name.clone(),
                }),
                Some(_) => {}
            }
        }
    }
    attach.sort_by_key(|i| attach_order(i));
    steps.extend(
        attach
            .into_iter()
            .map(|i| Step::AttachInterface { bridge: want.name.clone(), interface: i.name.clone() }),
    );
    for port in want.ports.values() {
        let same = is.and_then(|is| is.applied.ports.get(&port.name)).is_some_and(|now| {
            now.vlan == port.vlan
                && now.protected == port.protected
                && now.bond == port.bond
                && now.other_config == port.other_config
                && now.interfaces.keys().eq(port.interfaces.keys())
        });
        if !same || attach_ports.contains(port.name.as_str()) {
            steps.push(Step::SetPort { bridge: want.name.clone(), port: port.name.clone() });
        }
    }
    if is.map_or(!want.mirrors.is_empty(), |is| is.applied.mirrors != want.mirrors) {
        steps.push(Step::SetMirrors { bridge: want.name.clone() });
    }
    if is
        .is_none_or(|is| is.applied.controllers != want.controllers || is.applied.protocols != want.protocols)
    {
        steps.push(Step::SetControllers { bridge: want.name.clone() });
    }
}

/// The local port, then those that ask for a number, then those that had one, then the rest.
fn attach_order(iface: &Interface) -> (u8, u32) {
    match (iface.is_local, iface.ofport_request, iface.ofport_before) {
        (true, ..) => (0, 0),
        (_, Some(n), _) => (1, n),
        (_, None, Some(n)) => (2, n),
        _ => (3, 0),
    }
}

#[cfg(test)]
mod tests;
