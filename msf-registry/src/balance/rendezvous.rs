//! Highest random weight.

use super::hash;

/// Each key belongs to the instance that scores highest for it (Thaler and Ravishankar 1998): whatever leaves or
/// joins moves exactly the keys that it must. A pick looks at every instance, so it is for a few dozen.
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
    hosts: Box<[Host]>,
}

#[derive(Clone, Copy, Debug)]
struct Host {
    hash: u64,
    weight: u16,
}

impl Rendezvous {
    /// These instances, each a key and a weight.
    #[must_use]
    pub fn new<'k>(hosts: impl IntoIterator<Item = (&'k str, u16)>) -> Self {
        let hosts = hosts.into_iter().map(|(key, weight)| Host {
            hash: hash::of(key.as_bytes()),
            weight,
        });
        Self {
            hosts: hosts.collect(),
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
    pub fn find(&self, hash: u64, mut is_allowed: impl FnMut(usize) -> bool) -> Option<usize> {
        (0..self.hosts.len())
            .filter(|place| is_allowed(*place))
            .max_by_key(|place| {
                let host = self.hosts[*place];
                (host.hash ^ hash).wrapping_mul(u64::from(host.weight) | 1)
            })
    }
}
