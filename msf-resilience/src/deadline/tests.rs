//! What a deadline layer promises.

use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use msf_core::{deadline::Deadline, metrics::Metrics};
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{DeadlineLayer, Error};

const SECOND: Duration = Duration::from_secs(1);

type Seen = (HeaderMap, Option<Duration>);

/// What the service inside finds in a request that went through a layer.
async fn seen(layer: &DeadlineLayer, request: Request<()>) -> Result<Seen, Error<Infallible>> {
    let inner = service_fn(|request: Request<()>| async move {
        let left = Deadline::of(request.extensions()).map(Deadline::remaining);
        Ok((request.headers().clone(), left))
    });
    layer.layer(inner).oneshot(request).await
}

fn request(name: &'static str, value: &str) -> Request<()> {
    Request::builder().header(name, value).body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_shortest_of_header_extension_and_maximum_holds() {
    let layer = DeadlineLayer::new()
        .max(5 * SECOND)
        .default_timeout(2 * SECOND);
    let left = async |request| seen(&layer, request).await.unwrap().1;
    assert_eq!(left(Request::new(())).await, Some(2 * SECOND));
    assert_eq!(
        left(request("x-msf-timeout-ms", "60000")).await,
        Some(5 * SECOND)
    );
    assert_eq!(
        left(request("x-msf-timeout-ms", "3000")).await,
        Some(3 * SECOND)
    );
    assert_eq!(left(request("grpc-timeout", "1S")).await, Some(SECOND));
    assert_eq!(
        left(request("grpc-timeout", "soon")).await,
        Some(2 * SECOND)
    );

    let mut known = request("x-msf-timeout-ms", "3000");
    known.extensions_mut().insert(Deadline::after(SECOND));
    assert_eq!(left(known).await, Some(SECOND));
}

#[tokio::test(start_paused = true)]
async fn without_knobs_only_requests_with_a_deadline_have_one() {
    let layer = DeadlineLayer::default();
    assert_eq!(seen(&layer, Request::new(())).await.unwrap().1, None);
    assert!(
        seen(&layer, request("x-msf-timeout-ms", "0"))
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_late_is_not_worked_on() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let metrics = Metrics::new();
    let layer = DeadlineLayer::answering()
        .metrics(&metrics, "shop")
        .unwrap();
    let service = layer.layer(service_fn(move |_: Request<()>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(bytes::Bytes::new())) }
    }));
    let late = service.clone().oneshot(request("grpc-timeout", "0n"));
    assert_eq!(late.await.unwrap().status(), 504);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    let line = r#"msf_deadline_exceeded_total{deadline="shop",when="before"} 1"#;
    assert!(metrics.render().contains(line));

    let in_time = service.oneshot(request("grpc-timeout", "1S"));
    assert_eq!(in_time.await.unwrap().status(), 200);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_drops_the_work() {
    let held = Arc::new(());
    let inner = Arc::clone(&held);
    let metrics = Metrics::new();
    let layer = DeadlineLayer::new().metrics(&metrics, "shop").unwrap();
    let mut service = layer.layer(service_fn(move |_: Request<()>| {
        let held = Arc::clone(&inner);
        async move {
            let _held = held;
            pending::<Result<(), Infallible>>().await
        }
    }));
    let mut call = task::spawn(service.call(request("x-msf-timeout-ms", "1000")));
    assert_pending!(call.poll());
    assert_eq!(Arc::strong_count(&held), 3);
    advance(SECOND + Duration::from_millis(2)).await;
    assert!(matches!(
        assert_ready!(call.poll()),
        Err(Error::Exceeded(_))
    ));
    assert_eq!(Arc::strong_count(&held), 2);
    let line = r#"msf_deadline_exceeded_total{deadline="shop",when="meanwhile"} 1"#;
    assert!(metrics.render().contains(line));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_what_is_left_less_the_margin() {
    let layer = DeadlineLayer::new().inject(Duration::from_millis(100));
    let sent = async |left: Duration| {
        let mut request = request("grpc-timeout", "9S");
        request.extensions_mut().insert(Deadline::after(left));
        seen(&layer, request).await.map(|(headers, _)| headers)
    };
    let headers = sent(SECOND).await.unwrap();
    assert_eq!(headers["x-msf-timeout-ms"], "900");
    assert_eq!(headers["grpc-timeout"], "900000u");

    // Nothing worth sending is left.
    for left_ms in [0, 99, 100] {
        assert!(
            sent(Duration::from_millis(left_ms)).await.is_err(),
            "{left_ms}"
        );
    }
    assert!(sent(Duration::from_millis(101)).await.is_ok());

    let none = seen(&layer, Request::new(())).await.unwrap().0;
    assert!(none.is_empty(), "no deadline, no header");
}

#[tokio::test(start_paused = true)]
async fn a_margin_above_all_time_refuses_and_absurd_knobs_saturate() {
    let layer = DeadlineLayer::new().inject(Duration::MAX);
    assert!(seen(&layer, request("grpc-timeout", "9H")).await.is_err());
    let layer = DeadlineLayer::new()
        .max(Duration::MAX)
        .default_timeout(Duration::MAX);
    let left = seen(&layer, Request::new(())).await.unwrap().1;
    assert_eq!(left, Some(Deadline::MAX));
    layer.reconfigure(Some(SECOND), None);
    assert_eq!(
        seen(&layer, Request::new(())).await.unwrap().1,
        Some(SECOND)
    );
}
