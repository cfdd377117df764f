//! Misses: asking the control plane, installing what it answers. Runs inline on the worker; the slow way, but bounded by the
//! handler, and never with a lock held.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use dpif::{DropReason, FlowError, FlowPut, Ufid, Upcall, UpcallKind, Verdict};
use flow::{Flow, Mask};

use super::{Pipeline, drop_packets};
use crate::action::{Program, compile};
use crate::megaflow::{Attributes, bits};
use crate::port::Port;
use crate::registry::Event;
use crate::tsc;
use crate::worker::plan::Plan;

impl Pipeline {
    /// Handles the packets in `missing`, one by one: a megaflow made for one may serve the next.
    #[cold]
    pub(super) fn miss(&mut self, plan: &Plan, port: Option<&Port>, missing: u32) {
        let begin = tsc::now();
        let mut installed = false;
        for at in bits(missing) {
            if installed {
                let burst = &mut *self.burst;
                self.table.prepare(&mut burst.keys[at], &mut burst.lines[at]);
                if let Some(slot) = self.table.lookup(&burst.keys[at]) {
                    self.shared.stats.megaflow_hits.add(1);
                    self.run_hits(plan, port, slot, 1 << at);
                    continue;
                }
            }
            installed |= self.miss_one(plan, port, at);
        }
        self.shared.stats.upcall_cycles.add(tsc::now().wrapping_sub(begin));
    }

    /// One upcall; true when a megaflow was installed.
    fn miss_one(&mut self, plan: &Plan, port: Option<&Port>, at: usize) -> bool {
        let burst = &mut *self.burst;
        let Some(packet) = &burst.packets[at] else { return false };
        let lines = burst.lines[at];
        burst.keys[at].zero_except(lines);
        self.reply.clear();
        match self.common.handler.get() {
            Some(handler) => handler.upcall(
                &Upcall {
                    kind: UpcallKind::Miss,
                    packet: packet.data(),
                    flow: &burst.keys[at],
                    worker: self.shared.id,
                    now_ms: self.clock.now_ms,
                },
                &mut self.reply,
            ),
            None => self.reply.verdict = Verdict::Error,
        }
        match self.reply.verdict {
            Verdict::Error => {
                self.shared.stats.lost.add(1);
                drop_packets(port, &self.shared, DropReason::UpcallError, 1);
                burst.packets[at] = None;
                false
            }
            Verdict::Execute => {
                self.shared.stats.misses.add(1);
                let program = compile(&self.reply.actions);
                self.run_group(plan, port, 1 << at, &program);
                false
            }
            Verdict::Install => {
                self.shared.stats.misses.add(1);
                self.install(plan, port, at)
            }
        }
    }

    fn install(&mut self, plan: &Plan, port: Option<&Port>, at: usize) -> bool {
        let key = self.burst.keys[at];
        let mask = self.reply.mask;
        let (actions, program) = self.programs.compile(&self.reply.actions);
        let owner = self.reply.owner.take();
        match self.insert(&key, &mask, actions, program.clone(), owner) {
            Ok(()) => {
                let burst = &mut *self.burst;
                self.table.prepare(&mut burst.keys[at], &mut burst.lines[at]);
                match self.table.lookup(&burst.keys[at]) {
                    Some(slot) => {
                        if self.hashed {
                            self.cache.insert(burst.hashes[at], slot);
                        }
                        self.run_hits(plan, port, slot, 1 << at);
                    }
                    None => self.run_group(plan, port, 1 << at, &program),
                }
                true
            }
            Err(_) => {
                self.run_group(plan, port, 1 << at, &program);
                false
            }
        }
    }

    /// Puts a megaflow into the table and tells everybody.
    fn insert(
        &mut self,
        key: &Flow,
        mask: &Mask,
        actions: Arc<[dpif::Action]>,
        program: Arc<Program>,
        owner: Option<Arc<dyn std::any::Any + Send + Sync>>,
    ) -> Result<(), FlowError> {
        let limit = self.common.flow_limit.load(Relaxed);
        if self.table.len() >= limit {
            self.shared.stats.limit_reached.add(1);
            return Err(FlowError::Full(limit));
        }
        let attributes = Attributes { ufid: ufid(key, mask), worker: self.shared.id, actions, owner };
        let flow = self.table.insert(key, mask, program, attributes)?;
        self.sizes();
        self.common.registry.report(Event::Installed(flow.clone()));
        if let Some(handler) = self.common.handler.get() {
            let flow: Arc<dyn dpif::Megaflow> = flow;
            handler.installed(&flow);
        }
        Ok(())
    }

    /// A megaflow from a control thread.
    pub(super) fn put(&mut self, put: FlowPut) {
        let (actions, program) = self.programs.compile(&put.actions);
        // Exists and Full were checked where the command was made; a race loses quietly.
        let _ = self.insert(&put.key.masked(&put.mask), &put.mask, actions, program, put.owner);
    }
}

/// Recently compiled action lists: megaflows with equal actions share one program, which then stays in the cache, and one
/// list.
#[derive(Default)]
pub(super) struct Programs {
    recent: Vec<(Arc<[dpif::Action]>, Arc<Program>)>,
    next: usize,
}

impl Programs {
    /// Lists remembered.
    const KEPT: usize = 32;

    pub fn compile(&mut self, actions: &[dpif::Action]) -> (Arc<[dpif::Action]>, Arc<Program>) {
        if let Some((list, program)) = self.recent.iter().find(|(list, _)| **list == *actions) {
            return (list.clone(), program.clone());
        }
        let made: (Arc<[_]>, _) = (actions.into(), Arc::new(compile(actions)));
        if self.recent.len() < Self::KEPT {
            self.recent.push(made.clone());
        } else {
            self.recent[self.next] = made.clone();
            self.next = (self.next + 1) % Self::KEPT;
        }
        made
    }
}

/// A hash of key and mask: the same megaflow has the same id on every worker.
pub fn ufid(key: &Flow, mask: &Mask) -> Ufid {
    let mut low = flow::hash::Masked::new(0x6f76_735f_7566_6964);
    let mut high = flow::hash::Masked::new(0x9e37_79b9_7f4a_7c15);
    let mut third = flow::hash::Masked::new(0x2545_f491_4f6c_dd1d);
    let mut fourth = flow::hash::Masked::new(0x1234_5678_9abc_def1);
    let words = key.lines().as_flattened().iter().zip(mask.0.lines().as_flattened());
    for (n, (k, m)) in words.enumerate().filter(|(_, (_, m))| **m != 0) {
        let (value, place) = (k & m, (n as u64) << 56 ^ m);
        low = low.add(value ^ place);
        high = high.add(value.rotate_left(17) ^ place);
        third = third.add(value.wrapping_add(place));
        fourth = fourth.add(value.rotate_left(41) ^ place.rotate_left(7));
    }
    let word = |m: flow::hash::Masked| u128::from(m.finish());
    Ufid(word(low) | word(high) << 32 | word(third) << 64 | word(fourth) << 96)
}
