//! One OpenFlow controller of a bridge: row Controller.

use std::collections::BTreeMap;

use super::super::rows::{self, Tables, Uuid};

/// A controller connection as wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Controller {
    pub uuid: Uuid,
    /// `tcp:HOST:PORT`, `unix:FILE`, `ptcp:PORT:HOST`, `punix:FILE` ...
    pub target: String,
    /// A listener or a helper that does not take part in fail-open.
    pub service: bool,
    pub backoff_ms_max: i64,
    /// 0 = no probes.
    pub probe_ms: i64,
    pub async_messages: bool,
    pub queue_len_max: Option<usize>,
    /// Packet-ins per second; 0 = no limit.
    pub rate_limit: u32,
    pub burst_limit: u32,
}

impl Controller {
    /// True when a connection made with `other` serves as it is, with these settings.
    pub fn keeps_connection(&self, other: &Controller) -> bool {
        let fixed = |c: &Controller| (c.target.clone(), c.service, c.async_messages);
        fixed(self) == fixed(other)
    }
}

pub(super) fn desire_all(
    tables: &Tables,
    bridge: &rows::Bridge,
    warnings: &mut Vec<String>,
) -> BTreeMap<String, Controller> {
    let mut controllers = BTreeMap::new();
    for (uuid, row) in bridge.controller.iter().filter_map(|u| Some((*u, tables.controllers.get(u)?))) {
        if row.target.starts_with("punix:") && !row.target.contains('/') {
            warnings.push(format!(
                "{}: refusing controller \"{}\": give an absolute path",
                bridge.name, row.target
            ));
            continue;
        }
        controllers.insert(row.target.clone(), desire(uuid, row));
    }
    controllers
}

fn desire(uuid: Uuid, row: &rows::Controller) -> Controller {
    let rate_limit = row.controller_rate_limit.map_or(0, |n| u32::try_from(n.max(100)).unwrap_or(u32::MAX));
    let passive = ["ptcp:", "pssl:", "punix:"].iter().any(|p| row.target.starts_with(p));
    Controller {
        uuid,
        target: row.target.clone(),
        service: passive || row.kind.as_deref() == Some("service"),
        backoff_ms_max: row.max_backoff.map_or(8000, |n| n.max(1000)),
        probe_ms: row.inactivity_probe.map_or(5000, |n| n.max(0)),
        async_messages: row.enable_async_messages.unwrap_or(true),
        queue_len_max: row.controller_queue_size.filter(|n| (1..=512).contains(n)).map(|n| n as usize),
        rate_limit,
        burst_limit: row
            .controller_burst_limit
            .map_or(rate_limit / 4, |n| u32::try_from(n.max(25)).unwrap_or(u32::MAX)),
    }
}
