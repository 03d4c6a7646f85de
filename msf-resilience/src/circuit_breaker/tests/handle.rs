//! The handle: clock, metrics, problem, and the checks of the builder.

use std::time::Duration;

use msf_core::{
    classify::Classification,
    metrics::Metrics,
    problem::{Code, Problem},
};

use super::super::{CircuitBreaker, InvalidCircuitBreaker, State};

const SECOND: Duration = Duration::from_secs(1);

fn calls(breaker: &CircuitBreaker, number: u32, classification: &Classification) {
    for _ in 0..number {
        breaker.try_acquire().unwrap().complete(classification);
    }
}

#[tokio::test(start_paused = true)]
async fn it_opens_probes_and_closes_on_the_paused_clock() {
    let breaker = CircuitBreaker::builder("inventory").build().unwrap();
    calls(&breaker, 20, &Classification::FAILURE);
    let refused = breaker.clone().try_acquire().unwrap_err();
    assert!((4 * SECOND..=5 * SECOND).contains(&refused.retry_after()));

    tokio::time::advance(refused.retry_after()).await;
    calls(&breaker, 2, &Classification::SUCCESS);
    assert_eq!(breaker.state(), State::HalfOpen);
    calls(&breaker, 1, &Classification::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_failure_with_retry_after_keeps_it_open_for_so_long() {
    let breaker = CircuitBreaker::builder("inventory")
        .min_calls(1)
        .build()
        .unwrap();
    let busy = Classification::FAILURE.retry_after(Some(30 * SECOND));
    calls(&breaker, 1, &busy);
    let wait = breaker.try_acquire().unwrap_err().retry_after();
    assert_eq!(wait, 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_permit_is_a_cancelled_call() {
    let metrics = Metrics::new();
    let breaker = CircuitBreaker::builder("slow")
        .min_calls(3)
        .metrics(&metrics)
        .build()
        .unwrap();
    for _ in 0..2 {
        drop(breaker.try_acquire().unwrap());
    }
    assert_eq!(breaker.state(), State::Closed);
    let caught = std::panic::catch_unwind(|| {
        let _permit = breaker.try_acquire().unwrap();
        panic!("on purpose");
    });
    assert!(caught.is_err());
    assert_eq!(breaker.state(), State::Open);
    let text = metrics.render();
    assert!(text.contains(r#"msf_breaker_calls_total{breaker="slow",outcome="cancelled"} 3"#));
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_calls_refusals_transitions_and_the_state() {
    let metrics = Metrics::new();
    let breaker = CircuitBreaker::builder("payment")
        .min_calls(4)
        .jitter(0.0)
        .metrics(&metrics)
        .build()
        .unwrap();
    let late = breaker.try_acquire().unwrap();
    calls(&breaker, 1, &Classification::IGNORE);
    calls(&breaker, 2, &Classification::SUCCESS);
    calls(&breaker, 2, &Classification::FAILURE);
    breaker.try_acquire().unwrap_err();
    late.complete(&Classification::SUCCESS);
    tokio::time::advance(5 * SECOND).await;
    drop(breaker.try_acquire().unwrap());

    let text = metrics.render();
    for line in [
        r#"msf_breaker_calls_total{breaker="payment",outcome="success"} 2"#,
        r#"msf_breaker_calls_total{breaker="payment",outcome="failure"} 2"#,
        r#"msf_breaker_calls_total{breaker="payment",outcome="ignored"} 1"#,
        r#"msf_breaker_calls_total{breaker="payment",outcome="cancelled"} 1"#,
        r#"msf_breaker_calls_total{breaker="payment",outcome="stale"} 1"#,
        r#"msf_breaker_rejected_total{breaker="payment",cause="open"} 1"#,
        r#"msf_breaker_state{breaker="payment",state="closed"} 0"#,
        r#"msf_breaker_state{breaker="payment",state="half_open"} 1"#,
        r#"msf_breaker_transitions_total{breaker="payment",from="closed",to="open"} 1"#,
        r#"msf_breaker_transitions_total{breaker="payment",from="half_open",to="closed"} 0"#,
        r#"msf_breaker_transitions_total{breaker="payment",from="open",to="half_open"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn a_refusal_becomes_a_problem_that_keeps_the_name_to_itself() {
    let breaker = CircuitBreaker::builder("secret-upstream")
        .min_calls(1)
        .build()
        .unwrap();
    calls(&breaker, 1, &Classification::FAILURE);
    let problem = Problem::from(breaker.try_acquire().unwrap_err());
    assert_eq!(problem.code(), Code::BreakerOpen);
    assert!(problem.retry_after().is_some());
    assert!(!problem.to_string().contains("secret-upstream"));
    assert!(problem.log_detail().unwrap().contains("secret-upstream"));
}

#[test]
fn what_cannot_work_is_refused() {
    let builder = || CircuitBreaker::builder("x");
    let long = "x".repeat(129);
    let cases = [
        (CircuitBreaker::builder(""), InvalidCircuitBreaker::Name),
        (CircuitBreaker::builder("a\nb"), InvalidCircuitBreaker::Name),
        (CircuitBreaker::builder(long), InvalidCircuitBreaker::Name),
        (
            builder().failure_rate(0.0),
            InvalidCircuitBreaker::FailureRate(0.0),
        ),
        (
            builder().failure_rate(1.000_01),
            InvalidCircuitBreaker::FailureRate(1.000_01),
        ),
        (
            builder().window(SECOND / 11),
            InvalidCircuitBreaker::Window(SECOND / 11),
        ),
        (
            builder().window(601 * SECOND),
            InvalidCircuitBreaker::Window(601 * SECOND),
        ),
        (builder().min_calls(0), InvalidCircuitBreaker::MinCalls),
        (
            builder().open_for(61 * SECOND),
            InvalidCircuitBreaker::OpenWait {
                base: 61 * SECOND,
                max: 60 * SECOND,
            },
        ),
        (
            builder().open_for(Duration::ZERO),
            InvalidCircuitBreaker::OpenWait {
                base: Duration::ZERO,
                max: 60 * SECOND,
            },
        ),
        (
            builder().open_max(Duration::MAX),
            InvalidCircuitBreaker::OpenWait {
                base: 5 * SECOND,
                max: Duration::MAX,
            },
        ),
        (builder().jitter(1.0), InvalidCircuitBreaker::Jitter(1.0)),
        (builder().jitter(-0.1), InvalidCircuitBreaker::Jitter(-0.1)),
        (
            builder().half_open_permits(0),
            InvalidCircuitBreaker::HalfOpenPermits(0),
        ),
        (
            builder().half_open_permits(1001),
            InvalidCircuitBreaker::HalfOpenPermits(1001),
        ),
        (
            builder().half_open_max_wait(Duration::ZERO),
            InvalidCircuitBreaker::HalfOpenMaxWait(Duration::ZERO),
        ),
    ];
    for (builder, expected) in cases {
        assert_eq!(builder.build().unwrap_err(), expected);
    }
    let nan = builder().failure_rate(f64::NAN).build().unwrap_err();
    assert!(matches!(nan, InvalidCircuitBreaker::FailureRate(_)));
}
