//! The layer as a tower citizen, and what it believes of its callers.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, StatusCode};
use msf_core::trace::{self, RequestContext, Trace, TraceLayer, Trust, X_REQUEST_ID};
use tokio_test::{assert_pending, assert_ready_ok};
use tower::{Service, ServiceExt, service_fn};
use tower_layer::Layer;
use tower_test::mock;

use super::{Incoming, PARENT, answering, body::Script, request};

/// Answers with the contexts it saw: in the extensions, while called, and while polled.
async fn served(layer: TraceLayer, request: Incoming) -> RequestContext {
    let service = service_fn(|request: Incoming| {
        let called = trace::current().unwrap();
        async move {
            tokio::task::yield_now().await;
            let polled = trace::current().unwrap();
            let carried = request.extensions().get::<RequestContext>().unwrap();
            assert_eq!(polled.span_id(), carried.span_id());
            assert_eq!(called.span_id(), carried.span_id());
            let mut response = Response::new(Script::default());
            response.extensions_mut().insert(polled);
            Ok::<_, &str>(response)
        }
    });
    let mut response = layer.layer(service).oneshot(request).await.unwrap();
    assert!(trace::current().is_none());
    response.extensions_mut().remove().unwrap()
}

#[tokio::test]
async fn the_caller_is_continued() {
    let context = served(TraceLayer::new(), request()).await;
    assert_eq!(context.trace_id().to_string(), PARENT[3..35]);
    assert_eq!(
        context.parent_span_id().unwrap().to_string(),
        PARENT[36..52]
    );
    assert_eq!(context.request_id().as_str(), "order-17");
}

#[tokio::test]
async fn an_untrusted_caller_decides_nothing() {
    let mut request = request();
    request
        .headers_mut()
        .insert("baggage", HeaderValue::from_static("admin=true"));
    let context = served(TraceLayer::new().trust(Trust::Nobody), request).await;
    assert_ne!(context.trace_id().to_string(), PARENT[3..35]);
    assert_eq!(context.parent_span_id(), None);
    assert_ne!(context.request_id().as_str(), "order-17");
    assert!(context.baggage().is_empty());
}

#[tokio::test]
async fn hostile_headers_do_not_stop_the_request() {
    let junk = vec![b'x'; 8192];
    let members = (0..100)
        .map(|n| format!("k{n}=v"))
        .collect::<Vec<_>>()
        .join(",");
    let mut request = request();
    for name in [
        "traceparent",
        "tracestate",
        "baggage",
        "x-request-id",
        "user-agent",
    ] {
        for value in [&b"\xff\xfe\x80"[..], &junk, members.as_bytes()] {
            request
                .headers_mut()
                .append(name, HeaderValue::from_bytes(value).unwrap());
        }
    }
    let context = served(TraceLayer::new(), request).await;
    assert_eq!(context.parent_span_id(), None);
    assert!(context.trace_state().is_empty());
    assert_eq!(context.baggage().iter().count(), 64);
    assert_eq!(context.request_id().as_str().len(), 32);
}

#[tokio::test]
async fn an_inner_layer_is_a_child_of_the_outer() {
    let inner = service_fn(|request: Incoming| {
        let context = request
            .extensions()
            .get::<RequestContext>()
            .unwrap()
            .clone();
        ready(Ok::<_, &str>(
            Response::builder()
                .extension(context)
                .body(Script::default())
                .unwrap(),
        ))
    });
    let both = TraceLayer::new().layer(TraceLayer::new().trust(Trust::Nobody).layer(inner));
    let response = both.oneshot(request()).await.unwrap();
    let context = response.extensions().get::<RequestContext>().unwrap();
    assert_eq!(context.trace_id().to_string(), PARENT[3..35]);
    assert_ne!(
        context.parent_span_id().unwrap().to_string(),
        PARENT[36..52]
    );
    assert_eq!(context.request_id().as_str(), "order-17");
}

#[tokio::test]
async fn the_response_names_the_request() {
    let service = answering(TraceLayer::new(), StatusCode::OK, Script::default);
    let response = service.oneshot(request()).await.unwrap();
    assert_eq!(response.headers()[X_REQUEST_ID], "order-17");

    let hidden = answering(
        TraceLayer::new().hide_request_id(),
        StatusCode::OK,
        Script::default,
    );
    let response = hidden.oneshot(request()).await.unwrap();
    assert!(!response.headers().contains_key(X_REQUEST_ID));
}

#[test]
fn readiness_and_error_pass_through() {
    let layer = TraceLayer::new();
    let (mut service, mut handle) =
        mock::spawn_with(|inner: mock::Mock<Request<()>, Response<Script>>| layer.layer(inner));
    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());

    let mut future = tokio_test::task::spawn(service.call(Request::new(())));
    assert_pending!(future.poll());
    let (request, answer) =
        tokio_test::assert_ready!(tokio_test::task::spawn(handle.next_request()).poll()).unwrap();
    assert!(request.extensions().get::<RequestContext>().is_some());
    answer.send_error("down");
    let error = tokio_test::assert_ready!(future.poll()).unwrap_err();
    assert_eq!(error.to_string(), "down");
}

/// Ready only where `poll_ready` said so: a clone starts over, as tower allows.
#[derive(Debug, Default)]
struct Probe {
    ready: bool,
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl Service<Request<()>> for Probe {
    type Response = Response<Script>;
    type Error = &'static str;
    type Future = Ready<Result<Response<Script>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        ready(Ok(Response::new(Script::default())))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_called() {
    let mut service = TraceLayer::new().layer(Probe::default());
    for _ in 0..2 {
        let mut clone = service.clone();
        service
            .ready()
            .await
            .unwrap()
            .call(Request::new(()))
            .await
            .unwrap();
        clone
            .ready()
            .await
            .unwrap()
            .call(Request::new(()))
            .await
            .unwrap();
    }
}

#[test]
fn everything_may_cross_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Trace<Probe>>();
    check::<trace::future::ResponseFuture<Ready<()>>>();
    check::<trace::future::Scope<Ready<()>>>();
    check::<trace::ResponseBody<Script>>();
    check::<RequestContext>();
}
