//! Bulkhead, adaptive limit and load shed as layers: tower's contract, cancellation, bodies, allocations.

use std::{
    convert::Infallible,
    future::{pending, poll_fn, ready},
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use msf_core::{
    assert_problem,
    classify::{Classification, Classify, Http, Verdict},
    metrics::Metrics,
    problem::Code,
    testing::{NotReady, StatefulInner, TestResponse, allocations},
};
use msf_resilience::{
    LayerError, Through,
    adaptive::{self, AdaptiveLayer, AdaptiveLimit, Fixed},
    bulkhead::{self, Bulkhead, BulkheadLayer},
    load_shed::{self, LoadShed, LoadShedLayer, Priority},
};
use tokio_test::block_on;
use tower::{Layer, Service, ServiceExt, service_fn};

fn bulkhead(limit: u32) -> Bulkhead {
    let builder = Bulkhead::builder("x").max_concurrent(limit);
    let builder = builder.max_wait(Some(Duration::from_millis(100)));
    builder.build().unwrap()
}

fn fixed(limit: u32) -> AdaptiveLimit {
    let builder = AdaptiveLimit::builder("x").algorithm(Fixed::new(limit));
    builder.build().unwrap()
}

fn idle() -> LoadShed {
    LoadShed::builder("x").signal(|| 0.0).build().unwrap()
}

fn any() -> impl Classify<u16, NotReady> + Clone {
    |_: Result<&u16, &NotReady>| Classification::SUCCESS
}

#[tokio::test(start_paused = true)]
async fn no_layer_calls_a_service_that_is_not_ready() {
    let probe = StatefulInner::new(|status: u16| status);
    let (bulkhead, limit) = (bulkhead(1), fixed(1));
    let mut refusing = BulkheadLayer::new(bulkhead.clone()).layer(probe.clone());
    let mut waiting = BulkheadLayer::new(bulkhead.clone())
        .waiting()
        .layer(probe.clone());
    let adaptive = AdaptiveLayer::new(limit.clone()).classify(any());
    let mut adaptive = adaptive.layer(probe.clone());
    let mut shed = LoadShedLayer::new(idle(), |_: &u16| Priority::DEFAULT).layer(probe.clone());

    for round in 0..2 {
        let held = (round == 1).then(|| (bulkhead.try_acquire(), limit.try_acquire()));
        for _ in 0..2 {
            let is_free = held.is_none();
            let calls = (
                refusing.ready().await.unwrap().call(1).await.is_ok(),
                waiting.ready().await.unwrap().call(1).await.is_ok(),
                adaptive.ready().await.unwrap().call(1).await.is_ok(),
                shed.ready().await.unwrap().call(1).await.is_ok(),
            );
            assert_eq!(calls, (is_free, is_free, is_free, true));
            assert_eq!(refusing.clone().oneshot(1).await.is_ok(), is_free);
            assert_eq!(waiting.clone().oneshot(1).await.is_ok(), is_free);
            assert_eq!(adaptive.clone().oneshot(1).await.is_ok(), is_free);
            assert!(shed.clone().oneshot(1).await.is_ok());
        }
    }
    assert_eq!(probe.violations(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_not_reserved_by_a_service_that_is_never_called() {
    let probe = StatefulInner::new(|status: u16| status);
    let bulkhead = bulkhead(1);
    let layer = BulkheadLayer::new(bulkhead.clone());
    let (mut one, mut other) = (layer.layer(probe.clone()), layer.layer(probe.clone()));
    let mut waiting = layer.waiting().layer(probe);
    for _ in 0..10 {
        one.ready().await.unwrap();
        other.ready().await.unwrap();
        waiting.ready().await.unwrap();
    }
    assert_eq!(bulkhead.snapshot().in_flight(), 0);
    let permit = bulkhead.try_acquire().unwrap();
    drop((one, other, waiting));
    drop(permit);
}

#[tokio::test(start_paused = true)]
async fn every_service_of_a_layer_shares_its_permits() {
    let bulkhead = bulkhead(1);
    let layer = BulkheadLayer::new(bulkhead.clone());
    let hang = || service_fn(|_: u16| pending::<Result<u16, Infallible>>());
    let mut first = layer.layer(hang());
    let _held = first.ready().await.unwrap().call(1);
    let refused = layer.clone().layer(hang()).oneshot(1).await;
    let Err(error @ bulkhead::Error::Full(_)) = refused else {
        panic!("a second permit")
    };
    assert!(error.inner().unwrap_err().hint.refused);
    let seen: Result<&Response<()>, _> = Err(&error);
    let seen = Through(Http::default()).classify(seen);
    assert_eq!(seen.verdict, Verdict::Ignore);
}

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

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_gives_its_permit_back_whether_it_was_polled_or_not() {
    let hang = service_fn(|_: u16| pending::<Result<u16, NotReady>>());
    let (bulkhead, limit) = (bulkhead(1), fixed(1));
    let mut refusing = BulkheadLayer::new(bulkhead.clone()).layer(hang);
    let mut waiting = BulkheadLayer::new(bulkhead.clone()).waiting().layer(hang);
    let mut adaptive = AdaptiveLayer::new(limit.clone())
        .classify(any())
        .layer(hang);
    for polls in [0, 1, 2] {
        poll_and_drop(refusing.ready().await.unwrap().call(1), polls).await;
        poll_and_drop(waiting.ready().await.unwrap().call(1), polls).await;
        poll_and_drop(adaptive.ready().await.unwrap().call(1), polls).await;
        let permit = bulkhead.try_acquire().unwrap();
        poll_and_drop(waiting.ready().await.unwrap().call(1), polls).await;
        assert_eq!(bulkhead.snapshot().queued(), 0);
        drop(permit);
        assert_eq!(bulkhead.snapshot().in_flight(), 0);
        assert_eq!(limit.snapshot().in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_made_when_its_turn_comes() {
    let bulkhead = bulkhead(1);
    let probe = StatefulInner::new(|status: u16| status + 1);
    let service = BulkheadLayer::new(bulkhead.clone())
        .waiting()
        .layer(probe.clone());
    let permit = bulkhead.try_acquire().unwrap();
    let call = service.oneshot(1);
    let release = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(probe.calls(), 0);
        drop(permit);
    };
    let (answer, ()) = tokio::join!(call, release);
    assert_eq!(answer, Ok(2));
    assert_eq!(probe.violations(), 0);
    assert_eq!(bulkhead.snapshot().in_flight(), 0);
}

/// A body of so many frames, and an error after them if it is to fail.
#[derive(Clone, Copy)]
struct Frames {
    left: usize,
    fails: bool,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.left {
            0 if self.fails => Some(Err(io::Error::other("broken"))),
            0 => None,
            _ => {
                self.left -= 1;
                Some(Ok(Frame::data(Bytes::from("x"))))
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_rides_on_the_body_is_held_until_it_ends_fails_or_is_dropped() {
    let (bulkhead, limit) = (bulkhead(1), fixed(1));
    let inner = service_fn(|body: Frames| ready(Ok::<_, Infallible>(Response::new(body))));
    let service = AdaptiveLayer::new(limit.clone()).until_body_end();
    let service = service.layer(inner);
    let service = BulkheadLayer::new(bulkhead.clone())
        .until_body_end()
        .layer(service);
    let in_flight = || {
        (
            bulkhead.snapshot().in_flight(),
            limit.snapshot().in_flight(),
        )
    };

    for fails in [false, true] {
        let body = Frames { left: 2, fails };
        let mut response = service.clone().oneshot(body).await.unwrap();
        for _ in 0..2 {
            assert!(response.frame().await.unwrap().is_ok());
            assert_eq!(in_flight(), (1, 1), "the body outlives no permit");
        }
        assert_eq!(response.frame().await.is_some(), fails);
        assert_eq!(in_flight(), (0, 0), "its end is the permit's, read or not");
        drop(response);
    }

    let body = Frames {
        left: 2,
        fails: false,
    };
    let mut response = service.clone().oneshot(body).await.unwrap();
    assert!(response.frame().await.unwrap().is_ok());
    drop(response);
    assert_eq!(in_flight(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_that_the_permit_ends_with_the_head() {
    let bulkhead = bulkhead(1);
    let inner = service_fn(|body: Frames| ready(Ok::<_, Infallible>(Response::new(body))));
    let service = BulkheadLayer::new(bulkhead.clone()).layer(inner);
    let body = Frames {
        left: 2,
        fails: false,
    };
    let response = service.oneshot(body).await.unwrap();
    assert_eq!(bulkhead.snapshot().in_flight(), 0);
    drop(response);
}

async fn call(app: &Router) -> TestResponse {
    let request = Request::new(Body::empty());
    let response = app.clone().oneshot(request).await.unwrap();
    TestResponse::read(response).await
}

#[tokio::test(start_paused = true)]
async fn a_router_answers_for_each_of_them() {
    let (bulkhead, limit) = (bulkhead(1), fixed(1));
    let shed = LoadShed::builder("x").signal(|| 10.0).build().unwrap();
    let app = || Router::new().route("/", get(|| async { "done" }));
    let refusing = app().layer(BulkheadLayer::answering(bulkhead.clone()).until_body_end());
    let waiting = app().layer(BulkheadLayer::answering(bulkhead.clone()).waiting());
    let adaptive = app().layer(AdaptiveLayer::answering(limit.clone()).until_body_end());
    let shedding = LoadShedLayer::answering(shed, |_: &Request<Body>| Priority::SHEDDABLE);
    let shedding = app().layer(shedding);
    for app in [&refusing, &waiting, &adaptive, &shedding] {
        assert_eq!(call(app).await.status(), 200);
    }

    let held = (bulkhead.try_acquire(), limit.try_acquire());
    for (app, code) in [
        (&refusing, Code::BulkheadFull),
        (&waiting, Code::BulkheadFull),
        (&adaptive, Code::Overloaded),
    ] {
        let refused = call(app).await;
        assert_eq!(refused.status(), 503);
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=2).contains(&wait));
        assert_problem!(refused, code);
    }
    drop(held);
    assert_eq!(call(&refusing).await.status(), 200);

    for _ in 0..30 {
        tokio::time::advance(Duration::from_millis(250)).await;
        call(&shedding).await;
    }
    let refused = call(&shedding).await;
    assert_problem!(refused, Code::Overloaded);
}

/// How many allocations a hundred calls make, after one that may warm something up.
fn count(mut run: impl FnMut()) -> u64 {
    run();
    allocations(|| (0..100).for_each(|_| run())).count
}

#[test]
fn permits_and_checks_allocate_nothing() {
    let metrics = Metrics::new();
    let bulkhead = Bulkhead::builder("x").max_concurrent(2).metrics(&metrics);
    let bulkhead = bulkhead.build().unwrap();
    assert_eq!(count(|| drop(bulkhead.try_acquire().unwrap())), 0);
    let held = (bulkhead.try_acquire(), bulkhead.try_acquire());
    assert_eq!(count(|| drop(bulkhead.try_acquire().unwrap_err())), 0);
    drop(held);

    let limit = AdaptiveLimit::builder("x").metrics(&metrics);
    let limit = limit.build().unwrap();
    let call = || {
        let permit = limit.try_acquire().unwrap();
        permit.complete(&Classification::SUCCESS);
    };
    assert_eq!(count(call), 0);

    let shed = LoadShed::builder("x").signal(|| 0.0).metrics(&metrics);
    let shed = shed.build().unwrap();
    assert_eq!(count(|| shed.check(Priority::DEFAULT).unwrap()), 0);
}

#[test]
fn the_layers_add_no_allocation_to_a_call() {
    let inner = service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))))
    });
    let limited = AdaptiveLayer::new(fixed(2)).until_body_end().layer(inner);
    let waiting = BulkheadLayer::new(bulkhead(2)).waiting().layer(limited);
    let held = BulkheadLayer::answering(bulkhead(2)).layer(waiting.map_err(drop));
    let shed = LoadShedLayer::answering(idle(), load_shed::from_extensions);
    let mut service = shed.layer(held);
    let made = count(|| {
        let call = async { service.ready().await.unwrap().call(Request::new(())).await };
        assert!(block_on(call).is_ok());
    });
    let bare = count(|| {
        let mut inner = inner;
        let call = async { inner.ready().await.unwrap().call(Request::new(())).await };
        assert!(block_on(call).is_ok());
    });
    assert_eq!(made, bare);
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_sees_what_another_layer_refused_as_nothing() {
    let limit = fixed(4);
    let full = bulkhead(1);
    let _held = full.try_acquire().unwrap();
    let inner = service_fn(|_: Request<()>| ready(Ok::<_, NotReady>(Response::new(()))));
    let inner = BulkheadLayer::new(full).layer(inner);
    let service = AdaptiveLayer::new(limit.clone())
        .classify(Through(Http::default()))
        .layer(inner);
    for _ in 0..20 {
        tokio::time::advance(Duration::from_millis(250)).await;
        let refused = service.clone().oneshot(Request::new(())).await;
        assert!(matches!(
            refused,
            Err(adaptive::Error::Inner(bulkhead::Error::Full(_)))
        ));
    }
    assert_eq!(limit.snapshot().latency(), Duration::ZERO);
    assert_eq!(limit.snapshot().in_flight(), 0);
}
