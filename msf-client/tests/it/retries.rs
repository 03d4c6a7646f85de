//! Calls that are made again.

use std::{net::SocketAddr, time::Duration};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use msf_client::{ClientBuilder, Error, ResponseBody, ServiceSettings};
use msf_core::{
    backoff::{Backoff, Jitter},
    body::Body,
    deadline::Deadline,
    problem::Code,
    task::{self, Task},
};
use msf_resilience::{
    budget::Rule,
    circuit_breaker::State,
    retry::{Exhausted, RetryPolicyBuilder},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time,
};

use crate::{
    callee::{Scripted, eventually, fed, get, polled, post, read_head},
    flaky::{Flaky, answer, answering, silence},
    world::{World, listed, nobody},
};

/// Waits of a millisecond, so that tests need not.
fn soon(retry: RetryPolicyBuilder) -> RetryPolicyBuilder {
    let millis = Duration::from_millis(1);
    let backoff = Backoff::exponential(millis, millis).unwrap();
    let backoff = backoff.jitter(Jitter::None);
    retry.transient(backoff).throttled(backoff)
}

fn retrying(settings: ServiceSettings) -> impl FnOnce(ClientBuilder) -> ClientBuilder {
    move |client| client.service("payment", settings)
}

async fn world(addrs: &[SocketAddr]) -> World {
    World::with(addrs, retrying(ServiceSettings::new().retry(soon))).await
}

fn keyed(body: impl Into<Body>) -> Request<Body> {
    let mut request = post(body.into());
    let key = "order-17".parse().unwrap();
    request.headers_mut().insert("idempotency-key", key);
    request
}

async fn hanging_up() -> Scripted {
    Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
    })
    .await
}

/// The call under way, while a test does what its callee should.
fn spawned(call: msf_client::Call) -> Task<Result<Response<ResponseBody>, Error>> {
    task::spawn("call", call)
}

#[tokio::test]
async fn a_read_that_fails_is_made_again_elsewhere() {
    let callees = [
        Flaky::statuses(&[503, 200]).await,
        Flaky::statuses(&[503, 200]).await,
        Flaky::statuses(&[503, 200]).await,
    ];
    let addrs = callees.each_ref().map(Flaky::addr);
    let world = world(&addrs).await;
    let response = world.payment.call(get("/")).await.unwrap();
    // All were tried once, each said no, and three attempts are all.
    assert_eq!(response.status(), 503);
    assert_eq!(callees.each_ref().map(Flaky::count), [1, 1, 1]);
    assert!((world.ended("5xx") - 1.0).abs() < 0.1, "it is one call");
}

#[tokio::test]
async fn a_service_of_one_instance_is_asked_again() {
    let callee = Flaky::statuses(&[500, 502, 200]).await;
    let world = world(&[callee.addr()]).await;
    let response = world.payment.call(get("/")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(callee.count(), 3);
    let page = world.metrics.render();
    let retries = "msf_retry_retries_total{class=\"transient\",retry=\"payment\"} 2";
    assert!(page.contains(retries), "{page}");
    assert!((world.ended("ok") - 1.0).abs() < 0.1);
    assert!((world.active() - 1.0).abs() < 0.1, "its body is still read");
    drop(response);
    assert!(world.active().abs() < 0.1);
}

#[tokio::test]
async fn what_may_not_be_sent_twice_is_sent_once() {
    for request in [
        post("charge".into()),
        Request::patch("/")
            .header("host", "callee")
            .body("charge".into())
            .unwrap(),
    ] {
        let callees = [hanging_up().await, hanging_up().await];
        let world = world(&[callees[0].addr, callees[1].addr]).await;
        let error = world.payment.call(request).await.unwrap_err();
        assert!(matches!(error, Error::Transport { .. }), "{error:?}");
        assert!(!error.is_unsent());
        assert_eq!(callees[0].accepted() + callees[1].accepted(), 1);
        let page = world.metrics.render();
        assert!(page.contains("reason=\"not_repeatable\""), "{page}");
    }
    let callee = Flaky::statuses(&[503]).await;
    let world = world(&[callee.addr()]).await;
    let response = world.payment.call(post("charge".into())).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(callee.count(), 1);
}

#[tokio::test]
async fn a_key_says_that_it_may_be_sent_twice() {
    let callee = Flaky::statuses(&[503, 201]).await;
    let world = world(&[callee.addr()]).await;
    let response = world.payment.call(keyed("charge")).await.unwrap();
    assert_eq!(response.status(), 201);
    let seen = callee.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert_eq!(seen.headers["idempotency-key"], "order-17");
        assert_eq!(seen.body, "charge");
    }
}

#[tokio::test]
async fn a_reset_of_a_read_is_made_good() {
    let (dying, alive) = (hanging_up().await, Flaky::statuses(&[200]).await);
    let world = world(&[dying.addr, alive.addr()]).await;
    for _ in 0..20 {
        let response = world.payment.call(get("/")).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert!(dying.accepted() > 0);
}

#[tokio::test]
async fn what_was_not_sent_may_be_sent_whatever_it_does() {
    let addr = nobody();
    let world = World::with(
        &[addr],
        retrying(ServiceSettings::new().retry(|retry| {
            let wait = Duration::from_millis(50);
            let backoff = Backoff::exponential(wait, wait).unwrap();
            retry
                .transient(backoff.jitter(Jitter::None))
                .max_attempts(20)
        })),
    )
    .await;
    let (feeder, stream) = fed();
    for piece in ["in ", "pieces"] {
        feeder.send(Ok(piece.into())).unwrap();
    }
    drop(feeder);
    for body in [Body::from("whole"), stream] {
        let call = spawned(world.payment.call(post(body)));
        time::sleep(Duration::from_millis(120)).await;
        let listener = TcpListener::bind(addr).await.unwrap();
        let accepted = time::timeout(Duration::from_secs(3), listener.accept()).await;
        let Ok(Ok((mut stream, _))) = accepted else {
            panic!("{:?}", call.join().await.unwrap());
        };
        read_head(&mut stream).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        assert_eq!(call.join().await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn an_attempt_has_a_time_of_its_own() {
    let callee = Flaky::start(|number, _| {
        if number < 2 {
            silence()
        } else {
            answering(200)
        }
    })
    .await;
    let settings = ServiceSettings::new()
        .timeout(Duration::from_secs(4))
        .attempt_timeout(Duration::from_millis(80))
        .retry(soon);
    let world = World::with(&[callee.addr()], retrying(settings)).await;
    let response = world.payment.call(get("/")).await.unwrap();
    assert_eq!(response.status(), 200);
    for seen in callee.seen() {
        // The callee hears of the attempt's time, since nobody waits for longer.
        let told: u64 = seen.headers["x-msf-timeout-ms"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=80).contains(&told), "{told}");
    }

    // Who is slow only to be found has all the time of the call.
    let hopeless = Flaky::start(|_, _| silence()).await;
    let settings = ServiceSettings::new()
        .attempt_timeout(Duration::from_millis(30))
        .retry(soon);
    let world = World::with(&[hopeless.addr()], retrying(settings)).await;
    let error = world.payment.call(get("/")).await.unwrap_err();
    let Error::Timeout { timeout, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(timeout, Duration::from_millis(30));
    let page = world.metrics.render();
    let attempts = "msf_retry_attempts_total{retry=\"payment\"} 3";
    assert!(page.contains(attempts), "{page}");
}

#[tokio::test]
async fn attempts_end_with_the_call() {
    let callee = Flaky::start(|_, _| silence()).await;
    let settings = ServiceSettings::new()
        .timeout(Duration::from_millis(1_000))
        .attempt_timeout(Duration::from_millis(700))
        .retry(|retry| soon(retry).max_attempts(9));
    let world = World::with(&[callee.addr()], retrying(settings)).await;
    let began = time::Instant::now();
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { timeout, .. } if timeout.as_secs() == 1));
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(callee.count(), 2);

    let mut request = get("/");
    Deadline::after(Duration::from_millis(30)).tighten(request.extensions_mut());
    let error = world.payment.call(request).await.unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
}

#[tokio::test]
async fn a_callee_that_asks_for_too_much_patience_is_left_alone() {
    let callee = Flaky::start(|_, _| {
        let mut busy = answer(503);
        busy.headers_mut().insert("retry-after", 4.into());
        Box::pin(async move { busy })
    })
    .await;
    let settings = ServiceSettings::new()
        .timeout(Duration::from_secs(2))
        .retry(soon);
    let world = World::with(&[callee.addr()], retrying(settings)).await;
    let began = time::Instant::now();
    let response = world.payment.call(get("/")).await.unwrap();
    assert_eq!(response.headers()["retry-after"], "4");
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(callee.count(), 1);
}

#[tokio::test]
async fn an_answer_of_the_callers_making_is_an_answer() {
    for status in [200, 304, 400, 401, 404, 409, 501] {
        let callee = Flaky::start(move |_, _| answering(status)).await;
        let world = world(&[callee.addr()]).await;
        let response = world.payment.call(get("/")).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(callee.count(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_head_that_was_passed_on_is_final() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        stream.write_all(half).await.unwrap();
    })
    .await;
    let world = world(&[callee.addr]).await;
    let response = world.payment.call(get("/")).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert_eq!(callee.accepted(), 1);
}

#[tokio::test]
async fn an_outage_is_not_multiplied() {
    let callee = Flaky::statuses(&[500]).await;
    let rule = Rule::deposits(0.1, 0, Duration::from_secs(60));
    let settings = ServiceSettings::new()
        .budget(rule)
        .breaker(|breaker| breaker.min_calls(10_000))
        .retry(soon);
    let world = World::with(&[callee.addr()], retrying(settings)).await;
    for _ in 0..100 {
        let response = world.payment.call(get("/")).await.unwrap();
        assert_eq!(response.status(), 500);
    }
    assert_eq!(callee.count(), 110);
    assert_eq!(world.payment.budget().available(), 0);
}

#[tokio::test]
async fn a_route_shares_the_budget_of_its_service() {
    let callee = Flaky::statuses(&[500]).await;
    let rule = Rule::deposits(0.5, 0, Duration::from_secs(60));
    let settings = ServiceSettings::new()
        .budget(rule)
        .breaker(|breaker| breaker.min_calls(10_000));
    let world = World::with(&[callee.addr()], retrying(settings)).await;
    let policy = |attempts| {
        let builder = soon(world.payment.retry_builder());
        builder.max_attempts(attempts).build().unwrap()
    };
    let routes = [2, 3].map(|attempts| world.payment.clone().with_retry(policy(attempts)));
    for _ in 0..10 {
        for route in &routes {
            route.call(get("/")).await.unwrap();
        }
    }
    assert_eq!(callee.count(), 30, "20 calls and a half");
    // The plain one is as it was.
    assert!(world.payment.retry().is_none());
    world.payment.call(get("/")).await.unwrap();
    assert_eq!(callee.count(), 31);
}

#[tokio::test]
async fn a_budget_may_refuse() {
    let callee = Flaky::statuses(&[500]).await;
    let settings = ServiceSettings::new()
        .budget(Rule::deposits(0.1, 0, Duration::from_secs(60)))
        .retry(|retry| soon(retry).exhausted(Exhausted::Refuse));
    let world = World::with(&[callee.addr()], retrying(settings)).await;
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::BudgetExhausted(_)), "{error:?}");
    assert!(!error.is_unsent());
    assert_eq!(error.to_problem().code(), Code::RetryBudgetExhausted);
    assert!((world.ended("retry_budget") - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn the_breaker_sees_every_attempt_and_ends_them() {
    let callee = Flaky::statuses(&[500]).await;
    let settings = ServiceSettings::new()
        .breaker(|breaker| breaker.min_calls(2))
        .retry(|retry| soon(retry).max_attempts(9));
    let world = World::with(&[callee.addr()], retrying(settings)).await;
    let response = world.payment.call(get("/")).await.unwrap();
    // The callee's own word, and not that of the breaker, which it has opened meanwhile.
    assert_eq!(response.status(), 500);
    assert_eq!(callee.count(), 2);
    assert_eq!(world.payment.breaker().state(), State::Open);
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::CircuitOpen(_)), "{error:?}");
    assert_eq!(callee.count(), 2);
}

fn put(body: Body) -> Request<Body> {
    let request = Request::put("/").header("host", "callee");
    request.body(body).unwrap()
}

#[tokio::test]
async fn a_stream_is_sent_again_from_its_beginning() {
    let callee = Flaky::statuses(&[503, 200]).await;
    let world = world(&[callee.addr()]).await;
    let (feeder, body) = fed();
    for piece in ["in ", "three ", "pieces"] {
        feeder.send(Ok(piece.into())).unwrap();
    }
    drop(feeder);
    let response = world.payment.call(put(body)).await.unwrap();
    assert_eq!(response.status(), 200);
    let bodies: Vec<_> = callee.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, ["in three pieces", "in three pieces"]);
}

#[tokio::test]
async fn a_stream_that_is_answered_early_goes_on_from_where_it_was() {
    // The first answers after the head, the second when it has read all.
    let early = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let busy = b"HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(busy).await.unwrap();
        time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    let (feeder, body) = fed();
    feeder.send(Ok("first ".into())).unwrap();
    let patient = Flaky::statuses(&[200]).await;
    let world = world(&[early.addr]).await;
    let both = world
        .client
        .with_registry(listed(&[early.addr, patient.addr()]));
    let settings = ServiceSettings::new().retry(|retry| soon(retry).max_attempts(5));
    let both = both.service_with("payment", &settings).unwrap();
    let call = spawned(both.call(put(body)));
    time::sleep(Duration::from_millis(100)).await;
    feeder.send(Ok("second".into())).unwrap();
    drop(feeder);
    assert_eq!(call.join().await.unwrap().unwrap().status(), 200);
    assert_eq!(patient.seen()[0].body, "first second");
}

#[tokio::test]
async fn a_body_that_is_too_long_to_keep_is_sent_once() {
    let callee = Flaky::statuses(&[503]).await;
    let settings = ServiceSettings::new().retry(|retry| soon(retry).body_limit(8));
    let world = World::with(&[callee.addr()], retrying(settings)).await;
    let (feeder, stream) = fed();
    for piece in ["in ", "three ", "pieces"] {
        feeder.send(Ok(piece.into())).unwrap();
    }
    drop(feeder);
    for (sent, body) in [Body::from("in one piece"), stream].into_iter().enumerate() {
        let response = world.payment.call(put(body)).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(callee.count(), sent + 1);
    }
    assert_eq!(callee.seen()[1].body, "in three pieces");
}

#[tokio::test]
async fn who_waits_to_be_asked_for_a_body_is_not_asked_by_a_retry() {
    let callee = Flaky::statuses(&[503]).await;
    let world = world(&[callee.addr()]).await;
    let mut request = put("in memory".into());
    let expect = "100-continue".parse().unwrap();
    request.headers_mut().insert("expect", expect);
    let response = world.payment.call(request).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(callee.count(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_callers_affair() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let world = world(&[callee.addr]).await;
    let (feeder, body) = fed();
    feeder.send(Ok("half".into())).unwrap();
    feeder.send(Err("the client is gone".into())).unwrap();
    let error = world.payment.call(put(body)).await.unwrap_err();
    assert_eq!(error.to_problem().status(), StatusCode::BAD_REQUEST);
    assert_eq!(callee.accepted(), 1);
    assert_eq!(world.payment.breaker().state(), State::Closed);
}

#[tokio::test]
async fn dropping_a_retry_at_any_poll_releases_everything_and_pays_only_for_what_was_sent() {
    let callee = Flaky::statuses(&[500]).await;
    let settings = ServiceSettings::new()
        .budget(Rule::deposits(0.0, 10, Duration::from_secs(60)))
        .breaker(|breaker| breaker.min_calls(10_000))
        .retry(|retry| {
            let wait = Duration::from_millis(5);
            let backoff = Backoff::exponential(wait, wait).unwrap();
            retry
                .transient(backoff.jitter(Jitter::None))
                .max_attempts(2)
        });
    let world = World::with(&[callee.addr()], retrying(settings)).await;
    let connections = world.client.connections();
    let (mut calls, mut completed) = (0, 0);
    let before = world.payment.budget().available();
    for polls in 1..60 {
        let pause = Some(Duration::from_millis(1));
        if let Some(answer) = polled(world.payment.call(get("/")), polls, pause).await {
            assert_eq!(answer.unwrap().status(), 500);
            completed += 1;
        }
        calls += 1;
        assert!(world.active().abs() < 0.1, "after {polls} polls");
        eventually(|| connections.open() == connections.idle()).await;
    }
    assert!(completed > 0 && completed < calls, "{completed} of {calls}");
    let paid = usize::try_from(before - world.payment.budget().available()).unwrap();
    assert!(paid <= callee.count(), "{paid} for {}", callee.count());
    assert!((world.ended("5xx") - f64::from(completed)).abs() < 0.1);
    assert!((world.ended("cancelled") - f64::from(calls - completed)).abs() < 0.1);
}
