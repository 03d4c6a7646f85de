//! API keys: right ones, wrong ones, and those that were made for something else.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use msf_auth::{
    AuthLayer, KeySet, TrustedIssuer, Verifier,
    api_key::{ApiKeyError, ApiKeyStore, ApiKeys, MemoryApiKeyStore, NewApiKey, api_key},
    audit::Audit,
    policy,
};
use msf_core::{metrics::Metrics, problem::Problem};
use tower::{Layer, ServiceExt, service_fn};

use super::printed::Printed;
use crate::support::{ISSUER, clock};

/// Behind `msf_live_` and the id, which name the key.
const SECRET_AT: usize = 26;

pub(super) async fn api_keys(printed: &mut Printed, metrics: &Metrics, audit: &Audit) {
    through(printed, metrics, audit, MemoryApiKeyStore::new()).await;
    #[cfg(feature = "sqlite")]
    super::stores::api_keys(printed, metrics, audit).await;
}

pub(super) async fn through(
    printed: &mut Printed,
    metrics: &Metrics,
    audit: &Audit,
    store: impl ApiKeyStore + Clone + std::fmt::Debug,
) {
    printed.debug("store", &store);
    let builder = || {
        ApiKeys::builder(ISSUER, store.clone())
            .clock(clock())
            .audit(audit.clone())
            .metrics(metrics)
    };
    printed.debug("builder", &builder());
    let keys = builder().build().unwrap();
    let test_keys = builder().environment("test").build().unwrap();
    let new = NewApiKey::service("report").scopes(["orders:read"]);
    printed.debug("new", &new);
    let (good, revoked) = (
        keys.create(new.clone()).await,
        keys.create(new.clone()).await,
    );
    let over = new.expires_after(Duration::from_secs(0));
    let over = keys.create(over).await;
    let foreign = test_keys.create(NewApiKey::user("7")).await;
    let mut texts = Vec::new();
    for (what, made) in [
        ("a key", good),
        ("a revoked key", revoked),
        ("one that is over", over),
    ]
    .into_iter()
    .chain([("a key for tests", foreign)])
    {
        let made = made.unwrap();
        printed.debug(what, &made);
        printed.secret("a hash", made.record.hash);
        let text = made.key.expose().clone();
        printed.secret(what, &text[SECRET_AT..]);
        if what == "a revoked key" {
            keys.revoke(made.record.id).await.unwrap();
        }
        texts.push(text);
    }
    let first = texts[0].clone();
    texts.extend([
        first[..first.len() - 1].to_owned(),
        format!("{first}{first}"),
        first.to_uppercase(),
        format!("msf_{}", &first[SECRET_AT..]),
        first[SECRET_AT..].to_owned(),
        format!("{first} {first}"),
    ]);
    let trusted = TrustedIssuer::new(ISSUER, KeySet::default()).audience("shop");
    let verifier = Verifier::builder()
        .issuer(trusted)
        .audit(audit.clone())
        .build()
        .unwrap();
    let layer = AuthLayer::builder(verifier.clone(), policy::scope("admin"))
        .api_keys(keys.clone())
        .audit(audit.clone())
        .metrics(metrics)
        .build()
        .unwrap();
    printed.debug("layer", &layer);
    let service = layer
        .answering()
        .layer(service_fn(|_request: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    for text in &texts {
        match keys.verify(text).await {
            Ok(caller) => printed.debug("caller", &caller),
            Err(error) => {
                printed.error("key", &error);
                printed.debug("problem", &Problem::from(error));
            }
        }
        // Where a token belongs.
        if let Err(error) = verifier.verify(text).await {
            printed.error("token", &error);
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", text.parse().unwrap());
        if let Err(error) = api_key(&headers) {
            printed.error("header", &error);
        }
        for (name, value) in [
            ("x-api-key", text.clone()),
            ("authorization", format!("Bearer {text}")),
            ("authorization", text.clone()),
        ] {
            let request = Request::builder().header(name, value);
            let answer = service.clone().oneshot(request.body(()).unwrap()).await;
            printed.debug("answer", &answer.unwrap());
        }
    }
    for new in [
        NewApiKey::user(""),
        NewApiKey::user("7").scopes([texts[0].as_str(), "a b"]),
        NewApiKey::user("7").name(texts[0].repeat(10)),
    ] {
        let outcome = keys.create(new).await;
        assert!(matches!(outcome, Err(ApiKeyError::Invalid { .. })));
        printed.failed("invalid", outcome);
    }
    printed.debug("list", &keys.list("report", 10).await);
    printed.debug("keys", &keys);
    let environment = builder().environment(&first[SECRET_AT..]);
    printed.failed("environment", environment.build());
}
