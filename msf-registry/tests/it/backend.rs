//! The conformance suite, and what only the HTTP client can get wrong.

use std::{sync::Mutex, time::Duration};

use msf_registry::{
    Discovery, Registrar, RegistryError,
    backend::{http::HttpRegistry, memory::MemoryRegistry},
    conformance,
};
use wiremock::{MockServer, ResponseTemplate};

use crate::setup::{ids, instance, payment, saying, start, start_warm};

#[tokio::test]
async fn memory_conforms() {
    conformance::run(|| async { MemoryRegistry::new() }).await;
}

#[tokio::test]
async fn http_conforms() {
    let servers = Mutex::new(Vec::new());
    conformance::run(|| async {
        let server = start_warm();
        let client = server.client();
        servers.lock().expect("no panic").push(server);
        client
    })
    .await;
    let servers = servers.into_inner().expect("no panic");
    for server in servers {
        server.stop().await;
    }
}

async fn answering(template: ResponseTemplate) -> (MockServer, HttpRegistry) {
    let server = saying(template).await;
    let client = HttpRegistry::builder(server.uri())
        .timeout(Duration::from_millis(200))
        .answer_max(1_024)
        .build()
        .expect("it is a URL");
    (server, client)
}

#[tokio::test]
async fn a_registry_that_hangs_is_given_up() {
    let late = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    let (_server, client) = answering(late).await;
    let error = client.fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Timeout(_)), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let huge = ResponseTemplate::new(200).set_body_string("x".repeat(2_000));
    let (_server, client) = answering(huge).await;
    let Err(RegistryError::Protocol(reason)) = client.services().await else {
        panic!("it was read");
    };
    assert!(reason.to_string().contains("answer_max"), "{reason}");
}

#[tokio::test]
async fn garbage_is_a_protocol_error_that_names_the_question() {
    let (_server, client) = answering(ResponseTemplate::new(200).set_body_string("<html>")).await;
    let put = client.put(&instance(1), Duration::from_secs(1)).await;
    for (answer, place) in [
        (client.services().await.map(drop), "v1/services: "),
        (client.fetch(&payment()).await.map(drop), "v1/services/"),
        (put.map(drop), "v1/services/{service}/instances/"),
    ] {
        let Err(RegistryError::Protocol(reason)) = answer else {
            panic!("{answer:?}");
        };
        assert!(reason.to_string().starts_with(place), "{reason}");
    }
}

#[tokio::test]
async fn what_is_kept_of_a_refusal_has_an_end() {
    let long = format!(r#"{{"detail":"\u0007{}"}}"#, "x".repeat(900));
    let (_server, client) = answering(ResponseTemplate::new(503).set_body_string(long)).await;
    let error = client.services().await.unwrap_err().to_string();
    assert!(error.len() < 300 && error.ends_with('x'), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/");
    let (_server, client) = answering(elsewhere).await;
    let error = client.services().await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Refused { status: 302, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_the_registry_says_about_a_refusal_is_kept() {
    let problem = r#"{"title":"no","status":503,"code":"overloaded","detail":"full up"}"#;
    let full = ResponseTemplate::new(503).set_body_raw(problem, "application/problem+json");
    let (_server, client) = answering(full).await;
    let error = client
        .put(&instance(1), Duration::from_secs(1))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the registry answered 503: full up");
    assert!(!error.is_permanent());
}

#[tokio::test]
async fn one_instance_that_is_not_understood_hides_no_other() {
    let state = r#"{"service":"payment","epoch":"00000000000000ff","revision":3,"authoritative":true,
        "later":{},"instances":[
        {"service":"payment","id":"new","endpoints":["quic+9://10.0.0.1:1"]},
        {"service":"user","id":"other","endpoints":["http://10.0.0.1:2"]},
        {"service":"payment","id":"b","endpoints":["http://10.0.0.1:4"],"health":"dreaming"},
        {"service":"payment","id":"a","endpoints":["http://10.0.0.1:3"],"health":"healthy","later":1}]}"#;
    let (_server, client) = answering(ResponseTemplate::new(200).set_body_string(state)).await;
    let snapshot = client.fetch(&payment()).await.unwrap();
    assert_eq!(ids(&snapshot), ["a", "b"]);
    assert_eq!(
        (snapshot.cursor().epoch(), snapshot.cursor().revision()),
        (255, 3)
    );
}

#[tokio::test]
async fn nobody_there_is_an_error_that_says_so() {
    let port = start(0).stop().await;
    let client = HttpRegistry::new(format!("http://127.0.0.1:{port}/")).expect("it is a URL");
    let error = client.fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable(_)), "{error:?}");
}

#[test]
fn only_addresses_of_registries_are_taken() {
    for bad in [
        "",
        "registry",
        "ftp://registry",
        "https://registry",
        "http://",
        "http://a?b=c",
    ] {
        assert!(HttpRegistry::new(bad).is_err(), "{bad:?}");
    }
}
