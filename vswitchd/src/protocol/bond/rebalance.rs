//! Rebalancing: buckets move from members that send much to members that send little, as long as that makes them more
//! alike.

use openflow::OfPort;

use super::{Bond, N_BUCKETS};

/// Differences below this many bytes (about a megabit) are left alone.
const OVERLOAD_BYTES_MIN: u64 = 100_000;
/// And below this share (as a shift: 1/32) of the least loaded member's bytes.
const OVERLOAD_SHIFT: u32 = 5;

struct Load {
    port: OfPort,
    bytes: u64,
    buckets: Vec<usize>,
}

impl Bond {
    pub(super) fn rebalance(&mut self) {
        let mut loads = self.loads();
        for _ in 0..N_BUCKETS {
            loads.sort_by_key(|load| std::cmp::Reverse(load.bytes));
            if !self.move_one(&mut loads) {
                break;
            }
        }
        self.buckets.halve();
    }

    fn loads(&self) -> Vec<Load> {
        let enabled = self.members.iter().filter(|(_, m)| m.enabled);
        let mut loads: Vec<Load> =
            enabled.map(|(port, _)| Load { port: *port, bytes: 0, buckets: Vec::new() }).collect();
        for n in 0..N_BUCKETS {
            let bytes = self.buckets.bytes(n);
            let member = self.buckets.member(n).filter(|_| bytes > 0);
            if let Some(load) = loads.iter_mut().find(|l| Some(l.port) == member) {
                load.bytes += bytes;
                load.buckets.push(n);
            }
        }
        loads
    }

    /// Moves one bucket from the first member that has a fitting one to the last (the least loaded).
    fn move_one(&self, loads: &mut [Load]) -> bool {
        let Some((to, rest)) = loads.split_last_mut() else { return false };
        for from in rest {
            let overload = from.bytes - to.bytes;
            if overload < to.bytes >> OVERLOAD_SHIFT || overload < OVERLOAD_BYTES_MIN {
                // Those that follow send even less.
                return false;
            }
            // A lone bucket would only carry the load elsewhere.
            let fits = |n: &&usize| {
                let bytes = self.buckets.bytes(**n);
                from.buckets.len() > 1 && bytes < overload && bytes.abs_diff(overload - bytes) < overload
            };
            // The one that brings both closest together.
            let distance = |n: &&usize| (2 * self.buckets.bytes(**n)).abs_diff(overload);
            let Some(bucket) = from.buckets.iter().filter(fits).min_by_key(distance).copied() else {
                continue;
            };
            let bytes = self.buckets.bytes(bucket);
            tracing::info!(
                target: "bond",
                "bond {}: shift {}kB of load (with hash {bucket}) from {} to {} (now carrying {}kB and {}kB load, \
                 respectively)",
                self.name, bytes / 1024, self.members[&from.port].name, self.members[&to.port].name,
                (from.bytes - bytes) / 1024, (to.bytes + bytes) / 1024
            );
            from.bytes -= bytes;
            from.buckets.retain(|n| *n != bucket);
            to.bytes += bytes;
            to.buckets.push(bucket);
            self.buckets.assign(bucket, Some(to.port));
            return true;
        }
        false
    }
}
