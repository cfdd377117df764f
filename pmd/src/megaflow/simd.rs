//! Comparison of eight 16-bit signatures at once. SSE2 is part of x86-64, so there is nothing to detect.

/// Bit n: lane n equals `value`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn equal_lanes(lanes: &[u16; 8], value: u16) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi16, _mm_loadu_si128, _mm_movemask_epi8, _mm_packs_epi16, _mm_set1_epi16,
        _mm_setzero_si128,
    };
    // SAFETY: SSE2 is always there on x86-64; the load reads the 16 bytes of `lanes`, at any alignment.
    unsafe {
        let lanes = _mm_loadu_si128(lanes.as_ptr().cast());
        let equal = _mm_cmpeq_epi16(lanes, _mm_set1_epi16(value as i16));
        _mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())) as u32
    }
}

/// Bit n: lane n equals `value`.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn equal_lanes(lanes: &[u16; 8], value: u16) -> u32 {
    lanes.iter().enumerate().fold(0, |bits, (n, &lane)| bits | u32::from(lane == value) << n)
}

#[cfg(test)]
mod tests {
    use super::equal_lanes;

    #[test]
    fn every_lane_has_its_bit() {
        let mut lanes = [0xffff, 0, 1, 0x8000, 0x7fff, 2, 0, 0x1234];
        for value in [0, 1, 2, 0x1234, 0x7fff, 0x8000, 0xffff, 99] {
            let expected = lanes.iter().enumerate().fold(0, |b, (n, &l)| b | u32::from(l == value) << n);
            assert_eq!(equal_lanes(&lanes, value), expected);
        }
        lanes.fill(7);
        assert_eq!(equal_lanes(&lanes, 7), 0xff);
    }
}
