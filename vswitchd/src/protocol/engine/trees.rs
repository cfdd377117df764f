//! Spanning trees of a bridge: STP or RSTP.

use std::collections::BTreeMap;

use openflow::OfPort;

use super::super::frame;
use super::super::rstp::Rstp;
use super::super::stp::Stp;
use super::super::view::{STP_ADDRESS, Tree};
use super::{Machines, Round};

/// LLC: bridge spanning tree, unnumbered information.
const LLC: [u8; 3] = [0x42, 0x42, 0x03];

impl Machines {
    pub(super) fn configure_trees(&mut self, bridge: &str, now_ms: i64) {
        let c = &self.config;
        match &c.stp {
            None => self.stp = None,
            Some(config) => {
                let ports: BTreeMap<_, _> =
                    c.ports.iter().filter_map(|(n, p)| Some((*n, p.stp.clone()?))).collect();
                let stp = self.stp.get_or_insert_with(|| Stp::new(bridge, config.clone(), now_ms));
                stp.configure(config.clone(), &ports, now_ms);
            }
        }
        match &c.rstp {
            None => self.rstp = None,
            Some(config) => {
                let ports: BTreeMap<_, _> =
                    c.ports.iter().filter_map(|(n, p)| Some((*n, p.rstp.clone()?))).collect();
                let rstp = self.rstp.get_or_insert_with(|| Rstp::new(bridge, config.clone(), now_ms));
                rstp.configure(config.clone(), &ports, now_ms);
            }
        }
    }

    pub(super) fn receive_bpdu(&mut self, port: OfPort, length: u16, payload: &[u8], now_ms: i64) {
        let payload = payload.get(..usize::from(length)).unwrap_or(payload);
        let Some(bpdu) = payload.strip_prefix(&LLC) else { return };
        if let Some(stp) = &mut self.stp {
            stp.receive(port, bpdu, now_ms);
        }
        if let Some(rstp) = &mut self.rstp {
            rstp.receive(port, bpdu);
        }
    }

    pub(super) fn run_trees(&mut self, round: &mut Round<'_>) {
        let now_ms = round.now_ms;
        let mut frames = Vec::new();
        let mut flush = false;
        if let Some(stp) = &mut self.stp {
            let numbers: Vec<OfPort> = stp.ports.keys().copied().collect();
            for number in numbers {
                stp.set_link(number, round.is_up(number), round.speed_kbps(number), now_ms);
            }
            let deadline_ms = stp.run(now_ms);
            round.until(deadline_ms);
            frames = stp.take_frames();
            flush |= stp.take_flush();
        }
        if let Some(rstp) = &mut self.rstp {
            let numbers: Vec<OfPort> = rstp.ports.keys().copied().collect();
            for number in numbers {
                let up = round.is_up(number) && self.links.is_operational(number);
                rstp.set_link(number, up, round.speed_kbps(number), now_ms);
            }
            let deadline_ms = rstp.run(now_ms);
            round.until(deadline_ms);
            frames.extend(rstp.take_frames());
            flush |= rstp.take_flush();
        }
        for (port, bpdu) in frames {
            let payload = [&LLC[..], &bpdu].concat();
            let frame = frame::ethernet(STP_ADDRESS, round.mac(port), payload.len() as u16, &payload);
            round.out.push((port, frame));
        }
        if flush {
            round.ofproto.macs.flush();
            self.snooping.iter().for_each(|s| s.0.flush());
        }
    }

    /// What the tree lets `port` do; `None`: everything.
    pub(super) fn tree(&self, port: OfPort) -> Option<Tree> {
        if let Some(p) = self.stp.as_ref().and_then(|stp| stp.ports.get(&port)) {
            let on = p.state != super::super::stp::State::Disabled;
            return on.then_some(Tree {
                rapid: false,
                learns: p.state.learns(),
                forwards: p.state.forwards(),
            });
        }
        let p = self.rstp.as_ref()?.ports.get(&port)?;
        p.enabled.then_some(Tree { rapid: true, learns: p.learning, forwards: p.forwarding })
    }
}
