//! Shared limits over any store.

use async_trait::async_trait;
use http::Method;
use msf_auth::policy::authenticated;
use msf_core::{assert_problem, problem::Code};
use msf_gateway::{Key, Route};
use msf_resilience::rate_limit::{
    Quota,
    shared::{OnFailure, SharedRateLimiter},
    store::{Demand, LimitStore, MemoryStore, StoreError, Verdict},
};

use super::request;
use crate::common::{System, get, hello, send};

#[tokio::test]
async fn gateways_that_share_a_store_share_a_limit() {
    let system = System::new().with("order", hello).await;
    let store = MemoryStore::new(100);
    let limiter = SharedRateLimiter::builder(store, Quota::per_hour(2))
        .name("orders")
        .build()
        .unwrap();
    let route = || {
        Route::prefix("/orders")
            .to("order")
            .public()
            .shared_rate_limit(limiter.clone(), Key::Client)
    };
    let (one, two) = (system.serve([route()]).await, system.serve([route()]).await);
    let first = get(one.addr(), "/orders").await;
    assert_eq!(first.status(), 200);
    assert!(
        first.header("ratelimit").unwrap().contains("r=1"),
        "{:?}",
        first.header("ratelimit")
    );
    assert_eq!(get(two.addr(), "/orders").await.status(), 200);
    let limited = get(one.addr(), "/orders").await;
    assert!(limited.header("retry-after").is_some());
    assert_problem!(limited, Code::RateLimited);
}

#[tokio::test]
async fn subjects_are_counted_apart_and_strangers_not_at_all() {
    let system = System::new().with("order", hello).await;
    let limiter = SharedRateLimiter::builder(MemoryStore::new(100), Quota::per_hour(1))
        .build()
        .unwrap();
    let route = Route::prefix("/orders").to("order").policy(authenticated());
    let gateway = system
        .serve([route.shared_rate_limit(limiter, Key::Subject)])
        .await;
    let ask = async |subject: &str| {
        let bearer = format!("Bearer {}", system.token(subject, &[]));
        send(
            gateway.addr(),
            request(Method::GET, "/orders", &[("authorization", &bearer)]),
        )
        .await
    };
    assert_problem!(get(gateway.addr(), "/orders").await, Code::Unauthenticated);
    assert_eq!(ask("7").await.status(), 200);
    assert_eq!(ask("8}{").await.status(), 200);
    assert_problem!(ask("7").await, Code::RateLimited);
}

/// A store that is away.
#[derive(Debug)]
struct Away;

#[async_trait]
impl LimitStore for Away {
    async fn decide(&self, _demands: &[Demand<'_>]) -> Result<Verdict, StoreError> {
        Err(StoreError::Nonsense(
            "redis://secret@10.0.0.7 is away".into(),
        ))
    }

    async fn refund(&self, _demands: &[Demand<'_>]) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_what_the_route_says_it_is() {
    let system = System::new().with("order", hello).await;
    let limiter = || {
        SharedRateLimiter::builder(Away, Quota::per_hour(1))
            .build()
            .unwrap()
    };
    let route = |path: &str| Route::prefix(path).to("order").public();
    let gateway = system
        .serve([
            route("/open").shared_rate_limit(limiter(), Key::Client),
            route("/closed").shared_rate_limit_or(limiter(), Key::Client, OnFailure::Refuse),
        ])
        .await;
    assert_eq!(get(gateway.addr(), "/open").await.status(), 200);
    let closed = get(gateway.addr(), "/closed").await;
    assert!(!closed.text().contains("10.0.0.7"), "{}", closed.text());
    assert_problem!(closed, Code::Unavailable);
}
