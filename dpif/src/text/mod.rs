//! Datapath keys and actions as text, in the syntax of `ovs-appctl dpctl/dump-flows`. Control plane only.

mod action;
mod key;
mod parse;
#[cfg(test)]
mod tests;

pub use action::format_actions;
pub use key::{format_key, format_ufid, parse_ufid};
pub use parse::{ParseError, parse_actions, parse_key};

use crate::DpPort;

/// Names of datapath ports, both ways. `None` everywhere prints numbers.
pub trait Names {
    fn name(&self, port: DpPort) -> Option<String>;
    fn port(&self, name: &str) -> Option<DpPort>;
}

/// No names: numbers are printed, and only numbers are understood.
pub struct Numbers;

impl Names for Numbers {
    fn name(&self, _: DpPort) -> Option<String> {
        None
    }
    fn port(&self, _: &str) -> Option<DpPort> {
        None
    }
}

/// `port` by name when it has one, else by number.
fn port_text(port: DpPort, names: &dyn Names) -> String {
    names.name(port).unwrap_or_else(|| port.to_string())
}
