//! The order in which OVS floods to the ports of a bridge and lists their statistics: buckets of a hash of the port number,
//! the latest arrival first in each. Who compares datapath flows or reads captures finds the same order here.
//! Control plane.

use flow::hash::visible;
use openflow::OfPort;

/// Buckets after the first growth.
const BUCKETS_MIN: usize = 4;
/// Ports per bucket, on average, before there are more buckets.
const LOAD_MAX: usize = 2;

/// Port numbers by bucket.
#[derive(Clone, Debug)]
pub struct Listing {
    buckets: Vec<Vec<OfPort>>,
    len: usize,
}

impl Default for Listing {
    fn default() -> Self {
        Self { buckets: vec![Vec::new()], len: 0 }
    }
}

impl Listing {
    /// Adds `port`, unless it is there.
    pub fn insert(&mut self, port: OfPort) {
        let bucket = self.bucket(port);
        if self.buckets[bucket].contains(&port) {
            return;
        }
        self.buckets[bucket].insert(0, port);
        self.len += 1;
        if self.len / LOAD_MAX >= self.buckets.len() {
            self.grow();
        }
    }

    pub fn remove(&mut self, port: OfPort) {
        let bucket = self.bucket(port);
        let before = self.buckets[bucket].len();
        self.buckets[bucket].retain(|p| *p != port);
        self.len -= before - self.buckets[bucket].len();
    }

    pub fn iter(&self) -> impl Iterator<Item = OfPort> {
        self.buckets.iter().flatten().copied()
    }

    fn bucket(&self, port: OfPort) -> usize {
        // Of two words, the second one zero, which start the hash instead of being mixed in first.
        let hash = visible::two_words(port.low16().into(), 0);
        hash as usize & (self.buckets.len() - 1)
    }

    fn grow(&mut self) {
        let n = (self.len / LOAD_MAX + 1).next_power_of_two().max(BUCKETS_MIN);
        let old = std::mem::replace(&mut self.buckets, vec![Vec::new(); n]);
        for port in old.into_iter().flatten() {
            let bucket = self.bucket(port);
            self.buckets[bucket].insert(0, port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(ports: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let mut listing = Listing::default();
        ports.into_iter().for_each(|p| listing.insert(OfPort(p)));
        listing.iter().map(|p| p.0).collect()
    }

    /// The orders in which Debian's `ovs-ofctl dump-ports` listed these ports, added in the order given.
    #[test]
    fn ports_come_in_the_order_of_ovs() {
        const LOCAL: u32 = OfPort::LOCAL.0;
        assert_eq!(listed([LOCAL, 1, 2, 3]), [LOCAL, 1, 2, 3]);
        let many = [LOCAL, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 33];
        assert_eq!(listed(many), [11, 10, 8, LOCAL, 9, 5, 12, 33, 1, 4, 6, 7, 17, 2, 3]);
    }

    #[test]
    fn a_port_is_listed_once_and_goes() {
        let mut listing = Listing::default();
        (0..100).for_each(|p| listing.insert(OfPort(p)));
        (0..100).for_each(|p| listing.insert(OfPort(p)));
        assert_eq!(listing.iter().count(), 100);
        (0..99).for_each(|p| listing.remove(OfPort(p)));
        listing.remove(OfPort(7));
        assert_eq!(listing.iter().collect::<Vec<_>>(), [OfPort(99)]);
    }
}
