//! How many keys are remembered, which are forgotten, and threads.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use msf_core::metrics::Metrics;
use tokio::time::advance;

use super::super::{InvalidRateLimiter, Quota, RateLimiter};

#[tokio::test(start_paused = true)]
async fn a_full_limiter_forgets_the_key_that_owes_least() {
    let metrics = Metrics::new();
    let limiter = RateLimiter::builder(Quota::per_hour(3))
        .name("small")
        .max_keys(2)
        .metrics(&metrics)
        .build()
        .unwrap();
    for _ in 0..3 {
        limiter.check(&"greedy").unwrap();
    }
    limiter.check(&"modest").unwrap();
    limiter.check(&"modest").unwrap();
    limiter.check(&"new").unwrap();

    assert_eq!(limiter.keys(), 2);
    limiter.check(&"greedy").unwrap_err();
    assert_eq!(limiter.check(&"new").unwrap().remaining(), 1);
    let text = metrics.render();
    assert!(text.contains(r#"msf_ratelimit_forgotten_total{policy="small"} 1"#));
    assert!(text.contains(r#"msf_ratelimit_keys{policy="small"} 2"#));
    let decisions = "msf_ratelimit_decisions_total";
    assert!(text.contains(&format!(
        r#"{decisions}{{decision="allowed",policy="small"}} 7"#
    )));
    assert!(text.contains(&format!(
        r#"{decisions}{{decision="limited",policy="small"}} 1"#
    )));
}

#[tokio::test(start_paused = true)]
async fn an_idle_key_goes_first_wherever_it_is() {
    let metrics = Metrics::new();
    // Large enough for several levels.
    let limiter = RateLimiter::builder(Quota::per_hour(1))
        .max_keys(1_024)
        .metrics(&metrics)
        .build()
        .unwrap();
    for key in 0..512 {
        limiter.check(&key).unwrap();
    }
    advance(Duration::from_secs(3_600)).await;
    for key in 512..1_536 {
        limiter.check(&key).unwrap();
    }
    for key in 512..1_536 {
        limiter.check(&key).unwrap_err();
    }
    assert_eq!(limiter.keys(), 1_024);
    let text = metrics.render();
    assert!(text.contains(r#"msf_ratelimit_forgotten_total{policy="default"} 0"#));
}

#[test]
fn one_key_is_enough_room_for_the_key_of_everyone() {
    let limiter = RateLimiter::builder(Quota::per_hour(2))
        .max_keys(1)
        .build()
        .unwrap();
    assert!(limiter.check(&()).is_ok());
    assert!(limiter.check(&()).is_ok());
    assert!(limiter.check(&()).is_err());
}

#[test]
fn threads_share_one_quota_per_key() {
    let limiter = RateLimiter::builder(Quota::per_hour(1_000))
        .build()
        .unwrap();
    let allowed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let is_allowed = limiter.check(&"shared").is_ok();
                    allowed.fetch_add(usize::from(is_allowed), Ordering::Relaxed);
                }
            });
        }
    });
    // 3.6 s per token: none comes back while four thousand checks run.
    assert_eq!(allowed.into_inner(), 1_000);
}

#[test]
fn threads_that_bring_new_keys_stay_within_the_bound() {
    let limiter = RateLimiter::builder(Quota::per_hour(1))
        .max_keys(600)
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let limiter = &limiter;
            scope.spawn(move || {
                for key in 0..2_000 {
                    limiter.check(&(key * (1 + thread % 2))).ok();
                }
            });
        }
    });
    // Two threads that bring the same key make room for it twice, so each may leave one place empty; and each
    // may go above the bound by one while all keys are on the move.
    assert!((596..=604).contains(&limiter.keys()), "{}", limiter.keys());
}

#[test]
fn what_cannot_work_is_refused() {
    let builder = || RateLimiter::<u8>::builder(Quota::per_second(1));
    let long = "x".repeat(65);
    for name in ["", "two words", "quote\"", "ä", &long] {
        let error = builder().name(name.to_owned()).build().unwrap_err();
        assert_eq!(error, InvalidRateLimiter::Name, "{name}");
    }
    for keys in [0, (1 << 24) + 1] {
        let error = builder().max_keys(keys).build().unwrap_err();
        assert_eq!(error, InvalidRateLimiter::MaxKeys(keys));
    }
    let day = Duration::from_secs(86_400);
    for (quota, expected) in [
        (Quota::per_second(0), InvalidRateLimiter::NoRequests),
        (
            Quota::per_second(1).burst(0),
            InvalidRateLimiter::NoRequests,
        ),
        (
            Quota::per(1, Duration::ZERO),
            InvalidRateLimiter::Period(Duration::ZERO),
        ),
        (Quota::per(1, day * 2), InvalidRateLimiter::Period(day * 2)),
        (
            Quota::per(1, day).burst(367),
            InvalidRateLimiter::Burst(367),
        ),
    ] {
        let error = RateLimiter::<u8>::builder(quota).build().unwrap_err();
        assert_eq!(error, expected);
    }
    let same = builder().name("a").limit("a", Quota::per_second(1));
    assert_eq!(
        same.build().unwrap_err(),
        InvalidRateLimiter::SameName("a".into())
    );
    let five = (0..4).fold(builder(), |builder, n| {
        builder.limit(format!("l{n}"), Quota::per_second(1))
    });
    assert_eq!(five.build().unwrap_err(), InvalidRateLimiter::Limits(5));
    let most = Quota::per(u32::MAX, day);
    assert!(RateLimiter::<u8>::builder(most).build().is_ok());
}
