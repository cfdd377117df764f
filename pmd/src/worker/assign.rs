//! Which worker polls which receive queue: a pure function from queues and cores to an assignment. Control plane.

/// `other_config:pmd-rxq-assign`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Algorithm {
    /// Busiest queues first, over the cores up and down.
    #[default]
    Cycles,
    /// In order, over the cores in circles.
    RoundRobin,
    /// Busiest queues first, each to the least loaded core.
    Group,
}

impl Algorithm {
    /// From the configuration; unknown words mean the default.
    pub fn from_text(text: Option<&str>) -> Algorithm {
        match text {
            Some("roundrobin") => Algorithm::RoundRobin,
            Some("group") => Algorithm::Group,
            _ => Algorithm::Cycles,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Cycles => "cycles",
            Algorithm::RoundRobin => "roundrobin",
            Algorithm::Group => "group",
        }
    }
}

/// A receive queue to be polled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rxq {
    pub port: String,
    pub queue: u16,
    pub numa: i32,
    /// Cycles it took lately.
    pub cycles: u64,
    /// `pmd-rxq-affinity`.
    pub pinned: Option<u32>,
}

/// A PMD core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Core {
    pub id: u32,
    pub numa: i32,
}

/// The outcome.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Assignment {
    /// Core of each queue, by its index; `None` = no core may poll it.
    pub cores: Vec<Option<u32>>,
    /// Cores that poll pinned queues only.
    pub isolated: Vec<u32>,
    /// The queues that were not pinned, in the order in which they got their core.
    pub order: Vec<usize>,
}

/// Assigns `rxqs` to `cores`. Pinned queues go where they are pinned if that core exists, and isolate it if `isolate`.
pub fn assign(rxqs: &[Rxq], cores: &[Core], algorithm: Algorithm, isolate: bool) -> Assignment {
    let exists = |id: u32| cores.iter().any(|c| c.id == id);
    let pinned: Vec<Option<u32>> = rxqs.iter().map(|r| r.pinned.filter(|&id| exists(id))).collect();
    let mut isolated: Vec<u32> =
        if isolate { pinned.iter().flatten().copied().collect() } else { Vec::new() };
    isolated.sort_unstable();
    isolated.dedup();
    let mut load: Vec<Load> = cores
        .iter()
        .filter(|c| !isolated.contains(&c.id))
        .map(|&core| {
            let of_core = |(r, p): (&Rxq, &Option<u32>)| if *p == Some(core.id) { r.cycles } else { 0 };
            Load { core, cycles: rxqs.iter().zip(&pinned).map(of_core).sum(), n: 0 }
        })
        .collect();
    let mut out = pinned;
    let mut order: Vec<usize> = (0..rxqs.len()).filter(|&n| out[n].is_none()).collect();
    if algorithm != Algorithm::RoundRobin {
        order.sort_by(|&a, &b| rxqs[b].cycles.cmp(&rxqs[a].cycles).then(a.cmp(&b)));
    }
    let mut walk = std::collections::HashMap::<i32, Walk>::new();
    for &n in &order {
        let numa = if load.iter().any(|l| l.core.numa == rxqs[n].numa) { Some(rxqs[n].numa) } else { None };
        let eligible: Vec<usize> =
            (0..load.len()).filter(|&l| numa.is_none_or(|id| load[l].core.numa == id)).collect();
        let place = match algorithm {
            _ if eligible.is_empty() => continue,
            Algorithm::Group => eligible.iter().copied().min_by_key(|&l| (load[l].cycles, load[l].n)),
            _ => {
                let walk = walk.entry(numa.unwrap_or(-1)).or_default();
                Some(eligible[walk.next(eligible.len(), algorithm == Algorithm::Cycles)])
            }
        };
        if let Some(l) = place {
            load[l].cycles += rxqs[n].cycles;
            load[l].n += 1;
            out[n] = Some(load[l].core.id);
        }
    }
    Assignment { cores: out, isolated, order }
}

struct Load {
    core: Core,
    cycles: u64,
    n: usize,
}

/// A position that goes 0, 1, 2, 2, 1, 0, 0 .. (up and down) or 0, 1, 2, 0 .. (in circles).
#[derive(Default)]
struct Walk {
    step: usize,
}

impl Walk {
    fn next(&mut self, len: usize, up_and_down: bool) -> usize {
        let step = self.step;
        self.step += 1;
        let (round, at) = (step / len, step % len);
        if up_and_down && round % 2 == 1 { len - 1 - at } else { at }
    }
}

/// Parses `pmd-rxq-affinity`: `queue:core,queue:core`. `None` when it is malformed.
pub fn parse_affinity(text: &str) -> Option<Vec<(u16, u32)>> {
    let pair =
        |p: &str| p.split_once(':').and_then(|(q, c)| Some((q.trim().parse().ok()?, c.trim().parse().ok()?)));
    text.split([',', ' ']).filter(|p| !p.is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rxqs(cycles: &[u64]) -> Vec<Rxq> {
        let one = |(n, &cycles): (usize, &u64)| Rxq {
            port: format!("p{n}"),
            queue: 0,
            numa: 0,
            cycles,
            pinned: None,
        };
        cycles.iter().enumerate().map(one).collect()
    }

    fn cores(n: u32) -> Vec<Core> {
        (1..=n).map(|id| Core { id, numa: 0 }).collect()
    }

    fn ids(a: Assignment) -> Vec<u32> {
        a.cores.into_iter().map(|c| c.unwrap_or(0)).collect()
    }

    #[test]
    fn algorithms() {
        let q = rxqs(&[10, 50, 40, 30, 20, 60]);
        assert_eq!(ids(assign(&q, &cores(3), Algorithm::RoundRobin, true)), [1, 2, 3, 1, 2, 3]);
        assert_eq!(ids(assign(&q, &cores(3), Algorithm::Cycles, true)), [1, 2, 3, 3, 2, 1]);
        let q = rxqs(&[90, 10, 10, 10]);
        assert_eq!(ids(assign(&q, &cores(2), Algorithm::Group, true)), [1, 2, 2, 2]);
    }

    #[test]
    fn pinning_isolates() {
        let mut q = rxqs(&[1, 1, 1]);
        q[1].pinned = Some(2);
        let a = assign(&q, &cores(2), Algorithm::Cycles, true);
        assert_eq!((ids(a.clone()), a.isolated), (vec![1, 2, 1], vec![2]));
        assert_eq!(ids(assign(&q, &cores(2), Algorithm::RoundRobin, false)), [1, 2, 2]);
        q[1].pinned = Some(9);
        assert_eq!(
            ids(assign(&q, &cores(2), Algorithm::RoundRobin, true)),
            [1, 2, 1],
            "no such core: not pinned"
        );
        q[0].pinned = Some(1);
        q[1].pinned = Some(2);
        assert_eq!(ids(assign(&q, &cores(2), Algorithm::Cycles, true)), [1, 2, 0], "all cores isolated");
    }

    #[test]
    fn local_cores_first() {
        let mut q = rxqs(&[1, 1, 1]);
        q[0].numa = 1;
        q[1].numa = 7;
        let c = [Core { id: 1, numa: 0 }, Core { id: 2, numa: 1 }];
        assert_eq!(ids(assign(&q, &c, Algorithm::Cycles, true)), [2, 1, 1]);
    }

    #[test]
    fn affinity_texts() {
        assert_eq!(parse_affinity("0:1,1:3"), Some(vec![(0, 1), (1, 3)]));
        assert_eq!(parse_affinity(""), Some(vec![]));
        assert_eq!(parse_affinity("0-1"), None);
    }
}
