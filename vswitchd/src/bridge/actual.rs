//! What is: the bridges, ports and interfaces as they were last applied, and how each attempt ended. Plain values, so
//! that `diff` can be tested without a switch.

use std::collections::BTreeMap;

use dpif::DpPort;
use openflow::types::OfPort;

use super::desire::{Bridge, Interface};

/// All bridges by name.
#[derive(Clone, Default, Debug)]
pub struct Actual {
    pub bridges: BTreeMap<String, ActualBridge>,
}

/// A bridge that exists.
#[derive(Clone, Debug)]
pub struct ActualBridge {
    /// As last applied.
    pub applied: Bridge,
    /// Every interface that was tried, by name.
    pub interfaces: BTreeMap<String, ActualInterface>,
}

#[derive(Clone, Debug)]
pub struct ActualInterface {
    /// As last applied.
    pub applied: Interface,
    /// Where it is attached, or the text of `Interface.error`.
    pub outcome: Result<Attached, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attached {
    pub ofport: OfPort,
    /// `None` for ports that the datapath does not know (patch).
    pub dp_port: Option<DpPort>,
}

impl Actual {
    /// The interface `name` and its bridge, when attached.
    pub fn attached(&self, name: &str) -> Option<(&str, Attached)> {
        self.bridges.iter().find_map(|(bridge, b)| {
            let iface = b.interfaces.get(name)?;
            Some((bridge.as_str(), *iface.outcome.as_ref().ok()?))
        })
    }
}
