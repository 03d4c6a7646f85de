//! What a breaker and a limit cost when all is not well: `cargo bench -p msf-benches --bench resilience`.
//!
//! Failures, cancelled calls, refusals, and a limiter that is full; the success path is in the bench `layers`. The tables
//! are medians of rounds taken in turns, so the figures of one table can be compared with each other. governor stands beside
//! our limit with the same quota and the same keys; it reads the TSC, we read tokio's clock, so that tests can pause
//! it: "the clock alone" is what that costs.

#![expect(clippy::print_stdout, reason = "it prints tables")]

use std::{hint::black_box, num::NonZeroU32, sync::Mutex};

use msf_benches::rounds::{Candidate, measure};
use msf_core::{BoxError, classify::Classification, clock, metrics::Metrics, testing::allocations};
use msf_resilience::{
    circuit_breaker::CircuitBreaker,
    rate_limit::{DirectLimiter, Quota, RateLimiter},
};

/// So large that nothing is refused while a table is made.
const PLENTY: u32 = 1_000_000_000;
const KEYS: u64 = 1_000;
/// A prime, so that the string keys are not asked for in the order of their addresses.
const STRIDE: usize = 7_919;
/// The default of `max_keys`.
const FULL: u64 = 65_536;

fn main() -> Result<(), BoxError> {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, operations) = if is_quick {
        (101, 1_000)
    } else {
        (1_001, 1_000)
    };

    println!("circuit breaker, one call");
    print(&mut breakers()?, rounds, operations);
    println!("rate limit, one check");
    print(&mut limits()?, rounds, operations);
    Ok(())
}

fn breakers() -> Result<Vec<Candidate<'static>>, BoxError> {
    let silent = CircuitBreaker::builder("silent").build()?;
    let counted = CircuitBreaker::builder("counted")
        .metrics(&Metrics::new())
        .build()?;
    let failing = CircuitBreaker::builder("failing").build()?;
    let cancelled = silent.clone();
    let open = opened()?;
    let lock = Mutex::new(0_u64);
    let mut calls = 0_u32;
    Ok(vec![
        Candidate::new("the clock alone", || {
            black_box(clock::now());
        }),
        Candidate::new("one std::sync::Mutex", move || {
            if let Ok(mut count) = lock.lock() {
                *count += 1;
            }
        }),
        Candidate::new("acquire + success", move || {
            call(&silent, &Classification::SUCCESS);
        }),
        Candidate::new("acquire + success, metrics", move || {
            call(&counted, &Classification::SUCCESS);
        }),
        Candidate::new("acquire + a third failing", move || {
            calls += 1;
            let classification = if calls.is_multiple_of(3) {
                Classification::FAILURE
            } else {
                Classification::SUCCESS
            };
            call(&failing, &classification);
        }),
        Candidate::new("acquire + drop", move || {
            drop(black_box(cancelled.try_acquire()));
        }),
        Candidate::new("refused by an open circuit", move || {
            drop(black_box(open.try_acquire()));
        }),
    ])
}

fn limits() -> Result<Vec<Candidate<'static>>, BoxError> {
    let ours = limiter(PLENTY)?;
    let counted = RateLimiter::builder(Quota::per_second(PLENTY))
        .metrics(&Metrics::new())
        .build()?;
    let spent = limiter_of(Quota::per_hour(1))?;
    let idle = filled(Quota::per_second(PLENTY))?;
    let active = filled(Quota::per_hour(1))?;
    let (mut idle_key, mut active_key) = (FULL, FULL);
    let theirs = governed(PLENTY)?;
    let theirs_spent = governor::RateLimiter::dashmap(governor::Quota::per_hour(NonZeroU32::MIN));
    let direct = governor::RateLimiter::direct(governor::Quota::per_second(nonzero(PLENTY)?));
    let everybody = DirectLimiter::builder(Quota::per_second(PLENTY)).build_direct()?;
    // A burst of an hour: the arrival time runs ahead of the clock.
    let ahead = Quota::per_second(1_000_000).burst(u32::MAX);
    let ahead = DirectLimiter::builder(ahead).build_direct()?;
    let texts = texts();
    let by_text = RateLimiter::builder(Quota::per_second(PLENTY)).build()?;
    let (their_texts, mut e, mut f) = (texts.clone(), 0, 0);
    let theirs_by_text =
        governor::RateLimiter::dashmap(governor::Quota::per_second(nonzero(PLENTY)?));
    let mut keys = Keys::default();
    let (mut a, mut b, mut c, mut d) = (keys, keys, keys, keys);
    Ok(vec![
        Candidate::new("msf, 1000 keys", move || {
            drop(black_box(ours.check(&keys.next())));
        }),
        Candidate::new("governor keyed, 1000 keys", move || {
            drop(black_box(theirs.check_key(&a.next())));
        }),
        Candidate::new("msf, 1000 keys, metrics", move || {
            drop(black_box(counted.check(&b.next())));
        }),
        Candidate::new("msf, refused", move || {
            drop(black_box(spent.check(&c.next())));
        }),
        Candidate::new("governor keyed, refused", move || {
            drop(black_box(theirs_spent.check_key(&d.next())));
        }),
        Candidate::new("msf, new key, others idle", move || {
            idle_key += 1;
            drop(black_box(idle.check(&idle_key)));
        }),
        Candidate::new("msf, new key, others active", move || {
            active_key += 1;
            drop(black_box(active.check(&active_key)));
        }),
        Candidate::new("msf, 10000 string keys", move || {
            e = (e + STRIDE) % texts.len();
            drop(black_box(by_text.check(&texts[e])));
        }),
        Candidate::new("governor, 10000 string keys", move || {
            f = (f + STRIDE) % their_texts.len();
            drop(black_box(theirs_by_text.check_key(&their_texts[f])));
        }),
        Candidate::new("msf without keys", move || {
            drop(black_box(everybody.check()));
        }),
        Candidate::new("msf without keys, ahead", move || {
            drop(black_box(ahead.check()));
        }),
        Candidate::new("governor without keys", move || {
            drop(black_box(direct.check()));
        }),
    ])
}

fn call(breaker: &CircuitBreaker, classification: &Classification) {
    if let Ok(permit) = breaker.try_acquire() {
        permit.complete(black_box(classification));
    }
}

fn opened() -> Result<CircuitBreaker, BoxError> {
    let day = std::time::Duration::from_secs(86_400);
    let breaker = CircuitBreaker::builder("open")
        .min_calls(1)
        .open_max(day)
        .open_for(day)
        .build()?;
    call(&breaker, &Classification::FAILURE);
    Ok(breaker)
}

fn texts() -> Vec<String> {
    (0..10_000).map(|n| format!("tenant-{n:05}")).collect()
}

fn limiter(per_second: u32) -> Result<RateLimiter<u64>, BoxError> {
    limiter_of(Quota::per_second(per_second))
}

fn limiter_of(quota: Quota) -> Result<RateLimiter<u64>, BoxError> {
    Ok(RateLimiter::builder(quota).build()?)
}

/// A limiter that remembers as many keys as it may.
fn filled(quota: Quota) -> Result<RateLimiter<u64>, BoxError> {
    let limiter = limiter_of(quota)?;
    for key in 0..FULL {
        limiter.check(&key)?;
    }
    Ok(limiter)
}

fn governed(per_second: u32) -> Result<governor::DefaultKeyedRateLimiter<u64>, BoxError> {
    let quota = governor::Quota::per_second(nonzero(per_second)?);
    Ok(governor::RateLimiter::dashmap(quota))
}

fn nonzero(number: u32) -> Result<NonZeroU32, BoxError> {
    Ok(NonZeroU32::try_from(number)?)
}

/// Keys in an order that the branch predictor and the cache do not know by heart.
#[derive(Clone, Copy, Debug, Default)]
struct Keys(u64);

impl Keys {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(617);
        self.0 % KEYS
    }
}

fn print(candidates: &mut [Candidate<'_>], rounds: u32, operations: u32) {
    let measured = measure(candidates, rounds, operations);
    println!("  {:<32}{:>10}{:>14}", "", "ns", "allocations");
    for (candidate, row) in candidates.iter_mut().zip(measured) {
        let count = allocations(|| candidate.run()).count;
        println!("  {:<32}{:>10.1}{:>14}", row.name, row.ns, count);
    }
    println!();
}
