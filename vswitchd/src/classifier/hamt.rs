//! A persistent hash multimap: clone in O(1), change in O(log n) with structural sharing, so that a snapshot of a
//! million rules costs nothing and a flow-mod copies only one path. Values of equal 64-bit hash share a leaf; telling
//! them apart is the caller's business. One writer; any number of readers of clones, without locks.

use std::sync::Arc;

use smallvec::SmallVec;

const BITS: u32 = 5;
const HASH_BITS: u32 = 64;

/// Values that share one hash.
pub type Leaf<T> = SmallVec<[T; 1]>;

#[derive(Clone)]
enum Slot<T> {
    Branch(Arc<Branch<T>>),
    Leaf(u64, Leaf<T>),
}

/// Popcount-compressed node: bit n of `map` says that child n exists.
#[derive(Clone)]
struct Branch<T> {
    map: u32,
    slots: Vec<Slot<T>>,
}

#[derive(Clone)]
pub struct Hamt<T> {
    root: Arc<Branch<T>>,
    len: usize,
}

impl<T> Default for Hamt<T> {
    fn default() -> Self {
        Self { root: Arc::new(Branch::empty()), len: 0 }
    }
}

impl<T> Branch<T> {
    fn empty() -> Self {
        Self { map: 0, slots: Vec::new() }
    }

    /// (bit of the child, its place in `slots`).
    fn place(&self, hash: u64, shift: u32) -> (u32, usize) {
        let bit = 1u32 << (hash >> shift & ((1 << BITS) - 1));
        (bit, (self.map & (bit - 1)).count_ones() as usize)
    }
}

impl<T> Hamt<T> {
    /// Values in the map.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values under `hash`.
    #[inline]
    pub fn get(&self, hash: u64) -> &[T] {
        let mut node = &self.root;
        let mut shift = 0;
        loop {
            let (bit, at) = node.place(hash, shift);
            if node.map & bit == 0 {
                return &[];
            }
            match &node.slots[at] {
                Slot::Branch(next) => node = next,
                Slot::Leaf(h, values) => return if *h == hash { values } else { &[] },
            }
            shift += BITS;
        }
    }

    /// True when `test` holds for every value; does not allocate.
    pub fn all(&self, mut test: impl FnMut(&T) -> bool) -> bool {
        all(&self.root, &mut test)
    }

    /// All values, in no order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { stack: vec![self.root.slots.iter()], leaf: [].iter() }
    }
}

impl<T: Clone> Hamt<T> {
    /// Calls `change` with the values under `hash`; what it leaves there is kept.
    pub fn edit<R>(&mut self, hash: u64, change: impl FnOnce(&mut Leaf<T>) -> R) -> R {
        let mut delta = 0isize;
        let out = edit_branch(Arc::make_mut(&mut self.root), hash, 0, |leaf| {
            let before = leaf.len() as isize;
            let out = change(leaf);
            delta = leaf.len() as isize - before;
            out
        });
        self.len = self.len.wrapping_add_signed(delta);
        out
    }
}

fn edit_branch<T: Clone, R>(
    node: &mut Branch<T>,
    hash: u64,
    shift: u32,
    change: impl FnOnce(&mut Leaf<T>) -> R,
) -> R {
    let (bit, at) = node.place(hash, shift);
    if node.map & bit == 0 {
        let mut leaf = Leaf::new();
        let out = change(&mut leaf);
        if !leaf.is_empty() {
            node.map |= bit;
            node.slots.insert(at, Slot::Leaf(hash, leaf));
        }
        return out;
    }
    if let Slot::Leaf(other, _) = &node.slots[at]
        && *other != hash
    {
        split(&mut node.slots[at], shift + BITS);
    }
    let (out, empty) = match &mut node.slots[at] {
        Slot::Branch(next) => {
            let next = Arc::make_mut(next);
            let out = edit_branch(next, hash, shift + BITS, change);
            (out, next.slots.is_empty())
        }
        Slot::Leaf(_, leaf) => {
            let out = change(leaf);
            (out, leaf.is_empty())
        }
    };
    if empty {
        node.map &= !bit;
        node.slots.remove(at);
    }
    out
}

fn all<T>(node: &Branch<T>, test: &mut impl FnMut(&T) -> bool) -> bool {
    node.slots.iter().all(|slot| match slot {
        Slot::Branch(next) => all(next, test),
        Slot::Leaf(_, values) => values.iter().all(&mut *test),
    })
}

/// Turns a leaf into a branch that holds just it, one level down.
fn split<T>(slot: &mut Slot<T>, shift: u32) {
    debug_assert!(shift < HASH_BITS + BITS);
    let mut branch = Branch::empty();
    if let Slot::Leaf(hash, leaf) = slot {
        let (bit, _) = branch.place(*hash, shift);
        branch.map = bit;
        branch.slots.push(Slot::Leaf(*hash, std::mem::take(leaf)));
    }
    *slot = Slot::Branch(Arc::new(branch));
}

/// Iterator over all values.
pub struct Iter<'a, T> {
    stack: Vec<std::slice::Iter<'a, Slot<T>>>,
    leaf: std::slice::Iter<'a, T>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(value) = self.leaf.next() {
                return Some(value);
            }
            match self.stack.last_mut()?.next() {
                None => {
                    self.stack.pop();
                }
                Some(Slot::Branch(branch)) => self.stack.push(branch.slots.iter()),
                Some(Slot::Leaf(_, values)) => self.leaf = values.iter(),
            }
        }
    }
}
