//! Opaque tokens, and an issuer that is asked about them.

use std::{convert::Infallible, future::ready, time::Duration};

use http::{Request, Response};
use msf_auth::{
    AuthLayer, Identity, Introspector, IntrospectorBuilder, InvalidEndpoint, InvalidIntrospector,
    InvalidVerifier, KeySet, Reason, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    policy::{public, scope},
};
use msf_core::{config::Secret, metrics::Metrics, task};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string, header, method, path},
};

use crate::support::{ISSUER, NOW_S, clock};

const SECRET: &str = "a:secret of ours";

fn active() -> Value {
    json!({
        "active": true, "iss": ISSUER, "aud": "shop", "sub": "7", "scope": "orders:read", "token_type": "Bearer",
        "iat": NOW_S, "exp": NOW_S + 300, "client_id": "web",
    })
}

fn builder(endpoint: &str) -> IntrospectorBuilder {
    let issuer = TrustedIssuer::new(ISSUER, KeySet::default()).audience("shop");
    Introspector::builder(endpoint, issuer)
        .client("shop api", Secret::new(SECRET.to_owned()))
        .allow_http_loopback()
        .clock(clock())
        .timeout(Duration::from_secs(10))
}

struct World {
    server: MockServer,
    introspector: Introspector,
    metrics: Metrics,
}

impl World {
    async fn new(answer: ResponseTemplate) -> Self {
        Self::with(answer, |builder| builder).await
    }

    async fn with(
        answer: ResponseTemplate,
        set: impl FnOnce(IntrospectorBuilder) -> IntrospectorBuilder,
    ) -> Self {
        let (server, metrics) = (MockServer::start().await, Metrics::new());
        let builder = builder(&format!("{}/introspect", server.uri())).metrics(&metrics);
        let world = Self {
            server,
            introspector: set(builder).build().unwrap(),
            metrics,
        };
        world.answer(answer).await;
        world
    }

    async fn answer(&self, answer: ResponseTemplate) {
        self.server.reset().await;
        Mock::given(method("POST"))
            .and(path("/introspect"))
            .respond_with(answer)
            .mount(&self.server)
            .await;
    }

    async fn ask(&self, token: &str) -> Result<String, Reason> {
        let outcome = self.introspector.introspect(token).await;
        outcome
            .map(|caller| caller.subject().to_owned())
            .map_err(|error| error.reason())
    }

    /// Since the last change of the answer.
    async fn requests(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }
}

fn ok(body: impl serde::Serialize) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn the_issuer_is_asked_as_the_rfc_says_and_once() {
    let server = MockServer::start().await;
    // `shop+api:a%3Asecret+of+ours`: both parts are encoded as in a form first.
    Mock::given(header(
        "authorization",
        "Basic c2hvcCthcGk6YSUzQXNlY3JldCtvZitvdXJz",
    ))
    .and(header("content-type", "application/x-www-form-urlencoded"))
    .and(body_string(
        "token=a%2Fb%2B%3D&token_type_hint=access_token",
    ))
    .respond_with(ok(active()))
    .expect(1)
    .mount(&server)
    .await;
    let introspector = builder(&server.uri()).build().unwrap();
    for _ in 0..10 {
        let caller = introspector.introspect("a/b+=").await.unwrap();
        assert_eq!((caller.subject(), caller.issuer()), ("7", ISSUER));
        assert!(caller.has_scope("orders:read"));
    }
}

#[tokio::test]
async fn calls_that_come_together_share_one_request() {
    let world = World::new(ok(active()).set_delay(Duration::from_millis(300))).await;
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let introspector = world.introspector.clone();
            task::spawn("caller", async move {
                introspector.introspect("t").await.is_ok()
            })
        })
        .collect();
    for waiter in waiting {
        assert_eq!(waiter.join().await, Some(true));
    }
    assert_eq!(world.requests().await, 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_its_answer_to_the_next() {
    let world = World::new(ok(active()).set_delay(Duration::from_millis(100))).await;
    let call = world.introspector.introspect("t");
    let cut_off = tokio::time::timeout(Duration::from_millis(20), call).await;
    assert!(cut_off.is_err());
    assert_eq!(world.ask("t").await, Ok("7".to_owned()));
    assert_eq!(world.requests().await, 1);
}

#[tokio::test]
async fn a_token_that_the_issuer_does_not_know_is_refused_and_remembered() {
    let world = World::new(ok(json!({ "active": false }))).await;
    for _ in 0..10 {
        assert_eq!(world.ask("t").await, Err(Reason::Inactive));
    }
    assert_eq!(world.requests().await, 1);
    // Another token is another question, however much of it is the same.
    world.answer(ok(active())).await;
    assert_eq!(world.ask("tt").await, Ok("7".to_owned()));
    assert_eq!(world.requests().await, 1);
}

#[tokio::test]
async fn an_issuer_that_is_away_lets_nobody_in_and_nothing_is_remembered() {
    let world = World::new(ResponseTemplate::new(500)).await;
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(401).set_body_json(active()),
        ResponseTemplate::new(201).set_body_json(active()),
        ResponseTemplate::new(302).insert_header("location", "/introspect"),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_bytes(vec![b' '; 64 * 1024 + 1]),
        ok(json!({ "active": "true", "sub": "7" })),
    ] {
        world.answer(answer).await;
        let error = world.introspector.introspect("t").await.unwrap_err();
        assert_eq!(error.reason(), Reason::IssuerUnavailable);
        assert!(error.is_unavailable());
        assert_eq!(world.requests().await, 1);
    }
    world.answer(ok(active())).await;
    assert_eq!(world.ask("t").await, Ok("7".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_a_token_costs_no_request() {
    let world = World::new(ok(active())).await;
    for token in ["", "a b", "a\n", "a\0", "t\u{e9}", "a=b", "a&token=b"] {
        assert_eq!(world.ask(token).await, Err(Reason::Form), "{token:?}");
    }
    assert_eq!(
        world.ask(&"a".repeat(8 * 1024 + 1)).await,
        Err(Reason::Size)
    );
    assert_eq!(world.requests().await, 0);
    let text = world.metrics.render();
    let line = r#"msf_auth_introspections_total{from="form",result="refused"} 8"#;
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn more_requests_than_allowed_are_shed_and_not_queued() {
    let slow = ok(active()).set_delay(Duration::from_millis(500));
    let world = World::with(slow, |builder| builder.concurrency(1)).await;
    let introspector = world.introspector.clone();
    let mut first = tokio_test::task::spawn(introspector.introspect("a"));
    assert!(first.poll().is_pending());
    let mut other = tokio_test::task::spawn(introspector.introspect("b"));
    let std::task::Poll::Ready(Err(error)) = other.poll() else {
        panic!("it was queued");
    };
    assert_eq!(error.reason(), Reason::IssuerUnavailable);
    // The same token joins all the same.
    assert_eq!(world.ask("a").await, Ok("7".to_owned()));
    assert!(first.await.is_ok());
    assert_eq!(world.ask("b").await, Ok("7".to_owned()));
}

#[tokio::test]
async fn without_a_time_to_live_each_call_asks() {
    let world = World::with(ok(active()), |builder| builder.ttl(Duration::ZERO)).await;
    assert_eq!(world.ask("t").await, Ok("7".to_owned()));
    assert_eq!(world.ask("t").await, Ok("7".to_owned()));
    assert_eq!(world.requests().await, 2);
    world.answer(ok(json!({ "active": false }))).await;
    assert_eq!(world.ask("t").await, Err(Reason::Inactive));
}

#[test]
fn outside_a_runtime_nothing_is_known() {
    let introspector = builder("http://127.0.0.1:9/").build().unwrap();
    let outcome = tokio_test::task::spawn(introspector.introspect("t")).poll();
    let std::task::Poll::Ready(Err(error)) = outcome else {
        panic!("it waits for nobody");
    };
    assert_eq!(error.reason(), Reason::IssuerUnavailable);
}

#[test]
fn nothing_can_be_left_out() {
    let issuer = || TrustedIssuer::new(ISSUER, KeySet::default()).audience("shop");
    let secret = || Secret::new(SECRET.to_owned());
    let url = "https://id.example/introspect";
    let built = Introspector::builder(url, issuer()).build();
    assert!(matches!(built, Err(InvalidIntrospector::NoClient)));
    let built = Introspector::builder(url, issuer())
        .client("", secret())
        .build();
    assert!(matches!(built, Err(InvalidIntrospector::NoClient)));
    let nobody = TrustedIssuer::new(ISSUER, KeySet::default());
    let built = Introspector::builder(url, nobody)
        .client("a", secret())
        .build();
    assert!(matches!(
        built,
        Err(InvalidIntrospector::Issuer(InvalidVerifier::NoAudience(_)))
    ));
    let with = |url| Introspector::builder(url, issuer()).client("a", secret());
    assert!(matches!(
        with("http://id.example/").build(),
        Err(InvalidIntrospector::Endpoint(InvalidEndpoint::NotHttps))
    ));
    let long = with(url).ttl(Duration::from_secs(31)).build();
    assert!(matches!(long, Err(InvalidIntrospector::Ttl)));
    let none = with(url).concurrency(0).build();
    assert!(matches!(none, Err(InvalidIntrospector::Concurrency)));
    let wide = with(url).leeway(Duration::from_secs(301)).build();
    assert!(matches!(
        wide,
        Err(InvalidIntrospector::Issuer(InvalidVerifier::Leeway))
    ));
    let shown = format!("{:?} {:?}", with(url), with(url).build().unwrap());
    assert!(!shown.contains("secret of"), "{shown}");
}

#[tokio::test]
async fn a_layer_asks_about_what_is_not_signed_and_about_nothing_else() {
    let world = World::new(ok(active())).await;
    let key = SigningKey::generate_ed25519().unwrap();
    let (issuer, foreign) = (
        TokenIssuer::new(ISSUER, key).with_clock(clock()),
        TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap()).with_clock(clock()),
    );
    let signed = |issuer: &TokenIssuer| {
        let token = issuer.token("8").audience("shop").scopes(["orders:read"]);
        token.sign().unwrap()
    };
    let trusted = TrustedIssuer::new(ISSUER, issuer.jwks()).audience("shop");
    let verifier = Verifier::builder().issuer(trusted).clock(clock());
    let verifier = verifier.build().unwrap();
    let layer = |policy| AuthLayer::builder(verifier.clone(), policy);
    let asking = layer(scope("orders:read")).introspector(world.introspector.clone());
    let asking = asking.build().unwrap();
    let call = async |layer: &AuthLayer, token: &str| {
        let whoami = service_fn(|request: Request<()>| {
            let caller = Identity::of(request.extensions());
            ready(Ok::<_, Infallible>(Response::new(
                caller.map_or_else(String::new, |caller| caller.subject().to_owned()),
            )))
        });
        let request = Request::builder().header("authorization", format!("Bearer {token}"));
        let outcome = layer.layer(whoami).oneshot(request.body(()).unwrap()).await;
        outcome.ok().map(Response::into_body)
    };

    assert_eq!(call(&asking, &signed(&issuer)).await.as_deref(), Some("8"));
    for token in [signed(&foreign), "eyJ.a.b".to_owned(), "ey..".to_owned()] {
        assert_eq!(call(&asking, &token).await, None, "{token}");
    }
    assert_eq!(world.requests().await, 0);
    for token in ["opaque", "a.b.c", "ey.a", "eyJ.a.b.c.d"] {
        assert_eq!(call(&asking, token).await.as_deref(), Some("7"), "{token}");
    }
    assert_eq!(world.requests().await, 4);
    assert_eq!(call(&asking, &"a".repeat(100_000)).await, None);
    assert_eq!(world.requests().await, 4);

    // A layer that was not told takes none, and an issuer that is away lets a stranger in where strangers may come.
    let plain = layer(scope("orders:read")).build().unwrap();
    assert_eq!(call(&plain, "opaque").await, None);
    world.answer(ResponseTemplate::new(503)).await;
    assert_eq!(call(&asking, "another").await, None);
    let open = layer(public()).introspector(world.introspector.clone());
    assert_eq!(
        call(&open.build().unwrap(), "third").await.as_deref(),
        Some("")
    );
}
