//! The methods: one line each from the name to what does it.

use serde_json::Value;

use super::database::Db;
use super::engine::{Engine, SessionId};
use super::monitoring::Kind;
use crate::error::{Error, Result, tag};
use crate::json;

impl Engine {
    pub(super) fn request(&mut self, session: SessionId, method: &str, params: Vec<Value>, id: Value) {
        if method == "transact" {
            return self.transact(session, params, id);
        }
        self.flush();
        let params = &params[..];
        let conditional = !self.monitor_cond_disabled;
        let result = match method {
            "monitor" => self.monitor(session, method, Kind::Plain, params),
            "monitor_cond" if conditional => self.monitor(session, method, Kind::Cond, params),
            "monitor_cond_since" if conditional => self.monitor(session, method, Kind::CondSince, params),
            "monitor_cond_change" if conditional => self.monitor_cond_change(session, params),
            "monitor_cancel" => match params {
                [id] if self.monitor_cancel(session, id) => Ok("{}".into()),
                [_] => Err(Error::bare("unknown monitor")),
                _ => Err(Error::bare("invalid parameters")),
            },
            "get_schema" => self.get_schema(params),
            "list_dbs" => Ok(json::to_string(&self.dbs.keys().cloned().collect())),
            "get_server_id" => Ok(format!("\"{}\"", self.server_id)),
            "set_db_change_aware" => self.set_db_change_aware(session, params),
            "lock" | "steal" => self.lock(session, method, params),
            "unlock" => self.unlock(session, params),
            "convert" => self.convert(session, params),
            "echo" => Ok(json::to_string(&params.into())),
            _ => Err(Error::bare("unknown method")),
        };
        match result {
            Ok(result) => self.reply(session, &id, &result),
            Err(e) if e.details().is_none() => self.reply_error(session, &id, &e.tag().into()),
            Err(e) => self.reply_error(session, &id, &e.to_json()),
        }
    }

    pub(super) fn reply(&self, session: SessionId, id: &Value, result: &str) {
        let id = json::to_string(id);
        self.send(session, &["{\"error\":null,\"id\":", &id, ",\"result\":", result, "}"]);
    }

    pub(super) fn reply_error(&self, session: SessionId, id: &Value, error: &Value) {
        let (id, error) = (json::to_string(id), json::to_string(error));
        self.send(session, &["{\"error\":", &error, ",\"id\":", &id, "}"]);
    }

    /// The name of the database that `params` begin with.
    pub(super) fn database_of<'a>(&self, method: &str, params: &'a [Value]) -> Result<&'a str> {
        let Some(name) = params.first().and_then(Value::as_str) else {
            let text = format!("{method} request params must begin with <db-name>");
            return Err(Error::syntax(&params.into(), text));
        };
        if !self.dbs.contains_key(name) {
            let text = format!("{method} request specifies unknown database {name}");
            return Err(Error::new(tag::UNKNOWN_DATABASE, text).about(&params.into()));
        }
        if !self.dbs.get(name).is_some_and(Db::is_available) {
            let text = format!(
                "{method} request specifies database {name} which is not yet available because it has not completed joining its cluster"
            );
            return Err(Error::new("database not available", text));
        }
        Ok(name)
    }

    fn get_schema(&self, params: &[Value]) -> Result<String> {
        let name = self.database_of("get_schema", params)?;
        Ok(self.dbs.get(name).map(|db| json::to_string(&db.schema().to_json())).unwrap_or_default())
    }

    fn set_db_change_aware(&mut self, session: SessionId, params: &[Value]) -> Result<String> {
        let [Value::Bool(aware)] = params else {
            let text = "set_db_change_aware: true or false parameter expected";
            return Err(Error::syntax(&params.into(), text));
        };
        if let Some(s) = self.sessions.get_mut(&session) {
            s.db_change_aware = *aware;
        }
        Ok("{}".to_owned())
    }
}
