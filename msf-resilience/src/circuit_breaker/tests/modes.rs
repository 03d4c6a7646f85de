//! Slow calls, failures in a row, operator's orders, the ramp, and changes at run time.

use std::time::Duration;

use msf_core::{classify::Classification as Seen, metrics::Metrics};
use tokio::time::advance;

use super::super::{
    CancelPolicy, Cause, CircuitBreaker, CircuitBreakerBuilder, InvalidCircuitBreaker, Ramp, State,
    Trip,
};
use crate::policies::{self, Control, Kind};

const SECOND: Duration = Duration::from_secs(1);

fn builder() -> CircuitBreakerBuilder {
    CircuitBreaker::builder("modes")
        .jitter(0.0)
        .ramp(Ramp::none())
}

fn calls(breaker: &CircuitBreaker, number: u32, seen: &Seen) {
    for _ in 0..number {
        breaker.try_acquire().unwrap().complete(seen);
    }
}

async fn slow_call(breaker: &CircuitBreaker, time: Duration, seen: &Seen) {
    let permit = breaker.try_acquire().unwrap();
    advance(time).await;
    permit.complete(seen);
}

/// Opens it, lets the wait pass and closes it with good probes.
async fn recover(breaker: &CircuitBreaker) {
    while breaker.state() == State::Closed {
        if let Ok(permit) = breaker.try_acquire() {
            permit.complete(&Seen::FAILURE);
        }
    }
    advance(breaker.snapshot().retry_after.unwrap()).await;
    while breaker.state() != State::Closed {
        calls(breaker, 1, &Seen::SUCCESS);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_succeed_slowly_open_it() {
    let trip = Trip::slow(0.5, SECOND);
    let breaker = builder().trip(trip).min_calls(4).build().unwrap();
    calls(&breaker, 2, &Seen::SUCCESS);
    slow_call(&breaker, SECOND, &Seen::SUCCESS).await;
    slow_call(&breaker, SECOND - Duration::from_nanos(1), &Seen::SUCCESS).await;
    assert_eq!(breaker.state(), State::Closed);
    slow_call(&breaker, SECOND, &Seen::SUCCESS).await;
    assert_eq!(breaker.state(), State::Closed);
    slow_call(&breaker, SECOND, &Seen::SUCCESS).await;
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().slow, 3);
}

#[tokio::test(start_paused = true)]
async fn a_slow_probe_has_failed() {
    let trip = Trip::consecutive(1).or(Trip::slow(0.5, SECOND));
    let breaker = builder().trip(trip).half_open_permits(1).build().unwrap();
    calls(&breaker, 1, &Seen::FAILURE);
    advance(5 * SECOND).await;
    slow_call(&breaker, SECOND, &Seen::SUCCESS).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_a_row_of_failures_and_what_says_nothing_does_not() {
    let breaker = builder().trip(Trip::consecutive(3)).build().unwrap();
    calls(&breaker, 2, &Seen::FAILURE);
    calls(&breaker, 1, &Seen::SUCCESS);
    calls(&breaker, 2, &Seen::FAILURE);
    assert_eq!(breaker.snapshot().consecutive_failures, 2);
    calls(&breaker, 9, &Seen::IGNORE);
    drop(breaker.try_acquire().unwrap());
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, &Seen::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn without_a_window_as_many_cancelled_calls_in_a_row_open_it() {
    let breaker = builder().trip(Trip::consecutive(3)).build().unwrap();
    for _ in 0..3 {
        assert_eq!(breaker.state(), State::Closed);
        drop(breaker.try_acquire().unwrap());
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_calls_slides_for_ever() {
    let breaker = builder().window_calls(50).build().unwrap();
    // More than the ring has places, several times over.
    calls(&breaker, 5_000, &Seen::SUCCESS);
    calls(&breaker, 24, &Seen::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().calls(), 50);
    calls(&breaker, 1, &Seen::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn forced_open_outlasts_every_wait_until_it_is_released() {
    let breaker = builder().build().unwrap();
    let late = breaker.try_acquire().unwrap();
    breaker.force_open();
    advance(3_600 * SECOND).await;
    let refused = breaker.try_acquire().unwrap_err();
    assert_eq!(
        (refused.cause(), refused.retry_after()),
        (Cause::Forced, 5 * SECOND)
    );
    late.complete(&Seen::SUCCESS);
    assert_eq!(breaker.state(), State::ForcedOpen);

    breaker.release();
    calls(&breaker, 1, &Seen::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().calls(), 1, "the late one left no trace");
}

#[tokio::test(start_paused = true)]
async fn a_disabled_breaker_lets_all_pass_and_counts_nothing() {
    let metrics = Metrics::new();
    let breaker = builder().min_calls(1).metrics(&metrics).build().unwrap();
    breaker.disable();
    calls(&breaker, 100, &Seen::FAILURE);
    drop(breaker.try_acquire().unwrap());
    assert_eq!(breaker.state(), State::Disabled);
    assert_eq!(breaker.snapshot().calls(), 0);
    let text = metrics.render();
    assert!(text.contains(r#"msf_breaker_calls_total{breaker="modes",outcome="failure"} 0"#));
    breaker.release();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn metrics_only_counts_and_never_opens() {
    let metrics = Metrics::new();
    let breaker = builder().min_calls(1).metrics(&metrics).build().unwrap();
    breaker.metrics_only();
    calls(&breaker, 100, &Seen::FAILURE);
    assert_eq!(breaker.state(), State::MetricsOnly);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.failed, snapshot.failure_rate()), (100, 1.0));
    let text = metrics.render();
    assert!(text.contains(r#"msf_breaker_calls_total{breaker="modes",outcome="failure"} 100"#));
    // What it counted does not weigh on the closed state.
    breaker.release();
    assert_eq!(breaker.snapshot().failed, 0);
}

#[tokio::test(start_paused = true)]
async fn the_list_of_policies_shows_and_controls_it() {
    let breaker = CircuitBreaker::builder("listed").build().unwrap();
    calls(&breaker, 1, &Seen::FAILURE);
    policies::control(Kind::CircuitBreaker, "listed", Control::ForceOpen).unwrap();
    let shown = policies::snapshots();
    let shown = shown
        .iter()
        .find(|policy| policy.name() == "listed")
        .unwrap();
    assert_eq!(shown.state(), Some("forced_open"));
    policies::control(Kind::CircuitBreaker, "listed", Control::Release).unwrap();
    assert_eq!(breaker.state(), State::Closed);
    let set = policies::control(Kind::CircuitBreaker, "listed", Control::SetLimit(3));
    assert!(set.is_err());
}

#[tokio::test(start_paused = true)]
async fn subscribers_see_the_last_transition() {
    let breaker = builder().min_calls(1).build().unwrap();
    let mut transitions = breaker.subscribe();
    assert_eq!(transitions.borrow().to(), State::Closed);
    calls(&breaker, 1, &Seen::FAILURE);
    transitions.changed().await.unwrap();
    let seen = *transitions.borrow_and_update();
    assert_eq!((seen.from(), seen.to()), (State::Closed, State::Open));
    assert_eq!(seen.open_for(), Some(5 * SECOND));
    breaker.disable();
    assert_eq!(transitions.borrow().to(), State::Disabled);
    drop(breaker);
    transitions.changed().await.unwrap();
    assert!(transitions.changed().await.is_err(), "the breaker is gone");
}

#[tokio::test(start_paused = true)]
async fn after_a_recovery_the_load_comes_back_gradually() {
    let ramp = Ramp::linear(10 * SECOND);
    let breaker = builder().ramp(ramp).min_calls(1_000).build().unwrap();
    for _ in 0..1_000 {
        breaker.try_acquire().unwrap().complete(&Seen::FAILURE);
    }
    recover(&breaker).await;
    let mut shares = Vec::new();
    for _ in 0..10 {
        let admitted = (0..2_000).filter(|_| match breaker.try_acquire() {
            Ok(permit) => {
                permit.complete(&Seen::SUCCESS);
                true
            }
            Err(refusal) => {
                assert_eq!(refusal.cause(), Cause::Ramp);
                assert!(refusal.retry_after() <= SECOND);
                false
            }
        });
        shares.push(admitted.count());
        advance(SECOND).await;
    }
    assert!((100..400).contains(&shares[0]), "{shares:?}");
    assert!((850..1_350).contains(&shares[5]), "{shares:?}");
    assert!(shares[9] > 1_700, "{shares:?}");
    // It is over.
    calls(&breaker, 1_000, &Seen::SUCCESS);
}

#[tokio::test(start_paused = true)]
async fn a_ramp_refuses_no_light_load() {
    let ramp = Ramp::stages([0.000_1], 10 * SECOND);
    let breaker = builder().ramp(ramp).min_calls(1).build().unwrap();
    recover(&breaker).await;
    for _ in 0..10 {
        calls(&breaker, 5, &Seen::SUCCESS);
        advance(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_opening_during_the_ramp_waits_longer_and_one_after_it_does_not() {
    let ramp = Ramp::linear(10 * SECOND);
    let breaker = builder().ramp(ramp).min_calls(1).build().unwrap();
    recover(&breaker).await;
    calls(&breaker, 1, &Seen::FAILURE);
    assert_eq!(breaker.snapshot().retry_after, Some(10 * SECOND));
    assert_eq!(breaker.snapshot().openings, 2);

    advance(10 * SECOND).await;
    calls(&breaker, 3, &Seen::SUCCESS);
    let late = breaker.try_acquire().unwrap();
    advance(10 * SECOND).await;
    // Begun in the ramp and ended after it: it counts, as after a recovery.
    late.complete(&Seen::FAILURE);
    assert_eq!(breaker.snapshot().retry_after, Some(5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_numbers_keeps_state_and_window() {
    let breaker = builder().build().unwrap();
    calls(&breaker, 10, &Seen::FAILURE);
    breaker.reconfigure(builder().min_calls(11)).unwrap();
    assert_eq!(
        (breaker.state(), breaker.snapshot().failed),
        (State::Closed, 10)
    );
    // A success opens it: the new minimum is reached.
    calls(&breaker, 1, &Seen::SUCCESS);
    assert_eq!(breaker.state(), State::Open);
    let changed = builder().open_for(2 * SECOND);
    breaker.reconfigure(changed).unwrap();
    assert_eq!(
        breaker.snapshot().retry_after,
        Some(5 * SECOND),
        "a wait keeps its end"
    );

    let wrong = breaker.reconfigure(builder().failure_rate(0.0));
    assert_eq!(wrong.unwrap_err(), InvalidCircuitBreaker::FailureRate(0.0));
}

#[tokio::test(start_paused = true)]
async fn a_longer_window_keeps_what_the_shorter_one_held() {
    let breaker = builder().build().unwrap();
    calls(&breaker, 12, &Seen::FAILURE);
    breaker.reconfigure(builder().window(100 * SECOND)).unwrap();
    advance(80 * SECOND).await;
    assert_eq!(breaker.snapshot().failed, 12);
    breaker.reconfigure(builder().window(SECOND)).unwrap();
    assert_eq!(breaker.snapshot().failed, 12);
    advance(SECOND).await;
    assert_eq!(breaker.snapshot().failed, 0);

    breaker.reconfigure(builder().window_calls(30)).unwrap();
    calls(&breaker, 3, &Seen::SUCCESS);
    breaker
        .reconfigure(builder().window_calls(2).min_calls(2))
        .unwrap();
    assert_eq!(breaker.snapshot().succeeded, 2);
    breaker.reconfigure(builder().window_calls(30)).unwrap();
    assert_eq!(breaker.snapshot().succeeded, 3);
}

#[tokio::test(start_paused = true)]
async fn fewer_permits_in_the_middle_of_probing_decide_at_once() {
    let breaker = builder().min_calls(1).half_open_permits(9).build().unwrap();
    calls(&breaker, 1, &Seen::FAILURE);
    advance(5 * SECOND).await;
    calls(&breaker, 4, &Seen::SUCCESS);
    let probe = breaker.try_acquire().unwrap();
    breaker.reconfigure(builder().half_open_permits(2)).unwrap();
    assert_eq!(
        breaker.try_acquire().unwrap_err().cause(),
        Cause::HalfOpenFull
    );
    probe.complete(&Seen::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn rules_that_cannot_work_are_refused() {
    use InvalidCircuitBreaker as Invalid;
    let millisecond = Duration::from_millis(1);
    let cases = [
        (
            builder().window_calls(0).min_calls(1),
            Invalid::WindowCalls(0),
        ),
        (builder().window_calls(1_001), Invalid::WindowCalls(1_001)),
        (
            builder().window_calls(19),
            Invalid::MinCallsAboveWindow {
                min_calls: 20,
                window: 19,
            },
        ),
        (
            builder().trip(Trip::consecutive(0)),
            Invalid::Consecutive(0),
        ),
        (
            builder().trip(Trip::consecutive(10_001)),
            Invalid::Consecutive(10_001),
        ),
        (
            builder().trip(Trip::slow(0.0, SECOND)),
            Invalid::Slow {
                share: 0.0,
                threshold: SECOND,
            },
        ),
        (
            builder().trip(Trip::slow(0.5, millisecond / 2)),
            Invalid::Slow {
                share: 0.5,
                threshold: millisecond / 2,
            },
        ),
        (builder().trip(Trip::rate(2.0)), Invalid::FailureRate(2.0)),
        (
            builder().cancel(CancelPolicy::RateThreshold(0.0)),
            Invalid::CancelShare(0.0),
        ),
        (builder().ramp(Ramp::stages([], SECOND)), Invalid::Ramp),
    ];
    for (builder, expected) in cases {
        match builder.build() {
            Err(error) => assert_eq!(error, expected),
            Ok(_) => panic!("{expected:?} was not refused"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_may_outlive_its_breaker_and_says_nothing_to_the_next() {
    for _ in 0..20 {
        let metrics = Metrics::new();
        let first = builder().min_calls(1).build().unwrap();
        let late: Vec<_> = (0..3).map(|_| first.try_acquire().unwrap()).collect();
        drop(first);
        // It may have the slot of the first.
        let second = CircuitBreaker::builder("second")
            .min_calls(1)
            .metrics(&metrics)
            .build()
            .unwrap();
        for (permit, seen) in late
            .into_iter()
            .zip([Seen::SUCCESS, Seen::FAILURE, Seen::IGNORE])
        {
            permit.complete(&seen);
        }
        assert_eq!(second.state(), State::Closed);
        assert_eq!(second.snapshot().calls(), 0);
        let text = metrics.render();
        let counted = text
            .lines()
            .filter(|line| line.starts_with("msf_breaker_calls_total") && !line.ends_with(" 0"));
        assert_eq!(counted.count(), 0, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_after_the_last_scrape_is_exported_when_the_breaker_goes() {
    let metrics = Metrics::new();
    let breaker = builder().metrics(&metrics).build().unwrap();
    calls(&breaker, 7, &Seen::SUCCESS);
    drop(breaker);
    let text = metrics.render();
    assert!(text.contains(r#"msf_breaker_calls_total{breaker="modes",outcome="success"} 7"#));
}
