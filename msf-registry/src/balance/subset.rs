//! A part of the instances for each caller.

use super::hash;

/// Which part of the instances one caller uses, so that a thousand callers do not each hold a connection to each of
/// a thousand instances.
///
/// Each instance is hashed under the seed of the caller and the lowest are kept (gRPC's A68): the subset changes by at
/// most one instance for each that leaves or joins. An instance has `callers × size ÷ instances` callers give or take
/// the root of that, so this is for hundreds of callers; for a dozen it loads instances unevenly. A subset that is too
/// small leaves a caller alone when its few are down: 20 and more are usual.
///
/// ```
/// use msf_registry::balance::Subset;
///
/// let subset = Subset::of(2).seed("checkout-7");
/// let kept = subset.members(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
/// assert_eq!(kept.len(), 2);
/// assert_eq!(kept, subset.members(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subset {
    size: usize,
    seed: u64,
}

impl Subset {
    /// `size` instances for each process, at least 1, chosen at random when it starts.
    #[must_use]
    pub fn of(size: usize) -> Self {
        Self {
            size,
            seed: fastrand::u64(..),
        }
    }

    /// Chooses by the identity of the caller: it has the same subset after a restart.
    #[must_use]
    pub fn seed(mut self, caller: &str) -> Self {
        self.seed = hash::of(caller.as_bytes());
        self
    }

    /// How many instances it keeps.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The places of the instances that the caller uses, in their order; `keys` are what
    /// [`hash::key_of`] says of each. All if there are no more than [`size`](Self::size).
    #[must_use]
    pub fn members<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Vec<u32> {
        let mut scored: Vec<(u64, &str, u32)> = (0_u32..)
            .zip(keys)
            .map(|(place, key)| (hash::seeded(key.as_bytes(), self.seed), key, place))
            .collect();
        if scored.len() > self.size {
            // By key after the hash, so that the choice does not depend on the order of the list.
            scored.select_nth_unstable(self.size);
            scored.truncate(self.size);
        }
        let mut places: Vec<u32> = scored.into_iter().map(|(_, _, place)| place).collect();
        places.sort_unstable();
        places
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn named(instances: usize) -> Vec<String> {
        (0..instances).map(|n| format!("10.0.0.{n}:80")).collect()
    }

    fn kept<'k>(subset: Subset, keys: &[&'k str]) -> BTreeSet<&'k str> {
        let members = subset.members(keys.iter().copied());
        assert!(members.is_sorted());
        members
            .into_iter()
            .map(|place| keys[place as usize])
            .collect()
    }

    #[test]
    fn nobody_and_few_are_all_kept() {
        let subset = Subset::of(3).seed("a");
        assert!(subset.members([]).is_empty());
        assert_eq!(subset.members(["x", "y", "z"]), [0, 1, 2]);
        assert_eq!(subset.members(["w", "x", "y", "z"]).len(), 3);
    }

    #[test]
    fn instances_are_wanted_about_equally_often() {
        let names = named(50);
        let mut callers = vec![0_u32; names.len()];
        for caller in 0..1_000 {
            let subset = Subset::of(10).seed(&format!("caller-{caller}"));
            for place in subset.members(names.iter().map(String::as_str)) {
                callers[place as usize] += 1;
            }
        }
        // 1 000 × 10 ÷ 50, and four times the root of 200 × (1 - 0.2).
        assert!(callers.iter().all(|n| n.abs_diff(200) < 51), "{callers:?}");
    }

    proptest! {
        #[test]
        fn one_that_leaves_or_joins_changes_at_most_one(
            instances in 2_usize..60, size in 1_usize..20, leaver: prop::sample::Index, seed: u64,
        ) {
            let names = named(instances);
            let all: Vec<_> = names.iter().map(String::as_str).collect();
            let mut rest = all.clone();
            rest.remove(leaver.index(instances));
            let subset = Subset::of(size).seed(&seed.to_string());
            let (before, after) = (kept(subset, &all), kept(subset, &rest));
            prop_assert_eq!(before.len(), size.min(instances));
            prop_assert_eq!(after.len(), size.min(instances - 1));
            prop_assert!(before.difference(&after).count() <= 1);
            prop_assert!(after.difference(&before).count() <= 1);
        }

        #[test]
        fn the_order_of_the_list_does_not_matter(instances in 1_usize..60, size in 1_usize..20) {
            let names = named(instances);
            let all: Vec<_> = names.iter().map(String::as_str).collect();
            let reversed: Vec<_> = all.iter().rev().copied().collect();
            let subset = Subset::of(size).seed("caller");
            prop_assert_eq!(kept(subset, &all), kept(subset, &reversed));
        }
    }
}
