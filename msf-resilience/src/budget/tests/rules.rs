//! The three rules, through the handle.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use msf_core::metrics::Metrics;
use tokio::time::advance;

use crate::{
    budget::{Budget, Class, InvalidBudget, Rule},
    policies::{self, Kind},
};

const TTL: Duration = Duration::from_secs(10);

fn budget(rule: Rule) -> Budget {
    Budget::builder("payment").rule(rule).build().unwrap()
}

fn calls(budget: &Budget, calls: u32) {
    (0..calls).for_each(|_| drop(budget.deposit()));
}

fn withdraw_all(budget: &Budget) -> u64 {
    (0..1_000_000)
        .take_while(|_| budget.try_withdraw().is_some())
        .count() as u64
}

#[tokio::test(start_paused = true)]
async fn a_ratio_of_0_6_is_0_6() {
    let budget = budget(Rule::deposits(0.6, 0, TTL));
    calls(&budget, 1000);
    assert_eq!(budget.available(), 600);
    assert_eq!(withdraw_all(&budget), 600);
}

#[tokio::test(start_paused = true)]
async fn a_ratio_above_1_allows_more_retries_than_calls() {
    let budget = budget(Rule::deposits(2.5, 0, TTL));
    calls(&budget, 10);
    assert_eq!(withdraw_all(&budget), 25);
}

#[tokio::test(start_paused = true)]
async fn the_reserve_is_the_rate_over_the_ttl() {
    let budget = budget(Rule::default());
    assert_eq!(withdraw_all(&budget), 100);
    calls(&budget, 10);
    assert_eq!(withdraw_all(&budget), 2);
}

#[tokio::test(start_paused = true)]
async fn deposits_and_withdrawals_expire_with_the_window() {
    let budget = budget(Rule::deposits(0.5, 0, TTL));
    calls(&budget, 10);
    advance(TTL - Duration::from_secs(1)).await;
    assert_eq!(budget.available(), 5);
    assert!(budget.try_withdraw().is_some());
    advance(Duration::from_secs(1)).await;
    assert_eq!(budget.available(), 0, "the deposits are gone");
    calls(&budget, 4);
    assert_eq!(budget.available(), 1, "the withdrawal is not");
    advance(TTL - Duration::from_secs(1)).await;
    assert_eq!(budget.available(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_was_idle_for_long_forgets_its_good_times() {
    let budget = budget(Rule::deposits(0.5, 0, TTL));
    calls(&budget, 10_000);
    advance(Duration::from_secs(86_400)).await;
    assert_eq!(withdraw_all(&budget), 0);
}

/// How many of all threads' attempts to withdraw were granted.
fn withdraw_together(budget: &Budget, keep: bool) -> u64 {
    const THREADS: usize = 8;
    let (granted, barrier) = (AtomicU64::new(0), Barrier::new(THREADS));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                let mut held = Vec::new();
                for _ in 0..500 {
                    if let Some(withdrawal) = budget.try_withdraw() {
                        granted.fetch_add(1, Ordering::Relaxed);
                        if keep {
                            held.push(withdrawal);
                        }
                    }
                }
                barrier.wait();
            });
        }
    });
    granted.into_inner()
}

#[test]
fn withdrawals_at_the_same_time_never_exceed_the_budget() {
    for _ in 0..20 {
        let deposits = budget(Rule::deposits(0.2, 0, Duration::from_secs(600)));
        calls(&deposits, 777);
        assert_eq!(withdraw_together(&deposits, false), 155);

        let concurrency = budget(Rule::concurrency(0.25, 3));
        let _calls: Vec<_> = (0..444).map(|_| concurrency.deposit()).collect();
        assert_eq!(withdraw_together(&concurrency, true), 111);
        assert_eq!(concurrency.available(), 111);

        let quota = budget(Rule::quota(500, 14, 5));
        assert_eq!(withdraw_together(&quota, false), 35);
    }
}

#[test]
fn deposits_of_all_threads_count() {
    let budget = budget(Rule::deposits(1.0, 0, Duration::from_secs(600)));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| calls(&budget, 1000));
        }
    });
    assert_eq!(budget.available(), 16_000);
}

#[test]
fn a_share_of_the_calls_in_flight_may_be_retried() {
    let budget = budget(Rule::concurrency(0.2, 3));
    assert_eq!(budget.available(), 3, "the minimum");
    let calls: Vec<_> = (0..100).map(|_| budget.deposit()).collect();
    let retries: Vec<_> = (0..20).map(|_| budget.try_withdraw().unwrap()).collect();
    assert!(budget.try_withdraw().is_none());
    drop(retries);
    assert_eq!(budget.available(), 20);
    drop(calls);
    assert_eq!(budget.available(), 3);
}

#[test]
fn calls_may_end_on_other_threads() {
    let budget = budget(Rule::concurrency(1.0, 0));
    let calls: Vec<_> = (0..100).map(|_| budget.deposit()).collect();
    std::thread::scope(|scope| {
        for call in calls {
            scope.spawn(move || drop(call));
        }
    });
    assert_eq!(budget.available(), 0);
}

#[test]
fn calls_that_outlive_their_budget_do_not_count_in_the_next() {
    // Other tests take slots, too; what counts is that none of them is in use twice.
    for _ in 0..50 {
        let first = budget(Rule::concurrency(1.0, 0));
        let (call, retry) = (first.deposit(), first.try_withdraw());
        drop(first);
        let second = budget(Rule::concurrency(1.0, 0));
        assert_eq!(second.available(), 0);
        let own = second.deposit();
        assert_eq!(second.available(), 1);
        drop((call, retry));
        assert_eq!(second.available(), 1);
        drop(own);
    }
}

#[test]
fn tokens_of_an_earlier_budget_are_not_given_to_the_next() {
    for _ in 0..50 {
        let first = budget(Rule::quota(100, 10, 5));
        let late = first.try_withdraw().unwrap();
        drop(first);
        let second = budget(Rule::quota(50, 10, 5));
        assert_eq!(withdraw_all(&second), 5);
        late.succeeded();
        assert_eq!(second.available(), 0);
    }
}

#[test]
fn a_retry_costs_by_its_class_and_is_paid_back_on_success() {
    let budget = budget(Rule::quota(28, 14, 5));
    let transient = budget.try_withdraw_for(Class::Transient).unwrap();
    let throttled = budget.try_withdraw_for(Class::Throttled).unwrap();
    assert!(
        budget.try_withdraw_for(Class::Transient).is_none(),
        "9 left"
    );
    throttled.succeeded();
    assert!(
        budget.try_withdraw_for(Class::Transient).is_some(),
        "14 left"
    );
    transient.succeeded();
    budget.deposit().succeeded();
    for _ in 0..100 {
        budget.deposit().succeeded();
    }
    assert_eq!(budget.available(), 2, "never above the capacity");
    drop(budget.deposit());
    assert_eq!(budget.available(), 2);
}

#[test]
fn first_calls_that_succeed_refill_a_quota_one_by_one() {
    let budget = budget(Rule::quota(14, 14, 5));
    drop(budget.try_withdraw().unwrap());
    for _ in 0..13 {
        budget.deposit().succeeded();
    }
    assert!(budget.try_withdraw().is_none());
    budget.deposit().succeeded();
    assert!(budget.try_withdraw().is_some());
}

#[tokio::test(start_paused = true)]
async fn new_numbers_keep_the_counts() {
    let deposits = budget(Rule::deposits(0.5, 0, TTL));
    calls(&deposits, 10);
    assert!(deposits.try_withdraw().is_some());
    deposits.reconfigure(Rule::deposits(0.2, 0, TTL)).unwrap();
    assert_eq!(deposits.available(), 1);
    let other = Rule::deposits(0.2, 0, 2 * TTL);
    assert_eq!(deposits.reconfigure(other), Err(InvalidBudget::Fixed));
    assert_eq!(
        deposits.reconfigure(Rule::concurrency(0.2, 3)),
        Err(InvalidBudget::Fixed)
    );

    let quota = budget(Rule::quota(100, 10, 10));
    drop(quota.try_withdraw());
    quota.reconfigure(Rule::quota(50, 10, 10)).unwrap();
    assert_eq!(quota.available(), 5);
    assert_eq!(quota.rule(), Rule::quota(50, 10, 10));
}

#[test]
fn a_bad_rule_is_named() {
    let error = |rule| Budget::builder("x").rule(rule).build().unwrap_err();
    for ratio in [-0.1, 10.1, f64::NAN, f64::INFINITY] {
        let error = error(Rule::concurrency(ratio, 3));
        assert!(matches!(error, InvalidBudget::Ratio(_)), "{ratio}");
    }
    assert_eq!(error(Rule::concurrency(0.0, 0)), InvalidBudget::Nothing);
    assert_eq!(error(Rule::deposits(0.0, 0, TTL)), InvalidBudget::Nothing);
    let short = Duration::from_millis(199);
    assert_eq!(
        error(Rule::deposits(0.0, 5, short)),
        InvalidBudget::Nothing,
        "5 per second are less than one in that time"
    );
    assert_eq!(
        error(Rule::deposits(0.2, u32::MAX, TTL)),
        InvalidBudget::Min(u32::MAX)
    );
    for ttl in [Duration::ZERO, Duration::MAX, Duration::from_millis(99)] {
        assert_eq!(error(Rule::deposits(0.2, 1, ttl)), InvalidBudget::Ttl(ttl));
    }
    assert_eq!(error(Rule::quota(0, 1, 1)), InvalidBudget::Capacity(0));
    let (cost, capacity) = (501, 500);
    assert_eq!(
        error(Rule::quota(500, 501, 5)),
        InvalidBudget::Cost { cost, capacity }
    );
    for name in ["", "a\nb", &"x".repeat(129)] {
        let error = Budget::builder(name).build().unwrap_err();
        assert_eq!(error, InvalidBudget::Name);
    }
}

#[test]
fn a_budget_is_listed_and_measured() {
    let metrics = Metrics::new();
    let budget = Budget::builder("listed-budget")
        .rule(Rule::quota(20, 10, 5))
        .metrics(&metrics)
        .build()
        .unwrap();
    drop(budget.try_withdraw());
    assert_eq!(withdraw_all(&budget), 1);
    let text = metrics.render();
    for line in [
        r#"msf_budget_available{budget="listed-budget"} 0"#,
        r#"msf_budget_withdrawals_total{budget="listed-budget",outcome="granted"} 2"#,
        r#"msf_budget_withdrawals_total{budget="listed-budget",outcome="refused"} 1"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let listed = policies::snapshots();
    let listed = listed
        .iter()
        .find(|it| it.name() == "listed-budget")
        .unwrap();
    assert_eq!(listed.kind(), Kind::Budget);
    assert_eq!(listed.figure("capacity"), Some(20.0));
}
