//! How many connections each address has.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    net::{IpAddr, Ipv6Addr},
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, PoisonError},
};

/// Connections by the place of their listener and the address of their client, over all threads of a server.
///
/// The lock is taken when a connection comes and when it ends, never for a request. There are at most as many entries
/// as connections.
#[derive(Clone, Default)]
pub(super) struct Addresses {
    open: Arc<Mutex<HashMap<Key, u32>>>,
    is_exempt: Option<Exempt>,
}

/// The place of a listener, and an address.
type Key = (usize, IpAddr);
type Exempt = Arc<dyn Fn(usize, IpAddr) -> bool + Send + Sync>;

/// The place of one connection among those of its address.
pub(super) struct Claim {
    open: Arc<Mutex<HashMap<Key, u32>>>,
    key: Key,
}

impl Addresses {
    pub(super) fn exempt(
        &mut self,
        is_exempt: impl Fn(usize, IpAddr) -> bool + Send + Sync + 'static,
    ) {
        self.is_exempt = Some(Arc::new(is_exempt));
    }

    /// Who cannot be asked about is counted: a panic here would end the server.
    fn is_exempt(&self, place: usize, ip: IpAddr) -> bool {
        let Some(is_exempt) = &self.is_exempt else {
            return false;
        };
        let asked = panic::catch_unwind(AssertUnwindSafe(|| is_exempt(place, ip)));
        asked.unwrap_or(false)
    }

    /// Counts one more connection of an address; `Err` if that has as many as it may.
    pub(super) fn claim(&self, place: usize, ip: IpAddr, max: u32) -> Result<Option<Claim>, Full> {
        let ip = ip.to_canonical();
        if max == 0 || self.is_exempt(place, ip) {
            return Ok(None);
        }
        let key = (place, network(ip));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_insert(0);
        if *count >= max {
            return Err(Full);
        }
        *count += 1;
        drop(open);
        Ok(Some(Claim {
            open: Arc::clone(&self.open),
            key,
        }))
    }
}

/// The address has as many connections as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address has as many connections as it may")]
pub(super) struct Full;

impl Drop for Claim {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = open.entry(self.key) {
            *entry.get_mut() = entry.get().saturating_sub(1);
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// Of IPv6 the first 64 bits count, for a single customer has all of the rest.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses").finish_non_exhaustive()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.key).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_own_count() {
        let addresses = Addresses::default();
        let first = addresses.claim(0, ip("192.0.2.1"), 2).unwrap();
        let _second = addresses.claim(0, ip("::ffff:192.0.2.1"), 2).unwrap();
        assert_eq!(addresses.claim(0, ip("192.0.2.1"), 2).unwrap_err(), Full);
        let _other = addresses.claim(0, ip("192.0.2.2"), 2).unwrap();
        let _elsewhere = addresses.claim(1, ip("192.0.2.1"), 1).unwrap();
        drop(first);
        assert!(addresses.claim(0, ip("192.0.2.1"), 2).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let addresses = Addresses::default();
        let _one = addresses.claim(0, ip("2001:db8::1"), 1).unwrap();
        assert_eq!(
            addresses.claim(0, ip("2001:db8::2:7"), 1).unwrap_err(),
            Full
        );
        assert!(addresses.claim(0, ip("2001:db8:0:1::1"), 1).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_who_has_left() {
        let addresses = Addresses::default();
        let claims: Vec<_> = (0..100_u8)
            .map(|last| addresses.claim(0, [192, 0, 2, last].into(), 1).unwrap())
            .collect();
        assert_eq!(addresses.open.lock().unwrap().len(), 100);
        drop(claims);
        assert!(addresses.open.lock().unwrap().is_empty());
    }

    #[test]
    fn proxies_may_be_exempt_and_no_cap_counts_nobody() {
        let mut addresses = Addresses::default();
        assert!(addresses.claim(0, ip("192.0.2.1"), 0).unwrap().is_none());
        addresses.exempt(|_place, ip| ip == IpAddr::from([10, 0, 0, 1]));
        for _ in 0..10 {
            assert!(
                addresses
                    .claim(0, ip("::ffff:10.0.0.1"), 1)
                    .unwrap()
                    .is_none()
            );
        }
        assert!(addresses.claim(0, ip("10.0.0.2"), 1).unwrap().is_some());
    }
}
