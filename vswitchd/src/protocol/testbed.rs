//! Wires between machines for tests: frames are lost, delayed and overtake each other, all from a seed.

use openflow::OfPort;

/// A small generator (xorshift64*); the seed is printed by the test that fails.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

/// Frames under way, each to a place of type `T`.
pub struct Wire<T> {
    random: Random,
    pub loss_percent: u64,
    pub delay_ms_max: u64,
    under_way: Vec<(i64, T, Vec<u8>)>,
}

impl<T> Wire<T> {
    pub fn new(seed: u64, loss_percent: u64, delay_ms_max: u64) -> Self {
        Wire { random: Random::new(seed), loss_percent, delay_ms_max, under_way: Vec::new() }
    }

    pub fn send(&mut self, now_ms: i64, to: T, frame: Vec<u8>) {
        if self.random.below(100) >= self.loss_percent {
            let delay_ms = self.random.below(self.delay_ms_max + 1) as i64;
            self.under_way.push((now_ms + delay_ms, to, frame));
        }
    }

    /// Frames that arrive by `now_ms`.
    pub fn arrivals(&mut self, now_ms: i64) -> Vec<(T, Vec<u8>)> {
        let (here, later) = std::mem::take(&mut self.under_way).into_iter().partition(|f| f.0 <= now_ms);
        self.under_way = later;
        let here: Vec<(i64, T, Vec<u8>)> = here;
        here.into_iter().map(|(_, to, frame)| (to, frame)).collect()
    }
}

/// A bridge with a spanning tree protocol, as a network of them needs it.
pub trait TreeBridge {
    fn receive(&mut self, port: OfPort, payload: &[u8], now_ms: i64);
    fn run(&mut self, now_ms: i64);
    fn take_frames(&mut self) -> Vec<(OfPort, Vec<u8>)>;
    fn set_link(&mut self, port: OfPort, up: bool, now_ms: i64);
    fn forwards(&self, port: OfPort) -> bool;
}

/// A place where a cable ends: bridge and port.
pub type End = (usize, u32);

/// Bridges and the cables between them.
pub struct Network<B> {
    pub bridges: Vec<B>,
    pub cables: Vec<(End, End)>,
    pub wire: Wire<End>,
    pub now_ms: i64,
}

const STEP_MS: i64 = 50;

impl<B: TreeBridge> Network<B> {
    /// All links are up from the start.
    pub fn new(bridges: Vec<B>, cables: &[(End, End)], wire: Wire<End>) -> Self {
        let mut network = Network { bridges, cables: cables.to_vec(), wire, now_ms: 0 };
        for n in 0..cables.len() {
            network.set_cable(n, true);
        }
        network
    }

    pub fn set_cable(&mut self, n: usize, up: bool) {
        let (a, b) = self.cables[n];
        for (bridge, port) in [a, b] {
            self.bridges[bridge].set_link(OfPort(port), up, self.now_ms);
        }
    }

    fn peer(&self, end: End) -> Option<End> {
        self.cables.iter().find_map(|&(a, b)| match end {
            _ if end == a => Some(b),
            _ if end == b => Some(a),
            _ => None,
        })
    }

    pub fn run(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while self.now_ms < until_ms {
            self.now_ms += STEP_MS;
            for ((bridge, port), frame) in self.wire.arrivals(self.now_ms) {
                self.bridges[bridge].receive(OfPort(port), &frame, self.now_ms);
            }
            for n in 0..self.bridges.len() {
                self.bridges[n].run(self.now_ms);
                for (port, frame) in self.bridges[n].take_frames() {
                    if let Some(end) = self.peer((n, port.0)) {
                        self.wire.send(self.now_ms, end, frame);
                    }
                }
            }
        }
    }

    /// Cables whose both ends forward.
    pub fn forwarding(&self) -> Vec<usize> {
        let open = |&(b, p): &End| self.bridges[b].forwards(OfPort(p));
        (0..self.cables.len()).filter(|n| open(&self.cables[*n].0) && open(&self.cables[*n].1)).collect()
    }

    /// The forwarding cables reach every bridge, and none of them is too many.
    pub fn is_tree(&self) -> bool {
        let open = self.forwarding();
        let mut reached = vec![0];
        while let Some(next) = open.iter().find_map(|n| {
            let ((a, _), (b, _)) = self.cables[*n];
            match (reached.contains(&a), reached.contains(&b)) {
                (true, false) => Some(b),
                (false, true) => Some(a),
                _ => None,
            }
        }) {
            reached.push(next);
        }
        reached.len() == self.bridges.len() && open.len() == self.bridges.len() - 1
    }

    /// The forwarding cables hold a loop.
    pub fn has_loop(&self) -> bool {
        let mut group: Vec<usize> = (0..self.bridges.len()).collect();
        for n in self.forwarding() {
            let ((a, _), (b, _)) = self.cables[n];
            let (from, to) = (group[a], group[b]);
            if from == to {
                return true;
            }
            group.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
        }
        false
    }
}
