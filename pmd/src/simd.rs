//! What the packet path does with vectors, at the level that the CPU has: found out once, dispatched once per burst.
//!
//! A stage is written once, generic over [`Simd`] and always inlined; [`leveled!`] compiles it for each level under
//! the `target_feature`s of that level and picks one at run time. Results are the same at all levels: a test holds them
//! against each other. Plane: hot.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use flow::Flow;
use flow::key::Line;
use flow::packet::Offsets;
use flow::parse::{Found, Meta};

use crate::packet::BURST;

/// What the CPU can do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// What every CPU of the architecture has.
    Plain = 1,
    Avx2,
    /// F, BW, VL and VBMI.
    Avx512,
}

impl Level {
    /// The best of this CPU.
    #[inline(always)]
    pub fn here() -> Level {
        static HERE: AtomicU8 = AtomicU8::new(0);
        match HERE.load(Relaxed) {
            1 => Level::Plain,
            2 => Level::Avx2,
            3 => Level::Avx512,
            _ => {
                let level = Self::detect();
                HERE.store(level as u8, Relaxed);
                level
            }
        }
    }

    #[cold]
    fn detect() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            let bmi = is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            if bmi
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vbmi")
            {
                return Level::Avx512;
            }
            if bmi && is_x86_feature_detected!("avx2") {
                return Level::Avx2;
            }
        }
        Level::Plain
    }

    /// All that this CPU can run.
    pub fn all() -> impl Iterator<Item = Level> {
        [Level::Plain, Level::Avx2, Level::Avx512].into_iter().filter(|&l| l <= Level::here())
    }
}

/// The vector operations of one level. Called only from code compiled by [`leveled!`] for that level.
pub trait Simd {
    /// What parsing needs to know of a burst's metadata.
    type Shared;
    fn shared(meta: &Meta) -> Self::Shared;
    /// `flow::parse::parse_into`.
    fn parse(
        head: &[u8],
        len: usize,
        meta: &Meta,
        shared: &Self::Shared,
        key: &mut Flow,
        offsets: &mut Offsets,
    ) -> Found;
    /// `a` and `b` agree under `mask`.
    fn same(a: &Line, b: &Line, mask: &Line) -> bool;
    /// Bit n: `slots[n]` is `slot`.
    fn equal(slots: &[u32; BURST], slot: u32) -> u32;
}

pub struct Plain;

impl Simd for Plain {
    type Shared = ();
    fn shared(_: &Meta) {}

    #[inline(always)]
    fn parse(head: &[u8], len: usize, meta: &Meta, _: &(), key: &mut Flow, offsets: &mut Offsets) -> Found {
        flow::parse::parse_into(head, len, meta, key, offsets)
    }

    #[inline(always)]
    fn same(a: &Line, b: &Line, mask: &Line) -> bool {
        let mut differ = 0;
        for n in 0..a.len() {
            differ |= (a[n] ^ b[n]) & mask[n];
        }
        differ == 0
    }

    #[inline(always)]
    fn equal(slots: &[u32; BURST], slot: u32) -> u32 {
        let mut same = 0;
        for (n, &other) in slots.iter().enumerate() {
            same |= u32::from(other == slot) << n;
        }
        same
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use flow::parse::vector::{Shared, parse_avx512};

    use super::*;

    pub struct Avx2;

    impl Simd for Avx2 {
        type Shared = ();
        fn shared(_: &Meta) {}

        #[inline(always)]
        fn parse(
            head: &[u8],
            len: usize,
            meta: &Meta,
            _: &(),
            key: &mut Flow,
            offsets: &mut Offsets,
        ) -> Found {
            flow::parse::parse_into(head, len, meta, key, offsets)
        }

        #[inline(always)]
        fn same(a: &Line, b: &Line, mask: &Line) -> bool {
            // SAFETY: only called where AVX2 is enabled; every load is of half a line.
            unsafe {
                let half = |line: &Line, n: usize| _mm256_loadu_si256(line[n..].as_ptr().cast());
                let differ = |n| _mm256_and_si256(_mm256_xor_si256(half(a, n), half(b, n)), half(mask, n));
                let differ = _mm256_or_si256(differ(0), differ(4));
                _mm256_testz_si256(differ, differ) != 0
            }
        }

        #[inline(always)]
        fn equal(slots: &[u32; BURST], slot: u32) -> u32 {
            let mut same = 0;
            // SAFETY: only called where AVX2 is enabled; every load is of eight slots.
            unsafe {
                let slot = _mm256_set1_epi32(slot as i32);
                for (n, eight) in slots.as_chunks::<8>().0.iter().enumerate() {
                    let equal = _mm256_cmpeq_epi32(_mm256_loadu_si256(eight.as_ptr().cast()), slot);
                    same |= (_mm256_movemask_ps(_mm256_castsi256_ps(equal)) as u32) << (8 * n);
                }
            }
            same
        }
    }

    pub struct Avx512;

    impl Simd for Avx512 {
        type Shared = Shared;

        #[inline(always)]
        fn shared(meta: &Meta) -> Shared {
            Shared::new(meta)
        }

        #[inline(always)]
        fn parse(
            head: &[u8],
            len: usize,
            meta: &Meta,
            shared: &Shared,
            key: &mut Flow,
            offsets: &mut Offsets,
        ) -> Found {
            // SAFETY: only called where these features are enabled.
            unsafe { parse_avx512(head, len, meta, shared, key, offsets) }
        }

        #[inline(always)]
        fn same(a: &Line, b: &Line, mask: &Line) -> bool {
            const XOR_AND: i32 = 0x28;
            // SAFETY: only called where AVX-512F is enabled; every load is of a whole line.
            unsafe {
                let load = |line: &Line| _mm512_loadu_si512(line.as_ptr().cast());
                let differ = _mm512_ternarylogic_epi64::<XOR_AND>(load(a), load(b), load(mask));
                _mm512_test_epi64_mask(differ, differ) == 0
            }
        }

        #[inline(always)]
        fn equal(slots: &[u32; BURST], slot: u32) -> u32 {
            // SAFETY: only called where AVX-512F is enabled; every load is of sixteen slots.
            unsafe {
                let slot = _mm512_set1_epi32(slot as i32);
                let half =
                    |n: usize| _mm512_cmpeq_epi32_mask(_mm512_loadu_si512(slots[n..].as_ptr().cast()), slot);
                u32::from(half(0)) | u32::from(half(16)) << 16
            }
        }
    }
}

/// `leveled! { pub fn name(arg: Type, ...) -> Ret = body; }` makes `name(level, arg, ...)` of the generic, always inlined
/// `body::<S: Simd>(arg, ...)`.
macro_rules! leveled {
    ($($(#[$doc:meta])* $vis:vis fn $name:ident $([$($generic:ident),*])? ($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? = $body:ident;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        $vis fn $name $(<$($generic),*>)? (level: $crate::simd::Level, $($arg: $type),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2,lzcnt,popcnt")]
                fn avx512 $(<$($generic),*>)? ($($arg: $type),*) $(-> $ret)? {
                    $body::<$crate::simd::Avx512 $(, $($generic),*)?>($($arg),*)
                }
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
                fn avx2 $(<$($generic),*>)? ($($arg: $type),*) $(-> $ret)? {
                    $body::<$crate::simd::Avx2 $(, $($generic),*)?>($($arg),*)
                }
                match level {
                    $crate::simd::Level::Avx512 => {
                        // SAFETY: a level says that the CPU has its features.
                        return unsafe { avx512($($arg),*) };
                    }
                    $crate::simd::Level::Avx2 => {
                        // SAFETY: as above.
                        return unsafe { avx2($($arg),*) };
                    }
                    $crate::simd::Level::Plain => {}
                }
            }
            #[inline(never)]
            fn plain $(<$($generic),*>)? ($($arg: $type),*) $(-> $ret)? {
                $body::<$crate::simd::Plain $(, $($generic),*)?>($($arg),*)
            }
            let _ = level;
            plain($($arg),*)
        }
    )*};
}
pub(crate) use leveled;

#[cfg(test)]
mod tests {
    use super::*;

    leveled! {
        fn same(a: &Line, b: &Line, mask: &Line) -> bool = same_with;
        fn equal(slots: &[u32; BURST], slot: u32) -> u32 = equal_with;
    }

    #[inline(always)]
    fn same_with<S: Simd>(a: &Line, b: &Line, mask: &Line) -> bool {
        S::same(a, b, mask)
    }
    #[inline(always)]
    fn equal_with<S: Simd>(slots: &[u32; BURST], slot: u32) -> u32 {
        S::equal(slots, slot)
    }

    #[test]
    fn levels_agree() {
        for level in Level::all() {
            for bit in 0..512 {
                let (mut b, mut mask) = ([7; 8], [0; 8]);
                b[bit / 64] ^= 1 << (bit % 64);
                assert!(same(level, &[7; 8], &b, &mask), "{level:?}");
                mask[bit / 64] = 1 << (bit % 64);
                assert!(!same(level, &[7; 8], &b, &mask), "{level:?}");
                assert!(same(level, &b, &b, &mask));
                mask[bit / 64] = !mask[bit / 64];
                assert!(same(level, &[7; 8], &b, &mask));
            }
            let slots = std::array::from_fn(|n| [3, u32::MAX, 0, 9][n * n % 4]);
            for slot in [3, u32::MAX, 0, 9, 5] {
                assert_eq!(equal(level, &slots, slot), Plain::equal(&slots, slot), "{level:?} {slot}");
            }
        }
    }
}
