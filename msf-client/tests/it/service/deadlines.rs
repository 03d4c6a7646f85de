//! Deadlines and timeouts, and who is blamed for them.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response};
use http_body_util::BodyExt;
use msf_client::{
    Error,
    transport::{Connections, Protocol},
};
use msf_core::{body::Body, deadline::Deadline, testing::TestServer};
use msf_resilience::circuit_breaker::State;
use tokio::time;

use super::{mirrored, silent};
use crate::{
    callee::{echo, fed, full_queue, get, post},
    world::{World, header, mirror},
};

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
async fn who_stands_in_our_own_line_until_the_end_blames_nobody() {
    for protocol in [Protocol::Http1, Protocol::H2c] {
        let callee = echo().await;
        let connections = Connections::builder()
            .protocol(protocol)
            .max_connections(1)
            .streams_max(1)
            .queue_timeout(Duration::from_secs(60));
        let world = World::with(&[callee.addr()], |client| {
            client
                .timeout(Duration::from_millis(80))
                .connections(connections.build())
                .breaker(|breaker| breaker.min_calls(1))
        })
        .await;
        let (_feeder, body) = fed();
        let busy = world.payment.call(post(body)).await.unwrap();
        for _ in 0..3 {
            let error = world.payment.call(get("/")).await.unwrap_err();
            assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
            assert!(error.is_unsent());
        }
        assert_eq!(
            world.payment.breaker().state(),
            State::Closed,
            "{protocol:?}"
        );
        drop(busy);
    }
}
