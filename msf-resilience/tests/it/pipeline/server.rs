//! A server's pipeline in front of an axum router.

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use http::{Extensions, HeaderMap, HeaderName, Request};
use msf_core::{
    assert_problem,
    problem::Code,
    testing::{TestResponse, advance},
};
use msf_resilience::{
    adaptive::{AdaptiveLimit, Fixed},
    bulkhead::Bulkhead,
    load_shed::{LoadShed, Priority},
    pipeline::{HttpServer, ServerConfig, http_client, http_server},
    rate_limit::key::TextHeader,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

fn config(json: Value) -> ServerConfig {
    serde_json::from_value(json).unwrap()
}

fn server(json: Value) -> HttpServer {
    http_server("orders").config(&config(json)).build().unwrap()
}

fn router() -> Router {
    Router::new().route("/", get(|| async { "done" })).route(
        "/slow",
        get(|| async {
            sleep(Duration::from_secs(1)).await;
            "done"
        }),
    )
}

async fn call(app: &Router, path: &str, headers: &[(&str, &str)]) -> TestResponse {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    TestResponse::read(app.clone().oneshot(request).await.unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn it_drops_into_a_router_and_answers_for_a_full_bulkhead() {
    let server = server(json!({"bulkhead": {"max_concurrent": 1}}));
    let app = router().layer(server.clone());
    assert_eq!(call(&app, "/", &[]).await.status(), 200);
    let taken = server.bulkhead().unwrap().try_acquire().unwrap();
    assert_problem!(call(&app, "/", &[]).await, Code::BulkheadFull);
    drop(taken);
    assert_eq!(call(&app, "/", &[]).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_with_a_line_lets_requests_wait() {
    let server = server(json!({"bulkhead": {"max_concurrent": 1, "max_wait": "5s"}}));
    let app = router().layer(server);
    let start = Instant::now();
    let (one, other) = tokio::join!(call(&app, "/slow", &[]), call(&app, "/slow", &[]));
    assert_eq!((one.status().as_u16(), other.status().as_u16()), (200, 200));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_waits_for_ends_the_work() {
    let app = router().layer(server(
        json!({"deadline": {"default": "10s"}, "bulkhead": {}}),
    ));
    let start = Instant::now();
    let late = call(&app, "/slow", &[("x-msf-timeout-ms", "300")]).await;
    assert_eq!(start.elapsed(), Duration::from_millis(300));
    assert_problem!(late, Code::DeadlineExceeded);
    assert_eq!(call(&app, "/slow", &[]).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_limit_and_every_answer_tells_of_it() {
    let config = config(json!({"rate_limit": {"limits": [{"requests": 1, "per": "1m"}]}}));
    let tenant = TextHeader::new(HeaderName::from_static("x-tenant")).unwrap();
    let server = http_server("orders")
        .limit_by(tenant)
        .config(&config)
        .build()
        .unwrap();
    let app = router().layer(server);

    let first = call(&app, "/", &[("x-tenant", "ada")]).await;
    assert_eq!(first.header("ratelimit"), Some(r#""orders";r=0;t=60"#));
    let limited = call(&app, "/", &[("x-tenant", "ada")]).await;
    assert_eq!(limited.header("retry-after"), Some("60"));
    assert!(limited.header("ratelimit-policy").is_some());
    assert_problem!(limited, Code::RateLimited);
    assert_eq!(
        call(&app, "/", &[("x-tenant", "grace")]).await.status(),
        200
    );
    assert_eq!(call(&app, "/", &[]).await.header("ratelimit"), None);
}

#[tokio::test(start_paused = true)]
async fn who_is_above_the_limit_takes_no_place() {
    let server = server(json!({
        "rate_limit": {"limits": [{"requests": 1, "per": "1m"}]},
        "bulkhead": {"max_concurrent": 1},
    }));
    let app = router().layer(server.clone());
    assert_eq!(call(&app, "/", &[]).await.status(), 200);
    let taken = server.bulkhead().unwrap().try_acquire().unwrap();
    // The limit is asked first: the bulkhead, which would refuse too, is not.
    assert_problem!(call(&app, "/", &[]).await, Code::RateLimited);
    assert_eq!(server.bulkhead().unwrap().snapshot().refused(), 0);
    drop(taken);
}

#[tokio::test(start_paused = true)]
async fn under_load_what_matters_least_is_shed_before_it_counts_against_the_limit() {
    let config = config(json!({
        "load_shed": {},
        "rate_limit": {"limits": [{"requests": 100, "per": "1m"}]},
        "bulkhead": {"max_concurrent": 10, "max_wait": "1s"},
    }));
    let priority = |headers: &HeaderMap, _: &Extensions| match headers.get("x-batch") {
        Some(_) => Priority::SHEDDABLE,
        None => Priority::CRITICAL,
    };
    let server = http_server("orders")
        .priority(priority)
        .config(&config)
        .build()
        .unwrap();
    let app = router().layer(server.clone());
    let bulkhead = server.bulkhead().unwrap();
    let taken: Vec<_> = (0..9).map(|_| bulkhead.try_acquire().unwrap()).collect();

    let mut shed = None;
    for _ in 0..50 {
        advance(Duration::from_millis(250)).await;
        let left = server.rate_limit().unwrap().peek(&()).remaining();
        let answer = call(&app, "/", &[("x-batch", "1")]).await;
        if answer.status() == 503 {
            assert_eq!(server.rate_limit().unwrap().peek(&()).remaining(), left);
            shed = Some(answer);
            break;
        }
    }
    assert_problem!(shed.expect("it sheds within seconds"), Code::Overloaded);
    assert_eq!(call(&app, "/", &[]).await.status(), 200);
    drop(taken);
}

#[tokio::test(start_paused = true)]
async fn a_load_shed_needs_a_limit_inside_to_tell_it_of_the_load() {
    let error = http_server("orders")
        .config(&config(json!({"load_shed": {}})))
        .build()
        .unwrap_err();
    assert_eq!(error.problems()[0].path(), "load_shed");
    let error = http_server("orders")
        .config(&config(
            json!({"adaptive": {"window": "1ms"}, "bulkhead": {"max_wait": "2h"}}),
        ))
        .build()
        .unwrap_err();
    let paths: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.path())
        .collect();
    assert_eq!(paths, ["adaptive.window", "bulkhead.max_wait"]);
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_takes_the_place_of_a_bulkhead_and_is_not_beside_it() {
    let limit = AdaptiveLimit::builder("orders")
        .algorithm(Fixed::new(1))
        .build()
        .unwrap();
    let server = http_server("orders")
        .adaptive(limit.clone())
        .build()
        .unwrap();
    let app = router().layer(server);
    let taken = limit.try_acquire().unwrap();
    assert_problem!(call(&app, "/", &[]).await, Code::Overloaded);
    drop(taken);
    assert_eq!(call(&app, "/", &[]).await.status(), 200);

    let bulkhead = Bulkhead::builder("orders").build().unwrap();
    let error = http_server("orders")
        .adaptive(limit)
        .bulkhead(bulkhead)
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "orders.adaptive: a pipeline has an adaptive limit or a bulkhead, not both"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_whole_and_leaves_alone_what_code_gave() {
    let shed = LoadShed::builder("orders").signal(|| 0.0).build().unwrap();
    let first = config(json!({"deadline": {"max": "1s"}, "bulkhead": {"max_concurrent": 1}}));
    let server = http_server("orders")
        .load_shed(shed)
        .config(&first)
        .build()
        .unwrap();
    let app = router().layer(server.clone());

    let error = server
        .reload(&config(
            json!({"deadline": {"max": "0s"}, "bulkhead": {"max_concurrent": 7}}),
        ))
        .unwrap_err();
    assert_eq!(error.problems()[0].path(), "deadline.max");
    assert_eq!(server.bulkhead().unwrap().snapshot().limit(), 1);

    let second = config(json!({"deadline": {"max": "100ms"}, "bulkhead": {"max_concurrent": 7}}));
    server.reload(&second).unwrap();
    assert_eq!(server.bulkhead().unwrap().snapshot().limit(), 7);
    assert_problem!(call(&app, "/slow", &[]).await, Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_gives_its_place_back() {
    let server = server(json!({"deadline": {}, "bulkhead": {"max_concurrent": 1}}));
    let app = router().layer(server.clone());
    let dropped = tokio::time::timeout(Duration::from_millis(1), call(&app, "/slow", &[])).await;
    assert!(dropped.is_err());
    assert_eq!(server.bulkhead().unwrap().snapshot().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_clients_pipeline_drops_into_a_router_too() {
    let client = http_client("orders").map_body(Body::new).config(
        &serde_json::from_value(json!({"breaker": {}, "retry": {}, "attempt_timeout": "100ms"}))
            .unwrap(),
    );
    let client = client.build().unwrap();
    let app = router().layer(client.clone().answering());
    assert_eq!(call(&app, "/", &[]).await.status(), 200);
    assert_problem!(call(&app, "/slow", &[]).await, Code::Timeout);
    client.circuit_breaker().unwrap().force_open();
    assert_problem!(call(&app, "/", &[]).await, Code::BreakerOpen);
}
