//! Calls in flight, and calls that nobody waits for any more.

use std::time::Duration;

use http_body_util::BodyExt;
use msf_client::Error;
use msf_core::classify::Classification;
use msf_resilience::circuit_breaker::State;
use tokio::time;

use super::silent;
use crate::{
    callee::{echo, eventually, fed, get, polled, post},
    world::World,
};

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
        let answer = polled(world.payment.call(get("/")), polls, None).await;
        completed += if answer.is_some() { 1.0 } else { 0.0 };
        // A future that was never polled has made no call.
        calls += if polls == 0 { 0.0 } else { 1.0 };
        drop(answer);
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
