//! Which instance is called, and what is known when none can be.

use std::{collections::BTreeSet, convert::Infallible};

use http::{Request, Response};
use http_body_util::BodyExt;
use msf_client::{CallHash, Client, Error, ServiceSettings, transport::Connections};
use msf_core::{
    body::Body, classify::Classification, name::ServiceName, problem::Code, testing::TestServer,
};
use msf_registry::{Balance, Registry, backend::fixed::StaticRegistry};
use msf_resilience::{budget::Rule, circuit_breaker::State};
use tower::ServiceExt;

use super::hanging_up;
use crate::{
    callee::{echo, get, post},
    world::{World, nobody},
};

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

/// How often instances were called in vain.
fn in_vain(world: &World) -> u32 {
    let observed = world.payment.instances().observed();
    observed.iter().map(|it| it.failures_in_a_row).sum()
}

#[tokio::test]
async fn what_was_not_sent_goes_elsewhere_only_as_often_as_the_budget_lets_it() {
    let world = World::with(&[nobody(), nobody(), nobody(), nobody()], |client| {
        let settings = ServiceSettings::new().resend_budget(Rule::quota(4, 1, 1));
        client.service("payment", settings)
    })
    .await;
    for (call, attempts) in [(1, 3), (2, 6), (3, 7), (4, 8)] {
        let error = world.payment.call(get("/")).await.unwrap_err();
        assert!(error.is_unsent(), "{error:?}");
        assert_eq!(in_vain(&world), attempts, "after {call} calls");
    }
}

#[tokio::test]
async fn going_elsewhere_is_free_where_somebody_answers() {
    let alive = echo().await;
    let world = World::with(&[nobody(), alive.addr()], |client| {
        let settings = ServiceSettings::new().resend_budget(Rule::quota(1, 1, 1));
        client.service("payment", settings)
    })
    .await;
    let mut fails = 0;
    for _ in 0..200 {
        let response = world.payment.clone().oneshot(post("hello".into())).await;
        fails += u32::from(response.is_err());
    }
    assert_eq!(fails, 0);
    let granted = "msf_budget_withdrawals_total{budget=\"payment/resend\",outcome=\"granted\"}";
    let granted = world.sample(granted);
    assert!(granted > 0.5, "{granted}: the dead one was met");
}

#[tokio::test]
async fn a_resend_that_finds_nobody_costs_nothing() {
    let world = World::with(&[nobody()], |client| {
        let settings = ServiceSettings::new().resend_budget(Rule::quota(1, 1, 1));
        client.service("payment", settings)
    })
    .await;
    for _ in 0..2 {
        world.payment.call(get("/")).await.unwrap_err();
        let available = world.sample("msf_budget_available{budget=\"payment/resend\"}");
        assert!((available - 1.0).abs() < 0.1, "{available}");
    }
}

#[tokio::test]
async fn calls_of_one_hash_go_to_one_instance_where_the_service_is_balanced_so() {
    let mut callees = Vec::new();
    for number in 0..3_u8 {
        let answer = move |_request: Request<Body>| async move {
            Ok::<_, Infallible>(Response::new(Body::from(number.to_string())))
        };
        callees.push(TestServer::start(tower::service_fn(answer)).await);
    }
    let addrs: Vec<_> = callees.iter().map(TestServer::addr).collect();
    let name = ServiceName::new("payment").unwrap();
    let listed = StaticRegistry::new().addrs(&name, addrs).unwrap();
    let registry = Registry::builder(listed).load_balancing(Balance::Maglev.into());
    let client = Client::builder(registry.build().unwrap()).build().unwrap();
    let payment = client.service("payment").unwrap();
    let mut met = BTreeSet::new();
    for user in 0..12_u8 {
        let mut own = BTreeSet::new();
        for _ in 0..5 {
            let mut request = get("/");
            request.extensions_mut().insert(CallHash::of(&[user]));
            let answer = payment.call(request).await.unwrap().into_body();
            own.insert(answer.collect().await.unwrap().to_bytes());
        }
        assert_eq!(own.len(), 1, "user {user} goes to {own:?}");
        met.extend(own);
    }
    assert!(met.len() > 1, "all go to one");
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
