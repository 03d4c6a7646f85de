//! tower's contract: a service is called only after it said that it is ready, and `poll_ready` takes nothing.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use msf_core::{
    classify::{Classification, Classify},
    metrics::Metrics,
    testing::{NotReady, StatefulInner},
};
use msf_resilience::{
    circuit_breaker::{
        CircuitBreaker, CircuitBreakerLayer, Error, KeyedCircuitBreaker, KeyedCircuitBreakerLayer,
        State,
    },
    rate_limit::{Quota, RateLimitLayer, RateLimiter},
};
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};

fn strict() -> impl Classify<u16, NotReady> + Clone {
    |outcome: Result<&u16, &NotReady>| match outcome {
        Ok(status) if *status < 500 => Classification::SUCCESS,
        _ => Classification::FAILURE,
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_never_calls_a_service_that_is_not_ready() {
    let probe = StatefulInner::new(|status: u16| status);
    let breaker = CircuitBreaker::builder("x").min_calls(4).build().unwrap();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .classify(strict())
        .layer(probe.clone());
    for status in [200, 500, 200, 500, 500, 200] {
        service.clone().oneshot(status).await.ok();
        service.ready().await.unwrap().call(status).await.ok();
    }
    assert_eq!(breaker.state(), State::Open);

    // The wait ends between `poll_ready`, which did not ask the inner service, and `call`.
    service.ready().await.unwrap();
    advance(Duration::from_secs(5)).await;
    assert!(matches!(service.call(200).await, Err(Error::Open(_))));
    assert_eq!(breaker.state(), State::Open, "nothing was probed");
    assert_eq!(service.ready().await.unwrap().call(200).await, Ok(200));
    assert_eq!(probe.violations(), 0);
}

#[tokio::test(start_paused = true)]
async fn readiness_that_was_reserved_survives_a_refusal() {
    let probe = StatefulInner::new(|status: u16| status);
    let breaker = CircuitBreaker::builder("x").min_calls(1).build().unwrap();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .classify(strict())
        .layer(probe.clone());
    service.ready().await.unwrap();
    let other = breaker.try_acquire().unwrap();
    other.complete(&Classification::FAILURE);
    assert!(matches!(service.call(200).await, Err(Error::Open(_))));
    advance(Duration::from_secs(5)).await;
    assert_eq!(service.ready().await.unwrap().call(200).await, Ok(200));
    assert_eq!(probe.violations(), 0);
}

/// A service that is never ready.
#[derive(Clone)]
struct Stuck;

impl Service<u16> for Stuck {
    type Response = u16;
    type Error = NotReady;
    type Future = Ready<Result<u16, NotReady>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), NotReady>> {
        Poll::Pending
    }

    fn call(&mut self, _status: u16) -> Self::Future {
        ready(Err(NotReady))
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_fails_fast_before_a_service_that_hangs() {
    let breaker = CircuitBreaker::builder("x").min_calls(1).build().unwrap();
    let layer = CircuitBreakerLayer::new(breaker.clone()).classify(strict());
    let mut service = task::spawn(layer.layer(Stuck));
    assert_pending!(service.enter(|cx, mut service| service.poll_ready(cx)));
    let permit = breaker.try_acquire().unwrap();
    permit.complete(&Classification::FAILURE);
    assert_ready_ok!(service.enter(|cx, mut service| service.poll_ready(cx)));
    assert!(matches!(service.call(200).await, Err(Error::Open(_))));
}

/// A service that fails instead of becoming ready, as one that has to connect first does.
#[derive(Clone)]
struct Unconnected;

impl Service<u16> for Unconnected {
    type Response = u16;
    type Error = NotReady;
    type Future = Ready<Result<u16, NotReady>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), NotReady>> {
        Poll::Ready(Err(NotReady))
    }

    fn call(&mut self, status: u16) -> Self::Future {
        ready(Ok(status))
    }
}

#[tokio::test(start_paused = true)]
async fn failing_to_become_ready_is_a_failure_and_a_failed_probe() {
    let breaker = CircuitBreaker::builder("x")
        .min_calls(3)
        .half_open_permits(1)
        .build()
        .unwrap();
    let layer = CircuitBreakerLayer::new(breaker.clone()).classify(strict());
    for _ in 0..3 {
        let failed = layer.layer(Unconnected).oneshot(200).await;
        assert!(matches!(failed, Err(Error::Inner(NotReady))));
    }
    assert_eq!(breaker.state(), State::Open);
    let refused = layer.layer(Unconnected).oneshot(200).await;
    assert!(matches!(refused, Err(Error::Open(_))));

    advance(Duration::from_secs(5)).await;
    let probed = layer.layer(Unconnected).oneshot(200).await;
    assert!(matches!(probed, Err(Error::Inner(NotReady))));
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn readiness_takes_no_probe_and_no_token() {
    let probe = StatefulInner::new(|status: u16| status);
    let breaker = CircuitBreaker::builder("x")
        .min_calls(1)
        .half_open_permits(1)
        .build()
        .unwrap();
    let permit = breaker.try_acquire().unwrap();
    permit.complete(&Classification::FAILURE);
    advance(Duration::from_secs(5)).await;
    let broken = CircuitBreakerLayer::new(breaker.clone())
        .classify(strict())
        .layer(probe.clone());
    let limiter = RateLimiter::builder(Quota::per_hour(1)).build().unwrap();
    let limit = RateLimitLayer::new(limiter.clone(), |_: &u16| Some(()));
    for _ in 0..10 {
        broken.clone().ready().await.unwrap();
        limit.layer(probe.clone()).ready().await.unwrap();
    }
    assert!(limiter.check(&()).is_ok());
    assert!(breaker.try_acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_limit_never_calls_a_service_that_is_not_ready() {
    let probe = StatefulInner::new(|status: u16| {
        Response::new(bytes::Bytes::from(vec![
            u8::try_from(status % 256).unwrap(),
        ]))
    });
    let limiter = RateLimiter::builder(Quota::per_hour(3)).build().unwrap();
    let mut typed = RateLimitLayer::new(limiter.clone(), |_: &u16| Some(())).layer(probe.clone());
    let mut answering = RateLimitLayer::answering(limiter, |_: &u16| Some(())).layer(probe.clone());
    for status in 0..3 {
        typed.ready().await.unwrap().call(status).await.ok();
        typed.clone().oneshot(status).await.ok();
        answering.ready().await.unwrap().call(status).await.unwrap();
        answering.clone().oneshot(status).await.unwrap();
    }
    assert_eq!(probe.violations(), 0);
    assert_eq!(probe.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn every_service_of_a_layer_shares_its_state() {
    let metrics = Metrics::new();
    let breaker = CircuitBreaker::builder("x")
        .min_calls(2)
        .metrics(&metrics)
        .build()
        .unwrap();
    let layer = CircuitBreakerLayer::new(breaker);
    let failing = || {
        tower::service_fn(|_request: Request<()>| {
            let mut response = Response::new(());
            *response.status_mut() = http::StatusCode::BAD_GATEWAY;
            ready(Ok::<_, Infallible>(response))
        })
    };
    for _ in 0..2 {
        let service = layer.layer(failing());
        assert_eq!(
            service.oneshot(Request::new(())).await.unwrap().status(),
            502
        );
    }
    let refused = layer.layer(failing()).oneshot(Request::new(())).await;
    assert!(matches!(refused, Err(Error::Open(_))));
}

#[tokio::test(start_paused = true)]
async fn circuits_by_key_never_call_a_service_that_is_not_ready() {
    let probe = StatefulInner::new(|status: u16| status);
    let breakers = KeyedCircuitBreaker::builder("x")
        .each(|each| each.min_calls(1))
        .build()
        .unwrap();
    let key = |status: &u16| (*status != 204).then_some(status / 100);
    let mut service = KeyedCircuitBreakerLayer::new(breakers.clone(), key)
        .classify(strict())
        .layer(probe.clone());
    for status in [200, 500, 204, 500, 200, 503] {
        service.clone().oneshot(status).await.ok();
        service.ready().await.unwrap().call(status).await.ok();
    }
    let refused = service.ready().await.unwrap().call(500).await;
    assert!(matches!(refused, Err(Error::Open(_))));
    // What was reserved for the refused call serves the next.
    assert_eq!(service.ready().await.unwrap().call(200).await, Ok(200));
    assert_eq!(breakers.breaker(&5).state(), State::Open);
    assert_eq!(probe.violations(), 0);
}

#[tokio::test(start_paused = true)]
async fn every_service_of_a_limit_layer_shares_one_quota() {
    let limiter = RateLimiter::builder(Quota::per_hour(3)).build().unwrap();
    let layer = RateLimitLayer::new(limiter.clone(), |_: &u16| Some(()));
    let inner = || tower::service_fn(|status: u16| ready(Ok::<_, Infallible>(status)));
    let service = layer.layer(inner());
    assert!(service.clone().oneshot(200).await.is_ok());
    assert!(service.clone().oneshot(200).await.is_ok());
    assert!(layer.clone().layer(inner()).oneshot(200).await.is_ok());
    assert!(layer.layer(inner()).oneshot(200).await.is_err());
    assert!(service.oneshot(200).await.is_err());
    assert!(limiter.check(&()).is_err());
}
