//! What the span and the access event say.

use std::{future::ready, time::Duration};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use msf_core::{
    route::MatchedRoute,
    trace::{AccessLog, RequestContext, TraceLayer},
};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::Level;

use super::{
    Incoming, answering,
    body::{Script, Step},
    capture::{Capture, Fields},
    request,
};

fn some(fields: &[(&str, &str)]) -> Fields {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn span_and_event_say_what_happened() {
    let seen = Capture::start();
    let service = service_fn(async |request: Incoming| {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let context = request.extensions().get::<RequestContext>().unwrap();
        let mut response = Response::new(Script::new([Step::Data("123"), Step::Data("4567")]));
        response.extensions_mut().insert(context.clone());
        Ok::<_, &str>(response)
    });
    let mut request = request();
    request
        .extensions_mut()
        .insert(MatchedRoute::new("/orders/{id}"));
    let response = TraceLayer::new()
        .layer(service)
        .oneshot(request)
        .await
        .unwrap();
    let context = response
        .extensions()
        .get::<RequestContext>()
        .unwrap()
        .clone();
    response.into_body().collect().await.unwrap();

    let span = seen.span();
    assert_eq!(span.target, "msf_core::trace");
    assert_eq!(
        span.fields,
        some(&[
            ("otel.kind", "server"),
            ("otel.name", "GET /orders/{id}"),
            ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("span_id", &context.span_id().to_string()),
            ("parent_span_id", "00f067aa0ba902b7"),
            ("trace_flags", "01"),
            ("request_id", "order-17"),
            ("http.request.method", "GET"),
            ("http.route", "/orders/{id}"),
            ("http.response.status_code", "200"),
            ("url.path", "/orders/17"),
            ("url.scheme", "http"),
            ("network.protocol.version", "1.1"),
            ("user_agent.original", "probe/1.0"),
        ])
    );

    let access = seen.access();
    assert_eq!((access.level, access.span), (Level::INFO, Some(0)));
    assert_eq!(
        access.fields,
        some(&[
            ("message", "request served"),
            ("http.request.method", "GET"),
            ("url.path", "/orders/17"),
            ("http.route", "/orders/{id}"),
            ("http.response.status_code", "200"),
            ("outcome", "completed"),
            ("duration_ms", "1500.0"),
            ("response_bytes", "7"),
        ])
    );
}

#[tokio::test]
async fn a_route_left_in_the_response_names_the_span() {
    let seen = Capture::start();
    let service = TraceLayer::new().layer(service_fn(|_: Incoming| {
        let mut response = Response::new(Script::default());
        response
            .extensions_mut()
            .insert(MatchedRoute::new("/late/{id}"));
        ready(Ok::<_, &str>(response))
    }));
    drop(service.oneshot(request()).await.unwrap());
    assert_eq!(seen.span().fields["otel.name"], "GET /late/{id}");
    assert_eq!(seen.span().fields["http.route"], "/late/{id}");
    assert_eq!(seen.access().fields["http.route"], "/late/{id}");
}

#[tokio::test]
async fn without_a_route_the_name_is_the_method_alone() {
    let seen = Capture::start();
    let mut request = request();
    *request.method_mut() = "BREW".parse().unwrap();
    let service = answering(TraceLayer::new().https(), StatusCode::OK, Script::default);
    drop(service.oneshot(request).await.unwrap());
    let fields = seen.span().fields;
    assert_eq!(fields["otel.name"], "HTTP");
    assert_eq!(fields["http.request.method"], "_OTHER");
    assert_eq!(fields["url.scheme"], "https");
    assert!(!fields.contains_key("http.route"));
    assert_eq!(seen.access().fields["http.request.method"], "_OTHER");
}

#[tokio::test]
async fn only_a_5xx_is_an_error() {
    for (status, error, level) in [
        (StatusCode::NOT_FOUND, None, Level::INFO),
        (StatusCode::SERVICE_UNAVAILABLE, Some("503"), Level::WARN),
    ] {
        let seen = Capture::start();
        let response = answering(TraceLayer::new(), status, Script::default).oneshot(request());
        response.await.unwrap().into_body().collect().await.unwrap();
        let (span, access) = (seen.span().fields, seen.access());
        assert_eq!(span.get("error.type").map(String::as_str), error);
        assert_eq!(span.contains_key("otel.status_code"), error.is_some());
        assert_eq!(access.fields.get("error.type").map(String::as_str), error);
        assert_eq!(access.fields["outcome"], "completed");
        assert_eq!(access.level, level);
    }
}

#[tokio::test]
async fn the_access_log_is_as_long_as_asked_for() {
    for (policy, status, lines) in [
        (AccessLog::Every, StatusCode::OK, 1),
        (AccessLog::Failures, StatusCode::OK, 0),
        (AccessLog::Failures, StatusCode::BAD_GATEWAY, 1),
        (AccessLog::Off, StatusCode::BAD_GATEWAY, 0),
    ] {
        let seen = Capture::start();
        let layer = TraceLayer::new().access_log(policy);
        drop(
            answering(layer, status, Script::default)
                .oneshot(request())
                .await
                .unwrap(),
        );
        assert_eq!(
            seen.events("msf::access").len(),
            lines,
            "{policy:?} {status}"
        );
        assert_eq!(seen.spans().len(), 1);
    }
}

#[tokio::test]
async fn an_event_without_its_span_names_the_request_itself() {
    let seen = Capture::without_target("msf_core::trace");
    let service = answering(TraceLayer::new(), StatusCode::OK, Script::default);
    drop(service.oneshot(request()).await.unwrap());
    let access = seen.access();
    assert!(seen.spans().is_empty());
    assert_eq!(
        access.fields["trace_id"],
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );
    assert_eq!(access.fields["request_id"], "order-17");
}

#[tokio::test]
async fn long_paths_and_agents_are_cut() {
    let seen = Capture::start();
    let request = Request::builder()
        .uri(format!("/{}?token=secret", "a".repeat(5000)))
        .header("user-agent", "x".repeat(5000))
        .body(Empty::new())
        .unwrap();
    let service = answering(TraceLayer::new(), StatusCode::OK, Script::default);
    drop(service.oneshot(request).await.unwrap());
    assert_eq!(seen.span().fields["url.path"].len(), 1024);
    assert_eq!(seen.span().fields["user_agent.original"].len(), 256);
    assert_eq!(seen.access().fields["url.path"].len(), 1024);
}
