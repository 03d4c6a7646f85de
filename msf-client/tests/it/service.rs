//! Calls by name.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use msf_auth::{BearerError, BearerSource};
use msf_client::{Error, transport::Connections};
use msf_core::{
    body::Body,
    classify::Classification,
    deadline::Deadline,
    problem::{Code, Problem},
    testing::{LogCapture, TestServer},
    trace::{self, RequestContext, TraceContext},
};
use msf_resilience::circuit_breaker::State;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::yield_now, time};
use tower::ServiceExt;

use crate::{
    callee::{Scripted, echo, eventually, fed, full_queue, get, post, read_head},
    world::{World, header, mirror, nobody},
};

/// A callee that takes requests and says nothing.
async fn silent() -> Scripted {
    Scripted::start(|mut stream: TcpStream| async move {
        while read_head(&mut stream).await.is_some() {}
    })
    .await
}

/// A callee that takes one request and hangs up.
async fn hanging_up() -> Scripted {
    Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
    })
    .await
}

async fn mirrored(world: &World) -> String {
    let answer = world.payment.get("/").send().await.unwrap();
    String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_dead_instance_costs_no_call() {
    let alive = echo().await;
    let world = World::new(&[nobody(), alive.addr(), nobody()]).await;
    for _ in 0..30 {
        let response = world.payment.clone().oneshot(post("hello".into())).await;
        let body = response.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "hello");
    }
    assert!((world.ended("ok") - 30.0).abs() < 0.1);
    assert_eq!(world.payment.breaker().state(), State::Closed);
}

#[tokio::test]
async fn a_service_of_dead_instances_may_be_called_again() {
    let world = World::with(&[nobody(), nobody(), nobody(), nobody()], |client| {
        client.breaker(|breaker| breaker.min_calls(2))
    })
    .await;
    for _ in 0..2 {
        let error = world.payment.call(get("/")).await.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error:?}");
        assert!(error.is_unsent());
        assert_eq!(error.to_problem().code(), Code::ConnectRefused);
    }
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::CircuitOpen(_)), "{error:?}");
    assert_eq!(error.to_problem().code(), Code::BreakerOpen);
    assert!((world.ended("connect") - 2.0).abs() < 0.1);
    assert!((world.ended("circuit_open") - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn what_was_sent_is_never_repeated() {
    let callees = [hanging_up().await, hanging_up().await];
    let world = World::new(&[callees[0].addr, callees[1].addr]).await;
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert!(!error.is_unsent());
    assert_eq!(error.to_problem().code(), Code::UpstreamReset);
    assert_eq!(callees[0].accepted() + callees[1].accepted(), 1);
}

#[tokio::test]
async fn nobody_registered_is_said_at_once() {
    let world = World::new(&[]).await;
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::NoEndpoints(_)), "{error:?}");
    assert_eq!(error.to_problem().status(), 503);
    assert!((world.ended("no_endpoint") - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn the_callee_hears_how_long_is_left() {
    let callee = mirror().await;
    let world = World::with(&[callee.addr()], |c| c.timeout(Duration::from_secs(4))).await;
    let left = |lines: &str| -> u64 { header(lines, "x-msf-timeout-ms").unwrap().parse().unwrap() };

    assert!((3_000..=4_000).contains(&left(&mirrored(&world).await)));

    let short = Deadline::after(Duration::from_millis(1_500));
    let request = world.payment.get("/").deadline(short);
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    assert!((500..=1_500).contains(&left(str::from_utf8(&answer).unwrap())));

    // A caller cannot lengthen what the client allows.
    let long = Deadline::after(Duration::from_secs(60));
    let request = world.payment.get("/").deadline(long);
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    assert!((3_000..=4_000).contains(&left(str::from_utf8(&answer).unwrap())));
}

#[tokio::test]
async fn a_deadline_that_has_passed_sends_nothing() {
    let callee = silent().await;
    let world = World::new(&[callee.addr]).await;
    let request = world
        .payment
        .get("/")
        .deadline(Deadline::after(Duration::ZERO));
    let error = request.send().await.unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    assert!(error.is_unsent());
    assert_eq!(world.client.connections().open(), 0);
}

#[tokio::test]
async fn silence_for_the_whole_timeout_is_a_failure() {
    let callee = silent().await;
    let world = World::with(&[callee.addr], |client| {
        client
            .timeout(Duration::from_millis(50))
            .breaker(|breaker| breaker.min_calls(1))
    })
    .await;
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(!error.is_unsent());
    assert_eq!(error.to_problem().status(), 504);
    assert_eq!(world.payment.breaker().state(), State::Open);
    assert_eq!(world.client.connections().open(), 0);
    assert!((world.ended("timeout") - 1.0).abs() < 0.1);
    assert!(world.active().abs() < 0.1);
}

#[tokio::test]
async fn a_timeout_of_its_own_is_what_the_callee_is_measured_by() {
    let callee = silent().await;
    let world = World::with(&[callee.addr], |client| {
        client.breaker(|breaker| breaker.min_calls(1))
    })
    .await;
    let hasty = world
        .payment
        .clone()
        .with_timeout(Duration::from_millis(50));
    let error = hasty.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert_eq!(world.payment.breaker().state(), State::Open);
}

#[tokio::test]
async fn a_timeout_while_connecting_may_be_called_again() {
    let (addr, _queue) = full_queue().await;
    let world = World::with(&[addr], |c| c.timeout(Duration::from_millis(50))).await;
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(error.is_unsent());
    assert_eq!(world.client.connections().open(), 0);
}

#[tokio::test]
async fn short_deadlines_of_callers_do_not_open_the_breaker() {
    let callee = silent().await;
    let world = World::with(&[callee.addr], |client| {
        client.breaker(|breaker| breaker.min_calls(1))
    })
    .await;
    let mut request = get("/");
    Deadline::after(Duration::from_millis(30)).tighten(request.extensions_mut());
    let error = world.payment.call(request).await.unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    assert!(!error.is_unsent());
    assert_eq!(world.payment.breaker().state(), State::Closed);
}

/// The breaker after a call that times out after 400 ms; its body ends at once, later, or never.
async fn breaker_after_upload(body_ends_after: Option<Duration>) -> State {
    // It reads the body, so that only the sender can be what is waited for.
    let callee = TestServer::start(tower::service_fn(|request: Request<Body>| async {
        let _body = request.into_body().collect().await;
        std::future::pending::<Result<Response<Body>, Infallible>>().await
    }))
    .await;
    let world = World::with(&[callee.addr()], |client| {
        client
            .timeout(Duration::from_millis(400))
            .breaker(|breaker| breaker.min_calls(1))
    })
    .await;
    let (feeder, body) = fed();
    feeder.send(Ok("begin".into())).unwrap();
    let sender = async {
        match body_ends_after {
            Some(Duration::ZERO) => {}
            Some(wait) => time::sleep(wait).await,
            None => std::future::pending().await,
        }
        drop(feeder);
        std::future::pending::<()>().await;
    };
    let error = tokio::select! {
        biased;
        () = sender => unreachable!(),
        answer = world.payment.call(post(body)) => answer.unwrap_err(),
    };
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    world.payment.breaker().state()
}

#[tokio::test]
async fn slow_senders_do_not_open_the_breaker() {
    assert_eq!(breaker_after_upload(None).await, State::Closed);
    let late = Duration::from_millis(300);
    assert_eq!(breaker_after_upload(Some(late)).await, State::Closed);
}

#[tokio::test]
async fn silence_after_a_whole_body_is_a_failure() {
    let soon = Some(Duration::ZERO);
    assert_eq!(breaker_after_upload(soon).await, State::Open);
}

#[tokio::test]
async fn a_call_is_in_flight_until_its_body_has_ended() {
    let callee = echo().await;
    let world = World::new(&[callee.addr()]).await;
    let (feeder, body) = fed();
    let response = world.payment.call(post(body)).await.unwrap();
    assert!((world.active() - 1.0).abs() < 0.1);
    drop(feeder);
    response.into_body().collect().await.unwrap();
    assert!(world.active().abs() < 0.1);

    let (_feeder, body) = fed();
    let response = world.payment.call(post(body)).await.unwrap();
    assert!((world.active() - 1.0).abs() < 0.1);
    drop(response);
    assert!(world.active().abs() < 0.1);
    eventually(|| world.client.connections().open() == world.client.connections().idle()).await;
}

#[tokio::test]
async fn dropping_a_call_at_any_poll_releases_everything_and_counts_once() {
    let callee = echo().await;
    let world = World::new(&[callee.addr()]).await;
    let connections = world.client.connections();
    let (mut calls, mut completed) = (0.0, 0.0);
    for polls in 0..30 {
        let mut call = tokio_test::task::spawn(world.payment.call(get("/")));
        for _ in 0..polls {
            match call.poll() {
                std::task::Poll::Ready(_) => {
                    completed += 1.0;
                    break;
                }
                std::task::Poll::Pending => yield_now().await,
            }
        }
        // A future that was never polled has made no call.
        calls += if polls == 0 { 0.0 } else { 1.0 };
        drop(call);
        assert!(world.active().abs() < 0.1, "after {polls} polls");
        eventually(|| connections.open() == connections.idle()).await;
    }
    assert!(completed > 0.0 && completed < calls);
    assert!((world.ended("ok") - completed).abs() < 0.1);
    assert!((world.ended("cancelled") - (calls - completed)).abs() < 0.1);
}

/// The breaker after two calls to a silent callee that are given up after so long, of 400 ms at most.
async fn breaker_after_hanging_up(after: Duration) -> State {
    let callee = silent().await;
    let world = World::with(&[callee.addr], |client| {
        client
            .timeout(Duration::from_millis(400))
            .breaker(|breaker| breaker.min_calls(2))
    })
    .await;
    for _ in 0..2 {
        let call = world.payment.call(get("/"));
        assert!(time::timeout(after, call).await.is_err(), "it was answered");
    }
    world.payment.breaker().state()
}

#[tokio::test]
async fn callers_that_hang_up_at_once_do_not_open_the_breaker() {
    let at_once = breaker_after_hanging_up(Duration::from_millis(20)).await;
    assert_eq!(at_once, State::Closed);
    let patient = breaker_after_hanging_up(Duration::from_millis(300)).await;
    assert_eq!(patient, State::Open);
}

#[tokio::test]
async fn a_dropped_probe_frees_its_permit() {
    let callee = silent().await;
    let world = World::with(&[callee.addr], |client| {
        client.breaker(|breaker| {
            breaker
                .min_calls(1)
                .half_open_permits(1)
                .jitter(0.0)
                .open_for(Duration::from_millis(20))
        })
    })
    .await;
    let breaker = world.payment.breaker();
    breaker
        .try_acquire()
        .unwrap()
        .complete(&Classification::FAILURE);
    time::sleep(Duration::from_millis(60)).await;
    for _ in 0..3 {
        let mut probe = tokio_test::task::spawn(world.payment.call(get("/")));
        assert!(probe.poll().is_pending());
        assert_eq!(breaker.state(), State::HalfOpen);
        let refused = world.payment.call(get("/")).await.unwrap_err();
        assert!(matches!(refused, Error::CircuitOpen(_)), "{refused:?}");
        drop(probe);
    }
}

#[tokio::test]
async fn a_server_error_is_an_answer_and_a_failure() {
    let callee = TestServer::start(tower::service_fn(|_request: Request<Body>| async {
        let problem = Problem::new(Code::Conflict).with_detail("sold out");
        let mut response: Response<Body> = problem.into_response();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        Ok::<_, Infallible>(response)
    }))
    .await;
    let world = World::with(&[callee.addr()], |client| {
        client.breaker(|breaker| breaker.min_calls(1))
    })
    .await;
    let response = world.payment.get("/").send().await.unwrap();
    assert_eq!(response.status(), 500);
    let error = response.ok().await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::INTERNAL_SERVER_ERROR));
    let received = error.received().unwrap();
    assert_eq!(received.code, Some(Code::Conflict));
    assert_eq!(received.detail.as_deref(), Some("sold out"));
    assert!(error.to_string().contains("sold out"), "{error}");
    assert_eq!(world.payment.breaker().state(), State::Open);
    assert!((world.ended("5xx") - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn an_error_without_a_problem_has_the_code_of_its_status() {
    for body in ["", "<html>", "[]"] {
        let callee = Scripted::start(move |mut stream: TcpStream| async move {
            read_head(&mut stream).await;
            let length = body.len();
            let head = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(head.as_bytes()).await.unwrap();
        })
        .await;
        let world = World::new(&[callee.addr]).await;
        let response = world.payment.get("/").send().await.unwrap();
        let error = response.json::<()>().await.unwrap_err();
        let received = error.received().unwrap();
        assert_eq!(
            (received.code, &received.detail),
            (Some(Code::NotFound), &None)
        );
    }
}

#[tokio::test]
async fn answers_that_cannot_be_read_are_errors() {
    let callee = echo().await;
    let world = World::with(&[callee.addr()], |client| client.body_limit(16)).await;
    let send = |body: Body| world.payment.post("/").body(body).send();

    let error = send("[1, x]".into()).await.unwrap().json::<Vec<u8>>().await;
    assert!(matches!(error, Err(Error::Decode { .. })), "{error:?}");

    // With a length and without one.
    let (feeder, stream) = fed();
    feeder.send(Ok("seventeen bytes..".into())).unwrap();
    drop(feeder);
    for body in [Body::from("seventeen bytes.."), stream] {
        let error = send(body).await.unwrap().bytes().await.unwrap_err();
        assert!(
            matches!(error, Error::BodyTooLarge { limit: 16, .. }),
            "{error:?}"
        );
    }

    let (feeder, stream) = fed();
    for piece in ["in ", "three ", "pieces"] {
        feeder.send(Ok(piece.into())).unwrap();
    }
    drop(feeder);
    assert_eq!(
        send(stream).await.unwrap().bytes().await.unwrap(),
        "in three pieces"
    );
}

#[tokio::test]
async fn a_typed_answer_that_drips_reaches_the_timeout() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let world = World::new(&[callee.addr]).await;
    let request = world.payment.get("/").timeout(Duration::from_millis(100));
    let error = request.send().await.unwrap().bytes().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert_eq!(world.client.connections().open(), 0);
}

#[tokio::test]
async fn an_invalid_request_is_not_sent() {
    let world = World::new(&[]).await;
    let errors = [
        world.payment.get("no/slash").send().await,
        world.payment.get("/with a space").send().await,
        world.payment.get("/").header("bad name", "x").send().await,
        world
            .payment
            .get("/")
            .idempotency_key("line\nbreak")
            .send()
            .await,
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
        assert!(error.is_unsent());
    }
}

fn in_trace<F: Future>(context: &RequestContext, future: F) -> impl Future<Output = F::Output> {
    trace::scope(context.clone(), future)
}

fn trace_parent(lines: &str) -> TraceContext {
    header(lines, "traceparent").unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_trace_goes_on() {
    let callee = mirror().await;
    let world = World::new(&[callee.addr()]).await;
    let context = RequestContext::root();

    // Nobody records spans: the parent is the span that exists.
    let lines = in_trace(&context, mirrored(&world)).await;
    assert_eq!(trace_parent(&lines).trace_id(), context.trace_id());
    assert_eq!(trace_parent(&lines).span_id(), context.span_id());
    assert_eq!(
        header(&lines, "x-request-id"),
        Some(context.request_id().as_str())
    );

    // What came from outside is not passed on beside it.
    let forged = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = world.payment.get("/").header("traceparent", forged);
    let answer = in_trace(&context, request.send()).await.unwrap();
    let lines = answer.bytes().await.unwrap();
    let lines = str::from_utf8(&lines).unwrap();
    assert_eq!(trace_parent(lines).trace_id(), context.trace_id());

    // Outside of a request a call starts a trace.
    assert_ne!(
        trace_parent(&mirrored(&world).await).trace_id(),
        context.trace_id()
    );
}

#[tokio::test]
async fn a_recorded_span_is_the_callees_parent() {
    let callee = mirror().await;
    let world = World::new(&[callee.addr()]).await;
    let _capture = LogCapture::start();
    let context = RequestContext::root();
    let lines = in_trace(&context, mirrored(&world)).await;
    assert_eq!(trace_parent(&lines).trace_id(), context.trace_id());
    assert_ne!(trace_parent(&lines).span_id(), context.span_id());
}

#[derive(Debug)]
struct Tokens;

impl BearerSource for Tokens {
    fn bearer(&self) -> Result<HeaderValue, BearerError> {
        Ok(HeaderValue::from_static("Bearer of-the-service"))
    }
}

#[derive(Debug)]
struct NoTokens;

impl BearerSource for NoTokens {
    fn bearer(&self) -> Result<HeaderValue, BearerError> {
        Err(BearerError::new("the key is gone"))
    }
}

#[tokio::test]
async fn the_clients_token_stands_in_for_none() {
    let callee = mirror().await;
    let world = World::with(&[callee.addr()], |client| client.bearer(Arc::new(Tokens))).await;
    let lines = mirrored(&world).await;
    assert_eq!(
        header(&lines, "authorization"),
        Some("Bearer of-the-service")
    );
    assert_eq!(header(&lines, "host"), Some("payment"));

    let own = HeaderValue::from_static("Bearer of-the-user");
    let answer = world.payment.get("/").bearer(own).send().await.unwrap();
    let lines = answer.bytes().await.unwrap();
    let lines = str::from_utf8(&lines).unwrap();
    assert_eq!(header(lines, "authorization"), Some("Bearer of-the-user"));

    let world = World::with(&[callee.addr()], |client| client.bearer(Arc::new(NoTokens))).await;
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::Credentials(_)), "{error:?}");
    assert!(error.is_unsent());
}

#[tokio::test]
async fn workers_share_all_but_the_connections() {
    let callee = echo().await;
    let world = World::new(&[callee.addr()]).await;
    let worker = world.client.with_connections(Connections::default());
    let payment = worker.service("payment").unwrap();
    payment.call(get("/")).await.unwrap();
    assert_eq!(worker.connections().open(), 1);
    assert_eq!(world.client.connections().open(), 0);
    assert!((world.ended("ok") - 1.0).abs() < 0.1);
    // One breaker: what opens it for one opens it for all.
    while let Ok(permit) = world.payment.breaker().try_acquire() {
        permit.complete(&Classification::FAILURE);
    }
    assert!(matches!(
        payment.call(get("/")).await,
        Err(Error::CircuitOpen(_))
    ));
}
