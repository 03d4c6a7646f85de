//! Consistent hashing on a ring.

mod points;
#[cfg(test)]
mod tests;

use super::keyed::{Keyed, keyed};

/// How the points of a [`Ring`] are computed, which decides with whom its keys agree.
///
/// | | points of an instance | a key's hash |
/// |---|---|---|
/// | [`XxHash`](Self::XxHash) | xxHash64 of `key_n`, 160 of them for each unit of weight | xxHash64 |
/// | [`Envoy`](Self::Envoy) | the same, but as many as Envoy's `minimum_ring_size` of 1024 makes them | xxHash64 |
/// | [`Ketama`](Self::Ketama) | the four words of MD5 of `key-n`, 160 of them at the mean weight | the first word of MD5 |
/// | [`Nginx`](Self::Nginx) | chained CRC-32, 160 of them for each unit of weight | CRC-32 |
///
/// `key` is what [`hash::key_of`](super::hash::key_of) says. libmemcached and twemproxy leave the port 11211 out of it;
/// set `hash_key` to the address without port then.
///
/// ```
/// use msf_registry::balance::{RingHash, hash};
///
/// assert_eq!(RingHash::default().hash(b"user-17"), hash::of(b"user-17"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RingHash {
    /// xxHash64, and a number of points that changes as seldom as possible when instances come and go.
    #[default]
    XxHash,
    /// As Envoy's `ring_hash` policy with its default sizes: callers behind Envoy and ours agree.
    Envoy,
    /// As libketama, and as libmemcached with weights.
    Ketama,
    /// As nginx's `hash .. consistent`, and as pingora.
    Nginx,
}

impl RingHash {
    /// The hash of the key of a call as others with such a ring have it, for
    /// [`PickContext::hash`](crate::PickContext::hash). 32 bits are the upper half.
    ///
    /// [`PickContext::key`](crate::PickContext::key) takes xxHash64, which is right where nobody else must agree.
    #[must_use]
    pub fn hash(self, key: &[u8]) -> u64 {
        points::of_key(self, key)
    }
}

/// Keys and instances on a ring of 2^64 places: a key belongs to the instance of the first point at or after it
/// (Karger et al., STOC 1997).
///
/// One of `n` instances that leaves moves the keys that it had, about one in `n`, and no others. Shares differ by
/// about 8 %, where [`Maglev`](super::Maglev)'s are even. A ring has at most about a million points (20 MB), and so from
/// 6 500 instances on fewer than 160 for each; Envoy's has up to eight million where a few weigh thousands of times as
/// much as others. The points are sorted when the ring is made: about 70 ms for a million.
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
        let hosts = keyed(hosts);
        Self::of_points(points::of_hosts(by, &hosts), &hosts)
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
        let stretch = stretch(hash, self.shift);
        let (from, to) = (
            self.starts[stretch] as usize,
            self.starts[stretch + 1] as usize,
        );
        let at = from + self.points[from..to].partition_point(|point| *point < hash);
        if at == self.points.len() { 0 } else { at }
    }

    /// Where points of two instances meet, the one whose key is first has the place.
    fn of_points(mut points: Vec<(u64, u32)>, hosts: &[Keyed<'_>]) -> Self {
        points.sort_unstable();
        points.dedup_by_key(|(point, _)| *point);
        let stretches = points.len().next_power_of_two().max(2);
        let shift = u64::BITS - stretches.ilog2();
        let mut starts = Vec::with_capacity(stretches + 1);
        for (n, (point, _)) in (0_u32..).zip(&points) {
            while starts.len() <= stretch(*point, shift) {
                starts.push(n);
            }
        }
        let len = u32::try_from(points.len()).expect("a ring has at most POINTS_MAX points");
        starts.resize(stretches + 1, len);
        Self {
            starts: starts.into(),
            shift,
            hosts: hosts.len(),
            owners: points
                .iter()
                .map(|(_, index)| hosts[*index as usize].place)
                .collect(),
            points: points.iter().map(|(point, _)| *point).collect(),
        }
    }
}

/// Where on a ring of 2^(64 - shift) stretches a hash is.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "there are about as many stretches as points"
)]
const fn stretch(hash: u64, shift: u32) -> usize {
    (hash >> shift) as usize
}

/// How many points are looked at for another instance before all instances are.
const WALK: usize = 1_024;
