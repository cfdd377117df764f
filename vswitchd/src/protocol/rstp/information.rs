//! Reception (17.23) and port information (17.27): what a message means for what the port holds.

use openflow::OfPort;

use super::bpdu::{Bpdu, Kind};
use super::port::InfoIs;
use super::{MIGRATE_TIME_S, Port, Role, Rstp};

/// What a message is in comparison with the port's information (17.21.8).
enum Received {
    SuperiorDesignated,
    RepeatedDesignated,
    InferiorDesignated,
    InferiorRootAlternate,
    Other,
}

impl Rstp {
    /// The machines of one port that look at nothing else.
    pub(super) fn step_reception(&mut self, number: OfPort) -> bool {
        let rstp = !self.config.force_stp;
        let Some(port) = self.ports.get_mut(&number) else { return false };
        if !port.enabled {
            port.message = None;
            port.edge_delay_while = MIGRATE_TIME_S;
        }
        port.step_alone(rstp)
    }

    pub(super) fn step_information(&mut self, number: OfPort) -> bool {
        let rstp = !self.config.force_stp;
        let Some(port) = self.ports.get_mut(&number) else { return false };
        if !port.enabled {
            if port.info_is == InfoIs::Disabled {
                return false;
            }
            port.message = None;
            (port.proposing, port.proposed, port.agree, port.agreed) = (false, false, false, false);
            (port.info_while, port.info_is) = (0, InfoIs::Disabled);
            (port.reselect, port.selected) = (true, false);
            return true;
        }
        if port.info_is == InfoIs::Disabled {
            port.age();
            return true;
        }
        if port.selected && port.updt_info {
            port.take_designated();
            return true;
        }
        if port.info_is == InfoIs::Received
            && port.info_while == 0
            && !port.updt_info
            && port.message.is_none()
        {
            port.age();
            return true;
        }
        if port.updt_info {
            return false;
        }
        let Some(message) = port.message.take() else { return false };
        port.oper_edge = false;
        port.edge_delay_while = MIGRATE_TIME_S;
        port.sense(message.kind == Kind::Rst, rstp);
        port.hear(&message, rstp);
        true
    }
}

impl Port {
    fn age(&mut self) {
        self.info_is = InfoIs::Aged;
        (self.reselect, self.selected) = (true, false);
    }

    /// UPDATE: what the bridge says becomes what the port says.
    fn take_designated(&mut self) {
        (self.proposing, self.proposed) = (false, false);
        self.agreed =
            self.agreed && self.info_is == InfoIs::Mine && self.designated_priority <= self.port_priority;
        self.synced = self.synced && self.agreed;
        self.port_priority = self.designated_priority;
        self.port_times = self.designated_times;
        self.updt_info = false;
        self.info_is = InfoIs::Mine;
        self.new_info = true;
    }

    fn hear(&mut self, m: &Bpdu, rstp: bool) {
        match self.compare(m) {
            Received::SuperiorDesignated => {
                (self.agreed, self.proposing) = (false, false);
                self.proposed |= m.proposal;
                self.note_topology(m);
                self.agree =
                    self.agree && self.info_is == InfoIs::Received && m.priority <= self.port_priority;
                self.port_priority = m.priority;
                self.port_times = m.times;
                self.restart_info(m);
                self.info_is = InfoIs::Received;
                (self.reselect, self.selected) = (true, false);
            }
            Received::RepeatedDesignated => {
                self.proposed |= m.proposal;
                self.note_topology(m);
                self.restart_info(m);
            }
            Received::InferiorDesignated => {
                if m.kind == Kind::Rst && m.learning {
                    (self.disputed, self.agreed) = (true, false);
                }
            }
            Received::InferiorRootAlternate => {
                self.agreed = rstp && m.agreement;
                if self.agreed {
                    self.proposing = false;
                }
                self.note_topology(m);
            }
            Received::Other => {
                if m.is_tcn() {
                    self.note_topology(m);
                }
            }
        }
    }

    fn compare(&self, m: &Bpdu) -> Received {
        match m.role {
            Some(Role::Designated) => {
                let held = self.port_priority;
                let same_source = m.priority.bridge.mac() == held.bridge.mac()
                    && m.priority.port & 0xfff == held.port & 0xfff;
                let same_times = m.times == self.port_times;
                if m.priority == held && same_times && self.info_is == InfoIs::Received {
                    Received::RepeatedDesignated
                } else if m.priority < held || (same_source && (m.priority != held || !same_times)) {
                    Received::SuperiorDesignated
                } else {
                    Received::InferiorDesignated
                }
            }
            Some(Role::Root | Role::Alternate | Role::Backup) if m.priority >= self.port_priority => {
                Received::InferiorRootAlternate
            }
            _ => Received::Other,
        }
    }

    /// 17.21.17.
    fn note_topology(&mut self, m: &Bpdu) {
        self.received_tc |= m.topology_change;
        self.received_tc_ack |= m.topology_change_ack;
        self.received_tcn |= m.is_tcn();
    }

    /// 17.21.23.
    fn restart_info(&mut self, m: &Bpdu) {
        let in_time = m.times.message_age_s.saturating_add(1) <= m.times.max_age_s;
        self.info_while = if in_time { m.times.hello_s.saturating_mul(3) } else { 0 };
    }
}
