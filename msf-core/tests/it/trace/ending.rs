//! However a request ends, its span closes once and the access log has one line.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use http::{Method, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use msf_core::trace::{self, TraceLayer};
use tokio::task::yield_now;
use tokio_test::task;
use tower::{Service, ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::Level;

use super::{
    Incoming, answering,
    body::{Script, Step},
    capture::Capture,
    request,
};

/// Logs when dropped, and in which request.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        let id = trace::current().map(|context| context.request_id().to_string());
        tracing::info!(target: "test", id, "guard dropped");
    }
}

fn stepping() -> Script {
    Script::new([
        Step::Pending,
        Step::Data("a"),
        Step::Pending,
        Step::Data("b"),
    ])
}

#[tokio::test]
async fn the_end_of_the_body_closes_the_span_once() {
    let seen = Capture::start();
    let service = answering(TraceLayer::new(), StatusCode::OK, stepping);
    let mut body = service.oneshot(request()).await.unwrap().into_body();
    while let Some(frame) = body.frame().await {
        frame.unwrap();
        assert_eq!(seen.span().closed, 0);
        assert!(seen.events("msf::access").is_empty());
    }
    assert_eq!(seen.span().closed, 1);
    assert_eq!(seen.access().fields["outcome"], "completed");
    drop(body);
    assert_eq!(seen.span().closed, 1);

    let polls = seen.events("test");
    assert_eq!(polls.len(), 5);
    for poll in polls {
        assert_eq!(poll.span, Some(0), "lines of the body are in the span");
        assert_eq!(poll.fields["id"], "order-17", "the body sees the context");
    }
}

#[test]
fn a_drop_at_any_point_writes_one_line() {
    // Two yields in the handler, then the body's four steps and its end.
    const POLLS: usize = 3 + 5;

    for polls in 0..=POLLS {
        let seen = Capture::start();
        let mut service = TraceLayer::new().layer(service_fn(async |_: Incoming| {
            let _guard = Guard;
            yield_now().await;
            yield_now().await;
            Ok::<_, &str>(Response::new(stepping()))
        }));
        let mut left = polls;
        {
            let mut future = task::spawn(service.call(request()));
            let mut response = None;
            while left > 0 && response.is_none() {
                left -= 1;
                if let Poll::Ready(answer) = future.poll() {
                    response = Some(answer.unwrap());
                }
            }
            if let Some(response) = response {
                let mut body = pin!(response.into_body());
                while left > 0 {
                    left -= 1;
                    let _ = task::spawn(()).enter(|cx, _| body.as_mut().poll_frame(cx));
                }
            }
        }
        let outcome = if polls == POLLS {
            "completed"
        } else {
            "cancelled"
        };
        assert_eq!(
            seen.access().fields["outcome"],
            outcome,
            "after {polls} polls"
        );
        assert_eq!(seen.access().level, Level::INFO);
        assert_eq!(seen.access().span, Some(0));
        assert_eq!(seen.span().closed, 1, "after {polls} polls");
        assert!(!seen.span().fields.contains_key("error.type"));
        assert!(trace::current().is_none());

        for line in seen.events("test") {
            assert_eq!(line.span, Some(0), "also what the drop logs");
            assert_eq!(line.fields["id"], "order-17");
        }
    }
}

#[tokio::test]
async fn errors_of_service_and_body_are_failures() {
    let seen = Capture::start();
    let service = service_fn(async |_: Incoming| Err::<Response<Script>, _>("down"));
    let error = TraceLayer::new()
        .layer(service)
        .oneshot(request())
        .await
        .err();
    assert_eq!(error, Some("down"));
    assert_eq!(seen.access().fields["outcome"], "failed");
    assert_eq!(seen.access().level, Level::WARN);
    assert!(
        !seen
            .access()
            .fields
            .contains_key("http.response.status_code")
    );
    assert_eq!(seen.span().fields["error.type"], "_OTHER");

    let seen = Capture::start();
    let broken = || Script::new([Step::Data("a"), Step::Fail]);
    let service = answering(TraceLayer::new(), StatusCode::OK, broken);
    let response = service.oneshot(request()).await.unwrap();
    assert_eq!(response.into_body().collect().await.err(), Some("broken"));
    let access = seen.access().fields;
    assert_eq!(
        [&*access["outcome"], &access["http.response.status_code"]],
        ["failed", "200"]
    );
    assert_eq!(seen.span().fields["otel.status_code"], "ERROR");

    let seen = Capture::start();
    let service = answering(TraceLayer::new(), StatusCode::BAD_GATEWAY, broken);
    let _ = service
        .oneshot(request())
        .await
        .unwrap()
        .into_body()
        .collect()
        .await;
    let access = seen.access().fields;
    assert_eq!(
        [&*access["outcome"], &access["error.type"]],
        ["failed", "502"]
    );
    assert_eq!(
        seen.span().fields["error.type"],
        "502",
        "the status says more"
    );
}

#[test]
fn a_panic_is_no_cancellation() {
    let in_call = || -> Step { panic!("as told") };
    let in_future = || Step::Panic;
    for handler in [in_call as fn() -> Step, in_future] {
        let seen = Capture::start();
        let mut service = TraceLayer::new().layer(service_fn(move |_: Incoming| {
            let step = handler();
            async move {
                assert!(!matches!(step, Step::Panic), "as told");
                Ok::<_, &str>(Response::new(Script::default()))
            }
        }));
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _ = task::spawn(service.call(request())).poll();
        }));
        assert!(panic.is_err());
        assert_eq!(seen.access().fields["outcome"], "panicked");
        assert_eq!(seen.span().fields["error.type"], "panic");
        assert_eq!(seen.span().closed, 1);
        assert!(trace::current().is_none(), "unwinding leaves the context");
    }
}

#[tokio::test]
async fn a_panicking_body_is_no_cancellation() {
    let seen = Capture::start();
    let service = answering(TraceLayer::new(), StatusCode::OK, || {
        Script::new([Step::Panic])
    });
    let body = service.oneshot(request()).await.unwrap().into_body();
    let panic = catch_unwind(AssertUnwindSafe(move || {
        let _ = task::spawn(body.collect()).poll();
    }));
    assert!(panic.is_err());
    assert_eq!(seen.access().fields["outcome"], "panicked");
}

#[tokio::test]
async fn a_body_that_nobody_needs_to_read_is_complete() {
    let unread = |method: Method, status, body: fn() -> Script| async move {
        let seen = Capture::start();
        let mut request = request();
        *request.method_mut() = method;
        drop(
            answering(TraceLayer::new(), status, body)
                .oneshot(request)
                .await
                .unwrap(),
        );
        seen.access().fields["outcome"].clone()
    };
    assert_eq!(
        unread(Method::GET, StatusCode::OK, stepping).await,
        "cancelled"
    );
    assert_eq!(
        unread(Method::HEAD, StatusCode::OK, stepping).await,
        "completed"
    );
    assert_eq!(
        unread(Method::GET, StatusCode::NO_CONTENT, stepping).await,
        "completed"
    );
    assert_eq!(
        unread(Method::GET, StatusCode::NOT_MODIFIED, stepping).await,
        "completed"
    );
    let empty = || Script::default().announcing_length();
    assert_eq!(
        unread(Method::GET, StatusCode::OK, empty).await,
        "completed"
    );
}

#[tokio::test]
async fn a_server_may_stop_at_the_announced_length() {
    let seen = Capture::start();
    let body = || Script::new([Step::Data("a"), Step::Data("b")]).announcing_length();
    let service = answering(TraceLayer::new(), StatusCode::OK, body);
    let mut body = service.oneshot(request()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(seen.access().fields["outcome"], "completed");
    assert_eq!(seen.access().fields["response_bytes"], "2");
}

#[test]
fn scopes_of_interleaved_tasks_do_not_mix() {
    let task = || {
        let context = trace::RequestContext::root();
        let expected = context.span_id();
        let seen = async move || assert_eq!(trace::current().unwrap().span_id(), expected);
        task::spawn(trace::scope(context, async move {
            seen().await;
            yield_now().await;
            seen().await;
            pending::<()>().await;
        }))
    };
    let (mut a, mut b) = (task(), task());
    for _ in 0..3 {
        assert!(a.poll().is_pending());
        assert!(b.poll().is_pending());
        assert!(trace::current().is_none());
    }
}
