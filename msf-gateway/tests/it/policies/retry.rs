//! Retries of a route.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Request, Response, StatusCode};
use msf_core::body::Body;
use msf_gateway::{GatewayError, Route};

use super::{builder, request};
use crate::common::{System, send};

/// A service whose every first answer is 503.
async fn flaky(system: System) -> (System, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answer = move |_request: Request<Body>| {
        let is_first = counted.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        async move {
            let mut response = Response::new(Body::from("done"));
            if is_first {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            response
        }
    };
    (system.with("flaky", answer).await, calls)
}

#[tokio::test]
async fn a_route_with_retries_asks_again_and_its_neighbour_does_not() {
    let (system, calls) = flaky(System::new()).await;
    let gateway = system
        .serve([
            Route::prefix("/again")
                .to("flaky")
                .public()
                .retry(|retry| retry.max_attempts(2)),
            Route::prefix("/once").to("flaky").public(),
        ])
        .await;
    let ask = |method, path| send(gateway.addr(), request(method, path, &[]));
    assert_eq!(ask(Method::GET, "/again").await.text(), "done");
    assert_eq!(calls.swap(0, Ordering::Relaxed), 2);
    assert_eq!(ask(Method::GET, "/once").await.status(), 503);
    assert_eq!(calls.swap(0, Ordering::Relaxed), 1);
    assert_eq!(ask(Method::POST, "/again").await.status(), 503);
    assert_eq!(
        calls.swap(0, Ordering::Relaxed),
        1,
        "a POST is not repeated"
    );
}

#[tokio::test]
async fn retries_and_hedges_that_cannot_work_are_errors() {
    let system = System::new();
    let to = |path: &str| Route::prefix(path).to("order").public();
    let errors = builder(&system)
        .route(to("/a").retry(|retry| retry.max_attempts(0)))
        .route(to("/b").hedge(|hedge| hedge.max_hedges(0)))
        .build()
        .unwrap_err();
    assert!(
        matches!(
            errors.all(),
            [
                GatewayError::InvalidRetry { .. },
                GatewayError::InvalidHedge { .. }
            ]
        ),
        "{errors}"
    );
}
