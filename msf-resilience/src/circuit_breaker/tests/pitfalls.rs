//! Known faults of other breakers, each as the fact that it is not one of this one.

use std::{convert::Infallible, future::pending, time::Duration};

use http::{Request, Response};
use msf_core::classify::Classification as Seen;
use tokio::time::advance;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::super::{
    CancelPolicy, CircuitBreaker, CircuitBreakerBuilder, CircuitBreakerLayer, Error, Ramp, State,
};

const SECOND: Duration = Duration::from_secs(1);

fn builder() -> CircuitBreakerBuilder {
    CircuitBreaker::builder("pitfall")
        .min_calls(1)
        .jitter(0.0)
        .ramp(Ramp::none())
}

fn calls(breaker: &CircuitBreaker, number: u32, seen: &Seen) {
    for _ in 0..number {
        breaker.try_acquire().unwrap().complete(seen);
    }
}

async fn opened(builder: CircuitBreakerBuilder) -> CircuitBreaker {
    let breaker = builder.build().unwrap();
    calls(&breaker, 1, &Seen::FAILURE);
    advance(5 * SECOND).await;
    breaker
}

fn answering() -> impl Service<Request<()>, Response = Response<()>, Error = Infallible> + Clone {
    service_fn(|_: Request<()>| std::future::ready(Ok(Response::new(()))))
}

#[tokio::test(start_paused = true)]
async fn readiness_that_is_dropped_starves_nobody() {
    let breaker = opened(builder().half_open_permits(1)).await;
    let layer = CircuitBreakerLayer::new(breaker.clone());
    for _ in 0..100 {
        let mut service = layer.layer(answering());
        service.ready().await.unwrap();
    }
    calls(&breaker, 1, &Seen::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn being_open_is_no_error_of_readiness() {
    let breaker = builder().build().unwrap();
    breaker.force_open();
    let mut service = CircuitBreakerLayer::new(breaker).layer(answering());
    let refused = service.ready().await.unwrap().call(Request::new(())).await;
    assert!(matches!(refused, Err(Error::Open(_))));
    // Still usable after it, as a buffer needs it to be.
    assert!(service.ready().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn half_open_never_admits_more_than_its_permits_from_any_number_of_threads() {
    let breaker = opened(builder().half_open_permits(7)).await;
    let go = std::sync::Barrier::new(8);
    // The threads see the wall's clock, which is behind the paused one, so the first probe is taken here.
    let first = breaker.try_acquire().unwrap();
    let admitted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    go.wait();
                    let permits = (0..50).filter_map(|_| breaker.try_acquire().ok());
                    permits.collect::<Vec<_>>()
                })
            })
            .collect();
        let permits: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        permits.iter().map(Vec::len).sum()
    });
    assert_eq!(admitted, 6);
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn probes_that_hang_do_not_keep_it_half_open_for_ever() {
    let breaker = opened(builder().half_open_permits(1)).await;
    let hung = breaker.try_acquire().unwrap();
    advance(30 * SECOND).await;
    assert_eq!(breaker.state(), State::Open);
    advance(10 * SECOND).await;
    calls(&breaker, 1, &Seen::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
    drop(hung);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_further_inside_gives_the_probe_back() {
    let breaker = opened(builder().half_open_permits(1)).await;
    calls(&breaker, 10, &Seen::IGNORE.refused(true));
    assert_eq!(breaker.state(), State::HalfOpen);
    calls(&breaker, 1, &Seen::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_closes_nothing() {
    let policies = [
        CancelPolicy::RateThreshold(1.0),
        CancelPolicy::RateThreshold(0.1),
        CancelPolicy::Ignore,
        CancelPolicy::AsFailure,
    ];
    for policy in policies {
        let breaker = opened(builder().half_open_permits(2).cancel(policy)).await;
        for _ in 0..2 {
            drop(breaker.try_acquire());
        }
        assert_ne!(breaker.state(), State::Closed, "{policy:?}");
        advance(60 * SECOND).await;
        assert_ne!(breaker.state(), State::Closed, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_callee_whose_every_call_is_cancelled_opens_it_even_if_no_call_was_polled() {
    let breaker = builder().min_calls(3).build().unwrap();
    let hangs = service_fn(|_: Request<()>| pending::<Result<Response<()>, Infallible>>());
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(hangs);
    for _ in 0..3 {
        drop(service.ready().await.unwrap().call(Request::new(())));
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn cancelled_calls_weigh_as_the_policy_says() {
    // Two of four calls were cancelled, nothing failed.
    for (policy, expected) in [
        (CancelPolicy::RateThreshold(1.0), State::Closed),
        (CancelPolicy::RateThreshold(0.5), State::Open),
        (CancelPolicy::Ignore, State::Closed),
        (CancelPolicy::AsFailure, State::Open),
    ] {
        for builder in [builder(), builder().window_calls(4)] {
            let breaker = builder.min_calls(4).cancel(policy).build().unwrap();
            calls(&breaker, 2, &Seen::SUCCESS);
            (0..2).for_each(|_| drop(breaker.try_acquire().unwrap()));
            assert_eq!(breaker.state(), expected, "{policy:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_an_earlier_period_decides_nothing_in_a_later_one() {
    let breaker = opened(builder().half_open_permits(2)).await;
    let old = breaker.try_acquire().unwrap();
    calls(&breaker, 1, &Seen::FAILURE);
    assert_eq!(breaker.state(), State::Open);
    advance(10 * SECOND).await;
    let new = breaker.try_acquire().unwrap();
    old.complete(&Seen::FAILURE);
    assert_eq!(breaker.state(), State::HalfOpen);
    new.complete(&Seen::SUCCESS);
    calls(&breaker, 1, &Seen::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn breakers_that_opened_together_do_not_probe_together() {
    let waits: std::collections::HashSet<_> = (0..20)
        .map(|_| {
            let breaker = CircuitBreaker::builder("herd")
                .min_calls(1)
                .build()
                .unwrap();
            calls(&breaker, 1, &Seen::FAILURE);
            breaker.try_acquire().unwrap_err().retry_after()
        })
        .collect();
    assert!(waits.len() > 15, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tight_burst_of_failures_is_not_smoothed_away() {
    let breaker = builder().min_calls(20).build().unwrap();
    calls(&breaker, 100, &Seen::SUCCESS);
    advance(9 * SECOND).await;
    calls(&breaker, 99, &Seen::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, &Seen::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn after_very_many_successes_an_outage_still_opens_it() {
    for builder in [builder(), builder().window_calls(100)] {
        let breaker = builder.min_calls(20).build().unwrap();
        calls(&breaker, 100_000, &Seen::SUCCESS);
        advance(20 * SECOND).await;
        while let Ok(permit) = breaker.try_acquire() {
            assert!(breaker.snapshot().failed <= 50);
            permit.complete(&Seen::FAILURE);
        }
        assert_eq!(breaker.state(), State::Open);
    }
}
