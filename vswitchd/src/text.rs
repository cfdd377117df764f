//! Small pieces of text that several commands print.

use openflow::action::Action;
use openflow::msg::FlowMod;
use openflow::text::actions::{Style, format};

/// `aa:bb:cc:dd:ee:ff`.
pub fn mac(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// One action as `ovs-ofctl` writes it.
pub fn action(action: &Action) -> String {
    actions(std::slice::from_ref(action))
}

/// A list of actions as `ovs-ofctl` writes it.
pub fn actions(actions: &[Action]) -> String {
    let mut text = String::new();
    format(actions, Style::default(), &mut text);
    text
}

/// Match, priority and actions of a flow mod, as `learn` reports them.
pub fn flow_mod(fm: &FlowMod) -> String {
    let matching = fm.matching.to_string();
    format!("{matching} priority={} actions={}", fm.priority, actions(&fm.actions))
}
