//! Role transitions (17.29) and state transitions (17.30): when a port may learn and forward. A port towards the root
//! forwards when the others have stepped back; a designated port when its neighbour has agreed, or after the delays.

use openflow::OfPort;

use super::{Port, Role, Rstp};

/// What one step asks of the other ports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Nothing,
    /// setSyncTree.
    Sync,
    /// setReRootTree.
    ReRoot,
}

impl Rstp {
    pub(super) fn step_role_transition(&mut self, number: OfPort) -> bool {
        let all_synced = self.all_synced(number);
        let re_rooted = self.ports.iter().all(|(n, p)| *n == number || p.rr_while == 0);
        let rstp = !self.config.force_stp;
        let Some(port) = self.ports.get_mut(&number) else { return false };
        let mut moved = false;
        let mut wish = Wish::Nothing;
        if port.is_steady() {
            (moved, wish) = port.step_role(all_synced, re_rooted, rstp);
        }
        moved |= port.step_state();
        match wish {
            Wish::Nothing => {}
            Wish::Sync => self.ports.values_mut().for_each(|p| p.sync = true),
            Wish::ReRoot => self.ports.values_mut().for_each(|p| p.re_root = true),
        }
        moved
    }

    /// 17.20.3, as seen by port `number`.
    fn all_synced(&self, number: OfPort) -> bool {
        self.ports.iter().all(|(n, p)| {
            p.selected
                && p.role == p.selected_role
                && !p.updt_info
                && (p.synced || *n == number || p.role == Role::Root)
        })
    }
}

impl Port {
    fn step_role(&mut self, all_synced: bool, re_rooted: bool, rstp: bool) -> (bool, Wish) {
        if self.role != self.selected_role {
            return (self.enter_role(), Wish::Nothing);
        }
        match self.role {
            Role::Disabled => (self.step_disabled(), Wish::Nothing),
            Role::Root => self.step_root(all_synced, re_rooted, rstp),
            Role::Designated => (self.step_designated(), Wish::Nothing),
            Role::Alternate | Role::Backup => self.step_blocked(all_synced),
        }
    }

    fn enter_role(&mut self) -> bool {
        self.role = self.selected_role;
        match self.role {
            Role::Root => self.rr_while = self.fwd_delay(),
            Role::Designated => {}
            Role::Disabled | Role::Alternate | Role::Backup => {
                (self.learn, self.forward) = (false, false);
                self.step_state();
                self.fd_while = if self.role == Role::Disabled {
                    self.designated_times.max_age_s
                } else {
                    self.forward_delay()
                };
                self.synced = true;
                self.rr_while = 0;
                (self.sync, self.re_root) = (false, false);
            }
        }
        true
    }

    fn step_disabled(&mut self) -> bool {
        if self.sync || self.re_root || !self.synced {
            self.synced = true;
            self.rr_while = 0;
            (self.sync, self.re_root) = (false, false);
            return true;
        }
        self.fd_while = self.designated_times.max_age_s;
        false
    }

    /// Figure 17-21.
    fn step_root(&mut self, all_synced: bool, re_rooted: bool, rstp: bool) -> (bool, Wish) {
        // The recent-root timer runs while the port is no longer root.
        self.rr_while = self.fwd_delay();
        if self.proposed && !self.agree && !all_synced {
            self.proposed = false;
            // The agreement follows when all the others are in step.
            return (true, Wish::Sync);
        }
        if (all_synced && !self.agree) || (self.proposed && self.agree) {
            (self.proposed, self.sync, self.agree, self.new_info) = (false, false, true, true);
            return (true, Wish::Nothing);
        }
        if !self.forward && !self.re_root {
            return (true, Wish::ReRoot);
        }
        let quick = re_rooted && self.rb_while == 0 && rstp;
        if (self.fd_while == 0 || quick) && !self.learn {
            (self.fd_while, self.learn) = (self.forward_delay(), true);
            return (true, Wish::Nothing);
        }
        if (self.fd_while == 0 || quick) && self.learn && !self.forward {
            (self.fd_while, self.forward) = (0, true);
            return (true, Wish::Nothing);
        }
        if self.re_root && self.forward {
            self.re_root = false;
            return (true, Wish::Nothing);
        }
        (false, Wish::Nothing)
    }

    /// Figure 17-22.
    fn step_designated(&mut self) -> bool {
        if !self.forward && !self.agreed && !self.proposing && !self.oper_edge {
            (self.proposing, self.new_info) = (true, true);
            self.edge_delay_while = self.edge_delay();
            return true;
        }
        let discards = !self.learning && !self.forwarding;
        if ((discards || self.agreed || self.oper_edge) && !self.synced) || (self.sync && self.synced) {
            self.rr_while = 0;
            (self.synced, self.sync) = (true, false);
            return true;
        }
        if self.re_root && self.rr_while == 0 {
            self.re_root = false;
            return true;
        }
        let must_stop = (self.sync && !self.synced) || (self.re_root && self.rr_while != 0) || self.disputed;
        if must_stop && !self.oper_edge && (self.learn || self.forward) {
            (self.learn, self.forward, self.disputed) = (false, false, false);
            self.fd_while = self.forward_delay();
            return true;
        }
        let may = (self.fd_while == 0 || self.agreed || self.oper_edge)
            && (self.rr_while == 0 || !self.re_root)
            && !self.sync;
        if may && !self.learn {
            (self.learn, self.fd_while) = (true, self.forward_delay());
            return true;
        }
        if may && self.learn && !self.forward {
            (self.forward, self.fd_while) = (true, 0);
            self.agreed = self.send_rstp;
            return true;
        }
        false
    }

    /// Figure 17-23.
    fn step_blocked(&mut self, all_synced: bool) -> (bool, Wish) {
        self.fd_while = self.forward_delay();
        if self.role == Role::Backup {
            self.rb_while = 2 * self.hello_time();
        }
        if self.proposed && !self.agree && !all_synced {
            self.proposed = false;
            return (true, Wish::Sync);
        }
        if (all_synced && !self.agree) || (self.proposed && self.agree) {
            (self.proposed, self.agree, self.new_info) = (false, true, true);
            return (true, Wish::Nothing);
        }
        if self.sync || self.re_root || !self.synced {
            self.synced = true;
            self.rr_while = 0;
            (self.sync, self.re_root) = (false, false);
            return (true, Wish::Nothing);
        }
        (false, Wish::Nothing)
    }

    /// 17.30: the bridge follows `learn` and `forward` at once.
    fn step_state(&mut self) -> bool {
        let before = (self.learning, self.forwarding);
        (self.learning, self.forwarding) = (self.learn, self.learn && self.forward);
        before != (self.learning, self.forwarding)
    }
}
