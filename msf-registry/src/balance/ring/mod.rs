//! A ring of points.

mod points;
#[cfg(test)]
mod tests;

/// How the points of a [`Ring`] are computed, which decides with whom keys are shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RingHash {
    /// Envoy's: xxHash64 of `address_n`.
    #[default]
    XxHash,
    /// libketama's and libmemcached's: four points of each MD5 of `address-n`, 160 for an instance of mean weight.
    /// Keys are hashed by [`RingHash::hash`].
    #[cfg(feature = "ketama")]
    Ketama,
    /// nginx's `hash .. consistent` and pingora's: chained CRC-32, 160 points for each unit of weight. Keys are
    /// hashed by [`RingHash::hash`].
    #[cfg(feature = "ketama")]
    Nginx,
}

impl RingHash {
    /// The hash of a key on such a ring, for [`PickContext::hash`](crate::PickContext::hash).
    ///
    /// [`PickContext::key`](crate::PickContext::key) is this for [`RingHash::XxHash`]. The 32 bits of the others are
    /// the upper half.
    #[must_use]
    pub fn hash(self, key: &[u8]) -> u64 {
        points::of_key(self, key)
    }
}

/// Keys and instances on a ring of 2^64 places: a key belongs to the instance of the first point at or after it
/// (Karger et al. 1997).
///
/// ```
/// use msf_registry::balance::{Ring, RingHash, hash};
///
/// let ring = Ring::new([("10.0.0.1:80", 1), ("10.0.0.2:80", 1)], RingHash::XxHash);
/// let place = ring.place(hash::of(b"user-17"));
/// assert_eq!(place, ring.place(hash::of(b"user-17")));
/// let other = ring.find(hash::of(b"user-17"), |other| Some(other) != place);
/// assert!(other.is_some() && other != place);
/// ```
#[derive(Clone, Debug)]
pub struct Ring {
    /// In order, and none twice.
    points: Box<[u64]>,
    /// Whose each point is.
    owners: Box<[u32]>,
    /// The first point of each stretch of the ring, all stretches being equally long; one more than stretches.
    starts: Box<[u32]>,
    /// From a hash to its stretch.
    shift: u32,
    hosts: usize,
}

impl Ring {
    /// A ring of these instances, each a key and a weight. Depends on the keys and weights and not on their order.
    #[must_use]
    pub fn new<'k>(hosts: impl IntoIterator<Item = (&'k str, u16)>, by: RingHash) -> Self {
        let hosts: Vec<_> = hosts.into_iter().collect();
        Self::of_points(points::of_hosts(by, &hosts), hosts.len())
    }

    /// The place of the instance that a key belongs to; `None` if there is no instance.
    #[must_use]
    #[inline]
    pub fn place(&self, hash: u64) -> Option<usize> {
        if self.points.is_empty() {
            return None;
        }
        Some(self.owners[self.point(hash)] as usize)
    }

    /// The place of the first instance that is allowed, from the one that the key belongs to on; `None` if none is.
    ///
    /// For a call that was refused, an instance that is ejected and one that has its share of the load already.
    pub fn find(&self, hash: u64, mut is_allowed: impl FnMut(usize) -> bool) -> Option<usize> {
        if self.points.is_empty() {
            return None;
        }
        let first = self.point(hash);
        let len = self.owners.len();
        (0..len.min(WALK))
            .map(|n| self.owners[(first + n) % len] as usize)
            .find(|place| is_allowed(*place))
            .or_else(|| super::scan(hash, self.hosts, is_allowed))
    }

    /// The index of the first point at or after a hash.
    #[inline]
    fn point(&self, hash: u64) -> usize {
        let stretch = (hash >> self.shift) as usize;
        let (from, to) = (
            self.starts[stretch] as usize,
            self.starts[stretch + 1] as usize,
        );
        let at = from + self.points[from..to].partition_point(|point| *point < hash);
        if at == self.points.len() { 0 } else { at }
    }

    fn of_points(mut points: Vec<(u64, u32)>, hosts: usize) -> Self {
        points.sort_unstable();
        points.dedup_by_key(|(point, _)| *point);
        let stretches = points.len().next_power_of_two().max(2);
        let shift = u64::BITS - stretches.ilog2();
        let starts = (0..=stretches as u64)
            .map(|stretch| {
                let at = points.partition_point(|(point, _)| (point >> shift) < stretch);
                u32::try_from(at).expect("a ring has at most POINTS_MAX points")
            })
            .collect();
        Self {
            starts,
            shift,
            hosts,
            owners: points.iter().map(|(_, owner)| *owner).collect(),
            points: points.iter().map(|(point, _)| *point).collect(),
        }
    }
}

/// How many points are looked at for another instance before all instances are.
const WALK: usize = 1_024;
