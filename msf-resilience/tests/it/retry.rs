//! Retries, timeouts and deadlines under tower's contract, the counting allocator, and a client that hangs up.

use std::{
    convert::Infallible,
    future::{pending, ready},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use msf_core::{
    classify::{Classification, Classify},
    metrics::Metrics,
    testing::{NotReady, StatefulInner, allocations},
};
use msf_resilience::{
    budget::{Budget, Rule},
    deadline::DeadlineLayer,
    retry::{RetryLayer, RetryPolicy},
    timeout::TimeoutLayer,
};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt, service_fn};

fn strict() -> impl Classify<u16, NotReady> + Clone {
    |outcome: Result<&u16, &NotReady>| match outcome {
        Ok(status) if *status < 500 => Classification::SUCCESS,
        Ok(_) => Classification::FAILURE,
        // Not to be hidden by a retry that goes well.
        Err(NotReady) => Classification::IGNORE,
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_asks_whether_the_service_is_ready() {
    let probe = StatefulInner::new(|status: u16| status);
    let policy = RetryPolicy::builder("x").max_attempts(4).build().unwrap();
    let layer = RetryLayer::cloning(policy).classify(strict());
    let mut service = layer.layer(probe.clone());
    for status in [200, 500, 503, 200] {
        assert_eq!(
            service.ready().await.unwrap().call(status).await,
            Ok(status)
        );
        assert_eq!(service.clone().oneshot(status).await, Ok(status));
    }
    assert_eq!(probe.violations(), 0);
    assert_eq!(probe.calls(), 2 * (1 + 4 + 4 + 1));
}

#[tokio::test(start_paused = true)]
async fn timeouts_and_deadlines_call_only_what_is_ready() {
    let probe = StatefulInner::new(|_: Request<()>| Response::new(Bytes::new()));
    let second = Duration::from_secs(1);
    let request = |ms: &str| {
        let request = Request::builder().header("x-msf-timeout-ms", ms);
        request.body(()).unwrap()
    };
    let mut timeout = TimeoutLayer::new(second).layer(probe.clone());
    let mut deadline = DeadlineLayer::answering().max(second).layer(probe.clone());
    for ms in ["5000", "0", "70"] {
        timeout
            .ready()
            .await
            .unwrap()
            .call(request(ms))
            .await
            .unwrap();
        timeout.clone().oneshot(request(ms)).await.unwrap();
        deadline
            .ready()
            .await
            .unwrap()
            .call(request(ms))
            .await
            .unwrap();
        deadline.clone().oneshot(request(ms)).await.unwrap();
    }
    // A refusal uses no readiness up, so the one of before still holds.
    deadline.ready().await.unwrap();
    assert_eq!(deadline.call(request("0")).await.unwrap().status(), 504);
    assert_eq!(deadline.call(request("9")).await.unwrap().status(), 200);
    assert_eq!(probe.violations(), 0);
}

#[tokio::test(start_paused = true)]
async fn readiness_takes_nothing_from_the_budget() {
    let budget = Budget::builder("x")
        .rule(Rule::concurrency(1.0, 0))
        .build()
        .unwrap();
    let policy = RetryPolicy::builder("x").budget(&budget).build().unwrap();
    let probe = StatefulInner::new(|status: u16| status);
    let mut service = RetryLayer::cloning(policy).classify(strict()).layer(probe);
    for _ in 0..10 {
        service.ready().await.unwrap();
    }
    assert_eq!(budget.available(), 0);
}

const CALLS: u32 = 100;

/// How many allocations so many runs make, after one that may warm something up.
fn count(mut run: impl FnMut()) -> u64 {
    run();
    allocations(|| (0..CALLS).for_each(|_| run())).count
}

fn drive<S, Req>(service: &mut S, request: Req)
where
    S: Service<Req>,
    S::Error: std::fmt::Debug,
{
    let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
    assert!(service.poll_ready(cx).is_ready());
    let mut future = std::pin::pin!(service.call(request));
    assert!(future.as_mut().poll(cx).is_ready());
}

#[test]
fn a_call_that_succeeds_at_once_allocates_nothing() {
    let metrics = Metrics::new();
    let inner = service_fn(|_: u32| ready(Ok::<_, Infallible>(Response::new(()))));
    let timeout = TimeoutLayer::new(Duration::from_secs(1))
        .metrics(&metrics, "x")
        .unwrap();
    assert_eq!(count(|| drive(&mut timeout.layer(inner), 7)), 0);
    for rule in [
        Rule::default(),
        Rule::concurrency(0.2, 3),
        Rule::quota(500, 14, 5),
    ] {
        let policy = RetryPolicy::builder("x")
            .budget_rule(rule)
            .metrics(&metrics);
        let policy = policy.build().unwrap();
        let classify = |_: Result<&Response<()>, &Infallible>| Classification::SUCCESS;
        let mut service = RetryLayer::cloning(policy).classify(classify).layer(inner);
        assert_eq!(count(|| drive(&mut service, 7)), 0, "{rule:?}");
    }
}

#[test]
fn a_request_in_memory_without_headers_is_kept_without_an_allocation() {
    let policy = RetryPolicy::builder("x").build().unwrap();
    let inner = service_fn(|_: Request<_>| ready(Ok::<_, Infallible>(Response::new(Bytes::new()))));
    let mut typed = RetryLayer::new(policy.clone()).layer(inner);
    let body = Bytes::from_static(b"order 7");
    let request = || Request::put("/").body(Full::new(body.clone())).unwrap();
    let bare = count(|| drop(request()));
    assert_eq!(count(|| drive(&mut typed, request())), bare);
    let mut answering = RetryLayer::answering(policy).layer(inner);
    assert_eq!(count(|| drive(&mut answering, request())), bare);
}

#[test]
fn a_request_that_is_made_once_is_not_cloned() {
    let policy = RetryPolicy::builder("x").build().unwrap();
    let inner = service_fn(|_: Request<_>| ready(Ok::<_, Infallible>(Response::new(()))));
    let mut service = RetryLayer::new(policy).layer(inner);
    let request = || {
        let request = Request::post("/").header("content-type", "text/plain");
        request.body(Full::new(Bytes::from_static(b"x"))).unwrap()
    };
    let bare = count(|| drop(request()));
    assert_eq!(count(|| drive(&mut service, request())), bare);
}

#[test]
fn a_request_without_deadline_allocates_nothing() {
    let inner = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(()))));
    let mut service = DeadlineLayer::new()
        .inject(Duration::from_millis(5))
        .layer(inner);
    assert_eq!(count(|| drive(&mut service, Request::new(()))), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_drops_the_work_of_every_layer() {
    let working = Arc::new(());
    let held = Arc::clone(&working);
    let inner = service_fn(move |_: Request<_>| {
        let held = Arc::clone(&held);
        async move {
            let _held = held;
            pending::<Result<Response<Bytes>, Infallible>>().await
        }
    });
    let budget = Budget::builder("x")
        .rule(Rule::concurrency(1.0, 0))
        .build()
        .unwrap();
    let policy = RetryPolicy::builder("x").budget(&budget).build().unwrap();
    let stack = DeadlineLayer::answering()
        .max(Duration::from_secs(30))
        .layer(
            RetryLayer::answering(policy)
                .layer(TimeoutLayer::answering(Duration::from_secs(9)).layer(inner)),
        );
    for polls in [0, 1, 2] {
        let mut stack = task::spawn(stack.clone());
        assert_ready_ok!(stack.enter(|cx, mut stack| stack.poll_ready(cx)));
        let mut call = task::spawn(stack.call(Request::new(Full::<Bytes>::default())));
        for _ in 0..polls {
            assert_pending!(call.poll());
        }
        assert_eq!(budget.available(), 1, "one call in flight");
        drop(call);
        assert_eq!(budget.available(), 0);
    }
    // What is left are the services themselves.
    drop(stack);
    assert_eq!(Arc::strong_count(&working), 1);
}

/// A stack as on a server: the framework drops the handler's future when the connection closes.
#[tokio::test]
async fn a_connection_that_closes_cancels_the_handler_behind_a_deadline() {
    use axum::{Router, routing::get};
    use tokio::{io::AsyncWriteExt, net::TcpStream, sync::mpsc};

    struct Report(mpsc::UnboundedSender<&'static str>);
    impl Drop for Report {
        fn drop(&mut self) {
            self.0.send("dropped").ok();
        }
    }
    let (reports, mut reported) = mpsc::unbounded_channel();
    let app = Router::new()
        .route(
            "/",
            get(async move || {
                let report = Report(reports.clone());
                report.0.send("working").ok();
                pending::<StatusCode>().await
            }),
        )
        .layer(TimeoutLayer::answering(Duration::from_secs(60)))
        .layer(DeadlineLayer::answering().max(Duration::from_secs(60)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _server = msf_core::task::spawn("server", async move { axum::serve(listener, app).await });

    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(reported.recv().await, Some("working"));
    drop(client);
    assert_eq!(reported.recv().await, Some("dropped"));
}
