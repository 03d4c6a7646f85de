//! Highest random weight.

use super::{hash, keyed::keyed};

/// Each key belongs to the instance that scores highest for it (Thaler and Ravishankar 1998; weights by Schindelhauer
/// and Schomaker 2005).
///
/// Whoever leaves or joins, or weighs more or less than before, moves exactly the keys that it loses or gains: no
/// structure does better. But a pick looks at every instance (about 4 ns each, 20 with uneven weights), so it is for
/// a few dozen; [`Maglev`](super::Maglev) is for more.
///
/// ```
/// use msf_registry::balance::{Rendezvous, hash};
///
/// let three = Rendezvous::new([("a:80", 1), ("b:80", 1), ("c:80", 1)]);
/// let two = Rendezvous::new([("a:80", 1), ("b:80", 1)]);
/// for key in 0_u32..100 {
///     let hash = hash::of(&key.to_le_bytes());
///     let place = three.place(hash);
///     assert!(place == Some(2) || place == two.place(hash));
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Rendezvous {
    /// In the order of the list.
    hashes: Box<[u64]>,
    /// One over each weight; empty when all weigh the same.
    shares: Box<[f64]>,
}

impl Rendezvous {
    /// These instances, each a key and a weight. Depends on the keys and weights and not on their order.
    #[must_use]
    pub fn new<'k>(hosts: impl IntoIterator<Item = (&'k str, u16)>) -> Self {
        let mut hosts = keyed(hosts);
        hosts.sort_unstable_by_key(|host| host.place);
        let is_even = hosts
            .windows(2)
            .all(|pair| pair[0].weight == pair[1].weight);
        let shares = hosts.iter().map(|host| f64::from(host.weight).recip());
        Self {
            hashes: hosts
                .iter()
                .map(|host| hash::of(host.key.as_bytes()))
                .collect(),
            shares: if is_even {
                Box::default()
            } else {
                shares.collect()
            },
        }
    }

    /// The place of the instance that a key belongs to; `None` if there is no instance.
    #[must_use]
    #[inline]
    pub fn place(&self, hash: u64) -> Option<usize> {
        self.find(hash, |_| true)
    }

    /// The place of the first instance that is allowed, in the order of their scores; `None` if none is.
    ///
    /// For a call that was refused, an instance that is ejected and one that has its share of the load already.
    #[inline]
    pub fn find(&self, hash: u64, mut is_allowed: impl FnMut(usize) -> bool) -> Option<usize> {
        let scores = self
            .hashes
            .iter()
            .map(|host| mixed(host ^ hash))
            .enumerate();
        let allowed = scores.filter(|(place, _)| is_allowed(*place));
        if self.shares.is_empty() {
            allowed
                .max_by_key(|(_, score)| *score)
                .map(|(place, _)| place)
        } else {
            let waits =
                allowed.map(|(place, score)| (place, exponential(score) * self.shares[place]));
            waits
                .min_by(|(_, a), (_, b)| a.total_cmp(b))
                .map(|(place, _)| place)
        }
    }
}

/// Each bit of the result depends on each bit of the word (the finalizer of SplitMix64, variant 13 of Stafford).
const fn mixed(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// An exponential variate from 64 random bits: of several, each divided by a weight, the least is that of a weight
/// with a chance in proportion to it.
fn exponential(bits: u64) -> f64 {
    let uniform = ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln()
}

#[cfg(test)]
mod tests;
