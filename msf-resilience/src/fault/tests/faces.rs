//! What a fault looks like from outside.

use std::{
    cell::Cell,
    convert::Infallible,
    future::{pending, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use msf_core::{
    BoxError,
    body::Body,
    classify::{Classify, Http, Verdict},
    deadline::Deadline,
    problem::Code,
};
use tokio::time::{Instant, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    Through,
    fault::{Error, Fault, FaultBody, FaultLayer, Faults, HEADER, Injected, Latency},
};

const SECOND: Duration = Duration::from_secs(1);

fn faults(fault: Fault) -> Faults {
    let builder = Faults::builder("x");
    let builder = match fault {
        Fault::Latency(wait) => builder.latency(Latency::fixed(wait), 1.0),
        Fault::Error => builder.error(1.0),
        Fault::Hang => builder.hang(1.0),
        Fault::Reset => builder.reset(1.0),
    };
    let faults = builder.build().unwrap();
    faults.enable();
    faults
}

#[tokio::test(start_paused = true)]
async fn a_latency_delays_the_answer_by_as_much() {
    let inner = service_fn(|n: u8| ready(Ok::<_, Infallible>(n)));
    let service = FaultLayer::new(faults(Fault::Latency(SECOND))).layer(inner);
    let start = Instant::now();
    assert_eq!(service.oneshot(7).await, Ok(7));
    assert_eq!(start.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_error_and_a_hang_do_not_reach_the_service_and_leave_it_ready() {
    let calls = Cell::new(0);
    let inner = service_fn(|n: u8| {
        calls.set(calls.get() + 1);
        ready(Ok::<_, Infallible>(n))
    });
    let failing = faults(Fault::Error);
    let mut service = FaultLayer::new(failing.clone()).layer(inner);
    let failed = service.ready().await.unwrap().call(7).await;
    assert_eq!(failed, Err(Error::Injected(Injected::new(Fault::Error))));
    failing.disable();
    assert_eq!(service.call(7).await, Ok(7), "it was still ready");

    let service = FaultLayer::new(faults(Fault::Hang)).layer(inner);
    assert!(timeout(3600 * SECOND, service.oneshot(7)).await.is_err());
    assert_eq!(calls.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_typed_reset_loses_the_answer_of_work_that_was_done() {
    let calls = Cell::new(0);
    let inner = service_fn(|n: u8| {
        calls.set(calls.get() + 1);
        ready(Ok::<_, &'static str>(n))
    });
    let service = FaultLayer::new(faults(Fault::Reset)).layer(inner);
    let lost = service.oneshot(7).await;
    assert_eq!(lost, Err(Error::Injected(Injected::new(Fault::Reset))));
    let service = FaultLayer::failing(faults(Fault::Reset), |_| "lost").layer(inner);
    assert_eq!(service.oneshot(7).await, Err("lost"));
    assert_eq!(calls.get(), 2);
}

#[test]
fn an_injected_error_is_a_failure_to_who_looks_through() {
    let error: Error<Infallible> = Error::Injected(Injected::new(Fault::Error));
    let seen: Result<&Response<()>, _> = Err(&error);
    let seen = Through(Http::default()).classify(seen);
    assert_eq!(seen.verdict, Verdict::Failure);
    assert!(!seen.hint.refused);
}

fn hello(_: Request<Body>) -> std::future::Ready<Result<Response<Full<Bytes>>, Infallible>> {
    ready(Ok(Response::new(Full::from("hello, world"))))
}

#[tokio::test(start_paused = true)]
async fn an_answering_layer_answers_with_its_code_and_says_that_it_is_made_up() {
    let layer = FaultLayer::answering(faults(Fault::Error)).code(Code::BadGateway);
    let service = layer.layer(service_fn(hello));
    let answer = service.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 502);
    let injected = answer.extensions().get::<Injected>();
    assert_eq!(injected, Some(&Injected::new(Fault::Error)));
    assert!(answer.into_body().collect().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_reset_gives_half_of_the_body_and_then_an_error() {
    let layer = FaultLayer::answering(faults(Fault::Reset));
    let answer = layer.layer(service_fn(hello));
    let answer = answer.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "hello,");
    let error: BoxError = body.frame().await.unwrap().unwrap_err();
    assert!(error.is::<Injected>());
}

#[tokio::test(start_paused = true)]
async fn a_reset_breaks_empty_and_streamed_bodies_too() {
    for (body, passes) in [(Body::empty(), ""), (Body::new(Stream("once")), "on")] {
        let body = std::sync::Mutex::new(Some(body));
        let inner = service_fn(|_: Request<Body>| {
            let body = body.lock().unwrap().take().unwrap();
            ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let service = FaultLayer::answering(faults(Fault::Reset)).layer(inner);
        let answer = service.oneshot(Request::new(Body::empty())).await.unwrap();
        let mut body = answer.into_body();
        assert!(!http_body::Body::is_end_stream(&body));
        let mut read = Vec::new();
        let error = loop {
            match body.frame().await.unwrap() {
                Ok(frame) => read.extend(frame.into_data().unwrap()),
                Err(error) => break error,
            }
        };
        assert!(error.is::<Injected>());
        assert_eq!(read, passes.as_bytes());
    }
}

/// A body of one frame that does not say how long it is.
struct Stream(&'static str);

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let data = std::mem::take(&mut self.0);
        std::task::Poll::Ready(
            (!data.is_empty())
                .then(|| Ok(http_body::Frame::data(Bytes::from_static(data.as_bytes())))),
        )
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_ends_at_the_deadline_with_a_504_and_without_one_never() {
    let service = FaultLayer::answering(faults(Fault::Hang)).layer(service_fn(hello));
    let mut request = Request::new(Body::empty());
    Deadline::after(SECOND).tighten(request.extensions_mut());
    let start = Instant::now();
    let answer = service.clone().oneshot(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), start.elapsed()), (504, SECOND));

    let call = service.oneshot(Request::new(Body::empty()));
    assert!(timeout(3600 * SECOND, call).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_header_chooses_a_fault_only_if_it_is_trusted_and_faults_are_enabled() {
    #[derive(Clone)]
    struct Operator;

    let faults = Faults::builder("x").build().unwrap();
    let layer = FaultLayer::answering(faults.clone())
        .by_header_if(|request: &Request<Body>| request.extensions().get::<Operator>().is_some());
    let service = layer.layer(service_fn(hello));
    let call = |fault: &'static str, is_trusted: bool| {
        let mut request = Request::new(Body::empty());
        request.headers_mut().insert(HEADER, fault.parse().unwrap());
        if is_trusted {
            request.extensions_mut().insert(Operator);
        }
        let service = service.clone();
        async move { service.oneshot(request).await.unwrap().status().as_u16() }
    };
    assert_eq!(call("error", true).await, 200, "faults are off");
    faults.enable();
    assert_eq!(call("error", true).await, 503);
    assert_eq!(call("error", false).await, 200);
    assert_eq!(call("nonsense", true).await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_hang_that_is_dropped_leaves_nothing() {
    let inner = service_fn(|(): ()| pending::<Result<(), Infallible>>());
    let service = FaultLayer::new(faults(Fault::Latency(SECOND))).layer(inner);
    assert!(timeout(2 * SECOND, service.oneshot(())).await.is_err());
}

#[tokio::test]
async fn a_body_that_broke_off_ends() {
    for body in [Full::new(Bytes::from("hello")), Full::default()] {
        let mut body = FaultBody::breaking_off(body);
        let mut errors = 0;
        for _ in 0..10 {
            errors += u32::from(matches!(body.frame().await, Some(Err(_))));
        }
        assert_eq!(errors, 1);
        assert!(body.frame().await.is_none());
        assert!(http_body::Body::is_end_stream(&body));
    }
}
