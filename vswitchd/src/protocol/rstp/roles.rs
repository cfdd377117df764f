//! Role selection (17.28): who is root, and what each port is to the tree.

use super::super::stp::bpdu::Priority;
use super::port::InfoIs;
use super::{Role, Rstp, bridge_times, own_priority};

impl Rstp {
    pub(super) fn step_role_selection(&mut self) -> bool {
        if !self.ports.values().any(|p| p.reselect) {
            return false;
        }
        self.ports.values_mut().for_each(|p| p.reselect = false);
        self.update_roles();
        self.ports.values_mut().for_each(|p| p.selected = true);
        true
    }

    /// 17.21.25.
    fn update_roles(&mut self) {
        let own = own_priority(&self.config);
        let own_mac = self.config.id.mac();
        let best = self
            .ports
            .iter()
            .filter(|(_, p)| p.info_is == InfoIs::Received && p.port_priority.bridge.mac() != own_mac)
            .min_by_key(|(_, p)| p.root_path());
        let better = best.filter(|(_, p)| {
            let (root, cost, bridge, ..) = p.root_path();
            (root, cost, bridge) < (own.root, own.cost, own.bridge)
        });
        match better {
            Some((number, p)) => {
                let (root, cost, bridge, port, _) = p.root_path();
                self.root = Priority { root, cost, bridge, port };
                self.root_port = Some(*number);
                self.root_times = p.port_times;
                self.root_times.message_age_s = p.port_times.message_age_s.saturating_add(1);
            }
            None => {
                (self.root, self.root_port) = (own, None);
                self.root_times = bridge_times(&self.config);
            }
        }
        let (root, root_port, mut times) = (self.root, self.root_port, self.root_times);
        times.hello_s = bridge_times(&self.config).hello_s;
        for (number, p) in &mut self.ports {
            p.designated_priority =
                Priority { root: root.root, cost: root.cost, bridge: own.bridge, port: p.id() };
            p.designated_times = times;
            (p.selected_role, p.updt_info) = match p.info_is {
                InfoIs::Disabled => (Role::Disabled, p.updt_info),
                InfoIs::Aged => (Role::Designated, true),
                InfoIs::Mine => {
                    let same = p.port_priority == p.designated_priority && p.port_times == times;
                    (Role::Designated, p.updt_info || !same)
                }
                InfoIs::Received if root_port == Some(*number) => (Role::Root, false),
                InfoIs::Received if p.designated_priority < p.port_priority => (Role::Designated, true),
                InfoIs::Received if p.port_priority.bridge.mac() == own_mac => (Role::Backup, false),
                InfoIs::Received => (Role::Alternate, false),
            };
        }
    }
}
