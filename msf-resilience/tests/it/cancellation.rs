//! A future that is dropped leaks nothing and counts once.

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use msf_core::{classify::Classification, metrics::Metrics};
use msf_resilience::circuit_breaker::{
    CircuitBreaker, CircuitBreakerLayer, KeyedCircuitBreaker, KeyedCircuitBreakerLayer, State,
};
use tokio::time::advance;
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Result<Response<()>, Infallible>;

/// Polls a future so often, then drops it.
async fn poll_and_drop<F: Future>(future: F, polls: u32) {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        while left > 0 {
            left -= 1;
            assert!(future.as_mut().poll(cx).is_pending());
        }
        Poll::Ready(())
    })
    .await;
}

fn cancelled(metrics: &Metrics) -> bool {
    let line = r#"msf_breaker_calls_total{breaker="slow",outcome="cancelled"} 1"#;
    metrics.render().lines().any(|text| text == line)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_counts_once_whether_it_was_polled_or_not() {
    for polls in [0, 1, 2] {
        let metrics = Metrics::new();
        let breaker = CircuitBreaker::builder("slow")
            .metrics(&metrics)
            .build()
            .unwrap();
        let inner = service_fn(|_request: Request<()>| pending::<Answer>());
        let mut service = CircuitBreakerLayer::new(breaker).layer(inner);
        let future = service.ready().await.unwrap().call(Request::new(()));
        poll_and_drop(future, polls).await;
        assert!(cancelled(&metrics), "after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_makes_room_for_the_next() {
    let breaker = CircuitBreaker::builder("slow")
        .min_calls(1)
        .half_open_permits(1)
        .build()
        .unwrap();
    breaker
        .try_acquire()
        .unwrap()
        .complete(&Classification::FAILURE);
    advance(Duration::from_secs(5)).await;

    let inner = service_fn(|_request: Request<()>| pending::<Answer>());
    let mut service = CircuitBreakerLayer::answering(breaker.clone())
        .layer(inner.map_response(|_: Response<()>| Response::new(bytes::Bytes::new())));
    for polls in [0, 1, 2] {
        let future = service.ready().await.unwrap().call(Request::new(()));
        assert!(breaker.try_acquire().is_err(), "the only permit is taken");
        poll_and_drop(future, polls).await;
        assert_eq!(breaker.state(), State::HalfOpen);
    }
    breaker
        .try_acquire()
        .unwrap()
        .complete(&Classification::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_the_breaker_looks_like_cancellation_and_opens_it_when_nothing_else_happens()
 {
    let breaker = CircuitBreaker::builder("slow").build().unwrap();
    let inner = service_fn(|_request: Request<()>| pending::<Answer>());
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(inner);
    for _ in 0..20 {
        assert_eq!(breaker.state(), State::Closed);
        let call = service.clone().oneshot(Request::new(()));
        let timed = tokio::time::timeout(Duration::from_millis(100), call).await;
        assert!(timed.is_err());
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_key_that_is_dropped_counts_once_and_makes_room_for_the_next_probe() {
    let metrics = Metrics::new();
    let breakers = KeyedCircuitBreaker::builder("slow")
        .each(|each| each.min_calls(1).half_open_permits(1))
        .metrics(&metrics)
        .build()
        .unwrap();
    let key = |request: &Request<u8>| (*request.body() > 0).then(|| *request.body());
    let inner = service_fn(|_request: Request<u8>| pending::<Answer>());
    let mut service = KeyedCircuitBreakerLayer::new(breakers.clone(), key).layer(inner);
    let failed = breakers.try_acquire(&1).unwrap();
    failed.complete(&Classification::FAILURE);
    advance(Duration::from_secs(5)).await;

    // Without a key there is nothing to count.
    let unwatched = service.ready().await.unwrap().call(Request::new(0));
    poll_and_drop(unwatched, 1).await;
    for (polls, so_far) in [(0, 1), (1, 2), (2, 3)] {
        let probe = service.ready().await.unwrap().call(Request::new(1));
        assert!(
            breakers.try_acquire(&1).is_err(),
            "the only permit is taken"
        );
        poll_and_drop(probe, polls).await;
        let line =
            format!(r#"msf_breaker_calls_total{{breaker="slow",outcome="cancelled"}} {so_far}"#);
        let text = metrics.render();
        assert!(text.lines().any(|text| text == line), "{line}: {text}");
    }
    let probe = breakers.try_acquire(&1).unwrap();
    probe.complete(&Classification::SUCCESS);
    assert_eq!(breakers.breaker(&1).state(), State::Closed);
}
