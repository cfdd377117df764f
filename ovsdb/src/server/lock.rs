//! `lock`, `steal`, `unlock`: one owner for each name, the others in a queue.

use serde_json::Value;

use super::engine::{Engine, SessionId};
use crate::error::{Error, Result};
use crate::json;

fn lock_name<'a>(method: &str, params: &'a [Value]) -> Result<&'a str> {
    match params {
        [Value::String(name)] if json::is_id(name) => Ok(name),
        _ => Err(Error::syntax(&params.into(), format!("{method} request params must be <id>"))),
    }
}

impl Engine {
    /// `lock` or `steal`: whether the session owns the lock now, as the reply says it.
    pub(super) fn lock(&mut self, session: SessionId, method: &str, params: &[Value]) -> Result<String> {
        let name = lock_name(method, params)?;
        let read_only = self.is_read_only(session);
        let Some(s) = self.sessions.get_mut(&session) else { return Ok("{}".into()) };
        if read_only {
            let text = "lock and unlock methods not allowed, DB server is read only.";
            return Err(Error::syntax(&params.into(), text));
        }
        if s.locks.contains(name) || s.waits.contains(name) {
            let text = format!("must issue \"unlock\" before new \"{method}\"");
            return Err(Error::syntax(&params.into(), text));
        }
        let queue = self.locks.entry(name.to_owned()).or_default();
        let owner = queue.front().copied();
        let mine = owner.is_none() || method == "steal";
        if mine {
            queue.push_front(session);
            s.locks.insert(name.to_owned());
            if method == "steal" {
                s.steals.insert(name.to_owned());
            }
        } else {
            queue.push_back(session);
            s.waits.insert(name.to_owned());
        }
        if let (true, Some(victim)) = (mine, owner) {
            self.lose_lock(victim, name);
        }
        Ok(if mine { "{\"locked\":true}" } else { "{\"locked\":false}" }.to_owned())
    }

    /// `victim` must unlock before it asks again; it gets the lock back by itself only if it had asked with `lock`.
    fn lose_lock(&mut self, victim: SessionId, name: &str) {
        if let Some(v) = self.sessions.get_mut(&victim) {
            v.locks.remove(name);
            v.waits.insert(name.to_owned());
            v.locks_lost += 1;
            if let (true, Some(queue)) = (v.steals.remove(name), self.locks.get_mut(name)) {
                queue.retain(|s| *s != victim);
            }
        }
        self.notify_lock(victim, "stolen", name);
    }

    fn notify_lock(&self, session: SessionId, method: &str, name: &str) {
        self.send(session, &["{\"id\":null,\"method\":\"", method, "\",\"params\":[\"", name, "\"]}"]);
    }

    /// `unlock`.
    pub(super) fn unlock(&mut self, session: SessionId, params: &[Value]) -> Result<String> {
        let name = lock_name("unlock", params)?;
        let has =
            self.sessions.get(&session).is_some_and(|s| s.locks.contains(name) || s.waits.contains(name));
        if !has {
            let text = "unlock: \"unlock\" without \"lock\" or \"steal\"";
            return Err(Error::syntax(&params.into(), text));
        }
        self.release_lock(session, name);
        Ok("{}".to_owned())
    }

    /// Takes the session out of the queue; the next one becomes the owner.
    pub(super) fn release_lock(&mut self, session: SessionId, name: &str) {
        let mut owned = false;
        if let Some(s) = self.sessions.get_mut(&session) {
            owned = s.locks.remove(name);
            s.steals.remove(name);
            s.waits.remove(name);
        }
        let Some(queue) = self.locks.get_mut(name) else { return };
        queue.retain(|s| *s != session);
        let next = queue.front().copied();
        match next {
            None => drop(self.locks.remove(name)),
            Some(next) if owned => {
                if let Some(s) = self.sessions.get_mut(&next) {
                    s.waits.remove(name);
                    s.locks.insert(name.to_owned());
                }
                self.notify_lock(next, "locked", name);
            }
            Some(_) => {}
        }
    }
}
