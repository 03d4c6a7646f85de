//! The hot path allocates nothing.

use std::{convert::Infallible, future::ready};

use http::{Request, Response};
use msf_core::{classify::Classification, metrics::Metrics, testing::allocations};
use msf_resilience::{
    circuit_breaker::{
        CircuitBreaker, CircuitBreakerLayer, KeyedCircuitBreaker, KeyedCircuitBreakerLayer, Trip,
    },
    rate_limit::{DirectLimiter, Quota, RateLimitLayer, RateLimiter},
};
use tokio_test::block_on;
use tower::{Layer, Service, ServiceExt, service_fn};

const CALLS: u32 = 100;

/// How many allocations so many runs make, after one that may warm something up.
fn count(mut run: impl FnMut()) -> u64 {
    run();
    allocations(|| (0..CALLS).for_each(|_| run())).count
}

fn breaker(metrics: &Metrics) -> CircuitBreaker {
    let builder = CircuitBreaker::builder("payment").metrics(metrics);
    builder.min_calls(1_000_000).build().unwrap()
}

fn limiter(metrics: &Metrics) -> RateLimiter<u64> {
    let builder = RateLimiter::builder(Quota::per_second(1_000_000)).metrics(metrics);
    builder.build().unwrap()
}

#[test]
fn a_permit_allocates_nothing_whatever_the_call_comes_to() {
    let breaker = breaker(&Metrics::new());
    for classification in [
        Classification::SUCCESS,
        Classification::FAILURE,
        Classification::IGNORE,
    ] {
        let made = count(|| breaker.try_acquire().unwrap().complete(&classification));
        assert_eq!(made, 0, "{classification:?}");
    }
    assert_eq!(count(|| drop(breaker.try_acquire().unwrap())), 0);
}

#[test]
fn a_refusal_allocates_nothing() {
    let breaker = CircuitBreaker::builder("down")
        .min_calls(1)
        .build()
        .unwrap();
    breaker
        .try_acquire()
        .unwrap()
        .complete(&Classification::FAILURE);
    assert_eq!(count(|| drop(breaker.try_acquire().unwrap_err())), 0);
}

#[test]
fn a_check_of_a_known_key_allocates_nothing() {
    let limiter = limiter(&Metrics::new());
    assert_eq!(count(|| drop(limiter.check(&7))), 0);

    let spent = RateLimiter::builder(Quota::per_hour(1)).build().unwrap();
    assert_eq!(count(|| drop(spent.check(&"spent"))), 0);
}

#[test]
fn a_check_allocates_nothing_for_a_new_key_for_several_limits_or_without_keys() {
    let quota = Quota::per_second(1_000_000);
    let limiter = RateLimiter::builder(quota).limit("hour", Quota::per_hour(1_000_000));
    let limiter = limiter.build().unwrap();
    let mut key = 0_u32;
    // Fewer than the table's first level has room for.
    let new = allocations(|| {
        (0..50).for_each(|_| {
            key += 1;
            drop(limiter.check(&key));
        });
    });
    assert_eq!(new.count, 0);
    assert_eq!(count(|| drop(limiter.check_n(&1, 2))), 0);
    assert_eq!(count(|| drop(limiter.peek(&1))), 0);
    assert_eq!(count(|| limiter.refund(&1, 1)), 0);
    let wait = std::time::Duration::from_secs(1);
    assert_eq!(count(|| drop(limiter.reserve(&1, 1, wait))), 0);

    let direct = DirectLimiter::builder(quota).build_direct().unwrap();
    assert_eq!(count(|| drop(direct.check())), 0);
    let several = DirectLimiter::builder(quota).limit("hour", Quota::per_hour(1));
    let several = several.build_direct().unwrap();
    assert_eq!(count(|| drop(several.check())), 0);
}

#[test]
fn the_typed_layers_add_no_allocation_to_a_call() {
    let metrics = Metrics::new();
    let inner = service_fn(|_request: Request<()>| ready(Ok::<_, Infallible>(Response::new(()))));
    let limited = RateLimitLayer::new(limiter(&metrics), |_: &Request<()>| Some(7)).layer(inner);
    let mut service = CircuitBreakerLayer::new(breaker(&metrics)).layer(limited);
    let made = count(|| {
        let response =
            block_on(async { service.ready().await.unwrap().call(Request::new(())).await });
        assert!(response.is_ok());
    });
    let bare = count(|| {
        let mut inner = inner;
        let response =
            block_on(async { inner.ready().await.unwrap().call(Request::new(())).await });
        assert!(response.is_ok());
    });
    assert_eq!(made, bare);
}

#[test]
fn the_answering_breaker_adds_no_allocation_to_a_call() {
    let inner = service_fn(|_request: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(bytes::Bytes::new())))
    });
    let mut service = CircuitBreakerLayer::answering(breaker(&Metrics::new())).layer(inner);
    let made = count(|| {
        let response =
            block_on(async { service.ready().await.unwrap().call(Request::new(())).await });
        assert!(response.is_ok());
    });
    let bare = count(|| {
        let mut inner = inner;
        let response =
            block_on(async { inner.ready().await.unwrap().call(Request::new(())).await });
        assert!(response.is_ok());
    });
    assert_eq!(made, bare);
}

#[test]
fn no_rule_of_the_breaker_allocates_on_a_call() {
    let trips = [
        CircuitBreaker::builder("row").trip(Trip::consecutive(3)),
        CircuitBreaker::builder("slow").trip(Trip::slow(0.5, std::time::Duration::from_secs(1))),
        CircuitBreaker::builder("last").window_calls(100),
    ];
    for builder in trips {
        let breaker = builder.build().unwrap();
        let made = count(|| {
            let permit = breaker.try_acquire().unwrap();
            permit.complete(&Classification::SUCCESS);
        });
        assert_eq!(made, 0, "{breaker:?}");
    }
}

#[test]
fn a_known_key_of_a_breaker_allocates_nothing() {
    let breaker = KeyedCircuitBreaker::<u64>::builder("hosts")
        .build()
        .unwrap();
    let inner = service_fn(|_request: u64| ready(Ok::<_, Infallible>(Response::new(()))));
    let mut service = KeyedCircuitBreakerLayer::new(breaker, |key: &u64| Some(*key)).layer(inner);
    let made = count(|| {
        let response = block_on(async { service.ready().await.unwrap().call(7).await });
        assert!(response.is_ok());
    });
    let bare = count(|| {
        let mut inner = inner;
        let response = block_on(async { inner.ready().await.unwrap().call(7).await });
        assert!(response.is_ok());
    });
    assert_eq!(made, bare);
}
