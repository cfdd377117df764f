//! Histograms of 32 bins with the bounds that `pmd-perf-show` prints.

/// Bins; the last one has no upper bound.
pub const N_BINS: usize = 32;

/// Which bounds: fine where the values of interest are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bounds {
    Cycles,
    Packets,
    CyclesPerPacket,
    PacketsPerBatch,
    Backlog,
    Upcalls,
    CyclesPerUpcall,
}

impl Bounds {
    /// The largest value of bin `n`; the last bin has none.
    pub fn of(self, n: usize) -> u64 {
        match self {
            Bounds::Cycles => logarithmic(500.0, 24e6, n),
            Bounds::CyclesPerUpcall => logarithmic(1000.0, 1e6, n),
            Bounds::CyclesPerPacket => linear(100, 30_000, n),
            Bounds::PacketsPerBatch => linear(0, 32, n),
            Bounds::Upcalls => linear(0, 30, n),
            Bounds::Packets => PACKETS[n],
            Bounds::Backlog => BACKLOG[n],
        }
    }
}

/// Packets in a turn: each number by itself, then ever coarser.
const PACKETS: [u64; N_BINS - 1] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 17, 22, 28, 35, 45, 57, 72, 92, 117, 148, 188, 239, 303, 385,
    489, 621, 788, 1000,
];
/// Packets in a ring.
const BACKLOG: [u64; N_BINS - 1] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 20, 25, 31, 38, 48, 59, 73, 91, 113, 140, 174, 216,
    268, 332, 412, 512,
];

/// 31 bounds at equal distances from `min` to `max`.
fn linear(min: u64, max: u64, n: usize) -> u64 {
    let steps = (N_BINS - 2) as f64;
    min + ((max - min) as f64 / steps * n as f64).floor() as u64
}

/// 31 bounds at equal ratios from `min` to `max`.
fn logarithmic(min: f64, max: f64, n: usize) -> u64 {
    let steps = (N_BINS - 2) as f64;
    if n == N_BINS - 2 { max as u64 } else { (min.ln() + (max / min).ln() / steps * n as f64).exp() as u64 }
}

/// Counts by bin.
#[derive(Clone)]
pub struct Histogram {
    bounds: [u64; N_BINS - 1],
    bins: [u64; N_BINS],
}

impl Histogram {
    pub fn new(bounds: Bounds) -> Histogram {
        Histogram { bounds: std::array::from_fn(|n| bounds.of(n)), bins: [0; N_BINS] }
    }

    pub fn add(&mut self, value: u64) {
        self.bins[self.bounds.partition_point(|bound| *bound < value)] += 1;
    }

    /// Upper bound (`None` for the last) and count of each bin.
    pub fn bins(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        self.bins.iter().enumerate().map(|(n, count)| (self.bounds.get(n).copied(), *count))
    }

    pub fn total(&self) -> u64 {
        self.bins.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_reference() {
        let all = |b: Bounds| (0..N_BINS - 1).map(|n| b.of(n)).collect::<Vec<_>>();
        assert_eq!(all(Bounds::Cycles)[..8], [499, 716, 1025, 1469, 2104, 3014, 4317, 6183]);
        assert_eq!(all(Bounds::Cycles)[28..], [11_698_454, 16_755_981, 24_000_000]);
        assert_eq!(all(Bounds::CyclesPerPacket)[..4], [100, 1096, 2093, 3090]);
        assert_eq!(all(Bounds::CyclesPerPacket)[29..], [29_003, 30_000]);
        assert_eq!(all(Bounds::PacketsPerBatch)[13..17], [13, 14, 16, 17]);
        assert_eq!(all(Bounds::CyclesPerUpcall)[..4], [999, 1258, 1584, 1995]);
        assert_eq!(all(Bounds::CyclesPerUpcall)[28..], [630_957, 794_328, 1_000_000]);
    }

    #[test]
    fn values_find_their_bin() {
        let mut h = Histogram::new(Bounds::PacketsPerBatch);
        for value in [0, 1, 1, 32, 33, u64::MAX] {
            h.add(value);
        }
        let bins: Vec<_> = h.bins().filter(|(_, n)| *n != 0).collect();
        assert_eq!(bins, [(Some(0), 1), (Some(1), 2), (Some(32), 1), (None, 2)]);
    }
}
