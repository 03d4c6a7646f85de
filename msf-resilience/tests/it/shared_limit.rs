//! The layer of a shared limit: tower's contract, cancellation, and a store that fails.

use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn, ready},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use http::{Request, Response};
use msf_core::{
    classify::{Classify, Http, Verdict as Judged},
    testing::StatefulInner,
};
use msf_resilience::{
    Through,
    rate_limit::{
        Quota,
        shared::{Error, OnFailure, SharedRateLimitLayer, SharedRateLimiter},
        store::{Demand, LimitStore, MemoryStore, StoreError, Verdict},
    },
};
use tower::{Layer, Service, ServiceExt, service_fn};

fn limiter(quota: Quota) -> SharedRateLimiter {
    SharedRateLimiter::builder(MemoryStore::new(100), quota)
        .build()
        .unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a key")]
fn everybody<Req>(_: &Req) -> Option<String> {
    Some("everybody".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_shared_limit_never_calls_a_service_that_is_not_ready() {
    let probe = StatefulInner::new(|status: u16| status);
    let layer = SharedRateLimitLayer::new(limiter(Quota::per_hour(4)), everybody);
    let mut service = layer.layer(probe.clone());
    for status in 0..3 {
        service.ready().await.unwrap().call(status).await.ok();
        service.clone().oneshot(status).await.ok();
    }
    assert_eq!(probe.violations(), 0);
    assert_eq!(probe.calls(), 4);
    for _ in 0..3 {
        layer.layer(probe.clone()).ready().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_asks_no_store() {
    let store = Arc::new(Slow::default());
    let limiter = SharedRateLimiter::builder_in(store.clone(), Quota::per_hour(1))
        .build()
        .unwrap();
    let layer = SharedRateLimitLayer::new(limiter, everybody);
    let inner = service_fn(|status: u16| ready(Ok::<_, Infallible>(status)));
    layer.layer(inner).ready().await.unwrap();
    assert_eq!(store.asked.load(Ordering::Relaxed), 0);
}

/// A store that never answers.
#[derive(Debug, Default)]
struct Slow {
    asked: AtomicU32,
}

#[async_trait]
impl LimitStore for Slow {
    async fn decide(&self, _demands: &[Demand<'_>]) -> Result<Verdict, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        pending().await
    }

    async fn refund(&self, _demands: &[Demand<'_>]) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_the_store_thinks_is_not_made() {
    let store = Arc::new(Slow::default());
    let limiter = SharedRateLimiter::builder_in(store.clone(), Quota::per_hour(1))
        .build()
        .unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&calls);
    let inner = service_fn(move |status: u16| {
        seen.fetch_add(1, Ordering::Relaxed);
        ready(Ok::<_, Infallible>(status))
    });
    let mut service = SharedRateLimitLayer::new(limiter, everybody).layer(inner);
    for polls in [0, 1, 2] {
        let mut call = pin!(service.ready().await.unwrap().call(200));
        for _ in 0..polls {
            poll_fn(|cx| {
                assert!(call.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
    }
    assert_eq!(
        store.asked.load(Ordering::Relaxed),
        2,
        "once for each call that was polled"
    );
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

/// A store that fails.
#[derive(Debug)]
struct Down;

#[async_trait]
impl LimitStore for Down {
    async fn decide(&self, _demands: &[Demand<'_>]) -> Result<Verdict, StoreError> {
        Err(StoreError::Timeout(Duration::from_millis(20)))
    }

    async fn refund(&self, _demands: &[Demand<'_>]) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn without_its_store_a_request_passes_or_is_refused_by_choice() {
    let limiter = SharedRateLimiter::builder(Down, Quota::per_hour(1))
        .build()
        .unwrap();
    let inner =
        service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(bytes::Bytes::new()))));
    let layer = SharedRateLimitLayer::answering(limiter.clone(), everybody);
    let passed = layer.layer(inner).oneshot(Request::new(())).await.unwrap();
    assert_eq!(passed.status(), 200);
    assert!(!passed.headers().contains_key("ratelimit"));

    let strict = layer.on_failure(OnFailure::Refuse).layer(inner);
    assert_eq!(
        strict.oneshot(Request::new(())).await.unwrap().status(),
        503
    );

    let typed = SharedRateLimitLayer::new(limiter, everybody).on_failure(OnFailure::Refuse);
    let error = typed
        .layer(inner)
        .oneshot(Request::new(()))
        .await
        .unwrap_err();
    let judged = Through(Http::default()).classify(Err::<&Response<bytes::Bytes>, _>(&error));
    assert_eq!(
        (judged.verdict, judged.hint.refused),
        (Judged::Ignore, true)
    );
    assert!(matches!(error, Error::Limited(_)));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_has_the_fields_and_the_problem() {
    let inner =
        service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(bytes::Bytes::new()))));
    let layer = SharedRateLimitLayer::answering(limiter(Quota::per_minute(1)), everybody);
    let allowed = layer.layer(inner).oneshot(Request::new(())).await.unwrap();
    assert_eq!(allowed.headers()["ratelimit"], r#""default";r=0;t=60"#);
    let refused = layer.layer(inner).oneshot(Request::new(())).await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "60");
    let body: serde_json::Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!(body["violated-policies"][0], "default");
}
