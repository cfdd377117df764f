//! A port: its settings, the variables of the standard (17.19), its timers (17.17), and the machines that concern no other
//! port: reception (17.23), protocol migration (17.24), bridge detection (17.25).

use super::super::stp::bpdu::Priority;
use super::super::stp::{BridgeId, Counters};
use super::bpdu::Bpdu;
use super::{BRIDGE_HELLO_TIME_S, MIGRATE_TIME_S};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortConfig {
    pub name: String,
    pub number: u16,
    pub priority: u8,
    /// `None`: from the link's speed.
    pub path_cost: Option<u32>,
    pub admin_edge: bool,
    pub auto_edge: bool,
    pub mcheck: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Root,
    Designated,
    Alternate,
    Backup,
    Disabled,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Root => "Root",
            Role::Designated => "Designated",
            Role::Alternate => "Alternate",
            Role::Backup => "Backup",
            Role::Disabled => "Disabled",
        }
    }
}

/// Times of a message, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Times {
    pub message_age_s: u16,
    pub max_age_s: u16,
    pub hello_s: u16,
    pub forward_delay_s: u16,
}

/// Where a port's information comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InfoIs {
    Received,
    Mine,
    Aged,
    Disabled,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Migration {
    CheckingRstp,
    SelectingStp,
    Sensing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopologyChange {
    Inactive,
    Learning,
    Active,
}

#[derive(Clone, Debug)]
pub struct Port {
    pub config: PortConfig,
    pub counters: Counters,
    /// When the link last changed.
    pub since_ms: i64,
    pub enabled: bool,
    pub path_cost: u32,
    pub role: Role,
    pub learning: bool,
    pub forwarding: bool,
    pub port_priority: Priority,
    pub designated_priority: Priority,
    pub(super) port_times: Times,
    pub(super) designated_times: Times,
    pub(super) selected_role: Role,
    pub(super) info_is: InfoIs,
    pub(super) migration: Migration,
    pub(super) topology: TopologyChange,
    pub(super) message: Option<Bpdu>,
    pub(super) agree: bool,
    pub(super) agreed: bool,
    pub(super) disputed: bool,
    pub(super) learn: bool,
    pub(super) forward: bool,
    pub(super) new_info: bool,
    pub(super) oper_edge: bool,
    pub(super) proposed: bool,
    pub(super) proposing: bool,
    pub(super) received_tc: bool,
    pub(super) received_tc_ack: bool,
    pub(super) received_tcn: bool,
    pub(super) re_root: bool,
    pub(super) reselect: bool,
    pub(super) selected: bool,
    pub(super) send_rstp: bool,
    pub(super) sync: bool,
    pub(super) synced: bool,
    pub(super) tc_ack: bool,
    pub(super) tc_prop: bool,
    pub(super) updt_info: bool,
    pub(super) tx_count: u8,
    // Timers, in seconds to go.
    pub(super) edge_delay_while: u16,
    pub(super) fd_while: u16,
    pub(super) hello_when: u16,
    pub(super) mdelay_while: u16,
    pub(super) rb_while: u16,
    pub(super) info_while: u16,
    pub(super) rr_while: u16,
    pub(super) tc_while: u16,
}

/// Cost of a link by its speed (17.14, table 17-3).
pub fn cost_of_speed(kbps: u32) -> u32 {
    match kbps / 1000 {
        10_000.. => 2000,
        1000.. => 20_000,
        100.. => 200_000,
        10.. => 2_000_000,
        1.. => 20_000_000,
        // Unknown.
        0 => 2000,
    }
}

impl Port {
    pub fn new(config: PortConfig, times: Times, rstp: bool, now_ms: i64) -> Self {
        let none = Priority::default();
        let path_cost = config.path_cost.unwrap_or(cost_of_speed(0));
        let mut port = Port {
            counters: Counters::default(),
            since_ms: now_ms,
            enabled: false,
            path_cost,
            role: Role::Disabled,
            learning: false,
            forwarding: false,
            port_priority: none,
            designated_priority: none,
            port_times: times,
            designated_times: times,
            selected_role: Role::Disabled,
            info_is: InfoIs::Disabled,
            migration: Migration::CheckingRstp,
            topology: TopologyChange::Inactive,
            message: None,
            agree: false,
            agreed: false,
            disputed: false,
            learn: false,
            forward: false,
            new_info: false,
            oper_edge: config.admin_edge,
            proposed: false,
            proposing: false,
            received_tc: false,
            received_tc_ack: false,
            received_tcn: false,
            re_root: true,
            reselect: true,
            selected: false,
            send_rstp: rstp,
            sync: true,
            synced: false,
            tc_ack: false,
            tc_prop: false,
            updt_info: false,
            tx_count: 0,
            edge_delay_while: MIGRATE_TIME_S,
            fd_while: times.max_age_s,
            hello_when: BRIDGE_HELLO_TIME_S,
            mdelay_while: MIGRATE_TIME_S,
            rb_while: 0,
            info_while: 0,
            rr_while: times.forward_delay_s,
            tc_while: 0,
            config,
        };
        port.begin(times, rstp);
        port
    }

    /// BEGIN: all machines start anew. Link, cost and counters stay.
    pub(super) fn begin(&mut self, times: Times, rstp: bool) {
        (self.port_times, self.designated_times) = (times, times);
        (self.role, self.selected_role) = (Role::Disabled, Role::Disabled);
        (self.info_is, self.message) = (InfoIs::Disabled, None);
        (self.learn, self.forward, self.learning, self.forwarding) = (false, false, false, false);
        (self.synced, self.sync, self.re_root) = (false, true, true);
        (self.agree, self.agreed, self.proposed, self.proposing, self.disputed) =
            (false, false, false, false, false);
        (self.received_tc, self.received_tcn, self.received_tc_ack, self.tc_prop, self.tc_ack) =
            (false, false, false, false, false);
        (self.reselect, self.selected, self.updt_info) = (true, false, false);
        (self.new_info, self.tx_count, self.hello_when) = (true, 0, BRIDGE_HELLO_TIME_S);
        (self.migration, self.send_rstp, self.mdelay_while) = (Migration::CheckingRstp, rstp, MIGRATE_TIME_S);
        self.topology = TopologyChange::Inactive;
        self.oper_edge = self.config.admin_edge;
        self.edge_delay_while = MIGRATE_TIME_S;
        (self.fd_while, self.rr_while, self.rb_while) = (times.max_age_s, times.forward_delay_s, 0);
        (self.info_while, self.tc_while) = (0, 0);
    }

    pub(super) fn configure(&mut self, wanted: &PortConfig) {
        if self.config == *wanted {
            return;
        }
        let mcheck = wanted.mcheck && !self.config.mcheck;
        if let Some(cost) = wanted.path_cost {
            self.path_cost = cost;
        }
        if wanted.admin_edge != self.config.admin_edge {
            self.oper_edge = wanted.admin_edge;
        }
        self.config = wanted.clone();
        if mcheck {
            self.migration = Migration::CheckingRstp;
            self.mdelay_while = MIGRATE_TIME_S;
            self.send_rstp = true;
        }
    }

    /// Priority and number, as it stands in messages.
    pub fn id(&self) -> u16 {
        u16::from(self.config.priority) << 8 | (self.config.number & 0x0fff)
    }

    pub fn state_name(&self) -> &'static str {
        match (self.enabled, self.learning, self.forwarding) {
            (false, ..) => "Disabled",
            (_, _, true) => "Forwarding",
            (_, true, _) => "Learning",
            _ => "Discarding",
        }
    }

    pub(super) fn receive(&mut self, bpdu: Bpdu) {
        // A second message before the first is used replaces it.
        self.message = Some(bpdu);
    }

    pub(super) fn tick(&mut self) {
        for timer in [
            &mut self.edge_delay_while,
            &mut self.fd_while,
            &mut self.hello_when,
            &mut self.mdelay_while,
            &mut self.rb_while,
            &mut self.info_while,
            &mut self.rr_while,
            &mut self.tc_while,
        ] {
            *timer = timer.saturating_sub(1);
        }
        self.tx_count = self.tx_count.saturating_sub(1);
    }

    /// Protocol migration (17.24) and bridge detection (17.25).
    pub(super) fn step_alone(&mut self, rstp: bool) -> bool {
        self.step_migration(rstp) | self.step_detection()
    }

    fn step_migration(&mut self, rstp: bool) -> bool {
        let check = |p: &mut Self| {
            let changed = p.migration != Migration::CheckingRstp || p.mdelay_while != MIGRATE_TIME_S;
            (p.migration, p.send_rstp, p.mdelay_while) = (Migration::CheckingRstp, rstp, MIGRATE_TIME_S);
            changed
        };
        match self.migration {
            Migration::CheckingRstp if !self.enabled => check(self),
            Migration::CheckingRstp | Migration::SelectingStp if self.mdelay_while == 0 => {
                self.migration = Migration::Sensing;
                true
            }
            Migration::SelectingStp if !self.enabled => {
                self.migration = Migration::Sensing;
                true
            }
            Migration::Sensing if !self.enabled => check(self),
            _ => false,
        }
    }

    /// A message of the other protocol was heard (17.24: rcvdRSTP, rcvdSTP).
    pub(super) fn sense(&mut self, heard_rstp: bool, rstp: bool) {
        if self.migration != Migration::Sensing {
            return;
        }
        if heard_rstp && rstp && !self.send_rstp {
            (self.migration, self.send_rstp) = (Migration::CheckingRstp, true);
            self.mdelay_while = MIGRATE_TIME_S;
        } else if !heard_rstp && self.send_rstp {
            (self.migration, self.send_rstp) = (Migration::SelectingStp, false);
            self.mdelay_while = MIGRATE_TIME_S;
        }
    }

    fn step_detection(&mut self) -> bool {
        let edge = if !self.enabled {
            self.config.admin_edge
        } else {
            let silent =
                self.edge_delay_while == 0 && self.config.auto_edge && self.send_rstp && self.proposing;
            self.oper_edge || silent
        };
        std::mem::replace(&mut self.oper_edge, edge) != edge
    }

    pub(super) fn hello_time(&self) -> u16 {
        self.designated_times.hello_s
    }
    pub(super) fn fwd_delay(&self) -> u16 {
        self.designated_times.forward_delay_s
    }
    /// 17.20.5.
    pub(super) fn forward_delay(&self) -> u16 {
        if self.send_rstp { self.hello_time() } else { self.fwd_delay() }
    }
    /// 17.20.4.
    pub(super) fn edge_delay(&self) -> u16 {
        // Every link is taken to be point-to-point.
        MIGRATE_TIME_S
    }
    pub(super) fn is_steady(&self) -> bool {
        self.selected && !self.updt_info
    }
    /// What a root path through this port would be.
    pub(super) fn root_path(&self) -> (BridgeId, u32, BridgeId, u16, u16) {
        let p = self.port_priority;
        (p.root, p.cost.saturating_add(self.path_cost), p.bridge, p.port, self.id())
    }
}
