//! A part of the instances for each caller.

use super::hash;

/// Which part of the instances one caller uses, so that a thousand callers do not each hold a connection to each of
/// a thousand instances.
///
/// The subset of a caller changes by at most one instance for each that leaves or joins (gRPC's A68).
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
    /// `size` instances for each process, chosen at random when it starts.
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
            scored.select_nth_unstable(self.size);
            scored.truncate(self.size);
        }
        let mut places: Vec<u32> = scored.into_iter().map(|(_, _, place)| place).collect();
        places.sort_unstable();
        places
    }
}
