//! Any history of requests gives the same decisions as a naive model.
//!
//! The model is a bucket of tokens, counted in fractions that are never rounded, in a map without bounds.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use tokio::time::advance;

use super::super::{Quota, RateLimiter};

#[derive(Debug)]
struct Bucket {
    /// Tokens times the period in nanoseconds.
    level: u128,
    at_ns: u128,
}

#[derive(Debug)]
struct Model {
    quota: Quota,
    buckets: HashMap<u8, Bucket>,
}

impl Model {
    fn full(&self) -> u128 {
        u128::from(self.quota.burst_size()) * self.quota.period().as_nanos()
    }

    fn level(&self, key: u8, now_ns: u128) -> u128 {
        let full = self.full();
        self.buckets.get(&key).map_or(full, |bucket| {
            let refill = (now_ns - bucket.at_ns) * u128::from(self.quota.requests());
            (bucket.level + refill).min(full)
        })
    }

    /// The tokens left, or how long until there is one.
    fn check(&mut self, key: u8, now_ns: u128) -> Result<u128, u128> {
        let token = self.quota.period().as_nanos();
        let level = self.level(key, now_ns);
        if level < token {
            return Err((token - level).div_ceil(self.quota.requests().into()));
        }
        let level = level - token;
        let at_ns = now_ns;
        self.buckets.insert(key, Bucket { level, at_ns });
        Ok(level / token)
    }

    fn reset_ns(&self, key: u8, now_ns: u128) -> u128 {
        let missing = self.full() - self.level(key, now_ns);
        missing.div_ceil(self.quota.requests().into())
    }

    fn active(&self, now_ns: u128) -> usize {
        let keys = self.buckets.keys();
        keys.filter(|key| self.level(**key, now_ns) < self.full())
            .count()
    }
}

fn quota() -> impl Strategy<Value = Quota> {
    let period_ns = prop_oneof![1_u64..1_000, Just(1_000_000_000)];
    (1_u32..50, period_ns, 1_u32..20).prop_map(|(requests, period, burst)| {
        Quota::per(requests, Duration::from_nanos(period)).burst(burst)
    })
}

/// A key, and a wait before its request in thousandths of the time that a burst takes to come back.
fn requests() -> impl Strategy<Value = Vec<(u8, u64)>> {
    let wait = prop_oneof![3 => Just(0_u64), 3 => 0_u64..200, 1 => 0_u64..2_000];
    prop::collection::vec((any::<u8>(), wait), 0..300)
}

fn run(quota: Quota, max_keys: usize, requests: &[(u8, u64)]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let limiter = RateLimiter::builder(quota)
            .max_keys(max_keys)
            .build()
            .unwrap();
        let mut model = Model {
            quota,
            buckets: HashMap::new(),
        };
        let span = quota.period() * quota.burst_size() / quota.requests();
        let mut now_ns = 0_u128;
        for &(key, thousandths) in requests {
            let wait = span * u32::try_from(thousandths).unwrap() / 1_000;
            advance(wait).await;
            now_ns += wait.as_nanos();
            if model.level(key, now_ns) == model.full() && model.active(now_ns) >= max_keys {
                continue;
            }
            match (limiter.check(&key), model.check(key, now_ns)) {
                (Ok(allowed), Ok(remaining)) => {
                    prop_assert_eq!(u128::from(allowed.remaining()), remaining);
                    let reset_ns = model.reset_ns(key, now_ns);
                    prop_assert_eq!(allowed.reset_after().as_nanos(), reset_ns);
                }
                (Err(limited), Err(wait_ns)) => {
                    prop_assert_eq!(limited.retry_after().as_nanos(), wait_ns);
                    let reset_ns = model.reset_ns(key, now_ns);
                    prop_assert_eq!(limited.reset_after().as_nanos(), reset_ns);
                }
                (actual, expected) => {
                    prop_assert!(false, "{actual:?} instead of {expected:?}");
                }
            }
            prop_assert!(limiter.keys() <= max_keys);
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_key_has_a_bucket_of_its_own(quota in quota(), requests in requests()) {
        run(quota, 256, &requests)?;
    }

    /// Requests by which more keys would be active than are remembered are left out: the others must
    /// not notice that there is a bound.
    #[test]
    fn no_active_key_is_forgotten_while_there_is_room(
        quota in quota(),
        requests in requests(),
        max_keys in 1_usize..20,
    ) {
        run(quota, max_keys, &requests)?;
    }
}
