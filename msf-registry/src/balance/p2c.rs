//! Two choices at random, the better one taken.

/// The index of the better of two different places below `len`; `None` if there is no place.
///
/// `random` gives 64 random bits and is not asked when there is nothing to draw. A tie goes to the
/// first drawn.
#[inline]
pub(crate) fn choose(
    len: usize,
    random: impl FnOnce() -> u64,
    score: impl Fn(usize) -> f32,
) -> Option<usize> {
    match len {
        0 => None,
        1 => Some(0),
        _ => {
            let (first, second) = pair(len, random());
            Some(if score(second) < score(first) {
                second
            } else {
                first
            })
        }
    }
}

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
    fn few_places_need_no_luck() {
        let never = || -> u64 { panic!("drawn for nothing") };
        assert_eq!(choose(0, never, |_| 0.0), None);
        assert_eq!(choose(1, never, |_| 0.0), Some(0));
    }

    #[test]
    fn of_two_the_better_is_always_taken() {
        for random in [0, u64::MAX, 1 << 63, 0x1234_5678_9abc_def0] {
            let chosen = choose(2, || random, |i| if i == 0 { 5.0 } else { 1.0 });
            assert_eq!(chosen, Some(1));
        }
    }

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
