//! Opaque tokens, and an issuer that is asked about them.

use std::time::Duration;

use msf_auth::{
    Introspector, IntrospectorBuilder, InvalidEndpoint, InvalidIntrospector, InvalidVerifier,
    KeySet, Reason, TrustedIssuer,
};
use msf_core::{config::Secret, metrics::Metrics, task};
use serde_json::{Value, json};
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

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_router_lets_those_pass_whom_the_issuer_knows() {
    use axum::routing::get;
    use http::Request;
    use msf_auth::{OptionalIdentity, SecureRouter, policy};
    use msf_core::testing::TestClient;

    let mut answer = active();
    answer["auth_time"] = json!(NOW_S - 60);
    let world = World::new(ok(answer)).await;
    let young = |seconds| policy::max_auth_age(Duration::from_secs(seconds));
    let greet = async |OptionalIdentity(caller): OptionalIdentity| {
        caller.map_or_else(|| "nobody".to_owned(), |caller| caller.subject().to_owned())
    };
    let router = SecureRouter::<()>::new(world.introspector.clone())
        .public("/hello", get(greet))
        .route("/orders", policy::scope("orders:read"), get(greet))
        .route("/admin", policy::scope("admin"), get(greet))
        // By the clock of the introspector.
        .route("/young", young(70), get(greet))
        .route("/younger", young(50), get(greet))
        .into_router()
        .unwrap();
    let client = TestClient::new(router);
    let get = |path: &str, token: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        client.send(request.body(String::new()).unwrap())
    };
    for (path, status) in [
        ("/orders", 200),
        ("/admin", 403),
        ("/young", 200),
        ("/younger", 401),
    ] {
        assert_eq!(get(path, "good").await.status(), status, "{path}");
    }
    assert_eq!(get("/hello", "good").await.text(), "7");
    assert_eq!(world.requests().await, 1);

    world.answer(ok(json!({ "active": false }))).await;
    assert_eq!(get("/orders", "bad").await.status(), 401);
    assert_eq!(get("/hello", "bad").await.text(), "nobody");
    world.answer(ResponseTemplate::new(500)).await;
    assert_eq!(get("/orders", "unknown").await.status(), 503);
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
