//! Two choices at random, of which the better one is taken.

/// Two different places below `len` from one word: each half is scaled by multiply and shift
/// (Lemire 2019), and the second draw skips the first's place.
#[inline]
pub(crate) fn pair(len: usize, random: u64) -> (usize, usize) {
    let first = scale(random >> 32, len);
    let second = scale(random & u64::from(u32::MAX), len - 1);
    (first, second + usize::from(second >= first))
}

/// `bits` of 32 random bits, scaled to below `len`; a list is far shorter than 2^32.
#[inline]
pub(crate) const fn scale(bits: u64, len: usize) -> usize {
    ((bits * len as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_pair_is_about_as_likely() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut seen = [[0_u32; 5]; 5];
        for _ in 0..200_000 {
            let (a, b) = pair(5, rng.u64(..));
            seen[a][b] += 1;
        }
        for (a, row) in seen.iter().enumerate() {
            for (b, count) in row.iter().enumerate() {
                if a == b {
                    assert_eq!(*count, 0);
                } else {
                    assert!((9_500..10_500).contains(count), "{a},{b}: {count}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_two_differ_and_are_in_range(len in 2_usize..100_000, random: u64) {
            let (a, b) = pair(len, random);
            prop_assert!(a < len && b < len && a != b);
        }
    }
}
