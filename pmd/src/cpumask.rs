//! CPU masks as OVS writes them (`pmd-cpu-mask`, `dpdk-lcore-mask`): hexadecimal, with or without `0x`, of any length.

use std::collections::BTreeSet;

/// The CPUs of `mask`; `None` when it is not hexadecimal.
pub fn parse(mask: &str) -> Option<BTreeSet<usize>> {
    let digits = mask.trim();
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(digits);
    if digits.is_empty() {
        return None;
    }
    let mut cpus = BTreeSet::new();
    for (n, c) in digits.chars().rev().enumerate() {
        let value = c.to_digit(16)?;
        cpus.extend((0..4).filter(|bit| value >> bit & 1 != 0).map(|bit| n * 4 + bit));
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn masks() {
        let cpus = |m| parse(m).map(|s| s.into_iter().collect::<Vec<_>>());
        assert_eq!(cpus("0x6"), Some(vec![1, 2]));
        assert_eq!(cpus("f0000000000000001"), Some(vec![0, 64, 65, 66, 67]));
        assert_eq!(cpus("0"), Some(vec![]));
        assert_eq!(cpus(""), None);
        assert_eq!(cpus("0xg"), None);
    }
}
