//! A Consul that lies, hangs, or says more than can be read.

use std::time::Duration;

use msf_registry::{
    Cursor, Discovery, Registrar, RegistryError, Renewal, backend::consul::ConsulRegistry,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::setup::{ids, instance, payment, saying};

async fn answering(template: ResponseTemplate) -> (MockServer, ConsulRegistry) {
    let server = saying(template).await;
    let registry = ConsulRegistry::builder(server.uri())
        .timeout(Duration::from_millis(200))
        .answer_max(2_000)
        .build()
        .expect("the settings are good");
    (server, registry)
}

fn listing(body: impl Into<String>) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("x-consul-index", "7")
        .set_body_string(body)
}

#[tokio::test]
async fn garbage_is_a_protocol_error_that_names_the_question() {
    for template in [
        listing("<html>"),
        listing("{}"),
        listing("[".repeat(1_500)),
        ResponseTemplate::new(200).set_body_string("[]"),
        listing("[]").insert_header("x-consul-index", "seven"),
        listing("[]").insert_header("x-consul-index", "-1"),
    ] {
        let (_server, registry) = answering(template).await;
        for answer in [
            registry.fetch(&payment()).await.map(drop),
            registry.next(&payment(), Cursor::new(1, 1)).await.map(drop),
        ] {
            let Err(RegistryError::Protocol(place)) = answer else {
                panic!("{answer:?}");
            };
            assert!(place.to_string().starts_with("health/service: "), "{place}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_late_is_not_read() {
    let (_server, large) = answering(listing("x".repeat(3_000))).await;
    let error = large.fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol(_)), "{error:?}");
    let late = listing("[]").set_delay(Duration::from_secs(60));
    let (_server, late) = answering(late).await;
    let error = late.fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Timeout(_)), "{error:?}");
}

#[tokio::test]
async fn an_index_below_one_counts_as_one() {
    let template = listing("[]").insert_header("x-consul-index", "0");
    let (_server, registry) = answering(template).await;
    assert_eq!(
        registry
            .fetch(&payment())
            .await
            .unwrap()
            .cursor()
            .revision(),
        1
    );
}

#[tokio::test]
async fn one_instance_that_is_not_understood_hides_no_other() {
    let entries = r#"[7, {"Service":{}}, {"Node":{"Node":"n"},"Service":{"ID":"x","Port":70000}},
        {"Node":{"Node":"n"},"Service":{"ID":"db","Address":"db.example","Port":1}},
        {"Node":{"Node":"n","Address":"10.0.0.1"},"Checks":null,
         "Service":{"ID":"web","Meta":null,"Port":80,"Later":{}}}]"#;
    let (_server, registry) = answering(listing(entries)).await;
    let listed = registry.fetch(&payment()).await.unwrap();
    assert_eq!(ids(&listed), ["n:web"]);
}

#[tokio::test]
async fn only_an_unknown_check_is_a_lease_that_is_gone() {
    let lease = {
        let (_server, registry) = answering(ResponseTemplate::new(200)).await;
        let lease = registry.put(&instance(1), Duration::from_secs(5)).await;
        lease.expect("it takes everything")
    };
    let held = format!(r#"{{"Meta":{{"msf-lease":"{}"}}}}"#, lease.token());
    for (status, text, is_gone) in [
        (500, "CheckID \"x\" does not have associated TTL", true),
        (404, "Unknown check ID \"x\"", true),
        (500, "No cluster leader", false),
        (403, "Permission denied", false),
        (
            429,
            "Your IP is issuing too many concurrent connections",
            false,
        ),
    ] {
        let template = ResponseTemplate::new(status).set_body_string(text);
        let (server, registry) = answering(template).await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_string(&held))
            .with_priority(1)
            .mount(&server)
            .await;
        match registry.renew(&lease).await {
            Ok(Renewal::Gone) => assert!(is_gone, "{text}"),
            Err(RegistryError::Refused { detail, .. }) => {
                assert!(!is_gone && detail.as_deref() == Some(text), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_a_refusal_says_is_cut_before_it_is_logged() {
    let template = ResponseTemplate::new(500).set_body_string("\u{1b}[2J".repeat(400));
    let (_server, registry) = answering(template).await;
    let error = registry.services().await.unwrap_err().to_string();
    assert!(error.len() < 300 && !error.contains('\u{1b}'), "{error}");
}
