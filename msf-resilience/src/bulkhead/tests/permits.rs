//! What a bulkhead does with permits.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use msf_core::metrics::Metrics;

use super::{Bulkhead, bulkhead, take};
use crate::{
    bulkhead::{Cause, InvalidBulkhead},
    policies::{self, Control, ControlError, Kind},
};

#[test]
fn a_bad_knob_is_named() {
    let build = |name: &str| Bulkhead::builder(name);
    let error = |builder: crate::bulkhead::BulkheadBuilder| builder.build().unwrap_err();
    assert_eq!(error(build("")), InvalidBulkhead::Name);
    assert_eq!(error(build("a\nb")), InvalidBulkhead::Name);
    assert_eq!(
        error(build("x").max_concurrent(0)),
        InvalidBulkhead::MaxConcurrent(0)
    );
    assert_eq!(
        error(build("x").max_concurrent(1_000_001)),
        InvalidBulkhead::MaxConcurrent(1_000_001)
    );
    let wait = Duration::ZERO;
    assert_eq!(
        error(build("x").max_wait(Some(wait))),
        InvalidBulkhead::MaxWait(wait)
    );
    assert_eq!(error(build("x").max_queue(0)), InvalidBulkhead::MaxQueue(0));
}

#[test]
fn every_permit_can_be_taken_by_one_thread_and_no_more() {
    for limit in [1, 2, 7, 8, 9, 100] {
        let bulkhead = bulkhead(limit);
        let permits: Vec<_> = (0..limit).map(|_| take(&bulkhead)).collect();
        assert_eq!(bulkhead.try_acquire().unwrap_err().cause(), Cause::Full);
        assert_eq!(bulkhead.snapshot().in_flight(), limit);
        assert_eq!(bulkhead.snapshot().refused(), 1);
        drop(permits);
        assert_eq!(bulkhead.snapshot().in_flight(), 0);
    }
}

#[test]
fn threads_together_never_hold_more_than_the_limit() {
    let bulkhead = bulkhead(3);
    let inside = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    if let Ok(permit) = bulkhead.try_acquire() {
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 3);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(permit);
                    }
                }
            });
        }
    });
    assert_eq!(bulkhead.snapshot().in_flight(), 0);
    let all: Vec<_> = (0..3).map(|_| take(&bulkhead)).collect();
    assert!(bulkhead.try_acquire().is_err());
    drop(all);
}

#[test]
fn a_permit_may_end_on_another_thread() {
    let bulkhead = bulkhead(1);
    for _ in 0..100 {
        let permit = take(&bulkhead);
        std::thread::scope(|scope| {
            scope.spawn(|| drop(permit));
        });
    }
    assert_eq!(bulkhead.snapshot().in_flight(), 0);
}

#[test]
fn a_lower_limit_lets_calls_end_and_does_not_replace_them() {
    let bulkhead = bulkhead(4);
    let mut permits: Vec<_> = (0..4).map(|_| take(&bulkhead)).collect();
    bulkhead.set_limit(2).unwrap();
    assert_eq!(bulkhead.snapshot().limit(), 2);
    assert_eq!(bulkhead.snapshot().in_flight(), 4);
    permits.truncate(2);
    assert!(bulkhead.try_acquire().is_err());
    permits.truncate(1);
    permits.push(take(&bulkhead));
    assert!(bulkhead.try_acquire().is_err());
    assert_eq!(bulkhead.snapshot().in_flight(), 2);
}

#[test]
fn a_higher_limit_first_forgives_what_a_lower_one_was_owed() {
    let bulkhead = bulkhead(4);
    let permits: Vec<_> = (0..4).map(|_| take(&bulkhead)).collect();
    bulkhead.set_limit(1).unwrap();
    bulkhead.set_limit(5).unwrap();
    let fifth = take(&bulkhead);
    assert!(bulkhead.try_acquire().is_err());
    drop((permits, fifth));
    assert_eq!(bulkhead.snapshot().in_flight(), 0);
    let all: Vec<_> = (0..5).map(|_| take(&bulkhead)).collect();
    assert!(bulkhead.try_acquire().is_err());
    drop(all);
}

#[test]
fn no_limit_at_all_is_no_limit() {
    let bulkhead = bulkhead(4);
    for limit in [0, u32::MAX] {
        assert_eq!(
            bulkhead.set_limit(limit),
            Err(InvalidBulkhead::MaxConcurrent(limit))
        );
    }
    assert_eq!(bulkhead.snapshot().limit(), 4);
}

#[test]
fn a_permit_that_outlives_its_bulkhead_does_not_reach_the_next() {
    let first = bulkhead(1);
    let late = take(&first);
    drop(first);
    // Some of them could have the slot of the first one.
    let others: Vec<_> = (0..16).map(|_| bulkhead(1)).collect();
    let permits: Vec<_> = others.iter().map(take).collect();
    drop(late);
    for other in &others {
        assert!(other.try_acquire().is_err());
    }
    drop(permits);
    for other in &others {
        assert_eq!(other.snapshot().in_flight(), 0);
        drop(take(other));
    }
}

#[test]
fn an_operator_sees_it_and_sets_its_limit() {
    let builder = Bulkhead::builder("operated").max_concurrent(2);
    let bulkhead = builder.build().unwrap();
    let permit = take(&bulkhead);
    let seen = policies::snapshots();
    let seen = seen.iter().find(|policy| policy.name() == "operated");
    assert_eq!(seen.unwrap().figure("in_flight"), Some(1.0));

    let order = |order| policies::control(Kind::Bulkhead, "operated", order);
    order(Control::SetLimit(1)).unwrap();
    assert!(bulkhead.try_acquire().is_err());
    assert!(matches!(
        order(Control::SetLimit(0)),
        Err(ControlError::Invalid(_))
    ));
    assert!(matches!(
        order(Control::ForceOpen),
        Err(ControlError::Unsupported(_))
    ));
    drop(permit);
}

#[test]
fn reconfiguring_keeps_what_is_in_flight() {
    let bulkhead = bulkhead(1);
    let permit = take(&bulkhead);
    let wider = Bulkhead::builder("any").max_concurrent(2);
    bulkhead.reconfigure(&wider).unwrap();
    assert_eq!(bulkhead.snapshot().in_flight(), 1);
    let second = take(&bulkhead);
    assert!(bulkhead.try_acquire().is_err());

    let wrong = Bulkhead::builder("any").max_concurrent(0);
    assert!(bulkhead.reconfigure(&wrong).is_err());
    assert_eq!(bulkhead.snapshot().limit(), 2);
    drop((permit, second));
}

#[test]
fn what_is_scraped_adds_up() {
    let metrics = Metrics::new();
    let builder = Bulkhead::builder("x").max_concurrent(2).metrics(&metrics);
    let bulkhead = builder.build().unwrap();
    for _ in 0..3 {
        drop(take(&bulkhead));
    }
    let held = (take(&bulkhead), take(&bulkhead));
    bulkhead.try_acquire().unwrap_err();
    for _ in 0..2 {
        let text = metrics.render();
        for line in [
            r#"msf_bulkhead_calls_total{bulkhead="x"} 3"#,
            r#"msf_bulkhead_in_flight{bulkhead="x"} 2"#,
            r#"msf_bulkhead_limit{bulkhead="x"} 2"#,
            r#"msf_bulkhead_queued{bulkhead="x"} 0"#,
            r#"msf_bulkhead_refused_total{bulkhead="x",cause="full"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
    drop(held);
    assert!(
        metrics
            .render()
            .contains(r#"msf_bulkhead_calls_total{bulkhead="x"} 5"#)
    );
}
