//! All installed megaflows as control threads see them. Workers report what they install and remove through a queue that
//! never makes them wait; a control thread drains it before it looks. Dropping an entry for the last time, which frees
//! memory, thereby happens on control threads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::queue::SegQueue;

use crate::megaflow::Megaflow;

/// What a worker did to its table.
pub enum Event {
    Installed(Arc<Megaflow>),
    Removed(Arc<Megaflow>),
}

#[derive(Default)]
pub struct Registry {
    events: SegQueue<Event>,
    flows: Mutex<HashMap<usize, Arc<Megaflow>>>,
}

fn key(flow: &Arc<Megaflow>) -> usize {
    Arc::as_ptr(flow) as usize
}

impl Registry {
    /// From a worker. The queue is bounded by the flow limits of the workers and drained by the housekeeper.
    pub fn report(&self, event: Event) {
        self.events.push(event);
    }

    fn current(&self) -> MutexGuard<'_, HashMap<usize, Arc<Megaflow>>> {
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        // No more than are queued now, or a busy worker could keep us here.
        for _ in 0..self.events.len() {
            match self.events.pop() {
                Some(Event::Installed(flow)) => drop(flows.insert(key(&flow), flow)),
                Some(Event::Removed(flow)) => drop(flows.remove(&key(&flow))),
                None => break,
            }
        }
        flows
    }

    /// Takes over what workers reported.
    pub fn sweep(&self) {
        drop(self.current());
    }

    /// All live megaflows.
    pub fn all(&self) -> Vec<Arc<Megaflow>> {
        self.current().values().cloned().collect()
    }

    /// The entry behind a handle that `all` or an upcall gave out.
    pub fn find(&self, flow: &Arc<dyn dpif::Megaflow>) -> Option<Arc<Megaflow>> {
        self.current().get(&(Arc::as_ptr(flow).cast::<()>() as usize)).cloned()
    }

    pub fn len(&self) -> usize {
        self.current().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
