//! Slow calls that are made a second time.

use std::{net::SocketAddr, time::Duration};

use http::{Method, Request};
use msf_client::{Error, ServiceSettings};
use msf_core::{body::Body, deadline::Deadline};
use msf_resilience::circuit_breaker::State;
use tokio::time;

use crate::{
    callee::{eventually, get, polled},
    flaky::{Flaky, answering, silence},
    world::World,
};

const DELAY: Duration = Duration::from_millis(60);

async fn world(addrs: &[SocketAddr], settings: ServiceSettings) -> World {
    let settings = settings.hedge(|hedge| hedge.after(DELAY));
    let world = World::with(addrs, |client| client.service("payment", settings)).await;
    let instances = world.payment.instances();
    instances.ready(Duration::from_secs(5)).await.unwrap();
    world
}

/// Says nothing.
async fn silent() -> Flaky {
    Flaky::start(|_, _| silence()).await
}

async fn both(one: &Flaky, other: &Flaky) -> World {
    world(&[one.addr(), other.addr()], ServiceSettings::new()).await
}

fn request(method: Method, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).header("host", "callee");
    let request = request.header("idempotency-key", "order-17");
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn the_other_instance_helps_the_slow_one() {
    let (slow, quick) = (silent().await, Flaky::statuses(&[200]).await);
    let world = both(&slow, &quick).await;
    let calls = 10;
    for _ in 0..calls {
        let response = world.payment.call(get("/")).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert!(slow.count() > 0, "luck chose the quick one each time");
    assert_eq!(quick.count(), calls, "each call was answered once");
    assert!((world.ended("ok") - 10.0).abs() < 0.1);
    assert!(world.active().abs() < 0.1);
    // Who is cut off by a better one is not to blame.
    assert_eq!(world.payment.breaker().state(), State::Closed);
    let connections = world.client.connections();
    eventually(|| connections.open() == connections.idle()).await;
}

#[tokio::test]
async fn a_quick_answer_costs_no_second_request() {
    let callees = [Flaky::statuses(&[200]).await, Flaky::statuses(&[200]).await];
    let world = both(&callees[0], &callees[1]).await;
    for _ in 0..20 {
        world.payment.call(get("/")).await.unwrap();
    }
    assert_eq!(callees[0].count() + callees[1].count(), 20);
}

#[tokio::test]
async fn a_slow_instance_is_not_made_slower() {
    let slow = Flaky::start(|_, _| {
        Box::pin(async {
            time::sleep(DELAY * 4).await;
            crate::flaky::answer(200)
        })
    })
    .await;
    let world = world(&[slow.addr()], ServiceSettings::new()).await;
    let response = world.payment.call(get("/")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(slow.count(), 1, "there is no other instance");
}

#[tokio::test]
async fn only_what_reads_is_under_way_twice() {
    for (method, body) in [
        (Method::POST, "charge"),
        (Method::PUT, "charge"),
        (Method::DELETE, ""),
        (Method::GET, "with a body"),
    ] {
        let callees = [silent().await, silent().await];
        let settings = ServiceSettings::new().timeout(DELAY * 10);
        let addrs = callees.each_ref().map(Flaky::addr);
        let world = world(&addrs, settings).await;
        let call = world.payment.call(request(method.clone(), body));
        let error = call.await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        let sent = callees[0].count() + callees[1].count();
        assert_eq!(sent, 1, "{method}");
    }
}

#[tokio::test]
async fn a_failure_waits_for_the_better_one() {
    let failing = Flaky::start(|_, _| {
        Box::pin(async {
            time::sleep(DELAY * 2).await;
            crate::flaky::answer(500)
        })
    })
    .await;
    let good = Flaky::start(|_, _| {
        Box::pin(async {
            time::sleep(DELAY * 4).await;
            crate::flaky::answer(200)
        })
    })
    .await;
    let world = both(&failing, &good).await;
    for _ in 0..6 {
        let response = world.payment.call(get("/")).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn a_retry_repeats_what_no_attempt_answered() {
    let slow = silent().await;
    let late = Flaky::start(|number, _| {
        if number < 1 {
            silence()
        } else {
            answering(200)
        }
    })
    .await;
    let settings = ServiceSettings::new()
        .attempt_timeout(DELAY * 4)
        .retry(|retry| retry.max_attempts(2));
    let world = world(&[slow.addr(), late.addr()], settings).await;
    let response = world.payment.call(get("/")).await.unwrap();
    assert_eq!(response.status(), 200);
    // Both were asked in the first attempt, and the second had a helper again if it needed one.
    assert_eq!(late.count(), 2);
    assert!((1..=2).contains(&slow.count()));
}

#[tokio::test]
async fn nobody_helps_who_has_no_time() {
    let callees = [silent().await, silent().await];
    let world = both(&callees[0], &callees[1]).await;
    let mut request = get("/");
    Deadline::after(DELAY / 2).tighten(request.extensions_mut());
    let error = world.payment.call(request).await.unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    assert!(callees[0].count() + callees[1].count() <= 1);
}

#[tokio::test]
async fn dropping_a_hedged_call_at_any_poll_releases_everything() {
    let (slow, quick) = (silent().await, Flaky::statuses(&[200]).await);
    let world = both(&slow, &quick).await;
    let connections = world.client.connections();
    let (mut calls, mut completed) = (0, 0);
    for polls in 1..50 {
        let pause = Some(Duration::from_millis(2));
        if let Some(answer) = polled(world.payment.call(get("/")), polls, pause).await {
            assert_eq!(answer.unwrap().status(), 200);
            completed += 1;
        }
        calls += 1;
        assert!(world.active().abs() < 0.1, "after {polls} polls");
        eventually(|| connections.open() == connections.idle()).await;
    }
    assert!(completed > 0 && completed < calls, "{completed} of {calls}");
    assert!((world.ended("ok") - f64::from(completed)).abs() < 0.1);
    assert!((world.ended("cancelled") - f64::from(calls - completed)).abs() < 0.1);
    assert_eq!(world.payment.breaker().state(), State::Closed);
}
