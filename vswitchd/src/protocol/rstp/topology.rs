//! Topology changes (17.31): they are told to the neighbours, and learned addresses go.

use openflow::OfPort;

use super::port::TopologyChange;
use super::{Port, Role, Rstp};

/// What one step asks of the bridge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Nothing,
    /// setTcPropTree: the other ports tell it, too.
    Propagate,
}

impl Rstp {
    pub(super) fn step_topology_change(&mut self, number: OfPort) -> bool {
        let Some(port) = self.ports.get_mut(&number) else { return false };
        let (moved, flush, wish) = port.step_topology();
        self.flush |= flush;
        if wish == Wish::Propagate {
            for (_, port) in self.ports.iter_mut().filter(|(n, _)| **n != number) {
                port.tc_prop = true;
            }
        }
        moved
    }
}

impl Port {
    /// (moved, learned addresses must go, wish).
    fn step_topology(&mut self) -> (bool, bool, Wish) {
        let in_tree = matches!(self.role, Role::Root | Role::Designated);
        let heard = self.received_tc || self.received_tcn || self.received_tc_ack || self.tc_prop;
        match self.topology {
            TopologyChange::Inactive if self.learn => {
                self.topology = TopologyChange::Learning;
                self.forget();
                (true, false, Wish::Nothing)
            }
            TopologyChange::Inactive => {
                self.forget();
                (false, false, Wish::Nothing)
            }
            TopologyChange::Learning if in_tree && self.forward && !self.oper_edge => {
                self.topology = TopologyChange::Active;
                self.start_telling();
                self.new_info = true;
                (true, false, Wish::Propagate)
            }
            TopologyChange::Learning if !in_tree && !self.learn && !self.learning && !heard => {
                self.topology = TopologyChange::Inactive;
                (self.tc_while, self.tc_ack) = (0, false);
                (true, true, Wish::Nothing)
            }
            TopologyChange::Learning if heard => {
                self.forget();
                (true, false, Wish::Nothing)
            }
            TopologyChange::Learning => (false, false, Wish::Nothing),
            TopologyChange::Active if !in_tree || self.oper_edge => {
                self.topology = TopologyChange::Learning;
                self.forget();
                (true, false, Wish::Nothing)
            }
            TopologyChange::Active => self.step_active(),
        }
    }

    fn step_active(&mut self) -> (bool, bool, Wish) {
        if self.received_tcn || self.received_tc {
            if self.received_tcn {
                self.start_telling();
            }
            (self.received_tcn, self.received_tc) = (false, false);
            self.tc_ack |= self.role == Role::Designated;
            return (true, true, Wish::Propagate);
        }
        if self.tc_prop {
            self.tc_prop = false;
            self.start_telling();
            return (true, true, Wish::Nothing);
        }
        if self.received_tc_ack {
            (self.tc_while, self.received_tc_ack) = (0, false);
            return (true, false, Wish::Nothing);
        }
        (false, false, Wish::Nothing)
    }

    fn forget(&mut self) {
        (self.received_tc, self.received_tcn, self.received_tc_ack, self.tc_prop) =
            (false, false, false, false);
    }

    /// newTcWhile (17.21.7).
    fn start_telling(&mut self) {
        if self.tc_while != 0 {
            return;
        }
        if self.send_rstp {
            self.tc_while = self.hello_time() + 1;
            self.new_info = true;
        } else {
            self.tc_while = self.designated_times.max_age_s.saturating_add(self.fwd_delay());
        }
    }
}
