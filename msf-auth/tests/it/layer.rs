//! Both faces of the layer.

use std::{
    convert::Infallible,
    future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use msf_auth::{
    AuthLayer, Authenticate, Authenticator, Identity, JwksFetchError, Policy, Principal, Refusal,
    RemoteKeys, SigningKey, TokenIssuer, TrustedIssuer, Verifier, VerifyError, layer, policy,
};
use msf_core::clock;
use tokio_test::{assert_pending, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::ISSUER;

type Reply = Response<Full<Bytes>>;

fn issuer() -> TokenIssuer {
    TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap())
}

fn verifier(issuer: &TokenIssuer) -> Verifier {
    let trusted = TrustedIssuer::new(ISSUER, issuer.jwks()).audience("shop");
    Verifier::builder().issuer(trusted).build().unwrap()
}

fn request(authorization: &[&str]) -> Request<()> {
    let mut builder = Request::builder();
    for value in authorization {
        builder = builder.header("authorization", *value);
    }
    builder.body(()).unwrap()
}

fn bearer(issuer: &TokenIssuer, scope: &str) -> String {
    format!(
        "Bearer {}",
        issuer
            .token("7")
            .audience("shop")
            .scopes([scope])
            .sign()
            .unwrap()
    )
}

fn whoami() -> impl Service<Request<()>, Response = Reply, Error = Infallible, Future: Send> + Clone
{
    service_fn(|request: Request<()>| {
        let caller = Identity::of(request.extensions()).map(|caller| caller.subject().to_owned());
        let caller = caller.unwrap_or_else(|| "nobody".to_owned());
        future::ready(Ok(Response::new(Full::from(caller))))
    })
}

async fn answer(issuer: &TokenIssuer, policy: Policy, request: Request<()>) -> Reply {
    let layer = AuthLayer::new(verifier(issuer), policy)
        .unwrap()
        .answering();
    layer.layer(whoami()).oneshot(request).await.unwrap()
}

async fn body(reply: Reply) -> String {
    use http_body_util::BodyExt as _;

    let bytes = reply.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn each_refusal_has_its_status_and_challenge() {
    let issuer = issuer();
    let good = bearer(&issuer, "a");
    let rows: [(&[&str], Policy, u16, Option<&str>); 8] = [
        (&[], policy::authenticated(), 401, Some("Bearer")),
        (
            &["Basic dTpw"],
            policy::authenticated(),
            401,
            Some("Bearer"),
        ),
        (
            &["Bearer"],
            policy::authenticated(),
            400,
            Some(r#"Bearer error="invalid_request""#),
        ),
        (
            &[&good, &good],
            policy::authenticated(),
            400,
            Some(r#"Bearer error="invalid_request""#),
        ),
        (
            &["Bearer a.b.c"],
            policy::authenticated(),
            401,
            Some(r#"Bearer error="invalid_token""#),
        ),
        (
            &[&good],
            policy::scope("b"),
            403,
            Some(r#"Bearer error="insufficient_scope", scope="b""#),
        ),
        (
            &[&good],
            policy::service("7"),
            403,
            Some(r#"Bearer error="insufficient_scope""#),
        ),
        (&[&good], policy::scope("a"), 200, None),
    ];
    for (headers, policy, status, challenge) in rows {
        let reply = answer(&issuer, policy, request(headers)).await;
        assert_eq!(reply.status(), status, "{headers:?}");
        let given = reply
            .headers()
            .get("www-authenticate")
            .map(|value| value.to_str().unwrap());
        assert_eq!(given, challenge, "{headers:?}");
    }
}

#[tokio::test]
async fn the_caller_of_the_token_reaches_the_service() {
    let issuer = issuer();
    let good = bearer(&issuer, "a");
    assert_eq!(
        body(answer(&issuer, policy::authenticated(), request(&[&good])).await).await,
        "7"
    );
}

#[tokio::test]
async fn on_a_public_policy_a_bad_token_is_as_good_as_none() {
    let issuer = issuer();
    let good = bearer(&issuer, "a");
    for (headers, caller) in [
        (vec![], "nobody"),
        (vec!["Bearer a.b.c"], "nobody"),
        (vec!["Bearer"], "nobody"),
        (vec![good.as_str(), good.as_str()], "nobody"),
        (vec![good.as_str()], "7"),
    ] {
        let reply = answer(&issuer, policy::public(), request(&headers)).await;
        assert_eq!(body(reply).await, caller, "{headers:?}");
    }
}

#[tokio::test]
async fn an_identity_from_outside_does_not_count() {
    let issuer = issuer();
    let principal = verifier(&issuer)
        .verify(bearer(&issuer, "a").strip_prefix("Bearer ").unwrap())
        .await
        .unwrap();
    for (policy, status) in [(policy::public(), 200), (policy::authenticated(), 401)] {
        let mut request = request(&[]);
        request.extensions_mut().insert(Identity(principal.clone()));
        let reply = answer(&issuer, policy, request).await;
        assert_eq!(reply.status(), status);
        assert_ne!(body(reply).await, "7");
    }
}

#[tokio::test]
async fn the_typed_face_fails_and_does_not_call_the_service() {
    let issuer = issuer();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let inner = service_fn(move |_: Request<()>| {
        counted.fetch_add(1, Ordering::SeqCst);
        future::ready(Ok::<_, Infallible>(Response::new(())))
    });
    let service = AuthLayer::new(verifier(&issuer), policy::authenticated())
        .unwrap()
        .layer(inner);
    let error = service.oneshot(request(&[])).await.unwrap_err();
    assert!(
        matches!(error, layer::Error::Refused(Refusal::NoCredentials)),
        "{error:?}"
    );
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_policy_with_parameters_needs_somewhere_to_find_them() {
    let issuer = issuer();
    assert_eq!(
        AuthLayer::new(verifier(&issuer), policy::owner("id")).unwrap_err(),
        layer::InvalidAuthLayer::NoPathParams
    );
    let layer = AuthLayer::builder(verifier(&issuer), policy::owner("id"))
        .params(|parts| {
            let id = parts.uri.path().trim_start_matches('/').to_owned();
            [("id", id)].into_iter().collect()
        })
        .build()
        .unwrap();
    let service = layer.answering().layer(whoami());
    for (path, status) in [("/7", StatusCode::OK), ("/8", StatusCode::NOT_FOUND)] {
        let mut request = request(&[&bearer(&issuer, "a")]);
        *request.uri_mut() = path.parse().unwrap();
        assert_eq!(
            service.clone().oneshot(request).await.unwrap().status(),
            status
        );
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_had_are_503_without_a_challenge() {
    let issuer = issuer();
    let keys = RemoteKeys::new(|| async { Err::<Bytes, _>(JwksFetchError::new("away")) });
    let trusted = TrustedIssuer::new(ISSUER, keys).audience("shop");
    let verifier = Verifier::builder().issuer(trusted).build().unwrap();
    let layer = AuthLayer::new(verifier, policy::authenticated())
        .unwrap()
        .answering();
    let reply = layer
        .layer(whoami())
        .oneshot(request(&[&bearer(&issuer, "a")]))
        .await
        .unwrap();
    assert_eq!(reply.status(), 503);
    assert_eq!(reply.headers()["retry-after"], "1");
    assert!(!reply.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn the_instance_that_was_ready_is_the_one_that_is_called() {
    use msf_core::testing::StatefulInner;

    let issuer = issuer();
    let inner = StatefulInner::new(|_: Request<()>| Response::new(Full::<Bytes>::default()));
    let layer = AuthLayer::new(verifier(&issuer), policy::authenticated())
        .unwrap()
        .answering();
    let mut service = layer.layer(inner.clone());
    for _ in 0..3 {
        let request = request(&[&bearer(&issuer, "a")]);
        let reply = service.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(reply.status(), 200);
    }
    assert_eq!((inner.calls(), inner.violations()), (3, 0));
}

/// Takes what its verifier takes, and what hangs hangs.
#[derive(Clone)]
struct Own {
    verifier: Verifier,
    under_way: Arc<()>,
}

#[async_trait]
impl Authenticate for Own {
    async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, VerifyError> {
        let _under_way = self.under_way.clone();
        if token == "hang" {
            return future::pending().await;
        }
        self.verifier.verify(token).await
    }
}

#[tokio::test(start_paused = true)]
async fn something_else_may_say_who_calls_within_its_time() {
    let issuer = issuer();
    let own = Own {
        verifier: verifier(&issuer),
        under_way: Arc::default(),
    };
    let service = |policy: Policy| {
        let layer = AuthLayer::new(own.clone(), policy).unwrap();
        layer.answering().layer(whoami())
    };
    let send = |policy: Policy, header: &str| service(policy).oneshot(request(&[header]));
    let good = bearer(&issuer, "a");
    let reply = send(policy::scope("a"), &good).await.unwrap();
    assert_eq!(body(reply).await, "7");
    let statuses = [
        (send(policy::scope("b"), &good).await, 403),
        (send(policy::authenticated(), "Bearer x").await, 401),
        (send(policy::authenticated(), "Bearer").await, 400),
        (send(policy::public(), "Bearer x").await, 200),
    ];
    for (reply, status) in statuses {
        assert_eq!(reply.unwrap().status(), status);
    }

    let before = clock::now();
    let reply = send(policy::authenticated(), "Bearer hang").await.unwrap();
    assert_eq!(reply.status(), 503);
    assert_eq!(clock::now() - before, Duration::from_secs(10));
    let short = Authenticator::new(own.clone()).timeout(Duration::from_millis(20));
    let layer = AuthLayer::new(short, policy::public()).unwrap().answering();
    // On a public route nobody has to be known.
    let reply = layer.layer(whoami()).oneshot(request(&["Bearer hang"]));
    assert_eq!(body(reply.await.unwrap()).await, "nobody");

    let mut dropped = task::spawn(send(policy::authenticated(), "Bearer hang"));
    assert_pending!(dropped.poll());
    let before = Arc::strong_count(&own.under_way);
    drop(dropped);
    assert!(Arc::strong_count(&own.under_way) < before);
}
