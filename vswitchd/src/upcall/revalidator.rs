//! The revalidator: one thread that reads the counters of all megaflows, applies their effects, removes idle ones,
//! and translates again those whose ground has changed. It also ages rules and MACs, and frees old snapshots.
//! Everything it does may also be asked for at once (statistics before a reply, `revalidator/wait`).

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dpif::{Datapath, DpPort, FlowStats, Megaflow};
use flow::{Flow, Mask};

use super::limit::FlowLimit;
use super::{Ground, Ukey, Upcalls, installed_actions, place};
use crate::ofproto::World;
use crate::xlate::{self, Input, Output};

/// Settings from `Open_vSwitch.other_config`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    pub flow_limit: usize,
    /// A megaflow without packets for so long goes.
    pub idle_ms_max: i64,
    /// Rounds are at most so far apart.
    pub round_ms_max: u64,
    /// While rounds are slow, megaflows with fewer packets per second are removed instead of being translated again.
    pub pps_min: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { flow_limit: 200_000, idle_ms_max: 10_000, round_ms_max: 500, pps_min: 5 }
    }
}

/// Rounds are at least so far apart.
const ROUND_MS_MIN: u64 = 5;
/// Idle time when there are more megaflows than the limit.
const CROWDED_IDLE_MS: i64 = 100;
/// Expiry of rules and MACs.
const EXPIRE_MS: i64 = 1000;
const MEGAFLOW_WAIT_MS: u64 = 2000;

/// Shared with commands.
pub struct Revalidator {
    pub upcalls: Arc<Upcalls>,
    datapath: Arc<dyn Datapath>,
    state: Mutex<State>,
    stop: AtomicBool,
    paused: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct State {
    pub flows: Vec<Arc<dyn Megaflow>>,
    pub limit: FlowLimit,
    pub settings: Settings,
    pub round_ms: i64,
    pub n_flows_max: usize,
    pub n_flows_avg: usize,
    expired_ms: i64,
    /// The snapshot of the last round.
    generation: u64,
    /// Translations made to revalidate, over all rounds.
    pub n_translated: u64,
    out: Output,
}

impl Revalidator {
    /// Makes it without a thread: `round` is called by hand (tests, virtual time).
    pub fn new(upcalls: Arc<Upcalls>, datapath: Arc<dyn Datapath>) -> Arc<Self> {
        let settings = Settings::default();
        let state = State {
            flows: Vec::new(),
            limit: FlowLimit::new(settings.flow_limit),
            settings,
            round_ms: 1,
            n_flows_max: 0,
            n_flows_avg: 0,
            expired_ms: 0,
            generation: 0,
            n_translated: 0,
            out: Output::default(),
        };
        let this = Arc::new(Self {
            upcalls,
            datapath,
            state: Mutex::new(state),
            stop: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            thread: Mutex::new(None),
        });
        this.upcalls.world.set_revalidator(&this);
        this
    }

    /// Starts the thread.
    pub fn start(upcalls: Arc<Upcalls>, datapath: Arc<dyn Datapath>) -> std::io::Result<Arc<Self>> {
        let this = Self::new(upcalls, datapath);
        let runner = this.clone();
        let thread = std::thread::Builder::new().name("revalidator".into()).spawn(move || runner.run())?;
        *this.thread.lock().unwrap_or_else(|e| e.into_inner()) = Some(thread);
        Ok(this)
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
        self.upcalls.wake.wake();
        let thread = self.thread.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    pub fn configure(&self, settings: Settings) {
        let mut state = self.lock();
        state.settings = settings;
        state.limit.set_max(settings.flow_limit);
        self.publish_limit(&state);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Makes the thread start a round soon: the clock was warped, tables changed.
    pub fn kick(&self) {
        self.upcalls.wake.wake();
    }

    fn publish_limit(&self, state: &State) {
        self.upcalls.flow_limit.store(state.limit.get(), Relaxed);
    }

    fn run(&self) {
        let mut seen = self.upcalls.world.changes();
        while !self.stop.load(Relaxed) {
            if !self.paused.load(Relaxed) {
                self.round();
            }
            std::thread::sleep(Duration::from_millis(ROUND_MS_MIN));
            let limit = Duration::from_millis(self.lock().settings.round_ms_max);
            let deadline = Instant::now() + limit;
            // Publications ring no bell on the worker's side: look for them in short steps.
            while !self.stop.load(Relaxed)
                && Instant::now() < deadline
                && self.upcalls.world.changes() == seen
            {
                if self.upcalls.wake.wait(Duration::from_millis(ROUND_MS_MIN * 4)) {
                    break;
                }
            }
            seen = self.upcalls.world.changes();
        }
    }

    /// One round over all megaflows.
    pub fn round(&self) {
        let begin = Instant::now();
        let mut state = self.lock();
        self.take_new(&mut state);
        self.visit_all(&mut state);
        self.expire(&mut state);
        state.round_ms = begin.elapsed().as_millis().max(1) as i64;
        let (round_ms, n) = (state.round_ms, state.flows.len());
        let crowded = self.upcalls.crowded.swap(false, Relaxed);
        state.limit.after_round(round_ms, n, crowded);
        state.n_flows_max = state.n_flows_max.max(n);
        state.n_flows_avg = (state.n_flows_avg + n) / 2;
        self.publish_limit(&state);
        drop(state);
        self.upcalls.world.reclaim();
    }

    fn take_new(&self, state: &mut State) {
        while let Some(flow) = self.upcalls.new_flows.pop() {
            state.flows.push(flow);
        }
    }

    fn visit_all(&self, state: &mut State) {
        let world = self.upcalls.world.clone();
        let now_ms = world.clock.now_ms();
        let generation = world.changes();
        let changes = world.changes_since(state.generation);
        let (n, limit) = (state.flows.len(), state.limit.get());
        let idle_ms = if n > limit { CROWDED_IDLE_MS } else { state.settings.idle_ms_max };
        let purge = n > limit.saturating_mul(2);
        let hurried = state.round_ms * 2 >= state.settings.round_ms_max as i64;
        let pps_min = if hurried { state.settings.pps_min } else { 0 };
        let mut out = std::mem::take(&mut state.out);
        let (before, mut n_translated) = (state.flows.len(), 0);
        state.flows.retain(|flow| {
            let dead = flow.is_dead();
            let stats = flow.stats();
            let Some(ukey) = Ukey::of(flow) else { return !dead };
            let recent = ukey.since_push(&stats);
            ukey.push(&stats, &world);
            if dead {
                return false;
            }
            let used_ms = stats.used_ms.max(ukey.created_ms);
            let stands = match ukey.ground(generation) {
                Ground::Firm => true,
                Ground::Macs => false,
                Ground::Since(then) => {
                    let touched =
                        ukey.with_lookups(|lookups| changes.touch(then, lookups, || region(&world, flow)));
                    if !touched {
                        ukey.stands_at(generation);
                    }
                    !touched
                }
            };
            if purge || now_ms - used_ms > idle_ms || !stands && !is_worthwhile(recent, pps_min) {
                self.doom(flow, ukey);
            } else if !stands {
                n_translated += 1;
                self.revalidate(flow, ukey, &mut out);
            }
            true
        });
        state.out = out;
        state.generation = generation;
        state.n_translated += n_translated;
        self.upcalls.n_flows.fetch_sub(before - state.flows.len(), Relaxed);
    }

    fn doom(&self, flow: &Arc<dyn Megaflow>, ukey: &Ukey) {
        // A full command queue refuses: then the next round asks again.
        let asked = self.datapath.flow_delete(flow).is_ok();
        ukey.doomed.store(asked, Relaxed);
    }

    /// Translates `flow` again: keeps it, gives it other actions, or removes it.
    fn revalidate(&self, flow: &Arc<dyn Megaflow>, ukey: &Ukey, out: &mut Output) {
        let world = &self.upcalls.world;
        let (key, mask) = (flow.key(), flow.mask());
        let snapshot = world.snapshot();
        let Some(place) = place(world, &snapshot, &key) else { return self.doom(flow, ukey) };
        let input = Input {
            snapshot: &snapshot,
            recirc: &world.recirc,
            bridge: place.bridge,
            flow: &place.flow,
            packet: None,
            now_ms: world.clock.now_ms(),
            start: place.start(),
            may_learn: true,
            trace: false,
        };
        xlate::translate(&input, out);
        out.recircs.extend(place.recirc.clone());
        if !mask.covers(&out.mask) {
            return self.doom(flow, ukey);
        }
        ukey.retranslated(out, snapshot.generation);
        let actions = installed_actions(out);
        if *flow.actions() != *actions && self.datapath.flow_modify(flow, actions).is_err() {
            self.doom(flow, ukey);
        }
    }

    fn expire(&self, state: &mut State) {
        let world = &self.upcalls.world;
        let now_ms = world.clock.now_ms();
        if now_ms - state.expired_ms < EXPIRE_MS {
            return;
        }
        state.expired_ms = now_ms;
        for bridge in world.bridges() {
            bridge.expire();
            bridge.macs.expire(now_ms);
        }
        world.recirc.sweep();
    }

    /// Applies the effects of all packets that megaflows have counted up to now.
    pub fn push_stats(&self) {
        let mut state = self.lock();
        self.take_new(&mut state);
        for flow in &state.flows {
            if let Some(ukey) = Ukey::of(flow) {
                ukey.push(&flow.stats(), &self.upcalls.world);
            }
        }
    }

    /// `revalidator/wait`: two rounds from now.
    pub fn wait(&self) {
        self.round();
        self.round();
    }

    /// `revalidator/purge`: removes all megaflows, their counters pushed.
    pub fn purge(&self) {
        self.push_stats();
        let deadline = Instant::now() + Duration::from_millis(MEGAFLOW_WAIT_MS);
        loop {
            {
                let mut state = self.lock();
                self.take_new(&mut state);
                for flow in state.flows.iter().filter(|f| !f.is_dead()) {
                    if let Some(ukey) = Ukey::of(flow)
                        && !ukey.doomed.load(Relaxed)
                    {
                        self.doom(flow, ukey);
                    }
                }
            }
            self.round();
            if self.lock().flows.is_empty() || Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn pause(&self) {
        self.paused.store(true, Relaxed);
    }
    pub fn resume(&self) {
        self.paused.store(false, Relaxed);
        self.kick();
    }

    /// `upcall/set-flow-limit`.
    pub fn set_flow_limit(&self, limit: usize) {
        let mut state = self.lock();
        state.limit.set(limit);
        self.publish_limit(&state);
    }

    /// `upcall/disable-ufid` and `enable-ufid`.
    pub fn set_ufid(&self, on: bool) {
        self.upcalls.ufid.store(on, Relaxed);
    }

    /// Translations that revalidation has made.
    pub fn n_translated(&self) -> u64 {
        self.lock().n_translated
    }

    /// `upcall/disable-megaflows` and `enable-megaflows`.
    pub fn set_megaflows(&self, on: bool) {
        self.upcalls.exact_flows.store(!on, Relaxed);
        self.purge();
    }

    /// A live megaflow's counters together with what is known of it; for texts.
    pub fn flows(&self) -> Vec<(Arc<dyn Megaflow>, FlowStats)> {
        let mut state = self.lock();
        self.take_new(&mut state);
        state.flows.iter().filter(|f| !f.is_dead()).map(|f| (f.clone(), f.stats())).collect()
    }
}

/// The packets of `flow` as tables see them: its key, with the OpenFlow port, and its mask.
fn region(world: &World, flow: &Arc<dyn Megaflow>) -> Option<(Flow, Mask)> {
    let mut key = flow.key();
    let (_, port) = world.snapshot().port_of(DpPort(key.in_port)).map(|(b, p)| (b.id, p))?;
    key.in_port = u32::from(port.low16());
    Some((key, flow.mask()))
}

/// Whether a megaflow of so many packets in so many ms is worth another translation.
fn is_worthwhile((packets, ms): (u64, i64), pps_min: u64) -> bool {
    pps_min == 0 || (packets != 0 && packets.saturating_mul(1000) >= pps_min.saturating_mul(ms.max(1) as u64))
}
