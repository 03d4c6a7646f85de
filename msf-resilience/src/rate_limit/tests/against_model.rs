//! Any history of calls gives the same decisions as a naive model.
//!
//! The model is a bucket of tokens per limit, counted in whole twelfths of a nanosecond and never rounded, in a map without
//! bounds. It knows nothing of arrival times.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use tokio::time::advance;

use super::super::{DirectLimiter, Quota, RateLimiter, Refused, gcra::Gcra};

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Tokens times the price of one.
    level: u128,
    at_ns: u128,
}

#[derive(Debug)]
struct Model {
    quotas: Vec<Quota>,
    buckets: HashMap<u8, Vec<Bucket>>,
}

/// What a token costs: so many twelfths of a nanosecond, rounded up.
fn price(quota: &Quota) -> u128 {
    (quota.period().as_nanos() * 12).div_ceil(quota.requests().into())
}

fn full(quota: &Quota) -> u128 {
    price(quota) * u128::from(quota.burst_size())
}

impl Model {
    fn level(&self, key: u8, limit: usize, now_ns: u128) -> u128 {
        let full = full(&self.quotas[limit]);
        self.buckets.get(&key).map_or(full, |buckets| {
            let Bucket { level, at_ns } = buckets[limit];
            (level + (now_ns - at_ns) * 12).min(full)
        })
    }

    fn set(&mut self, key: u8, now_ns: u128, levels: impl Iterator<Item = u128>) {
        let at_ns = now_ns;
        let buckets = levels.map(|level| Bucket { level, at_ns }).collect();
        self.buckets.insert(key, buckets);
    }

    fn levels(&self, key: u8, now_ns: u128) -> Vec<u128> {
        let limits = 0..self.quotas.len();
        limits.map(|limit| self.level(key, limit, now_ns)).collect()
    }

    /// The tokens left in each limit, or how long until there is room in all; `None` for never.
    fn check(&mut self, key: u8, cost: u32, now_ns: u128) -> Result<Vec<u128>, Option<u128>> {
        if self.quotas.iter().any(|quota| cost > quota.burst_size()) {
            return Err(None);
        }
        let levels = self.levels(key, now_ns);
        let needs: Vec<_> = self
            .quotas
            .iter()
            .map(|quota| price(quota) * u128::from(cost))
            .collect();
        let waits = levels.iter().zip(&needs);
        let wait = waits
            .map(|(level, need)| need.saturating_sub(*level).div_ceil(12))
            .max();
        if let Some(wait @ 1..) = wait {
            return Err(Some(wait));
        }
        let left: Vec<_> = levels
            .iter()
            .zip(&needs)
            .map(|(level, need)| level - need)
            .collect();
        self.set(key, now_ns, left.iter().copied());
        let tokens = left.iter().zip(&self.quotas);
        Ok(tokens.map(|(left, quota)| left / price(quota)).collect())
    }

    fn refund(&mut self, key: u8, cost: u32, now_ns: u128) {
        let levels = self.levels(key, now_ns);
        let quotas = self.quotas.clone();
        let levels = levels
            .iter()
            .zip(&quotas)
            .map(|(level, quota)| (level + price(quota) * u128::from(cost)).min(full(quota)));
        self.set(key, now_ns, levels);
    }

    fn resets_ns(&self, key: u8, now_ns: u128) -> Vec<u128> {
        let limits = self.quotas.iter().enumerate();
        limits
            .map(|(limit, quota)| (full(quota) - self.level(key, limit, now_ns)).div_ceil(12))
            .collect()
    }

    fn is_active(&self, key: u8, now_ns: u128) -> bool {
        let mut limits = self.quotas.iter().enumerate();
        limits.any(|(limit, quota)| self.level(key, limit, now_ns) < full(quota))
    }

    fn active(&self, now_ns: u128) -> usize {
        let keys = self.buckets.keys();
        keys.filter(|key| self.is_active(**key, now_ns)).count()
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Check(u32),
    Refund(u32),
}

fn quota() -> impl Strategy<Value = Quota> {
    let period_ns = prop_oneof![1_u64..1_000, Just(1_000_000_000)];
    (1_u32..50, period_ns, 1_u32..20).prop_map(|(requests, period, burst)| {
        Quota::per(requests, Duration::from_nanos(period)).burst(burst)
    })
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => Just(Call::Check(1)),
        3 => (0_u32..22).prop_map(Call::Check),
        1 => (0_u32..22).prop_map(Call::Refund),
    ]
}

/// A key, a wait before its call in thousandths of the time that a burst takes to come back, and the call.
fn calls() -> impl Strategy<Value = Vec<(u8, u64, Call)>> {
    let wait = prop_oneof![3 => Just(0_u64), 3 => 0_u64..200, 1 => 0_u64..2_000];
    prop::collection::vec((any::<u8>(), wait, call()), 0..300)
}

/// The limiter under test: with keys, or without.
enum Subject {
    Keyed(RateLimiter<u8>, usize),
    Direct(DirectLimiter),
}

fn run(
    quotas: &[Quota],
    max_keys: Option<usize>,
    calls: &[(u8, u64, Call)],
) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let subject = if let Some(max_keys) = max_keys {
            let builder = RateLimiter::builder(quotas[0]).max_keys(max_keys);
            let builder = quotas
                .iter()
                .enumerate()
                .skip(1)
                .fold(builder, |builder, (n, quota)| {
                    builder.limit(format!("l{n}"), *quota)
                });
            Subject::Keyed(builder.build().unwrap(), max_keys)
        } else {
            let builder = DirectLimiter::builder(quotas[0]);
            let builder = quotas
                .iter()
                .enumerate()
                .skip(1)
                .fold(builder, |builder, (n, quota)| {
                    builder.limit(format!("l{n}"), *quota)
                });
            Subject::Direct(builder.build_direct().unwrap())
        };
        let mut model = Model {
            quotas: quotas.to_vec(),
            buckets: HashMap::new(),
        };
        let span = quotas[0].period() * quotas[0].burst_size() / quotas[0].requests();
        let mut now_ns = 0_u128;
        for &(key, thousandths, call) in calls {
            let wait = span * u32::try_from(thousandths).unwrap() / 1_000;
            advance(wait).await;
            now_ns += wait.as_nanos();
            let key = if max_keys.is_some() { key } else { 0 };
            if let Subject::Keyed(_, max_keys) = subject
                && !model.is_active(key, now_ns)
                && model.active(now_ns) >= max_keys
            {
                continue;
            }
            let cost = match (call, &subject) {
                (Call::Check(cost), _) => cost,
                (Call::Refund(cost), subject) => {
                    match subject {
                        Subject::Keyed(limiter, _) => limiter.refund(&key, cost),
                        Subject::Direct(limiter) => limiter.refund(cost),
                    }
                    model.refund(key, cost, now_ns);
                    continue;
                }
            };
            let actual = match &subject {
                Subject::Keyed(limiter, _) => limiter.check_n(&key, cost),
                Subject::Direct(limiter) => limiter.check_n(cost),
            };
            match (actual, model.check(key, cost, now_ns)) {
                (Ok(allowed), Ok(remaining)) => {
                    let standings: Vec<_> = allowed.standings().collect();
                    let left: Vec<_> = standings
                        .iter()
                        .map(|one| u128::from(one.remaining()))
                        .collect();
                    prop_assert_eq!(left, remaining);
                    let resets: Vec<_> = standings
                        .iter()
                        .map(|one| one.reset_after().as_nanos())
                        .collect();
                    prop_assert_eq!(resets, model.resets_ns(key, now_ns));
                }
                (Err(Refused::Limited(limited)), Err(Some(wait_ns))) => {
                    prop_assert_eq!(limited.retry_after().as_nanos(), wait_ns);
                    let resets: Vec<_> = limited
                        .standings()
                        .map(|one| one.reset_after().as_nanos())
                        .collect();
                    prop_assert_eq!(resets, model.resets_ns(key, now_ns));
                }
                (Err(Refused::TooCostly(_)), Err(None)) => {}
                (actual, expected) => {
                    prop_assert!(false, "{actual:?} instead of {expected:?}");
                }
            }
            if let Subject::Keyed(limiter, max_keys) = &subject {
                prop_assert!(limiter.keys() <= *max_keys);
            }
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_key_has_a_bucket_of_its_own(quota in quota(), calls in calls()) {
        run(&[quota], Some(256), &calls)?;
    }

    #[test]
    fn several_limits_are_charged_together_or_not_at_all(
        quotas in prop::collection::vec(quota(), 2..=4),
        calls in calls(),
    ) {
        run(&quotas, Some(256), &calls)?;
    }

    #[test]
    fn everybody_together_has_one_bucket_per_limit(
        quotas in prop::collection::vec(quota(), 1..=3),
        calls in calls(),
    ) {
        run(&quotas, None, &calls)?;
    }

    /// Calls by which more keys would be active than are remembered are left out: the others must
    /// not notice that there is a bound.
    #[test]
    fn no_active_key_is_forgotten_while_there_is_room(
        quotas in prop::collection::vec(quota(), 1..=2),
        calls in calls(),
        max_keys in 1_usize..20,
    ) {
        run(&quotas, Some(max_keys), &calls)?;
    }

    /// What is rounded is a twelfth of a nanosecond per request, and never in the caller's favour.
    #[test]
    fn a_rate_is_never_above_the_quota_and_hardly_below(
        requests in 1_u32..=u32::MAX,
        period_ns in 1_u64..86_400_000_000_000,
    ) {
        let quota = Quota::per(requests, Duration::from_nanos(period_ns)).burst(1);
        let distance = u128::from(Gcra::new(&quota, 0).distance);
        prop_assert_eq!(distance, price(&quota));
        let exact = u128::from(period_ns) * 12;
        prop_assert!(distance * u128::from(requests) >= exact);
        prop_assert!((distance - 1) * u128::from(requests) < exact);
    }
}
