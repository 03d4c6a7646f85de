//! Which idle connection comes next, and how many there may be: no sockets, no clock.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::gate::{Admission, Gate};

/// How many idle connections to a callee are kept, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolLimits {
    /// Idle connections kept per callee.
    pub(super) idle_per_host_max: usize,
    /// How long an idle connection is kept.
    pub(super) idle_timeout: Duration,
}

/// Idle connections by address, the youngest first.
///
/// The youngest is the one that the callee has least reason to have closed, and the old ones get to
/// their timeout when fewer are needed.
#[derive(Debug)]
pub(super) struct Pool<C> {
    // Addresses come from a registry or a file, never from a request: what is to be hard to collide costs three times
    // as much, twice per request.
    hosts: HashMap<SocketAddr, Host<C>, RandomState>,
}

#[derive(Debug)]
struct Host<C> {
    limits: PoolLimits,
    /// The youngest last.
    idle: Vec<Idle<C>>,
    // Shared with the slots and not the pool: a connection that is kept in the pool must not keep it.
    gate: Arc<Gate<C>>,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    since: Instant,
}

impl<C> Pool<C> {
    pub(super) fn new() -> Self {
        Self {
            hosts: HashMap::default(),
        }
    }

    /// The youngest idle connection that has not reached its timeout.
    pub(super) fn take(&mut self, addr: SocketAddr, now: Instant) -> Option<C> {
        let host = self.hosts.get_mut(&addr)?;
        let youngest = host.idle.pop()?;
        if is_fresh(youngest.since, now, host.limits.idle_timeout) {
            Some(youngest.connection)
        } else {
            // The others are older still.
            host.idle.clear();
            None
        }
    }

    /// Gives a connection to the first who waits, or keeps it for the next request; gives it back when
    /// there are enough.
    pub(super) fn put(&mut self, addr: SocketAddr, connection: C, now: Instant) -> Result<(), C> {
        // A callee that is gone from the map was swept: nothing of it was open.
        let Some(host) = self.hosts.get_mut(&addr) else {
            return Err(connection);
        };
        let Some(connection) = host.gate.hand_over(connection) else {
            return Ok(());
        };
        if host.idle.len() >= host.limits.idle_per_host_max {
            return Err(connection);
        }
        host.idle.push(Idle {
            connection,
            since: now,
        });
        Ok(())
    }

    /// The right to open one more connection, when there are less than `max`, or a place in line.
    /// From now on `limits` hold for its idle ones.
    pub(super) fn admit(
        &mut self,
        addr: SocketAddr,
        max: usize,
        queue_max: usize,
        limits: PoolLimits,
    ) -> Admission<C> {
        let host = self.hosts.entry(addr).or_insert_with(|| Host {
            limits,
            idle: Vec::new(),
            gate: Arc::default(),
        });
        host.limits = limits;
        host.gate.admit(max, queue_max)
    }

    /// Closes all idle connections of a callee.
    pub(super) fn distrust(&mut self, addr: SocketAddr) {
        if let Some(host) = self.hosts.get_mut(&addr) {
            host.idle.clear();
        }
    }

    /// Forgets what is too old and callees to which nothing is open; says whether anything is left.
    pub(super) fn sweep(&mut self, now: Instant, is_alive: impl Fn(&C) -> bool) -> bool {
        self.hosts.retain(|_, host| {
            let timeout = host.limits.idle_timeout;
            host.idle
                .retain(|idle| is_fresh(idle.since, now, timeout) && is_alive(&idle.connection));
            !host.idle.is_empty() || host.gate.open() > 0
        });
        !self.hosts.is_empty()
    }

    pub(super) fn idle(&self) -> usize {
        self.hosts.values().map(|host| host.idle.len()).sum()
    }

    pub(super) fn open(&self) -> usize {
        let open = |host: &Host<C>| host.gate.open();
        self.hosts.values().map(open).sum()
    }
}

fn is_fresh(since: Instant, now: Instant, timeout: Duration) -> bool {
    now.saturating_duration_since(since) < timeout
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::gate::Slot, *};

    const LIMITS: PoolLimits = PoolLimits {
        idle_per_host_max: 3,
        idle_timeout: Duration::from_secs(10),
    };

    const MAX: usize = 5;

    fn addr(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn reserve<C>(pool: &mut Pool<C>, addr: SocketAddr) -> Option<Slot<C>> {
        match pool.admit(addr, MAX, 0, LIMITS) {
            Admission::Slot(slot) => Some(slot),
            Admission::Wait(_) | Admission::Full => None,
        }
    }

    /// A connection that has its place.
    #[derive(Debug)]
    struct Open(#[expect(dead_code, reason = "held")] Slot<Self>);

    fn always<C>(_: &C) -> bool {
        true
    }

    #[tokio::test(start_paused = true)]
    async fn the_youngest_goes_first() {
        let mut pool = Pool::new();
        let _slot = reserve(&mut pool, addr(1));
        let now = Instant::now();
        pool.put(addr(1), "old", now).unwrap();
        pool.put(addr(1), "young", now + Duration::from_secs(1))
            .unwrap();
        let later = now + Duration::from_secs(2);
        assert_eq!(pool.take(addr(1), later), Some("young"));
        assert_eq!(pool.take(addr(2), later), None);
        assert_eq!(pool.take(addr(1), later), Some("old"));
        assert_eq!(pool.take(addr(1), later), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_at_its_timeout_is_not_used() {
        let mut pool = Pool::new();
        let _slot = reserve(&mut pool, addr(1));
        let now = Instant::now();
        pool.put(addr(1), 1, now).unwrap();
        pool.put(addr(1), 2, now).unwrap();
        assert_eq!(pool.take(addr(1), now + LIMITS.idle_timeout), None);
        assert_eq!(pool.idle(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_callee_without_connections_is_forgotten() {
        let mut pool = Pool::new();
        let now = Instant::now();
        let slot = reserve(&mut pool, addr(1)).unwrap();
        pool.put(addr(1), Open(slot), now).unwrap();
        assert!(pool.sweep(now, always));
        assert!(!pool.sweep(now + LIMITS.idle_timeout, always));
        assert!(pool.hosts.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_connection_is_swept_before_its_time() {
        let mut pool = Pool::new();
        let _slot = reserve(&mut pool, addr(1));
        let now = Instant::now();
        pool.put(addr(1), "closed", now).unwrap();
        pool.put(addr(1), "alive", now).unwrap();
        pool.sweep(now, |connection| *connection == "alive");
        assert_eq!(pool.take(addr(1), now), Some("alive"));
        assert_eq!(pool.take(addr(1), now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn each_callee_has_limits_of_its_own() {
        let mut pool = Pool::new();
        let short = PoolLimits {
            idle_per_host_max: 1,
            idle_timeout: Duration::from_secs(2),
        };
        let _long = reserve(&mut pool, addr(1));
        let _short = pool.admit(addr(2), MAX, 0, short);
        let now = Instant::now();
        for connection in 0..2 {
            pool.put(addr(1), connection, now).unwrap();
        }
        pool.put(addr(2), 7, now).unwrap();
        assert_eq!(pool.put(addr(2), 8, now), Err(8));
        let later = now + Duration::from_secs(3);
        assert_eq!(pool.take(addr(1), later), Some(1));
        assert_eq!(pool.take(addr(2), later), None);
        let _changed = pool.admit(addr(2), MAX, 0, LIMITS);
        pool.put(addr(2), 9, later).unwrap();
        assert_eq!(pool.take(addr(2), later + short.idle_timeout), Some(9));
    }

    proptest! {
        #[test]
        fn no_share_is_exceeded_and_none_leaks(steps in proptest::collection::vec((0_u8..4, 0_u16..2, 0_u64..4), 0..200)) {
            let mut now = Instant::now();
            let mut pool = Pool::new();
            let mut used: Vec<(u16, Open)> = Vec::new();
            for (step, port, wait) in steps {
                now += Duration::from_secs(wait);
                match step {
                    0 => used.extend(reserve(&mut pool, addr(port)).map(|slot| (port, Open(slot)))),
                    1 => used.extend(pool.take(addr(port), now).map(|slot| (port, slot))),
                    2 => if let Some((port, slot)) = used.pop() {
                        drop(pool.put(addr(port), slot, now));
                    },
                    _ => { pool.sweep(now, always); }
                }
                prop_assert_eq!(pool.open(), used.len() + pool.idle());
                for host in pool.hosts.values() {
                    prop_assert!(host.idle.len() <= LIMITS.idle_per_host_max);
                    prop_assert!(host.gate.open() <= MAX);
                }
            }
            used.clear();
            prop_assert!(!pool.sweep(now + LIMITS.idle_timeout, always));
        }
    }
}
