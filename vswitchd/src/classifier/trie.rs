//! A persistent, path-compressed binary trie of prefixes: tells which prefix lengths a value matches and how many of
//! its bits had to be looked at to know. Values are left-aligned in a `u128`. Used to skip subtables and to un-wildcard few bits.

use std::sync::Arc;

#[derive(Clone)]
struct Node {
    /// Bits of this edge, left-aligned; zero after `len`.
    bits: u128,
    len: u8,
    /// Rules whose prefix ends here.
    n_rules: u32,
    kids: [Option<Arc<Node>>; 2],
}

/// Prefixes of one field.
#[derive(Clone, Default)]
pub struct Trie {
    root: Option<Arc<Node>>,
}

/// What a value matches.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Prefixes {
    /// Bit n: some rule has a matching prefix of n + 1 bits.
    pub lens: u128,
    /// Bits of the value that decide this.
    pub n_checked: u8,
}

impl Prefixes {
    pub fn contains(&self, len: u8) -> bool {
        len == 0 || self.lens >> (len - 1) & 1 != 0
    }
}

/// Shift left by up to 128.
fn shl(value: u128, n: u8) -> u128 {
    value.checked_shl(n.into()).unwrap_or(0)
}

/// The first `len` bits.
pub fn prefix(value: u128, len: u8) -> u128 {
    value & !(u128::MAX.checked_shr(len.into()).unwrap_or(0))
}

fn top_bit(value: u128) -> usize {
    (value >> 127) as usize
}

impl Node {
    fn leaf(bits: u128, len: u8) -> Self {
        Self { bits, len, n_rules: 1, kids: [None, None] }
    }

    /// Cuts the edge after `at` bits; what follows becomes the only child.
    fn cut(&mut self, at: u8) {
        let rest = shl(self.bits, at);
        let child = Node {
            bits: rest,
            len: self.len - at,
            n_rules: self.n_rules,
            kids: std::mem::take(&mut self.kids),
        };
        self.bits = prefix(self.bits, at);
        self.len = at;
        self.n_rules = 0;
        self.kids[top_bit(rest)] = Some(Arc::new(child));
    }

    /// Joins the only child to this edge when no rule ends in between.
    fn join(&mut self) {
        if self.n_rules > 0 || self.kids.iter().flatten().count() != 1 {
            return;
        }
        let kid = self.kids.iter_mut().find_map(Option::take);
        if let Some(kid) = kid {
            let kid = Arc::unwrap_or_clone(kid);
            self.bits |= kid.bits.checked_shr(self.len.into()).unwrap_or(0);
            self.len += kid.len;
            self.n_rules = kid.n_rules;
            self.kids = kid.kids;
        }
    }
}

fn common(a: u128, b: u128, max: u8) -> u8 {
    ((a ^ b).leading_zeros() as u8).min(max)
}

impl Trie {
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Counts a rule with the first `len` bits of `value`.
    pub fn insert(&mut self, value: u128, len: u8) {
        insert(&mut self.root, prefix(value, len), len);
    }

    /// Takes back one `insert`.
    pub fn remove(&mut self, value: u128, len: u8) {
        remove(&mut self.root, prefix(value, len), len);
    }

    /// Which prefixes the `width`-bit `value` matches.
    pub fn lookup(&self, value: u128, width: u8) -> Prefixes {
        let mut found = Prefixes::default();
        let Some(mut node) = self.root.as_deref() else { return found };
        let mut at = 0u8;
        loop {
            let equal = common(node.bits, shl(value, at), node.len);
            if equal < node.len {
                found.n_checked = at + equal + 1;
                return found;
            }
            at += node.len;
            if node.n_rules > 0 && at > 0 {
                found.lens |= 1 << (at - 1);
            }
            found.n_checked = at;
            if at >= width || node.kids.iter().all(Option::is_none) {
                return found;
            }
            found.n_checked = at + 1;
            match &node.kids[top_bit(shl(value, at))] {
                Some(next) => node = next,
                None => return found,
            }
        }
    }
}

fn insert(slot: &mut Option<Arc<Node>>, bits: u128, len: u8) {
    let Some(node) = slot else {
        *slot = Some(Arc::new(Node::leaf(bits, len)));
        return;
    };
    let node = Arc::make_mut(node);
    let equal = common(node.bits, bits, node.len.min(len));
    if equal < node.len {
        node.cut(equal);
    }
    if equal == len {
        node.n_rules += 1;
    } else {
        let rest = shl(bits, equal);
        insert(&mut node.kids[top_bit(rest)], rest, len - equal);
    }
}

fn remove(slot: &mut Option<Arc<Node>>, bits: u128, len: u8) {
    let Some(node) = slot else { return };
    let node = Arc::make_mut(node);
    if common(node.bits, bits, node.len.min(len)) < node.len {
        return;
    }
    if node.len == len {
        node.n_rules = node.n_rules.saturating_sub(1);
    } else {
        let rest = shl(bits, node.len);
        remove(&mut node.kids[top_bit(rest)], rest, len - node.len);
    }
    node.join();
    if node.n_rules == 0 && node.kids.iter().all(Option::is_none) {
        *slot = None;
    }
}
