//! What RSTP bridges tell each other (802.1D-2004 clause 9): RST units, and STP's for old neighbours.

use super::super::frame::Reader;
use super::super::stp::bpdu::{
    self as stp, Config, FLAG_TOPOLOGY_CHANGE, FLAG_TOPOLOGY_CHANGE_ACK, Priority, TYPE_RST,
};
use super::{Role, Times};

const VERSION_RSTP: u8 = 2;
const TYPE_CONFIG: u8 = 0;
const TYPE_TCN: u8 = 0x80;
const FLAG_PROPOSAL: u8 = 0x02;
const ROLE_SHIFT: u8 = 2;
const ROLE_ALTERNATE: u8 = 1;
const ROLE_ROOT: u8 = 2;
const ROLE_DESIGNATED: u8 = 3;
const FLAG_LEARNING: u8 = 0x10;
const FLAG_FORWARDING: u8 = 0x20;
const FLAG_AGREEMENT: u8 = 0x40;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Config,
    Tcn,
    Rst,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bpdu {
    pub kind: Kind,
    pub priority: Priority,
    pub times: Times,
    /// `None` for a role that says nothing.
    pub role: Option<Role>,
    pub topology_change: bool,
    pub topology_change_ack: bool,
    pub proposal: bool,
    pub agreement: bool,
    pub learning: bool,
    pub forwarding: bool,
}

fn seconds(ms: i64) -> u16 {
    u16::try_from(ms / 1000).unwrap_or(u16::MAX)
}

impl Bpdu {
    pub fn is_tcn(&self) -> bool {
        self.kind == Kind::Tcn
    }

    fn tcn() -> Bpdu {
        let times = Times { message_age_s: 0, max_age_s: 0, hello_s: 0, forward_delay_s: 0 };
        Bpdu {
            kind: Kind::Tcn,
            priority: Priority::default(),
            times,
            role: None,
            topology_change: false,
            topology_change_ack: false,
            proposal: false,
            agreement: false,
            learning: false,
            forwarding: false,
        }
    }

    /// 9.3.4: validation and contents.
    pub fn parse(payload: &[u8]) -> Option<Bpdu> {
        let mut r = Reader(payload);
        let kind = match stp::parse_head(&mut r)? {
            (_, TYPE_TCN) => return Some(Self::tcn()),
            (_, TYPE_CONFIG) => Kind::Config,
            (VERSION_RSTP.., TYPE_RST) => Kind::Rst,
            _ => return None,
        };
        let (flags, c) = stp::parse_body(&mut r)?;
        if c.message_age_ms >= c.max_age_ms && kind == Kind::Config {
            return None;
        }
        let is_rst = kind == Kind::Rst;
        let has = |bit: u8| is_rst && flags & bit != 0;
        let role = match (flags >> ROLE_SHIFT) & 3 {
            _ if !is_rst => Some(Role::Designated),
            ROLE_ALTERNATE => Some(Role::Alternate),
            ROLE_ROOT => Some(Role::Root),
            ROLE_DESIGNATED => Some(Role::Designated),
            _ => None,
        };
        Some(Bpdu {
            kind,
            priority: c.priority,
            times: Times {
                message_age_s: seconds(c.message_age_ms),
                max_age_s: seconds(c.max_age_ms),
                hello_s: seconds(c.hello_ms).max(1),
                forward_delay_s: seconds(c.forward_delay_ms),
            },
            role,
            topology_change: c.topology_change,
            topology_change_ack: flags & FLAG_TOPOLOGY_CHANGE_ACK != 0 && !is_rst,
            proposal: has(FLAG_PROPOSAL),
            agreement: has(FLAG_AGREEMENT),
            learning: has(FLAG_LEARNING),
            forwarding: has(FLAG_FORWARDING),
        })
    }

    pub fn emit(&self) -> Vec<u8> {
        let ms = |s: u16| i64::from(s) * 1000;
        let body = Config {
            topology_change: self.topology_change,
            topology_change_ack: self.topology_change_ack,
            priority: self.priority,
            message_age_ms: ms(self.times.message_age_s),
            max_age_ms: ms(self.times.max_age_s),
            hello_ms: ms(self.times.hello_s),
            forward_delay_ms: ms(self.times.forward_delay_s),
        };
        match self.kind {
            Kind::Tcn => stp::tcn(),
            Kind::Config => stp::config(&body),
            Kind::Rst => {
                let mut out = vec![0, 0, VERSION_RSTP, TYPE_RST, self.flags()];
                stp::emit_body(&body, &mut out);
                // Version 1 length.
                out.push(0);
                out
            }
        }
    }

    fn flags(&self) -> u8 {
        let on = |condition: bool, bit: u8| if condition { bit } else { 0 };
        let role = match self.role {
            Some(Role::Root) => ROLE_ROOT,
            Some(Role::Designated) => ROLE_DESIGNATED,
            Some(Role::Alternate | Role::Backup) => ROLE_ALTERNATE,
            _ => 0,
        };
        role << ROLE_SHIFT
            | on(self.topology_change, FLAG_TOPOLOGY_CHANGE)
            | on(self.proposal, FLAG_PROPOSAL)
            | on(self.learning, FLAG_LEARNING)
            | on(self.forwarding, FLAG_FORWARDING)
            | on(self.agreement, FLAG_AGREEMENT)
    }
}
