//! Hits: packets grouped by megaflow, each group counted once and taken through the compiled actions; then the action
//! lanes emptied: transmit into port lanes, recirculation into the queue, userspace to the handler.

use std::sync::Arc;

use dpif::{DpPort, DropReason, Upcall, UpcallKind, UpcallReply, Userspace};
use flow::packet::Offsets;
use flow::parse::{VLAN_LIMIT_DEFAULT, parse_whole};

use super::{Pipeline, drop_packets};
use crate::action::{Env, Item, Metadata, Program, Shape, compile, exec};
use crate::megaflow::bits;
use crate::port::Port;
use crate::worker::plan::Plan;
use crate::worker::{Common, Job};

/// Times that a reply to a userspace action may itself send the packet to userspace.
const USERSPACE_DEPTH_MAX: u8 = 4;

impl Pipeline {
    /// Runs the megaflow in `slot` on the packets of `group`; every one of those is consumed.
    #[inline(always)]
    pub(super) fn run_hits(&mut self, plan: &Plan, port: Option<&Port>, slot: u32, group: u32) {
        let Some(entry) = self.table.get(slot) else {
            debug_assert!(false, "a slot found in this burst is in the table");
            return self.discard(port, group, DropReason::UpcallError);
        };
        let (bytes, flags) = self.burst.sums(group);
        entry.flow.count(u64::from(group.count_ones()), bytes, flags, self.clock.now_ms);
        let (group, lost, no) = match entry.program.shape() {
            &Shape::Output(no) => (group, 0, no),
            Shape::Straight(straight) => {
                let left = straight.rewrite(
                    &mut self.burst.packets,
                    &mut self.burst.offsets,
                    &self.burst.keys,
                    group,
                );
                (left, group & !left, straight.port())
            }
            Shape::Other => {
                let program = entry.program.clone();
                return self.run_group(plan, port, group, &program);
            }
        };
        if lost != 0 {
            self.discard(port, lost, DropReason::NoBuffer);
        }
        let stats = &self.shared.stats;
        if !self.lanes.output_group(&plan.snapshot, stats, no, &mut self.burst.packets, group) {
            self.discard(port, group, DropReason::InvalidPort);
        }
    }

    #[cold]
    fn discard(&mut self, port: Option<&Port>, group: u32, reason: DropReason) {
        drop_packets(port, &self.shared, reason, group.count_ones() as usize);
        for at in bits(group) {
            self.burst.packets[at] = None;
        }
    }

    /// Runs a program on some packets of the burst.
    pub(super) fn run_group(&mut self, plan: &Plan, port: Option<&Port>, group: u32, program: &Program) {
        let burst = &mut *self.burst;
        for at in bits(group) {
            if let Some(packet) = burst.packets[at].take() {
                let key = &burst.keys[at];
                let offsets = burst.offsets[at];
                let meta = Metadata::of(key, burst.lines[at]);
                self.items.push(Item { packet, offsets, nw_proto: key.nw_proto, meta });
            }
        }
        let depth = burst.depth;
        self.run_items(plan, port, depth, program);
    }

    /// Runs a program on `self.items` and empties the lanes behind it.
    fn run_items(&mut self, plan: &Plan, port: Option<&Port>, depth: u8, program: &Program) {
        let mut env =
            Surroundings { common: &self.common, now_ms: self.clock.now_ms, seed: &mut self.insert_seed };
        exec(program, &mut self.items, &mut env, &mut self.out);
        self.settle(plan, port, depth);
        for n in 0..USERSPACE_DEPTH_MAX {
            if self.out.userspace.is_empty() {
                return;
            }
            let waiting = std::mem::take(&mut self.out.userspace);
            for (item, what) in waiting {
                self.userspace(plan, port, depth, item, &what, n);
            }
        }
        let n = self.out.userspace.len();
        self.out.userspace.clear();
        drop_packets(port, &self.shared, DropReason::UserspaceQueue, n);
    }

    /// Empties the transmit and recirculation lanes and takes over the drops.
    fn settle(&mut self, plan: &Plan, port: Option<&Port>, depth: u8) {
        let stats = &self.shared.stats;
        for lane in &mut self.out.transmit {
            let n = lane.packets.len();
            if n != 0 && !self.lanes.output_all(&plan.snapshot, stats, lane.port, lane.packets.drain(..)) {
                lane.packets.clear();
                self.out.drops[DropReason::InvalidPort as usize] += n as u64;
            }
        }
        for item in self.out.recirculate.drain(..) {
            if !self.lanes.recirculate(item, depth + 1) {
                self.out.drops[DropReason::Recirc as usize] += 1;
            }
        }
        for &reason in DropReason::ALL {
            let n = std::mem::take(&mut self.out.drops[reason as usize]);
            if n != 0 {
                drop_packets(port, &self.shared, reason, n as usize);
            }
        }
    }

    /// Hands a packet that an action sent to userspace to the handler, and runs what it answers.
    #[cold]
    fn userspace(
        &mut self,
        plan: &Plan,
        port: Option<&Port>,
        depth: u8,
        item: Item,
        what: &Arc<Userspace>,
        nest: u8,
    ) {
        let Some(handler) = self.common.handler.get() else {
            return drop_packets(port, &self.shared, DropReason::UpcallError, 1);
        };
        let meta = item.meta.meta(item.packet.len(), VLAN_LIMIT_DEFAULT);
        let (flow, _) = parse_whole(item.packet.data(), &meta);
        let mut reply = UpcallReply::default();
        handler.upcall(
            &Upcall {
                kind: UpcallKind::Userspace(what),
                packet: item.packet.data(),
                flow: &flow,
                worker: self.shared.id,
                now_ms: self.clock.now_ms,
            },
            &mut reply,
        );
        if reply.actions.is_empty() {
            return;
        }
        self.items.push(item);
        let program = compile(&reply.actions);
        let mut env =
            Surroundings { common: &self.common, now_ms: self.clock.now_ms, seed: &mut self.insert_seed };
        exec(&program, &mut self.items, &mut env, &mut self.out);
        self.settle(plan, port, depth);
        debug_assert!(nest < USERSPACE_DEPTH_MAX);
    }

    /// A packet from the control plane.
    pub(super) fn execute(&mut self, plan: &Plan, job: Job) {
        let Job { packet, flow, actions } = job;
        let meta = Metadata::of(&flow, flow.used_lines());
        let (key, parsed) = parse_whole(packet.data(), &meta.meta(packet.len(), VLAN_LIMIT_DEFAULT));
        let port = plan.snapshot.port(DpPort(flow.in_port)).map(Arc::as_ref);
        self.items.push(Item { packet, offsets: Offsets::from(&parsed), nw_proto: key.nw_proto, meta });
        self.run_items(plan, port, 0, &compile(&actions));
    }
}

/// What actions need of the worker.
struct Surroundings<'a> {
    common: &'a Common,
    now_ms: i64,
    seed: &'a mut u32,
}

impl Env for Surroundings<'_> {
    fn meter(&mut self, id: u32, items: &[Item]) -> u32 {
        let Some(meter) = self.common.meters.get(id) else { return 0 };
        let drops = |(n, item): (usize, &Item)| u32::from(!meter.charge(item.packet.len(), self.now_ms)) << n;
        items.iter().take(u32::BITS as usize).enumerate().map(drops).sum()
    }

    fn random(&mut self) -> u32 {
        super::random(self.seed)
    }

    fn bond_member(&mut self, _bond: u32, _hash: u32) -> Option<DpPort> {
        None
    }

    fn vlan_limit(&self) -> u8 {
        VLAN_LIMIT_DEFAULT
    }
}
