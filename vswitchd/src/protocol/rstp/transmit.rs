//! Transmission (17.26).

use openflow::OfPort;

use super::bpdu::{Bpdu, Kind};
use super::{Port, Role, Rstp};

impl Rstp {
    pub(super) fn step_transmission(&mut self, number: OfPort) -> bool {
        let hold = self.config.tx_hold_count;
        let Some(port) = self.ports.get_mut(&number) else { return false };
        if !port.enabled || !port.is_steady() {
            return false;
        }
        if port.hello_when == 0 {
            let designated = port.role == Role::Designated;
            port.new_info |= designated || (port.role == Role::Root && port.tc_while != 0);
            port.hello_when = port.hello_time();
            return true;
        }
        if !port.new_info || port.tx_count >= hold {
            return false;
        }
        let Some(kind) = port.kind() else {
            port.new_info = false;
            return false;
        };
        let bpdu = port.bpdu(kind);
        port.new_info = false;
        port.tx_count += 1;
        port.counters.tx += 1;
        if kind != Kind::Tcn {
            port.tc_ack = false;
        }
        port.hello_when = port.hello_time();
        self.out.push((number, bpdu.emit()));
        true
    }
}

impl Port {
    /// What may be sent in this role to this kind of neighbour.
    fn kind(&self) -> Option<Kind> {
        match (self.send_rstp, self.role) {
            (_, Role::Disabled) => None,
            (true, _) => Some(Kind::Rst),
            (false, Role::Root) => Some(Kind::Tcn),
            (false, Role::Designated) => Some(Kind::Config),
            (false, _) => None,
        }
    }

    /// 17.21.19 to 17.21.21.
    fn bpdu(&self, kind: Kind) -> Bpdu {
        let is_rst = kind == Kind::Rst;
        Bpdu {
            kind,
            priority: self.designated_priority,
            times: self.designated_times,
            role: Some(self.role),
            topology_change: self.tc_while != 0,
            topology_change_ack: !is_rst && self.tc_ack,
            proposal: is_rst && self.proposing,
            agreement: is_rst && self.agree,
            learning: self.learning,
            forwarding: self.forwarding,
        }
    }
}
