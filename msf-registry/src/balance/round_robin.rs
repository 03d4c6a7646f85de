//! The order in which round robin goes.

/// The places in the order of their turns, each as often as its weight says and evenly spread.
///
/// Empty when all weigh the same: then place `n` has turn `n`. The `k`-th of the `w` turns of a place
/// stands at `(k + ½) ÷ w` of the round, so a heavy instance never gets its turns in one burst. Weights
/// are scaled down when a round would be longer than [`TURNS_MAX`].
pub(crate) fn turns(weights: &[u16]) -> Box<[u32]> {
    let Some(first) = weights.first() else {
        return Box::default();
    };
    if weights.iter().all(|weight| weight == first) {
        return Box::default();
    }
    let divisor = weights
        .iter()
        .fold(0, |d, weight| gcd(d, u64::from(*weight)));
    let sum: u64 = weights.iter().map(|w| u64::from(*w) / divisor).sum();
    let scaled = |weight: u16| {
        let weight = u64::from(weight) / divisor;
        if sum <= TURNS_MAX {
            weight
        } else {
            (weight * TURNS_MAX / sum).max(1)
        }
    };
    let mut slots: Vec<(u64, u32)> = Vec::new();
    for (place, weight) in (0_u32..).zip(weights) {
        let weight = scaled(*weight);
        slots.extend((0..weight).map(|k| (((2 * k + 1) << 32) / (2 * weight), place)));
    }
    slots.sort_unstable();
    slots.into_iter().map(|(_, place)| place).collect()
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The longest round, about 512 KB while it is computed; weights need no finer grain.
const TURNS_MAX: u64 = 32_768;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_weights_need_no_order() {
        assert!(turns(&[]).is_empty());
        assert!(turns(&[3, 3, 3]).is_empty());
    }

    #[test]
    fn turns_are_spread_and_not_in_bursts() {
        assert_eq!(*turns(&[5, 1, 1]), [0, 0, 0, 1, 2, 0, 0][..]);
        assert_eq!(*turns(&[20, 10]), [0, 1, 0][..]);
    }

    #[test]
    fn a_round_is_bounded_and_leaves_nobody_out() {
        let weights: Vec<u16> = (0..10_000)
            .map(|n| if n == 0 { u16::MAX } else { 1 })
            .collect();
        let turns = turns(&weights);
        assert!(turns.len() <= 32_768 + weights.len());
        let mut seen = vec![false; weights.len()];
        turns.iter().for_each(|place| seen[*place as usize] = true);
        assert!(seen.into_iter().all(|seen| seen));
    }

    proptest! {
        #[test]
        fn each_place_has_its_share(weights in proptest::collection::vec(1_u16..50, 1..40)) {
            let turns = turns(&weights);
            prop_assume!(!turns.is_empty());
            for (a, weight) in (0_u32..).zip(&weights) {
                let own = turns.iter().filter(|place| **place == a).count();
                prop_assert_eq!(own * usize::from(weights[0]),
                    usize::from(*weight) * turns.iter().filter(|place| **place == 0).count());
            }
        }
    }
}
