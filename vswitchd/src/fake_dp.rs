//! A datapath in memory, for tests: megaflows in a list, packets run at once on the caller's thread, what leaves is
//! recorded. With a chaos probability its control calls fail now and then.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use dpif::action::Action;
use dpif::flows::{MeterConfig, MeterStats};
use dpif::*;
use flow::parse::{Meta, parse_whole};
use flow::{Flow, Mask};

pub struct FakeFlow {
    key: Flow,
    mask: Mask,
    actions: Mutex<Arc<[Action]>>,
    stats: Mutex<FlowStats>,
    owner: Option<Arc<dyn Any + Send + Sync>>,
    dead: AtomicBool,
}

impl Megaflow for FakeFlow {
    fn ufid(&self) -> Ufid {
        Ufid(0)
    }
    fn worker(&self) -> WorkerId {
        WorkerId::MAIN
    }
    fn key(&self) -> Flow {
        self.key
    }
    fn mask(&self) -> Mask {
        self.mask
    }
    fn actions(&self) -> Arc<[Action]> {
        self.actions.lock().unwrap().clone()
    }
    fn stats(&self) -> FlowStats {
        *self.stats.lock().unwrap()
    }
    fn owner(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.owner.as_ref()
    }
    fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }
}

/// A packet that left: the port and the datapath actions that ran before.
#[derive(Clone, PartialEq, Debug)]
pub struct Sent {
    pub port: DpPort,
    pub changes: Vec<Action>,
}

pub struct FakeDp {
    clock: Clock,
    handler: Mutex<Option<Arc<dyn UpcallHandler>>>,
    flows: Mutex<Vec<Arc<FakeFlow>>>,
    pub sent: Mutex<Vec<Sent>>,
    pub misses: AtomicU64,
    pub lost: AtomicU64,
    /// One in so many control calls fails; 0 = none.
    pub chaos: AtomicU64,
    calls: AtomicU64,
}

const RECIRC_MAX: usize = 8;

impl FakeDp {
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            handler: Mutex::new(None),
            flows: Mutex::default(),
            sent: Mutex::default(),
            misses: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            chaos: AtomicU64::new(0),
            calls: AtomicU64::new(0),
        })
    }

    pub fn set_handler(&self, handler: Arc<dyn UpcallHandler>) {
        *self.handler.lock().unwrap() = Some(handler);
    }

    fn fails(&self) -> bool {
        let chaos = self.chaos.load(Relaxed);
        chaos != 0 && self.calls.fetch_add(1, Relaxed).is_multiple_of(chaos)
    }

    /// A packet comes in; returns the ports that it left by.
    pub fn receive(&self, port: u32, packet: &[u8]) -> Vec<u32> {
        let (flow, _) = parse_whole(packet, &Meta::received(packet.len(), port));
        self.sent.lock().unwrap().clear();
        self.process(&flow, packet, 0);
        self.sent.lock().unwrap().iter().map(|s| s.port.0).collect()
    }

    pub fn live(&self) -> Vec<Arc<FakeFlow>> {
        self.flows.lock().unwrap().clone()
    }

    fn process(&self, flow: &Flow, packet: &[u8], depth: usize) {
        let hit = self.live().into_iter().find(|f| f.mask.matches(&f.key, flow));
        if let Some(hit) = hit {
            return self.hit(&hit, flow, packet, depth);
        }
        self.misses.fetch_add(1, Relaxed);
        let Some(handler) = self.handler.lock().unwrap().clone() else { return };
        let mut reply = UpcallReply::default();
        let upcall = Upcall {
            kind: UpcallKind::Miss,
            packet,
            flow,
            worker: WorkerId::MAIN,
            now_ms: self.clock.now_ms(),
        };
        handler.upcall(&upcall, &mut reply);
        match reply.verdict {
            Verdict::Error => drop(self.lost.fetch_add(1, Relaxed)),
            Verdict::Execute => self.run(&reply.actions, flow, packet, depth),
            Verdict::Install => {
                let new = Arc::new(FakeFlow {
                    key: flow.masked(&reply.mask),
                    mask: reply.mask,
                    actions: Mutex::new(reply.actions.into()),
                    stats: Mutex::default(),
                    owner: reply.owner,
                    dead: AtomicBool::new(false),
                });
                self.flows.lock().unwrap().push(new.clone());
                handler.installed(&(new.clone() as Arc<dyn Megaflow>));
                self.hit(&new, flow, packet, depth);
            }
        }
    }

    fn hit(&self, hit: &FakeFlow, flow: &Flow, packet: &[u8], depth: usize) {
        {
            let mut stats = hit.stats.lock().unwrap();
            stats.packets += 1;
            stats.bytes += packet.len() as u64;
            stats.used_ms = self.clock.now_ms();
            stats.tcp_flags |= flow.tcp_flags.get();
        }
        let actions = hit.actions();
        self.run(&actions, flow, packet, depth);
    }

    fn run(&self, actions: &[Action], flow: &Flow, packet: &[u8], depth: usize) {
        let mut changes = Vec::new();
        for action in actions {
            match action {
                Action::Output(port) => {
                    let sent = Sent { port: *port, changes: changes.clone() };
                    self.sent.lock().unwrap().push(sent);
                }
                Action::Userspace(userspace) => self.userspace(userspace, flow, packet, depth),
                Action::Recirc(id) if depth < RECIRC_MAX => {
                    let flow = Flow { recirc_id: *id, ..*flow };
                    self.process(&flow, packet, depth + 1);
                }
                other => changes.push(other.clone()),
            }
        }
    }

    fn userspace(&self, userspace: &Userspace, flow: &Flow, packet: &[u8], depth: usize) {
        let Some(handler) = self.handler.lock().unwrap().clone() else { return };
        let mut reply = UpcallReply::default();
        let now_ms = self.clock.now_ms();
        let kind = UpcallKind::Userspace(userspace);
        handler.upcall(&Upcall { kind, packet, flow, worker: WorkerId::MAIN, now_ms }, &mut reply);
        self.run(&reply.actions, flow, packet, depth + 1);
    }
}

impl Ports for FakeDp {
    fn port_add(&self, _: &PortSpec, wish: Option<DpPort>) -> Result<DpPort, PortError> {
        wish.ok_or_else(|| PortError::Invalid("no number".into()))
    }
    fn port_remove(&self, _: DpPort) -> Result<(), PortError> {
        Ok(())
    }
    fn port_reconfigure(&self, _: DpPort, _: &PortSpec) -> Result<(), PortError> {
        Ok(())
    }
    fn port_status(&self, _: DpPort) -> Result<PortStatus, PortError> {
        Ok(PortStatus::default())
    }
    fn port_stats(&self, _: DpPort) -> Result<PortStats, PortError> {
        Ok(PortStats::default())
    }
    fn port_set_admin_up(&self, _: DpPort, _: bool) -> Result<(), PortError> {
        Ok(())
    }
    fn ports(&self) -> Vec<(DpPort, String, String)> {
        Vec::new()
    }
    fn port_changes(&self) -> u64 {
        0
    }
    fn port_kinds(&self) -> Vec<&'static str> {
        vec!["dummy"]
    }
}

impl Flows for FakeDp {
    fn flow_put(&self, _: FlowPut) -> Result<(), FlowError> {
        Err(FlowError::Invalid("not in this datapath".into()))
    }
    fn flow_modify(&self, flow: &Arc<dyn Megaflow>, actions: Actions) -> Result<(), FlowError> {
        if self.fails() {
            return Err(FlowError::Busy);
        }
        let mine = self.live().into_iter().find(|f| same(f, flow)).ok_or(FlowError::NotFound)?;
        *mine.actions.lock().unwrap() = actions.into();
        Ok(())
    }
    fn flow_delete(&self, flow: &Arc<dyn Megaflow>) -> Result<(), FlowError> {
        if self.fails() {
            return Err(FlowError::Busy);
        }
        let mut flows = self.flows.lock().unwrap();
        let at = flows.iter().position(|f| same(f, flow)).ok_or(FlowError::NotFound)?;
        flows.remove(at).dead.store(true, Relaxed);
        Ok(())
    }
    fn flow_flush(&self) {
        self.flows.lock().unwrap().drain(..).for_each(|f| f.dead.store(true, Relaxed));
    }
    fn flow_dump(&self, visit: &mut dyn FnMut(&Arc<dyn Megaflow>)) {
        for flow in self.live() {
            visit(&(flow as Arc<dyn Megaflow>));
        }
    }
    fn n_flows(&self) -> usize {
        self.flows.lock().unwrap().len()
    }
    fn stats(&self) -> DatapathStats {
        DatapathStats::default()
    }
}

fn same(mine: &Arc<FakeFlow>, theirs: &Arc<dyn Megaflow>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(mine), Arc::as_ptr(theirs))
}

impl Execute for FakeDp {
    fn execute(&self, request: &ExecuteRequest<'_>) -> Result<(), FlowError> {
        self.run(request.actions, request.flow, request.packet, 0);
        Ok(())
    }
}

impl Control for FakeDp {
    fn configure(&self, _: &DatapathConfig) -> Result<(), String> {
        Ok(())
    }
    fn set_flow_limit(&self, _: usize) {}
    fn type_and_name(&self) -> (&'static str, &'static str) {
        ("dummy", "ovs-dummy")
    }
    fn meter_set(&self, _: u32, _: Option<MeterConfig>) -> Result<(), String> {
        Ok(())
    }
    fn meter_stats(&self, _: u32) -> Option<MeterStats> {
        None
    }
}
