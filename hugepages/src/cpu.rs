//! Processors: the lists and masks by which operators name them, and which exist on which node.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::Host;

/// Processors beyond this number are refused, so that a typing error is not a long loop.
pub const CPU_MAX: u32 = 4096;

/// Why a list or mask of processors was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not a number, or an empty item.
    #[error("\"{0}\" is not a processor number")]
    Number(String),
    /// A range from high to low.
    #[error("range \"{0}\" runs backwards")]
    Backwards(String),
    /// A processor number of [`CPU_MAX`] or more.
    #[error("processor {0} is beyond {CPU_MAX}")]
    Beyond(u32),
    /// Not hexadecimal.
    #[error("\"{0}\" is not a hexadecimal mask")]
    Mask(String),
}

/// Parses a list as the kernel writes it: `0-3,8`. The empty text is the empty set.
pub fn parse_list(text: &str) -> Result<BTreeSet<u32>, ParseError> {
    let mut set = BTreeSet::new();
    for item in text.trim().split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
        let number = |t: &str| t.trim().parse::<u32>().map_err(|_| ParseError::Number(item.to_string()));
        let (first, last) = match item.split_once('-') {
            Some((a, b)) => (number(a)?, number(b)?),
            None => (number(item)?, number(item)?),
        };
        if last < first {
            return Err(ParseError::Backwards(item.to_string()));
        }
        if last >= CPU_MAX {
            return Err(ParseError::Beyond(last));
        }
        set.extend(first..=last);
    }
    Ok(set)
}

/// Parses a mask as `pmd-cpu-mask` takes it: hexadecimal, `0x` allowed, commas between words ignored.
pub fn parse_mask(text: &str) -> Result<BTreeSet<u32>, ParseError> {
    let t = text.trim();
    let digits: String =
        t.strip_prefix("0x").or(t.strip_prefix("0X")).unwrap_or(t).chars().filter(|c| *c != ',').collect();
    if digits.is_empty() {
        return Err(ParseError::Mask(text.to_string()));
    }
    let mut set = BTreeSet::new();
    for (i, c) in digits.chars().rev().enumerate() {
        let nibble = c.to_digit(16).ok_or_else(|| ParseError::Mask(text.to_string()))?;
        for bit in (0..4).filter(|b| nibble & (1 << b) != 0) {
            let cpu = i as u32 * 4 + bit;
            if cpu >= CPU_MAX {
                return Err(ParseError::Beyond(cpu));
            }
            set.insert(cpu);
        }
    }
    Ok(set)
}

/// The mask of a set, `0x` and as many digits as needed.
pub fn mask(set: &BTreeSet<u32>) -> String {
    let top = set.last().map_or(0, |c| c / 4);
    (0..=top).rev().fold("0x".to_string(), |mut out, i| {
        let nibble = (0..4).filter(|b| set.contains(&(i * 4 + b))).fold(0, |n, b| n | 1 << b);
        let _ = write!(out, "{nibble:x}");
        out
    })
}

/// The list of a set, ranges joined: `0-3,8`.
pub fn list(set: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &c in set {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == c => *last = c,
            _ => ranges.push((c, c)),
        }
    }
    let items: Vec<_> =
        ranges.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") }).collect();
    items.join(",")
}

impl Host {
    fn cpu_file(&self, below: &str) -> BTreeSet<u32> {
        parse_list(&self.read(below)).unwrap_or_default()
    }

    /// Processors that run.
    pub fn online(&self) -> BTreeSet<u32> {
        self.cpu_file("sys/devices/system/cpu/online")
    }

    /// Processors kept from the scheduler (`isolcpus`).
    pub fn isolated(&self) -> BTreeSet<u32> {
        self.cpu_file("sys/devices/system/cpu/isolated")
    }

    /// Processors that share a core with `cpu`, itself included.
    pub fn siblings(&self, cpu: u32) -> BTreeSet<u32> {
        self.cpu_file(&format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))
    }

    /// NUMA nodes, ascending; empty where the kernel tells none.
    pub fn nodes(&self) -> Vec<u32> {
        let mut nodes: Vec<u32> = self
            .names("sys/devices/system/node")
            .iter()
            .filter_map(|n| n.strip_prefix("node")?.parse().ok())
            .collect();
        nodes.sort_unstable();
        nodes
    }

    /// Processors of a node.
    pub fn node_cpus(&self, node: u32) -> BTreeSet<u32> {
        self.cpu_file(&format!("sys/devices/system/node/node{node}/cpulist"))
    }
}
