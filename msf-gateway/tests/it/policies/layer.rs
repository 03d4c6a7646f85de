//! Layers of the user around the call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Method, Request, Response};
use msf_auth::{Identity, policy::authenticated};
use msf_core::{
    assert_problem,
    body::Body,
    problem::{Code, Problem},
};
use msf_gateway::{ClientAddr, Route, Upstream};
use tower::{ServiceExt, layer::layer_fn, limit::GlobalConcurrencyLimitLayer, service_fn};

use super::request;
use crate::common::{System, get, mirror, seen, send};

#[tokio::test]
async fn any_layer_goes_around_the_call() {
    let system = System::new().with("order", mirror).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let tag = layer_fn(move |inner: Upstream| {
        let calls = Arc::clone(&counted);
        service_fn(move |mut request: Request<Body>| {
            calls.fetch_add(1, Ordering::Relaxed);
            let client = request.extensions().get::<ClientAddr>().unwrap().0.unwrap();
            let caller = Identity::of(request.extensions())
                .unwrap()
                .subject()
                .to_owned();
            let headers = request.headers_mut();
            headers.insert("x-client", client.to_string().parse().unwrap());
            headers.insert("x-caller", caller.parse().unwrap());
            let inner = inner.clone();
            async move {
                let mut response = inner.oneshot(request).await?;
                response
                    .headers_mut()
                    .insert("x-layer", HeaderValue::from_static("1"));
                Ok::<_, msf_core::BoxError>(response)
            }
        })
    });
    let gateway = system
        .serve([Route::prefix("/orders")
            .to("order")
            .policy(authenticated())
            .layer(GlobalConcurrencyLimitLayer::new(4))
            .layer(tag)])
        .await;
    let bearer = format!("Bearer {}", system.token("7", &[]));
    let answer = send(
        gateway.addr(),
        request(Method::GET, "/orders", &[("authorization", &bearer)]),
    )
    .await;
    assert_eq!(answer.header("x-layer"), Some("1"));
    assert_eq!(seen(&answer, "x-client"), ["127.0.0.1"]);
    assert_eq!(seen(&answer, "x-caller"), ["7"]);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_problem!(get(gateway.addr(), "/orders").await, Code::Unauthenticated);
    assert_eq!(
        calls.load(Ordering::Relaxed),
        1,
        "a refused request reaches no layer"
    );
}

#[tokio::test]
async fn errors_of_the_call_and_of_layers_are_answered_and_tell_nothing() {
    let system = System::new()
        .with_addr("dead", ([127, 0, 0, 1], 1).into())
        .await;
    let fail = |error: fn() -> msf_core::BoxError| {
        layer_fn(move |_inner: Upstream| {
            service_fn(
                move |_request: Request<Body>| async move { Err::<Response<Body>, _>(error()) },
            )
        })
    };
    let gateway = system
        .serve([
            Route::prefix("/dead")
                .to("dead")
                .public()
                .layer(GlobalConcurrencyLimitLayer::new(1)),
            Route::prefix("/full").to("dead").public().layer(fail(|| {
                Problem::new(Code::BulkheadFull)
                    .with_detail("12 of 12 at 10.0.0.7")
                    .into()
            })),
            Route::prefix("/odd")
                .to("dead")
                .public()
                .layer(fail(|| "secret 10.0.0.7".into())),
            Route::prefix("/slow")
                .to("dead")
                .public()
                .layer(layer_fn(|_inner: Upstream| {
                    tower::timeout::Timeout::new(
                        service_fn(|_request: Request<Body>| {
                            std::future::pending::<Result<Response<Body>, msf_core::BoxError>>()
                        }),
                        Duration::from_millis(10),
                    )
                })),
        ])
        .await;
    let addr = gateway.addr();
    assert_problem!(get(addr, "/dead").await, Code::ConnectRefused);
    let full = get(addr, "/full").await;
    assert!(!full.text().contains("10.0.0.7"), "{}", full.text());
    assert_problem!(full, Code::BulkheadFull);
    let odd = get(addr, "/odd").await;
    assert!(!odd.text().contains("10.0.0.7"), "{}", odd.text());
    assert_problem!(odd, Code::Internal);
    assert_eq!(get(addr, "/slow").await.status().as_u16() / 100, 5);
}
