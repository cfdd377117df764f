//! OpenFlow port numbers of one bridge: a request is honoured when free, otherwise the next number in turn that no port
//! has, so that a number freed a moment ago is not taken again at once.

use std::collections::BTreeSet;

use openflow::types::OfPort;

/// Highest number given out.
const OFPORT_MAX: u32 = 0xfeff;

/// The numbers in use and where to look next.
#[derive(Default, Debug)]
pub struct Allocator {
    used: BTreeSet<u32>,
    last: u32,
}

impl Allocator {
    /// Takes `wish` if it is an ordinary free number, else the next free one; `None` when all are taken.
    pub fn take(&mut self, wish: Option<u32>) -> Option<OfPort> {
        let number = match wish {
            Some(n) if (1..=OFPORT_MAX).contains(&n) && !self.used.contains(&n) => n,
            _ => self.next_free()?,
        };
        self.used.insert(number);
        Some(OfPort(number))
    }

    pub fn release(&mut self, port: OfPort) {
        self.used.remove(&port.0);
    }

    fn next_free(&mut self) -> Option<u32> {
        let after = (self.last + 1..=OFPORT_MAX).chain(1..=self.last);
        let number = after.into_iter().find(|n| !self.used.contains(n))?;
        self.last = number;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_honoured_and_freed_numbers_rest() {
        let mut a = Allocator::default();
        assert_eq!(a.take(Some(5)), Some(OfPort(5)));
        assert_eq!(a.take(None), Some(OfPort(1)));
        assert_eq!(a.take(Some(5)), Some(OfPort(2)));
        a.release(OfPort(1));
        assert_eq!(a.take(None), Some(OfPort(3)));
        assert_eq!(a.take(Some(1)), Some(OfPort(1)));
        assert_eq!(a.take(Some(0xff00)), Some(OfPort(4)));
    }

    #[test]
    fn numbers_wrap_and_run_out() {
        let mut a = Allocator::default();
        for _ in 0..OFPORT_MAX {
            assert!(a.take(None).is_some());
        }
        assert_eq!(a.take(None), None);
        a.release(OfPort(7));
        assert_eq!(a.take(None), Some(OfPort(7)));
    }
}
