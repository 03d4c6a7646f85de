//! Peek, refund, quotas per key, and quotas that change.

use std::time::Duration;

use msf_core::metrics::Metrics;
use tokio::time::advance;

use super::super::{InvalidRateLimiter, Limits, Quota, RateLimiter};
use crate::policies::{self, Kind};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn peeking_counts_nothing_and_remembers_nobody() {
    let limiter = RateLimiter::builder(Quota::per_hour(2)).build().unwrap();
    for _ in 0..10 {
        assert_eq!(limiter.peek(&"ada").remaining(), 2);
    }
    assert_eq!(limiter.keys(), 0);
    limiter.check(&"ada").unwrap();
    assert_eq!(limiter.peek(&"ada").remaining(), 1);
    assert_eq!(limiter.peek(&"ada").reset_after(), SECOND * 1_800);
}

#[tokio::test(start_paused = true)]
async fn a_refund_of_a_stranger_gives_nothing() {
    let limiter = RateLimiter::builder(Quota::per_hour(2)).build().unwrap();
    limiter.refund(&"ada", u32::MAX);
    assert_eq!(limiter.keys(), 0);
    assert_eq!(limiter.check(&"ada").unwrap().remaining(), 1);
    limiter.refund(&"ada", u32::MAX);
    assert_eq!(limiter.check(&"ada").unwrap().remaining(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_key_owes_survives_a_change_of_quota_as_a_time() {
    let limiter = RateLimiter::builder(Quota::per_second(10)).build().unwrap();
    for _ in 0..10 {
        limiter.check(&"ada").unwrap();
    }
    advance(SECOND / 2).await;
    limiter.set_quota(Quota::per_second(20)).unwrap();
    let allowed = limiter.check(&"ada").unwrap();
    assert_eq!(allowed.remaining(), 9, "half of it had come back");
    assert_eq!(allowed.reset_after(), Duration::from_millis(550));
}

#[tokio::test(start_paused = true)]
async fn nobody_owes_more_than_the_burst_and_the_queue_of_a_new_quota() {
    let builder = RateLimiter::builder(Quota::per_hour(1)).max_queue(0);
    let limiter = builder.build().unwrap();
    limiter.check(&"ada").unwrap();
    limiter.set_quota(Quota::per_second(10)).unwrap();
    assert_eq!(limiter.peek(&"ada").retry_after(1), SECOND / 10);
    advance(SECOND / 10).await;
    limiter.check(&"ada").unwrap();
}

#[test]
fn a_change_that_cannot_work_changes_nothing() {
    let limiter = RateLimiter::<u8>::builder(Quota::per_second(1))
        .build()
        .unwrap();
    let refused = limiter.set_quota(Quota::per_second(0)).unwrap_err();
    assert_eq!(refused, InvalidRateLimiter::NoRequests);
    let two = Limits::new([Quota::per_second(1), Quota::per_hour(1)]).unwrap();
    assert_eq!(
        limiter.set_limits(two).unwrap_err(),
        InvalidRateLimiter::Limits(2)
    );
    assert_eq!(limiter.quota(), Quota::per_second(1));
}

#[tokio::test(start_paused = true)]
async fn a_key_s_own_quota_counts_at_once_and_one_that_cannot_work_is_not_used() {
    let limiter = RateLimiter::builder(Quota::per_hour(2))
        .quota_for(|tier: &u32| (*tier > 0).then_some(Quota::per_hour(*tier).burst(tier % 100)))
        .build()
        .unwrap();
    assert_eq!(limiter.check(&0).unwrap().limit(), 2);
    assert_eq!(limiter.check(&7).unwrap().limit(), 7);
    assert_eq!(
        limiter.check(&100).unwrap().limit(),
        2,
        "a burst of 0 cannot work"
    );
}

#[test]
fn threads_never_see_half_of_a_new_quota() {
    let quotas = [
        Quota::per_second(1_000).burst(7),
        Quota::per_hour(9).burst(4),
    ];
    let limiter = RateLimiter::<u8>::builder(quotas[0]).build().unwrap();
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for n in 0..20_000 {
                limiter.set_quota(quotas[n % 2]).unwrap();
            }
        });
        while !changing.is_finished() {
            assert!(quotas.contains(&limiter.quota()));
        }
    });
}

#[test]
fn a_limiter_is_listed_while_it_lives() {
    let metrics = Metrics::new();
    let limiter = RateLimiter::builder(Quota::per_hour(1))
        .name("listed-while-it-lives")
        .metrics(&metrics)
        .build()
        .unwrap();
    limiter.check(&1).unwrap();
    limiter.check(&1).unwrap_err();
    let find = || {
        let all = policies::snapshots();
        all.into_iter()
            .find(|one| one.kind() == Kind::RateLimit && one.name() == "listed-while-it-lives")
    };
    let snapshot = find().unwrap();
    assert_eq!(snapshot.figure("limited"), Some(1.0));
    assert_eq!(snapshot.figure("keys"), Some(1.0));
    drop(limiter);
    assert!(find().is_none());
}
