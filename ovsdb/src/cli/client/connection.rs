//! One JSON-RPC connection: requests and their replies, notifications kept for later.

use std::collections::VecDeque;

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::jsonrpc::{Codec, Message, parse_value};
use transport::{Listener, Stream, Target};

use super::Failure;
use crate::schema::Schema;

const PORT: u16 = 6640;

/// A connection to a server.
pub(super) struct Connection {
    stream: Stream,
    codec: Codec,
    buf: BytesMut,
    next_id: u64,
    name: String,
    notifications: VecDeque<(String, Vec<Value>)>,
}

impl Connection {
    /// Connects to the first of a comma-separated list of servers that answers.
    pub(super) async fn open(servers: &str) -> Result<Self, Failure> {
        let names: Vec<&str> = servers.split(',').collect();
        let mut last = String::new();
        for name in &names {
            match connect(name).await {
                Ok(stream) => return Ok(Self::new(stream, name)),
                Err(e) => last = e,
            }
        }
        Err(if names.len() > 1 { "no servers were available".into() } else { last })
    }

    fn new(stream: Stream, name: &str) -> Self {
        Self {
            stream,
            codec: Codec::new(),
            buf: BytesMut::new(),
            next_id: 0,
            name: name.to_owned(),
            notifications: VecDeque::new(),
        }
    }

    /// The server, as the command line names it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    async fn send(&mut self, message: &Value) -> Result<(), Failure> {
        let text = crate::json::to_string(message);
        let sent = self.stream.write_all(text.as_bytes()).await;
        sent.map_err(|e| format!("{}: send failed ({})", self.name, transport::strerror(&e)))
    }

    async fn receive(&mut self) -> Result<Message, Failure> {
        loop {
            let frame = self.codec.next_frame(&mut self.buf);
            if let Some(frame) = frame.map_err(|e| format!("{}: receive failed ({e})", self.name))? {
                let value = parse_value(&frame).map_err(|e| e.to_string())?;
                let message = Message::from_value(value).map_err(|e| e.to_string())?;
                if let Message::Request { method, params, id } = &message
                    && method == "echo"
                {
                    let reply = json!({"id": id, "result": params, "error": null});
                    self.send(&reply).await?;
                    continue;
                }
                return Ok(message);
            }
            let why = match self.stream.read_buf(&mut self.buf).await {
                Ok(0) => "End of file".to_owned(),
                Ok(_) => continue,
                Err(e) => transport::strerror(&e),
            };
            return Err(format!("{}: receive failed ({why})", self.name));
        }
    }

    /// Sends a request and waits for its result. The error is the server's, as JSON.
    pub(super) async fn call(
        &mut self,
        method: &str,
        params: Value,
    ) -> Result<Result<Value, Value>, Failure> {
        let id = Value::from(self.next_id);
        self.next_id += 1;
        self.send(&json!({"id": id, "method": method, "params": params})).await?;
        loop {
            match self.receive().await? {
                Message::Reply { result, id: got } if got == id => return Ok(Ok(result)),
                Message::Error { error, id: got } if got == id => return Ok(Err(error)),
                Message::Notification { method, params } => self.notifications.push_back((method, params)),
                _ => {}
            }
        }
    }

    /// As [`Connection::call`], with a server's error as a failure.
    pub(super) async fn result(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        match self.call(method, params).await? {
            Ok(result) => Ok(result),
            Err(e) => Err(format!("transaction returned error: {}", crate::json::to_string(&e))),
        }
    }

    /// The next notification.
    pub(super) async fn notification(&mut self) -> Result<(String, Vec<Value>), Failure> {
        if let Some(n) = self.notifications.pop_front() {
            return Ok(n);
        }
        loop {
            if let Message::Notification { method, params } = self.receive().await? {
                return Ok((method, params));
            }
        }
    }

    pub(super) async fn list_dbs(&mut self) -> Result<Vec<String>, Failure> {
        let result = self.result("list_dbs", json!([])).await?;
        let names = result.as_array().ok_or("list_dbs response is not array")?;
        let mut names: Vec<_> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    pub(super) async fn schema(&mut self, database: &str) -> Result<Schema, Failure> {
        let json = self.result("get_schema", json!([database])).await?;
        Schema::from_json(&json).map_err(|e| e.to_string())
    }
}

async fn connect(name: &str) -> Result<Stream, Failure> {
    let unknown =
        || format!("failed to connect or listen to \"{name}\" (Address family not supported by protocol)");
    let target = Target::parse(name, Some(PORT)).map_err(|_| unknown())?;
    if target.is_passive() {
        let failed = |e| format!("failed to connect or listen to \"{name}\" ({})", transport::strerror(&e));
        let listener = Listener::bind(&target).await.map_err(failed)?;
        let accepted = listener.accept().await;
        return accepted
            .map_err(|e| format!("failed to accept connection on \"{name}\" ({})", transport::strerror(&e)));
    }
    let connected = Stream::connect(&target).await;
    connected.map_err(|e| format!("failed to connect to \"{name}\" ({})", transport::strerror(&e)))
}
