//! Bonds: several links that NORMAL takes as one. Which members may be used (link state with delays, LACP, BFD and CFM
//! behind `may_enable`), which one is active, and which member carries which of 256 hash buckets.
//!
//! A member is enabled when it has been usable for `updelay`, disabled when it has been unusable for `downdelay`.
//! Translation reads [`View`]; the buckets' byte counts come back through it for rebalancing.

mod rebalance;
pub mod show;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use openflow::OfPort;

use super::NEVER;
use super::lacp::Status;
pub use view::{Admission, Buckets, View};

pub const N_BUCKETS: usize = 256;
const BUCKET_MASK: u32 = N_BUCKETS as u32 - 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    #[default]
    ActiveBackup,
    BalanceSlb,
    BalanceTcp,
}

impl Mode {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "active-backup" => Some(Mode::ActiveBackup),
            "balance-slb" => Some(Mode::BalanceSlb),
            "balance-tcp" => Some(Mode::BalanceTcp),
            _ => None,
        }
    }
    pub fn name(self) -> &'static str {
        match self {
            Mode::ActiveBackup => "active-backup",
            Mode::BalanceSlb => "balance-slb",
            Mode::BalanceTcp => "balance-tcp",
        }
    }
}

/// Settings of a bond.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    pub mode: Mode,
    pub basis: u32,
    /// 0 = never.
    pub rebalance_ms: i64,
    pub up_delay_ms: i64,
    pub down_delay_ms: i64,
    pub primary: Option<String>,
    pub fallback_ab: bool,
    pub all_members_active: bool,
    /// The member that was active in an earlier run.
    pub active_mac: Option<[u8; 6]>,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    pub mac: [u8; 6],
    /// The link is up and no protocol objects.
    pub may_enable: bool,
    pub enabled: bool,
    /// When `enabled` turns to what the link says, if they differ.
    delay_ms: i64,
}

/// What a run of the machine asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Tell the network where our addresses are now.
    pub send_learning_packets: bool,
    pub deadline_ms: i64,
}

pub struct Bond {
    pub name: String,
    pub config: Config,
    pub members: BTreeMap<OfPort, Member>,
    pub active: Option<OfPort>,
    pub lacp: Status,
    pub buckets: Arc<Buckets>,
    next_rebalance_ms: i64,
    must_teach: bool,
}

/// The hash of a source address in a VLAN (`bond/hash`).
pub fn hash_mac(mac: [u8; 6], vlan: u16, basis: u32) -> u32 {
    let [a, b, c, d, e, f] = mac;
    let [v, w] = vlan.to_be_bytes();
    let word = u64::from_be_bytes([v, w, a, b, c, d, e, f]);
    flow::hash::visible::finish(flow::hash::visible::add64(basis, word), 8)
}

impl Bond {
    pub fn new(name: &str, config: Config, now_ms: i64) -> Self {
        Bond {
            name: name.into(),
            next_rebalance_ms: now_ms + config.rebalance_ms,
            config,
            members: BTreeMap::new(),
            active: None,
            lacp: Status::Off,
            buckets: Arc::new(Buckets::default()),
            must_teach: false,
        }
    }

    /// Takes over settings; members that stay keep their state.
    pub fn configure(&mut self, config: Config, members: &BTreeMap<OfPort, String>, now_ms: i64) {
        if config.rebalance_ms != self.config.rebalance_ms {
            self.next_rebalance_ms = now_ms + config.rebalance_ms;
        }
        if config.mode != self.config.mode || config.basis != self.config.basis {
            self.buckets = Arc::new(Buckets::default());
        }
        // What the switch itself wrote counts only when it starts.
        self.config = Config { active_mac: self.config.active_mac, ..config };
        self.members.retain(|port, _| members.contains_key(port));
        for (port, name) in members {
            let fresh = || Member {
                name: name.clone(),
                mac: [0; 6],
                may_enable: false,
                enabled: false,
                delay_ms: NEVER,
            };
            self.members.entry(*port).or_insert_with(fresh).name.clone_from(name);
        }
        if self.active.is_some_and(|port| !self.members.contains_key(&port)) {
            self.active = None;
        }
    }

    pub fn is_balanced(&self) -> bool {
        self.config.rebalance_ms != 0
            && match self.config.mode {
                Mode::ActiveBackup => false,
                Mode::BalanceSlb => true,
                Mode::BalanceTcp => self.lacp == Status::Negotiated || self.lacp == Status::Configured,
            }
    }

    pub fn set_member(&mut self, port: OfPort, mac: [u8; 6], may_enable: bool) {
        if let Some(member) = self.members.get_mut(&port) {
            (member.mac, member.may_enable) = (mac, may_enable);
        }
    }

    /// Time passes, links have changed.
    pub fn run(&mut self, lacp: Status, now_ms: i64) -> Outcome {
        self.lacp = lacp;
        let (up_ms, down_ms) = (self.config.up_delay_ms, self.config.down_delay_ms);
        for member in self.members.values_mut() {
            member.follow_link(up_ms, down_ms, now_ms);
        }
        let primary = self.primary();
        let is_bad = self.active.is_none_or(|port| !self.members[&port].enabled);
        if is_bad || primary.is_some_and(|primary| self.active != Some(primary)) {
            self.choose_active(now_ms);
        }
        self.fill_buckets();
        if self.is_balanced() && now_ms >= self.next_rebalance_ms {
            self.next_rebalance_ms = now_ms + self.config.rebalance_ms;
            self.rebalance();
        }
        let delays = self.members.values().map(|m| m.delay_ms).min().unwrap_or(NEVER);
        let rebalance_ms = if self.is_balanced() { self.next_rebalance_ms } else { NEVER };
        Outcome {
            send_learning_packets: std::mem::take(&mut self.must_teach),
            deadline_ms: delays.min(rebalance_ms),
        }
    }

    /// The enabled primary of an active-backup bond.
    fn primary(&self) -> Option<OfPort> {
        let name = self.config.primary.as_deref()?;
        let is_primary = |m: &Member| m.name == name && m.enabled;
        let found = self.members.iter().find(|(_, m)| is_primary(m)).map(|(port, _)| *port);
        found.filter(|_| self.config.mode == Mode::ActiveBackup)
    }

    fn choose_active(&mut self, now_ms: i64) {
        let old = self.active;
        self.active = self.choose();
        match self.active {
            Some(port) => {
                if let Some(member) = self.members.get_mut(&port) {
                    if member.enabled {
                        tracing::info!(target: "bond", rl = 5, "bond {}: active member is now {}", self.name, member.name);
                    } else {
                        tracing::info!(
                            target: "bond", rl = 5,
                            "bond {}: active member is now {}, skipping remaining {} ms updelay (since no other \
                             member was enabled)", self.name, member.name, member.delay_ms - now_ms
                        );
                        member.set_enabled(true);
                    }
                    self.config.active_mac = Some(member.mac);
                }
                self.must_teach = true;
            }
            None if old.is_some() => {
                tracing::info!(target: "bond", rl = 5, "bond {}: all members disabled", self.name);
            }
            None => {}
        }
    }

    /// The best member: the primary, the one that was active, any that is enabled, or the one that will be first.
    fn choose(&self) -> Option<OfPort> {
        let enabled = || self.members.iter().filter(|(_, m)| m.enabled);
        let before = || enabled().find(|(_, m)| Some(m.mac) == self.config.active_mac);
        let soonest = || {
            let waiting = self.members.iter().filter(|(_, m)| m.may_enable && m.delay_ms != NEVER);
            waiting.min_by_key(|(_, m)| m.delay_ms)
        };
        let port = |(port, _): (&OfPort, &Member)| *port;
        self.primary().or_else(|| before().or_else(|| enabled().next()).or_else(soonest).map(port))
    }

    /// Every bucket has an enabled member, if there is one.
    fn fill_buckets(&mut self) {
        let enabled: Vec<OfPort> =
            self.members.iter().filter(|(_, m)| m.enabled).map(|(port, _)| *port).collect();
        for n in 0..N_BUCKETS {
            let is_good = self.buckets.member(n).is_some_and(|port| enabled.contains(&port));
            if !is_good {
                self.buckets.assign(n, enabled.get(n % enabled.len().max(1)).copied());
            }
        }
    }

    /// When the next rebalancing is due; `None` for a bond that does not.
    pub fn next_rebalance_ms(&self) -> Option<i64> {
        self.is_balanced().then_some(self.next_rebalance_ms)
    }

    fn member_named(&self, name: &str) -> Option<OfPort> {
        self.members.iter().find(|(_, m)| m.name == name).map(|(port, _)| *port)
    }

    /// `bond/migrate`: bucket `hash` to member `name`.
    pub fn migrate(&mut self, hash: u32, name: &str) -> Result<&'static str, &'static str> {
        if self.config.mode == Mode::ActiveBackup {
            return Err("cannot migrate when bond mode is active-backup");
        }
        let port = self.member_named(name).ok_or("no such member")?;
        if !self.members[&port].enabled {
            return Err("cannot migrate to disabled member");
        }
        self.buckets.assign((hash & BUCKET_MASK) as usize, Some(port));
        Ok("migrated")
    }

    /// `bond/set-active-member`.
    pub fn set_active(&mut self, name: &str) -> Result<&'static str, &'static str> {
        let port = self.member_named(name).ok_or("no such member")?;
        let member = &self.members[&port];
        if !member.enabled {
            return Err("cannot make disabled member active");
        }
        if self.active == Some(port) {
            return Ok("no change");
        }
        self.config.active_mac = Some(member.mac);
        self.active = Some(port);
        self.must_teach = true;
        Ok("done")
    }

    /// `bond/enable-member` and `bond/disable-member`: until the link says otherwise.
    pub fn set_enabled(&mut self, name: &str, enabled: bool) -> Result<&'static str, &'static str> {
        let port = self.member_named(name).ok_or("no such member")?;
        if let Some(member) = self.members.get_mut(&port) {
            member.set_enabled(enabled);
        }
        Ok(if enabled { "enabled" } else { "disabled" })
    }

    /// What translation needs.
    pub fn view(&self) -> View {
        View {
            mode: self.config.mode,
            lacp: self.lacp,
            basis: self.config.basis,
            fallback_ab: self.config.fallback_ab,
            all_members_active: self.config.all_members_active,
            active: self.active,
            enabled: self.members.iter().filter(|(_, m)| m.enabled).map(|(p, _)| *p).collect(),
            may_enable: self.members.iter().filter(|(_, m)| m.may_enable).map(|(p, _)| *p).collect(),
            buckets: self.buckets.clone(),
            generation: self.buckets.generation.load(Relaxed),
            recirc: None,
        }
    }
}

impl Member {
    fn follow_link(&mut self, up_ms: i64, down_ms: i64, now_ms: i64) {
        let up = self.may_enable;
        let word = if up { "enabled" } else { "disabled" };
        if (up == self.enabled) != (self.delay_ms == NEVER) {
            tracing::info!(target: "bond", rl = 5, "member {}: link state {}", self.name, if up { "up" } else { "down" });
            if up == self.enabled {
                self.delay_ms = NEVER;
                let word = if up { "disabled" } else { "enabled" };
                tracing::info!(target: "bond", rl = 5, "member {}: will not be {word}", self.name);
            } else {
                let delay_ms = if up { up_ms } else { down_ms };
                self.delay_ms = now_ms + delay_ms;
                if delay_ms > 0 {
                    let state = if up { "up" } else { "down" };
                    tracing::info!(
                        target: "bond", rl = 5,
                        "member {}: will be {word} if it stays {state} for {delay_ms} ms", self.name
                    );
                }
            }
        }
        if now_ms >= self.delay_ms {
            self.set_enabled(up);
        }
    }

    fn set_enabled(&mut self, enabled: bool) {
        self.delay_ms = NEVER;
        if self.enabled != enabled {
            self.enabled = enabled;
            tracing::info!(target: "bond", "member {}: {}", self.name, if enabled { "enabled" } else { "disabled" });
        }
    }
}
