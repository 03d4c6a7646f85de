//! API keys in front of a service.

use std::{convert::Infallible, future::ready};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use msf_auth::{
    AuthLayer, Identity, KeySet, TrustedIssuer, Verifier,
    api_key::{ApiKeys, MemoryApiKeyStore, NewApiKey},
    policy::{Policy, public, scope},
};
use tower::{Layer, ServiceExt, service_fn};

const ISSUER: &str = "https://user.shop";

async fn keys() -> (ApiKeys, String, String) {
    let keys = ApiKeys::builder(ISSUER, MemoryApiKeyStore::new());
    let keys = keys.build().unwrap();
    let reader = NewApiKey::service("report").scopes(["orders:read"]);
    let reader = keys.create(reader).await.unwrap();
    let nobody = keys.create(NewApiKey::user("7")).await.unwrap();
    let text = |key: msf_core::config::Secret<String>| key.into_exposed();
    (keys, text(reader.key), text(nobody.key))
}

async fn call(
    keys: Option<&ApiKeys>,
    policy: Policy,
    headers: &[(&'static str, &str)],
) -> (StatusCode, String) {
    let trusted = TrustedIssuer::new(ISSUER, KeySet::default()).audience("shop");
    let verifier = Verifier::builder().issuer(trusted).build().unwrap();
    let mut layer = AuthLayer::builder(verifier, policy);
    if let Some(keys) = keys {
        layer = layer.api_keys(keys.clone());
    }
    let whoami = service_fn(|request: Request<()>| {
        let caller = Identity::of(request.extensions());
        let subject = caller.map_or_else(String::new, |caller| caller.subject().to_owned());
        let response: Response<Full<Bytes>> = Response::new(subject.into());
        ready(Ok::<_, Infallible>(response))
    });
    let service = layer.build().unwrap().answering().layer(whoami);
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let status = response.status();
    let body = http_body_util::BodyExt::collect(response.into_body()).await;
    let body = body.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_key_passes_the_policy_or_not_as_a_token_would() {
    let (keys, reader, nobody) = keys().await;
    let policy = || scope("orders:read");
    let bearer = |key: &str| format!("Bearer {key}");
    for headers in [
        [("authorization", bearer(&reader))],
        [("x-api-key", reader.clone())],
    ] {
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let (status, subject) = call(Some(&keys), policy(), &headers).await;
        assert_eq!((status, subject.as_str()), (StatusCode::OK, "report"));
        // A layer that was not told of keys takes none.
        let (status, _) = call(None, policy(), &headers).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let (status, _) = call(Some(&keys), policy(), &[("x-api-key", &nobody)]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = call(Some(&keys), policy(), &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn no_answer_says_what_was_wrong_or_what_was_sent() {
    let (keys, reader, _) = keys().await;
    let policy = || scope("orders:read");
    let mut wrong = reader.clone();
    wrong.pop();
    let first = call(Some(&keys), policy(), &[("x-api-key", "x")]).await;
    for key in [wrong.as_str(), "msf_", &"msf_x".repeat(1_000)] {
        let answer = call(Some(&keys), policy(), &[("x-api-key", key)]).await;
        assert_eq!(answer.0, StatusCode::UNAUTHORIZED);
        assert!(!answer.1.contains(&reader[..20]), "{}", answer.1);
        assert_eq!(answer.1.len(), first.1.len());
    }
}

#[tokio::test]
async fn two_keys_are_malformed_and_on_a_public_route_nobody() {
    let (keys, reader, _) = keys().await;
    let bearer = format!("Bearer {reader}");
    for headers in [
        [
            ("x-api-key", reader.as_str()),
            ("x-api-key", reader.as_str()),
        ],
        [
            ("x-api-key", reader.as_str()),
            ("authorization", bearer.as_str()),
        ],
    ] {
        let (status, _) = call(Some(&keys), scope("orders:read"), &headers).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let (status, subject) = call(Some(&keys), public(), &headers).await;
        assert_eq!((status, subject.as_str()), (StatusCode::OK, ""));
    }
    let (status, subject) = call(Some(&keys), public(), &[("x-api-key", "wrong")]).await;
    assert_eq!((status, subject.as_str()), (StatusCode::OK, ""));
}
