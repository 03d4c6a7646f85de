//! Refusals that need not be asked for again.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::super::store::{Demand, Verdict};

/// Calls that Redis refused and would refuse again: a caller that keeps asking costs no round trip.
///
/// A refusal holds until the first moment at which the call could be allowed if nobody gave anything back; it is kept
/// for at most [`keep_ns`](Self::new), after which Redis is asked what other instances have done. It covers the same
/// limits of the same keys at the same cost or more. Places are few and fixed; where all places of a call are taken,
/// it takes that of the refusal that ends first. Times are nanoseconds of one clock.
#[derive(Debug)]
pub(super) struct DenyCache {
    hasher: RandomState,
    /// A power of two of them.
    sets: Box<[Mutex<[Option<Refusal>; WAYS]>]>,
    keep_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    /// A keyed hash of keys and quotas, in place of them: callers cannot aim at another's.
    tag: u64,
    until: u64,
    costs: [u32; LIMITS_MAX],
    /// The arrival time of each key; it does not move while nobody is let in.
    arrivals: [u64; LIMITS_MAX],
}

impl DenyCache {
    /// Room for about so many refusals, each kept for at most so long; 0 turns it off.
    pub(super) fn new(places: usize, keep: Duration) -> Self {
        let sets = match places {
            0 => 0,
            places => places.div_ceil(WAYS).next_power_of_two(),
        };
        Self {
            hasher: RandomState::new(),
            sets: (0..sets).map(|_| Mutex::new([None; WAYS])).collect(),
            keep_ns: nanos(keep),
        }
    }

    /// What Redis would say, if it is known to be a refusal.
    pub(super) fn refusal(&self, demands: &[Demand<'_>], now: u64) -> Option<Verdict> {
        let (tag, set) = self.place(demands)?;
        let refusals = *set.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = refusals
            .iter()
            .flatten()
            .find(|refusal| refusal.tag == tag)?;
        let costs_no_less =
            (demands.iter().zip(refusal.costs)).all(|(demand, cost)| demand.cost >= cost);
        if now >= refusal.until || !costs_no_less {
            return None;
        }
        let arrivals = &refusal.arrivals[..demands.len()];
        let ahead = arrivals
            .iter()
            .map(|arrival| Duration::from_nanos(arrival.saturating_sub(now)));
        Some(Verdict::new(false, ahead.collect()))
    }

    /// Remembers that Redis refused, as of `now`: the moment before it was asked, since its answer may be old.
    pub(super) fn refused(&self, demands: &[Demand<'_>], verdict: &Verdict, now: u64) {
        let Some((tag, set)) = self.place(demands) else {
            return;
        };
        let mut refusal = Refusal {
            tag,
            until: now,
            costs: [0; LIMITS_MAX],
            arrivals: [0; LIMITS_MAX],
        };
        for (at, (demand, ahead)) in demands.iter().zip(&verdict.ahead).enumerate() {
            refusal.costs[at] = demand.cost;
            refusal.arrivals[at] = now.saturating_add(nanos(*ahead));
            let room_at = now.saturating_add(nanos(wait(demand, *ahead)));
            refusal.until = refusal.until.max(room_at);
        }
        refusal.until = refusal.until.min(now.saturating_add(self.keep_ns));

        let mut refusals = set.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = |place: &Option<Refusal>| place.map_or(0, |refusal| refusal.until);
        let is_same = |place: &Option<Refusal>| place.is_some_and(|refusal| refusal.tag == tag);
        let place = match refusals.iter().position(is_same) {
            Some(same) => same,
            None => (0..WAYS).min_by_key(|&at| ends(&refusals[at])).unwrap_or(0),
        };
        refusals[place] = Some(refusal);
    }

    /// Forgets a refusal: something was given back.
    pub(super) fn forget(&self, demands: &[Demand<'_>]) {
        let Some((tag, set)) = self.place(demands) else {
            return;
        };
        let mut refusals = set.lock().unwrap_or_else(PoisonError::into_inner);
        for place in &mut *refusals {
            if place.is_some_and(|refusal| refusal.tag == tag) {
                *place = None;
            }
        }
    }

    /// `None` for calls that are not remembered: none at all, or of too many limits.
    fn place(&self, demands: &[Demand<'_>]) -> Option<(u64, &Mutex<[Option<Refusal>; WAYS]>)> {
        if demands.is_empty() || demands.len() > LIMITS_MAX || self.sets.is_empty() {
            return None;
        }
        let mut hashes = [0; LIMITS_MAX];
        for (hash, demand) in hashes.iter_mut().zip(demands) {
            let quota = &demand.quota;
            let limit = (quota.requests(), quota.period(), quota.burst_size());
            *hash = self.hasher.hash_one((demand.key, limit));
        }
        let tag = self.hasher.hash_one((hashes, demands.len()));
        let at = (tag >> 32) & (self.sets.len() as u64 - 1);
        Some((tag, self.sets.get(usize::try_from(at).ok()?)?))
    }
}

/// How long until this demand has room, rounded down: who asks a nanosecond too early asks Redis.
fn wait(demand: &Demand<'_>, ahead: Duration) -> Duration {
    let quota = &demand.quota;
    let room = quota.burst_size().saturating_sub(demand.cost);
    let free_ns = quota.period().as_nanos() * u128::from(room) / u128::from(quota.requests());
    let wait_ns = ahead.as_nanos().saturating_sub(free_ns);
    Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(u64::MAX))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Calls of more limits than this always ask Redis.
const LIMITS_MAX: usize = 4;
/// How many refusals share a lock; among so many, one that just began is rarely driven out.
const WAYS: usize = 4;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{super::super::quota::Quota, *};

    const QUOTA: Quota = Quota::per_second(10).burst(2);
    const MS: u64 = 1_000_000;

    fn call(key: &str, cost: u32) -> [Demand<'_>; 1] {
        [Demand::new(key, QUOTA, cost)]
    }

    fn refused(ahead_ms: u64) -> Verdict {
        Verdict::new(false, vec![Duration::from_millis(ahead_ms)])
    }

    #[test]
    fn a_refusal_holds_until_there_is_room_and_says_what_redis_would() {
        let cache = DenyCache::new(64, Duration::from_secs(60));
        cache.refused(&call("a", 1), &refused(150), 1_000 * MS);
        // A distance is 100 ms and the burst 2, so there is room for one at 100 ms ahead.
        let said = cache.refusal(&call("a", 1), 1_020 * MS).unwrap();
        assert_eq!(said, refused(130));
        assert!(cache.refusal(&call("a", 1), 1_050 * MS - 1).is_some());
        assert_eq!(cache.refusal(&call("a", 1), 1_050 * MS), None);
        assert_eq!(cache.refusal(&call("b", 1), 1_020 * MS), None);
    }

    #[test]
    fn a_cheaper_call_is_asked_for() {
        let cache = DenyCache::new(64, Duration::from_secs(60));
        cache.refused(&call("a", 2), &refused(50), 0);
        assert!(cache.refusal(&call("a", 2), 1).is_some());
        assert_eq!(cache.refusal(&call("a", 1), 1), None);
        assert_eq!(cache.refusal(&call("a", 0), 1), None);
    }

    #[test]
    fn a_refusal_is_kept_no_longer_than_asked_and_not_after_a_refund() {
        let cache = DenyCache::new(64, Duration::from_millis(10));
        let hour = [Demand::new("a", Quota::per_hour(1), 1)];
        cache.refused(&hour, &refused(3_600_000), 0);
        assert!(cache.refusal(&hour, 10 * MS - 1).is_some());
        assert_eq!(cache.refusal(&hour, 10 * MS), None);

        cache.refused(&hour, &refused(3_600_000), 20 * MS);
        cache.forget(&hour);
        assert_eq!(cache.refusal(&hour, 20 * MS), None);
    }

    #[test]
    fn another_quota_is_another_limit() {
        let cache = DenyCache::new(64, Duration::from_secs(60));
        cache.refused(&call("a", 1), &refused(150), 0);
        let raised = [Demand::new("a", Quota::per_second(20).burst(2), 1)];
        assert_eq!(cache.refusal(&raised, 0), None);
    }

    #[test]
    fn several_limits_are_refused_while_one_of_them_is() {
        let cache = DenyCache::new(64, Duration::from_secs(60));
        let day = Quota::per(1, Duration::from_secs(86_400));
        let both = [Demand::new("s:a", QUOTA, 1), Demand::new("d:a", day, 1)];
        let ahead = [20, 3_000].map(Duration::from_millis).to_vec();
        cache.refused(&both, &Verdict::new(false, ahead), 0);
        let said = cache.refusal(&both, 1_000 * MS).unwrap();
        assert_eq!(said.ahead, [Duration::ZERO, Duration::from_millis(2_000)]);
        assert_eq!(cache.refusal(&both, 3_000 * MS), None);
    }

    #[test]
    fn places_are_bounded_and_none_means_off() {
        let off = DenyCache::new(0, Duration::from_secs(60));
        off.refused(&call("a", 1), &refused(150), 0);
        assert_eq!(off.refusal(&call("a", 1), 0), None);

        let cache = DenyCache::new(8, Duration::from_secs(60));
        for at in 0..1_000 {
            cache.refused(&call(&at.to_string(), 1), &refused(150), 0);
        }
        let kept = (0..1_000).filter(|at| cache.refusal(&call(&at.to_string(), 1), 0).is_some());
        assert!((1..=8).contains(&kept.count()));
        let many = [(); 5].map(|()| call("a", 1)[0]);
        cache.refused(&many, &refused(150), 0);
        assert_eq!(cache.refusal(&many, 0), None);
    }

    proptest! {
        /// It may forget, but what it says a map without bounds says, too.
        #[test]
        fn it_never_refuses_what_was_not_refused(
            steps in proptest::collection::vec((0_u8..40, 1_u32..3, 0_u64..200, 0_u64..30, any::<bool>()), 1..200)
        ) {
            let cache = DenyCache::new(8, Duration::from_millis(80));
            let mut naive: HashMap<u8, (u64, u32)> = HashMap::new();
            let mut now = 0;
            for (key, cost, ahead_ms, pause_ms, is_refused) in steps {
                now += pause_ms * MS;
                let text = key.to_string();
                let demands = call(&text, cost);
                if cache.refusal(&demands, now).is_some() {
                    let (until, least) = naive[&key];
                    prop_assert!(now < until && cost >= least);
                } else if is_refused {
                    cache.refused(&demands, &refused(ahead_ms), now);
                    let room_at = now + (ahead_ms * MS).saturating_sub(u64::from(2 - cost) * 100 * MS);
                    naive.insert(key, (room_at.min(now + 80 * MS), cost));
                }
            }
        }
    }
}
