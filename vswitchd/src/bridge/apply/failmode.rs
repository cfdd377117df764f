//! What a bridge does without controllers: the NORMAL flow of fail mode standalone, and fail-open. Flows, groups and
//! meters go when the bridge gets its first controller or loses its last, or changes its fail mode without one.

use std::collections::BTreeMap;

use openflow::OfPort;
use openflow::action::Action;
use openflow::matching::Match;

use super::super::desire::{Bridge, FailMode};
use super::super::switch::LiveBridge;
use crate::connmgr::{FailOpen, FailOpenChange};

/// Above everything that OpenFlow can express.
const FAIL_OPEN_PRIORITY: u32 = 0xf0_f0f0;

struct State {
    has_controllers: bool,
    mode: FailMode,
    fail_open: FailOpen,
}

/// The fail modes of all bridges.
#[derive(Default)]
pub(super) struct FailModes(BTreeMap<String, State>);

impl FailModes {
    pub fn forget(&mut self, bridge: &str) {
        self.0.remove(bridge);
    }

    /// The bridge is new, or its controllers or its fail mode may have changed.
    pub fn configure(&mut self, live: &LiveBridge, wanted: &Bridge) {
        let now_ms = live.ofproto.now_ms();
        let primary = || wanted.controllers.values().filter(|c| !c.service);
        let has_controllers = primary().next().is_some();
        let mode = wanted.fail_mode;
        let state = self.0.get(&wanted.name);
        let flush = match state {
            None => true,
            Some(s) => s.has_controllers != has_controllers || (s.mode != mode && !has_controllers),
        };
        if flush {
            live.ofproto.flush();
            if !has_controllers && mode == FailMode::Standalone {
                live.ofproto.add_flow(&Match::default(), 0, normal());
            }
        }
        let state = self.0.entry(wanted.name.clone()).or_insert_with(|| State {
            has_controllers,
            mode,
            fail_open: FailOpen::new(now_ms),
        });
        state.has_controllers = has_controllers;
        state.mode = mode;
        state.fail_open.configure(mode, primary().map(|c| c.probe_ms).max(), now_ms);
    }

    pub fn run(&mut self, live: &LiveBridge, now_ms: i64) {
        let Some(state) = self.0.get_mut(&live.name).filter(|s| s.has_controllers) else { return };
        match state.fail_open.run(now_ms, live.controllers.is_primary_connected()) {
            Some(FailOpenChange::Open) => {
                tracing::warn!(
                    target: "fail_open",
                    "Could not connect to controller (or switch failed controller's post-connection admission \
                     control policy) for a while, failing open"
                );
                live.ofproto.add_flow(&Match::default(), FAIL_OPEN_PRIORITY, normal());
            }
            Some(FailOpenChange::Close) => {
                tracing::warn!(target: "fail_open", "No longer in fail-open mode");
                live.ofproto.delete_flow(&Match::default(), FAIL_OPEN_PRIORITY);
            }
            None => {}
        }
    }
}

fn normal() -> Vec<Action> {
    vec![Action::Output { port: OfPort::NORMAL, max_len: 0 }]
}
