//! Schema versions `x.y.z`: validity and order.

use std::fmt;
use std::str::FromStr;

/// A version of a schema, ordered by its three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub x: u32,
    pub y: u32,
    pub z: u32,
}

impl FromStr for Version {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        let mut numbers = s.split('.').map(|n| {
            let digits = !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
            if digits { n.parse().map_err(|_| ()) } else { Err(()) }
        });
        let mut next = || numbers.next().ok_or(())?;
        let version = Self { x: next()?, y: next()?, z: next()? };
        if numbers.next().is_some() { Err(()) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.x, self.y, self.z)
    }
}

/// Whether `s` is in the form `x.y.z`.
pub fn is_valid_version(s: &str) -> bool {
    s.parse::<Version>().is_ok()
}
