//! The layers in a router and in a stack, with requests.

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use msf_core::{
    assert_problem,
    problem::Code,
    testing::{TestResponse, advance},
};
use msf_resilience::{
    circuit_breaker::{CircuitBreaker, CircuitBreakerLayer, State},
    rate_limit::{Quota, RateLimitLayer, RateLimiter},
};
use tower::ServiceExt;

async fn call(app: &Router, path: &str, user: Option<&str>) -> TestResponse {
    let mut request = Request::get(path);
    if let Some(user) = user {
        request = request.header("x-user", user);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    TestResponse::read(response).await
}

fn user(request: &Request<Body>) -> Option<String> {
    let value = request.headers().get("x-user")?;
    value.to_str().ok().map(str::to_owned)
}

fn app(breaker: &CircuitBreaker, limiter: &RateLimiter<String>) -> Router {
    Router::new()
        .route("/good", get(|| async { "good" }))
        .route("/bad", get(|| async { StatusCode::BAD_GATEWAY }))
        .route("/busy", get(|| async { StatusCode::TOO_MANY_REQUESTS }))
        .layer(CircuitBreakerLayer::answering(breaker.clone()))
        .layer(RateLimitLayer::answering(limiter.clone(), user))
}

fn limiter(quota: Quota) -> RateLimiter<String> {
    RateLimiter::builder(quota).name("users").build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_router_answers_for_its_open_breaker_until_it_recovers() {
    let breaker = CircuitBreaker::builder("app").min_calls(4).build().unwrap();
    let app = app(&breaker, &limiter(Quota::per_second(1_000)));
    for path in ["/good", "/busy", "/bad", "/good", "/bad"] {
        call(&app, path, None).await;
    }
    let refused = call(&app, "/good", None).await;
    assert_eq!(refused.status(), 503);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((4..=5).contains(&wait));
    assert_problem!(refused, Code::BreakerOpen);

    advance(Duration::from_secs(wait)).await;
    for _ in 0..3 {
        assert_eq!(call(&app, "/good", None).await.status(), 200);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_router_limits_each_user_and_nobody_without_a_key() {
    let breaker = CircuitBreaker::builder("app").build().unwrap();
    let app = app(&breaker, &limiter(Quota::per_minute(2)));
    let first = call(&app, "/good", Some("ada")).await;
    assert_eq!(first.header("ratelimit"), Some(r#""users";r=1;t=30"#));
    assert_eq!(
        first.header("ratelimit-policy"),
        Some(r#""users";q=2;w=60"#)
    );
    call(&app, "/good", Some("ada")).await;

    let limited = call(&app, "/good", Some("ada")).await;
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.header("retry-after"), Some("30"));
    assert_eq!(limited.header("ratelimit"), Some(r#""users";r=0;t=30"#));
    assert_problem!(limited, Code::RateLimited);

    assert_eq!(call(&app, "/good", Some("grace")).await.status(), 200);
    let free = call(&app, "/good", None).await;
    assert_eq!(
        (free.status(), free.header("ratelimit")),
        (StatusCode::OK, None)
    );

    advance(Duration::from_secs(30)).await;
    assert_eq!(call(&app, "/good", Some("ada")).await.status(), 200);
}
