//! Settings of one service, and clients that are made from others.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use msf_auth::{BearerError, BearerSource};
use msf_client::{Client, Error, InvalidService, ServiceClient, ServiceSettings};
use msf_core::classify::Classification;
use msf_registry::Registry;
use msf_resilience::circuit_breaker::{CircuitBreaker, State};

use crate::{
    callee::{echo, get},
    flaky::Flaky,
    world::{World, header, listed, mirror, nobody},
};

#[derive(Debug)]
struct Token(&'static str);

impl BearerSource for Token {
    fn bearer(&self) -> Result<HeaderValue, BearerError> {
        Ok(HeaderValue::from_static(self.0))
    }
}

fn open(breaker: &CircuitBreaker) {
    while let Ok(permit) = breaker.try_acquire() {
        permit.complete(&Classification::FAILURE);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn a_service_has_its_own_token_and_its_own_time() {
    let callee = mirror().await;
    let settings = ServiceSettings::new()
        .bearer(Arc::new(Token("Bearer for-payment")))
        .timeout(Duration::from_millis(700));
    let world = World::with(&[callee.addr()], |client| {
        client
            .bearer(Arc::new(Token("Bearer for-all")))
            .service("payment", settings)
    })
    .await;
    let lines = world.payment.get("/").send().await.unwrap();
    let lines = lines.text().await.unwrap();
    assert_eq!(header(&lines, "authorization"), Some("Bearer for-payment"));
    let left: u64 = header(&lines, "x-msf-timeout-ms").unwrap().parse().unwrap();
    assert!(left <= 700, "{left}");

    // The same client, another place: the client's own settings go along, and so do those of the service.
    let elsewhere = world.client.with_registry(listed(&[callee.addr()]));
    let payment = elsewhere.service("payment").unwrap();
    let lines = payment.get("/").send().await.unwrap().text().await.unwrap();
    assert_eq!(header(&lines, "authorization"), Some("Bearer for-payment"));
}

#[tokio::test]
async fn a_client_of_another_registry_has_services_of_its_own() {
    let (here, there) = (Flaky::statuses(&[200]).await, Flaky::statuses(&[200]).await);
    let world = World::new(&[here.addr()]).await;
    let elsewhere = world.client.with_registry(listed(&[there.addr()]));
    open(world.payment.breaker());
    let payment = elsewhere.service("payment").unwrap();
    let answer = payment.get("/").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "200");
    assert_eq!((here.count(), there.count()), (0, 1));
    assert!(world.payment.call(get("/")).await.is_err());
    // They count in the same series, and over the same connections.
    assert!((world.ended("ok") - 1.0).abs() < 0.1);
    assert_eq!(world.client.connections().open(), 1);
}

#[tokio::test]
async fn the_same_settings_are_the_same_service() {
    let world = World::new(&[nobody()]).await;
    let settings = ServiceSettings::new().timeout(Duration::from_secs(1));
    let first = world.client.service_with("payment", &settings).unwrap();
    open(first.breaker());
    let named = world.client.service("payment").unwrap();
    assert_eq!(named.breaker().state(), State::Open);

    let same = settings.clone();
    let again = world.client.service_with("payment", &same).unwrap();
    assert_eq!(again.breaker().state(), State::Open);

    let changed = settings.timeout(Duration::from_secs(2));
    let anew = world.client.service_with("payment", &changed).unwrap();
    assert_eq!(anew.breaker().state(), State::Closed);
    assert_eq!(first.breaker().state(), State::Open);
    let named = world.client.service("payment").unwrap();
    assert_eq!(named.breaker().state(), State::Closed);
}

#[tokio::test]
async fn settings_that_cannot_work_are_said_when_the_service_is_named() {
    let client = |settings| {
        let client = Client::builder(listed(&[])).service("payment", settings);
        client.build().unwrap().service("payment").unwrap_err()
    };
    let new = ServiceSettings::new;
    for (settings, is_it) in [
        (new().timeout(Duration::ZERO), "Settings"),
        (new().attempt_timeout(Duration::ZERO), "Settings"),
        (new().attempts(4), "Settings"),
        (new().breaker(|breaker| breaker.min_calls(0)), "Breaker"),
        (new().retry(|retry| retry.max_attempts(0)), "Retry"),
        (new().hedge(|hedge| hedge.max_hedges(9)), "Hedge"),
        (
            new().budget(msf_resilience::budget::Rule::deposits(
                99.0,
                0,
                Duration::ZERO,
            )),
            "Budget",
        ),
    ] {
        let error = format!("{:?}", client(settings));
        assert!(error.starts_with(is_it), "{error}");
    }
}

#[tokio::test]
async fn a_client_may_be_of_one_address() {
    let callee = echo().await;
    for address in [
        callee.url(""),
        callee.url("/"),
        callee.url("").replace("127.0.0.1", "localhost"),
    ] {
        let upstream = ServiceClient::at(&address).unwrap();
        let answer = upstream.post("/").body("hello").send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");
    }
    let invalid = [
        "",
        "127.0.0.1:80",
        "https://127.0.0.1:80",
        "http://127.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:80/path",
        "http://callee:80",
        "http://localhost:port",
        "http://user@127.0.0.1:80",
    ];
    for address in invalid {
        let error = ServiceClient::at(address).unwrap_err();
        assert!(matches!(error, InvalidService::Address(_)), "{address}");
    }
    let upstream = ServiceClient::at(&format!("http://{}", nobody())).unwrap();
    let error = upstream.get("/").send().await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn a_registry_may_be_empty() {
    let client = Client::builder(Registry::new(
        msf_registry::backend::fixed::StaticRegistry::new(),
    ));
    let payment = client.build().unwrap().service("payment").unwrap();
    let error = payment.get("/").send().await.unwrap_err();
    assert!(matches!(error, Error::NoEndpoints(_)), "{error:?}");
}
