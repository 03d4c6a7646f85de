//! Consistent hashing with bounded loads.

/// The most calls that an instance may have in flight under a bound of `factor`, `in_flight` being those of all
/// instances and `share` its part of the weights of all: ⌈factor × (in_flight + 1) × share⌉ (Mirrokni, Thorup and
/// Zadimoghaddam, "Consistent hashing with bounded loads", 2016).
///
/// An instance that has as many is full, and the key goes to the [next](super::Ring::find) that is not. There always
/// is one while `factor` is above 1 and `in_flight` is the sum at that moment; with a sum that is older, all may be
/// full: then the key stays where it belongs.
///
/// ```
/// use msf_registry::balance::bound;
///
/// // 8 calls on 4 instances of equal weight: 1.25 × 9 × ¼ = 2.8.
/// assert_eq!(bound(1.25, 8, 0.25), 3);
/// assert_eq!(bound(1.25, 0, 0.25), 1);
/// ```
#[must_use]
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from a float saturates"
)]
pub fn bound(factor: f32, in_flight: u64, share: f32) -> u32 {
    (f64::from(factor) * (in_flight as f64 + 1.0) * f64::from(share)).ceil() as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::balance::{Maglev, Ring, RingHash, hash};

    #[test]
    fn a_bound_never_shuts_an_instance_out() {
        assert_eq!(bound(1.25, 0, 1e-6), 1);
        assert_eq!(bound(1.25, u64::MAX, 1.0), u32::MAX);
    }

    /// Calls of few keys come and go: one of them would take all calls of a key to one instance.
    fn worst(place: impl Fn(u64, &[u32], u32) -> usize, calls: &[(u8, bool)]) -> bool {
        let (mut in_flight, mut under_way) = ([0_u32; 5], Vec::new());
        for (key, is_new) in calls {
            if *is_new || under_way.is_empty() {
                let most = bound(1.25, under_way.len() as u64, 0.2);
                let place = place(hash::of(&[*key]), &in_flight, most);
                in_flight[place] += 1;
                under_way.push(place);
                if in_flight[place] > most {
                    return false;
                }
            } else {
                let ended = under_way.swap_remove(usize::from(*key) % under_way.len());
                in_flight[ended] -= 1;
            }
        }
        true
    }

    proptest! {
        #[test]
        fn there_is_always_one_below_the_bound(
            calls in proptest::collection::vec((0_u8..4, prop::bool::weighted(0.7)), 1..300),
        ) {
            let hosts = ["a", "b", "c", "d", "e"].map(|key| (key, 1));
            let (ring, table) = (Ring::new(hosts, RingHash::XxHash), Maglev::new(hosts));
            prop_assert!(worst(|hash, in_flight, most| ring.find(hash, |n| in_flight[n] < most).unwrap(), &calls));
            prop_assert!(worst(|hash, in_flight, most| table.find(hash, |n| in_flight[n] < most).unwrap(), &calls));
        }
    }
}
