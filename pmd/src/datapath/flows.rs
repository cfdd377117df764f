//! `dpif::Flows` and `dpif::Execute`: megaflows through the registry and the workers' command queues; packets through the
//! main worker.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use dpif::{
    Actions, DatapathStats, Execute, ExecuteRequest, FlowError, FlowPut, Flows, Megaflow as _, WorkerId,
};

use super::Datapath;
use crate::Packet;
use crate::megaflow::Megaflow;
use crate::worker::{Command, Job, Shared};

impl Datapath {
    fn worker(&self, id: WorkerId) -> Result<Arc<Shared>, FlowError> {
        let all = self.0.workers();
        let found = all.iter().find(|w| w.id == id).cloned();
        found.ok_or_else(|| FlowError::Invalid(format!("no PMD thread on core {}", id.0)))
    }

    fn find(&self, flow: &Arc<dyn dpif::Megaflow>) -> Result<Arc<Megaflow>, FlowError> {
        self.0.common.registry.find(flow).ok_or(FlowError::NotFound)
    }

    fn command(&self, id: WorkerId, command: Command) -> Result<(), FlowError> {
        self.worker(id)?.command(command).map_err(|_| FlowError::Busy)
    }
}

impl Flows for Datapath {
    fn flow_put(&self, put: FlowPut) -> Result<(), FlowError> {
        let limit = self.0.common.flow_limit.load(Relaxed);
        let workers = match put.worker {
            Some(id) => vec![self.worker(id)?],
            None => self.0.workers().to_vec(),
        };
        let (key, mask) = (put.key.masked(&put.mask), put.mask);
        let installed = self.0.common.registry.all();
        let exists =
            |w: &Shared| installed.iter().any(|f| f.worker() == w.id && f.mask() == mask && f.key() == key);
        if workers.iter().all(|w| exists(w)) {
            return Err(FlowError::Exists);
        }
        if workers.iter().any(|w| w.n_flows.load(Relaxed) >= limit) {
            return Err(FlowError::Full(limit));
        }
        for worker in workers {
            let put = FlowPut {
                worker: Some(worker.id),
                key,
                mask,
                actions: put.actions.clone(),
                owner: put.owner.clone(),
            };
            worker.command(Command::Put(Box::new(put))).map_err(|_| FlowError::Busy)?;
        }
        Ok(())
    }

    fn flow_modify(&self, flow: &Arc<dyn dpif::Megaflow>, actions: Actions) -> Result<(), FlowError> {
        let flow = self.find(flow)?;
        self.command(flow.worker(), Command::Modify(flow, actions))
    }

    fn flow_delete(&self, flow: &Arc<dyn dpif::Megaflow>) -> Result<(), FlowError> {
        let flow = self.find(flow)?;
        self.command(flow.worker(), Command::Delete(flow))
    }

    fn flow_flush(&self) {
        for worker in self.0.workers().iter() {
            // A worker whose queue stays full is busy with the same commands.
            let _ = worker.command(Command::Flush);
        }
    }

    fn flow_dump(&self, visit: &mut dyn FnMut(&Arc<dyn dpif::Megaflow>)) {
        let mut all = self.0.common.registry.all();
        // PMDs by core, the main worker last: its id is the largest.
        all.sort_by_key(|f| f.worker());
        for flow in all.into_iter().filter(|f| !f.is_dead()) {
            let flow: Arc<dyn dpif::Megaflow> = flow;
            visit(&flow);
        }
    }

    fn n_flows(&self) -> usize {
        self.0.workers().iter().map(|w| w.n_flows.load(Relaxed)).sum()
    }

    fn stats(&self) -> DatapathStats {
        let workers = self.0.workers();
        let total = self.totals();
        DatapathStats {
            hit: total.simple_hits + total.emc_hits + total.smc_hits + total.megaflow_hits,
            missed: total.misses,
            lost: total.lost,
            n_flows: workers.iter().map(|w| w.n_flows.load(Relaxed) as u64).sum(),
            n_masks: workers.iter().map(|w| w.n_masks.load(Relaxed) as u64).sum(),
        }
    }
}

impl Execute for Datapath {
    fn execute(&self, request: &ExecuteRequest<'_>) -> Result<(), FlowError> {
        if request.mtu != 0 && request.packet.len() > usize::from(request.mtu) + 22 {
            return Err(FlowError::Invalid(format!(
                "packet of {} bytes is longer than the MTU {}",
                request.packet.len(),
                request.mtu
            )));
        }
        let packet = Packet::from_bytes(request.packet).ok_or_else(|| {
            FlowError::Invalid(format!("packet of {} bytes is too long", request.packet.len()))
        })?;
        let job = Job { packet, flow: *request.flow, actions: request.actions.to_vec() };
        self.0.main.command(Command::Execute(Box::new(job))).map_err(|_| FlowError::Busy)
    }
}
