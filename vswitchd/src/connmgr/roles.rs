//! Roles of the controllers of one bridge: at most one primary, fenced by the generation id (OpenFlow 1.2+, 6.3.6).

use std::collections::BTreeMap;
use std::sync::Mutex;

use openflow::OfpError;
use openflow::msg::{Role, RoleMsg};

use super::ConnId;

/// Shared by the connections of a bridge.
#[derive(Default)]
pub struct Roles(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    generation_id: Option<u64>,
    roles: BTreeMap<ConnId, Role>,
}

impl Roles {
    /// A new connection starts as an equal.
    pub fn join(&self, conn: ConnId) {
        self.lock().roles.insert(conn, Role::Equal);
    }

    pub fn leave(&self, conn: ConnId) {
        self.lock().roles.remove(&conn);
    }

    pub fn role(&self, conn: ConnId) -> Role {
        self.lock().roles.get(&conn).copied().unwrap_or(Role::Equal)
    }

    /// Answers a role request. The second value names the connection that lost the primary role.
    pub fn request(&self, conn: ConnId, ask: RoleMsg) -> Result<(RoleMsg, Option<ConnId>), OfpError> {
        let mut inner = self.lock();
        let mut demoted = None;
        if ask.role != Role::NoChange {
            if let (Role::Primary | Role::Secondary, Some(id)) = (ask.role, ask.generation_id) {
                let stale = inner.generation_id.is_some_and(|now| (id.wrapping_sub(now) as i64) < 0);
                if stale {
                    return Err(OfpError::OFPRRFC_STALE);
                }
                inner.generation_id = Some(id);
            }
            if ask.role == Role::Primary {
                let other = inner.roles.iter_mut().find(|(c, r)| **c != conn && **r == Role::Primary);
                if let Some((other, role)) = other {
                    *role = Role::Secondary;
                    demoted = Some(*other);
                }
            }
            inner.roles.insert(conn, ask.role);
        }
        let role = inner.roles.get(&conn).copied().unwrap_or(Role::Equal);
        Ok((RoleMsg { role, generation_id: inner.generation_id }, demoted))
    }

    /// The generation id that was last accepted.
    pub fn generation_id(&self) -> Option<u64> {
        self.lock().generation_id
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(role: Role, id: Option<u64>) -> RoleMsg {
        RoleMsg { role, generation_id: id }
    }

    #[test]
    fn a_new_primary_demotes_the_old_one() {
        let roles = Roles::default();
        let (a, b) = (ConnId(1), ConnId(2));
        roles.join(a);
        roles.join(b);
        assert_eq!(roles.request(a, ask(Role::Primary, Some(5))).unwrap().1, None);
        let (reply, demoted) = roles.request(b, ask(Role::Primary, Some(6))).unwrap();
        assert_eq!((reply, demoted), (ask(Role::Primary, Some(6)), Some(a)));
        assert_eq!(roles.role(a), Role::Secondary);
        assert_eq!(roles.request(a, ask(Role::NoChange, None)).unwrap().0.role, Role::Secondary);
    }

    #[test]
    fn stale_generations_are_refused_and_wrap() {
        let roles = Roles::default();
        let a = ConnId(1);
        roles.join(a);
        roles.request(a, ask(Role::Secondary, Some(u64::MAX))).unwrap();
        assert_eq!(roles.request(a, ask(Role::Primary, Some(u64::MAX - 1))), Err(OfpError::OFPRRFC_STALE));
        assert!(roles.request(a, ask(Role::Primary, Some(0))).is_ok(), "ids compare modulo 2^64");
        assert!(roles.request(a, ask(Role::Equal, Some(9))).is_ok());
        assert_eq!(roles.generation_id(), Some(0), "an equal's id does not count");
    }
}
