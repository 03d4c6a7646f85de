//! How long a verified token may be taken without looking: a pure function of times.

use std::time::Duration;

use crate::verify::Times;

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instants {
    pub(crate) wall_s: u64,
    pub(crate) monotonic_ns: u64,
}

/// From when until when a kept token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    begins_s: u64,
    ends_s: u64,
    taken_ns: u64,
    ends_ns: u64,
}

impl Lease {
    /// For a token with these `nbf`, `iat` and `exp` that was verified now.
    ///
    /// The wall clock says when a token ends; the monotonic clock bounds how long it takes to get there, so that a
    /// wall clock that is set back makes no token live longer.
    pub(crate) fn new(
        (not_before_s, issued_s, expires_s): (Option<u64>, Option<u64>, u64),
        times: Times,
        ttl: Duration,
        now: Instants,
    ) -> Self {
        let starts = [not_before_s, issued_s].into_iter().flatten();
        let life_ends_s = issued_s.map_or(u64::MAX, |s| s.saturating_add(times.lifetime_max_s));
        let ends_s = expires_s.saturating_add(times.leeway_s).min(life_ends_s);
        let left_s = ends_s.saturating_sub(now.wall_s);
        let kept_ns = nanos(ttl).min(left_s.saturating_mul(1_000_000_000));
        Self {
            begins_s: starts.max().unwrap_or(0).saturating_sub(times.leeway_s),
            ends_s,
            taken_ns: now.monotonic_ns,
            ends_ns: now.monotonic_ns.saturating_add(kept_ns),
        }
    }

    /// Whether it may be taken without looking.
    pub(crate) const fn holds(&self, now: Instants) -> bool {
        now.wall_s >= self.begins_s && now.wall_s < self.ends_s && now.monotonic_ns < self.ends_ns
    }

    /// Whether it was verified less than `age` ago.
    pub(crate) fn is_younger(&self, age: Duration, now: Instants) -> bool {
        now.monotonic_ns.saturating_sub(self.taken_ns) < nanos(age)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*};

    use super::*;

    const TIMES: Times = Times {
        leeway_s: 30,
        lifetime_max_s: 3_600,
    };
    const TTL: Duration = Duration::from_secs(60);

    fn at(wall_s: u64, monotonic_s: u64) -> Instants {
        Instants {
            wall_s,
            monotonic_ns: monotonic_s * 1_000_000_000,
        }
    }

    #[test]
    fn it_ends_with_the_token_with_the_longest_life_and_with_the_ttl() {
        let by_expiry = Lease::new((None, Some(990), 1_010), TIMES, TTL, at(1_000, 5));
        assert!(by_expiry.holds(at(1_039, 44)) && !by_expiry.holds(at(1_040, 45)));
        let by_life = Lease::new((None, Some(0), 3_600), TIMES, TTL, at(3_590, 5));
        assert!(by_life.holds(at(3_599, 14)) && !by_life.holds(at(3_600, 15)));
        let by_ttl = Lease::new((None, None, 9_000), TIMES, TTL, at(1_000, 5));
        assert!(by_ttl.holds(at(1_059, 64)) && !by_ttl.holds(at(1_060, 65)));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_token_live_longer() {
        let lease = Lease::new((None, Some(990), 1_010), TIMES, TTL, at(1_000, 5));
        assert!(!lease.holds(at(1_000, 5 + 40)));
        assert!(lease.holds(at(960, 10)));
        assert!(!lease.holds(at(959, 10)), "it was not issued yet");
    }

    #[test]
    fn a_clock_that_is_set_forward_ends_it() {
        let lease = Lease::new((None, None, 1_010), TIMES, TTL, at(1_000, 5));
        assert!(!lease.holds(at(1_040, 5)));
    }

    proptest! {
        #[test]
        fn what_holds_would_be_accepted_again(
            nbf in option::of(0_u64..3_000),
            iat in option::of(0_u64..3_000),
            exp in 0_u64..6_000,
            then_s in 0_u64..3_000,
            wall_s in 0_u64..6_000,
            after_s in 0_u64..100,
        ) {
            let lease = Lease::new((nbf, iat, exp), TIMES, TTL, at(then_s, 7));
            if lease.holds(at(wall_s, 7 + after_s)) {
                prop_assert!(after_s < 60);
                prop_assert!(wall_s < exp + 30);
                prop_assert!(then_s + after_s < exp + 30);
                prop_assert!([nbf, iat].into_iter().flatten().all(|start_s| start_s <= wall_s + 30));
            }
        }
    }
}
