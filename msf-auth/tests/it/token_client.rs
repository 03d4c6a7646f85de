//! Tokens of our own from an authorization server.

use std::{error::Error as _, time::Duration};

use msf_auth::{
    BearerSource as _, InvalidEndpoint, InvalidTokenClient, TokenClient, TokenClientBuilder,
    TokenRequestError,
};
use msf_core::{clock, config::Secret, metrics::Metrics, task};
use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string, header, method, path},
};

const SECRET: &str = "a secret of ours";
/// On a machine that is busy.
const LONG: Duration = Duration::from_secs(20);

fn builder(endpoint: &str) -> TokenClientBuilder {
    TokenClient::builder(endpoint)
        .client("order", Secret::new(SECRET.to_owned()))
        .allow_http_loopback()
        .timeout(Duration::from_secs(10))
}

struct World {
    server: MockServer,
    tokens: TokenClient,
    metrics: Metrics,
}

impl World {
    async fn new(answer: ResponseTemplate) -> Self {
        let (server, metrics) = (MockServer::start().await, Metrics::new());
        let builder = builder(&format!("{}/token", server.uri()));
        let tokens = builder.name("id").metrics(&metrics).build().unwrap();
        let world = Self {
            server,
            tokens,
            metrics,
        };
        world.answer(answer).await;
        world
    }

    async fn answer(&self, answer: ResponseTemplate) {
        self.server.reset().await;
        Mock::given(method("POST"))
            .and(path("/token"))
            .respond_with(answer)
            .mount(&self.server)
            .await;
    }

    /// Since the last change of the answer.
    async fn requests(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }
}

fn granted(token: &str, expires_in: u64) -> ResponseTemplate {
    let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in });
    ResponseTemplate::new(200).set_body_json(body)
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = clock::now() + LONG;
    while !is_so() {
        assert!(clock::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_server_is_asked_as_the_rfc_says_and_once() {
    let server = MockServer::start().await;
    let body = "grant_type=client_credentials&scope=stock%3Aread+stock%3Areserve&audience=inventory&resource=https%3A%2F%2Fa%2F";
    Mock::given(header(
        "authorization",
        "Basic b3JkZXI6YStzZWNyZXQrb2Yrb3Vycw==",
    ))
    .and(header("content-type", "application/x-www-form-urlencoded"))
    .and(body_string(body))
    .respond_with(granted("abc", 300))
    .expect(1)
    .mount(&server)
    .await;
    let tokens = builder(&server.uri())
        .scopes(["stock:read", "stock:reserve"])
        .audience("inventory")
        .resource("https://a/")
        .build()
        .unwrap();
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let tokens = tokens.clone();
            task::spawn(
                "caller",
                async move { tokens.await_ready(LONG).await.is_ok() },
            )
        })
        .collect();
    for waiter in waiting {
        assert_eq!(waiter.join().await, Some(true));
    }
    let bearer = tokens.bearer().unwrap();
    assert_eq!(bearer, "Bearer abc");
    assert!(bearer.is_sensitive());
}

#[tokio::test]
async fn the_first_call_fails_and_starts_the_request() {
    let world = World::new(granted("abc", 300)).await;
    let error = world.tokens.bearer().unwrap_err();
    assert!(
        error
            .source()
            .unwrap()
            .to_string()
            .contains("no token from `id`")
    );
    eventually("a token", || world.tokens.bearer().is_ok()).await;
    assert_eq!(world.requests().await, 1);
}

#[tokio::test]
async fn a_wait_that_is_dropped_leaves_the_request_to_the_next() {
    let world = World::new(granted("abc", 300).set_delay(Duration::from_millis(100))).await;
    let first = world.tokens.await_ready(Duration::from_millis(20)).await;
    assert!(first.is_err());
    assert!(world.tokens.await_ready(LONG).await.is_ok());
    assert_eq!(world.requests().await, 1);
}

#[tokio::test]
async fn a_token_is_renewed_behind_the_calls() {
    let world = World::new(granted("first", 3)).await;
    world.tokens.await_ready(LONG).await.unwrap();
    world.answer(granted("second", 300)).await;
    eventually("the second token", || {
        world
            .tokens
            .bearer()
            .is_ok_and(|bearer| bearer == "Bearer second")
    })
    .await;
    assert_eq!(world.requests().await, 1);
}

#[tokio::test]
async fn kept_fresh_means_fetched_without_a_call() {
    let world = World::new(granted("first", 3)).await;
    let keeper = world.tokens.keep_fresh();
    eventually("the first token", || world.tokens.is_ready()).await;
    world.answer(granted("second", 300)).await;
    let deadline = clock::now() + LONG;
    while world.requests().await == 0 {
        assert!(clock::now() < deadline, "never fetched again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(keeper);
}

#[tokio::test]
async fn a_server_that_refuses_is_named_with_its_code_and_nothing_else() {
    let refused = json!({ "error": "invalid_client", "error_description": SECRET });
    let world = World::new(ResponseTemplate::new(401).set_body_json(refused)).await;
    let error = world.tokens.await_ready(Duration::from_millis(500)).await;
    let error = error.unwrap_err();
    let cause = error.source().unwrap();
    assert_eq!(
        cause.to_string(),
        "the token endpoint refused: invalid_client"
    );
    let bearer = world.tokens.bearer().unwrap_err();
    let shown = format!("{error} {error:?} {bearer:?} {:?}", world.tokens);
    assert!(
        !shown.contains(SECRET) && !shown.contains("Basic"),
        "{shown}"
    );
    let line = r#"msf_auth_token_requests_total{result="refused",source="id"} "#;
    let text = world.metrics.render();
    let count = text.lines().find_map(|own| own.strip_prefix(line));
    assert_ne!(count.unwrap(), "0");
}

#[tokio::test]
async fn what_is_no_token_is_none() {
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(302).insert_header("location", "/token"),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_bytes(vec![b' '; 64 * 1024 + 1]),
        granted("a b", 300),
        granted("abc", 0),
    ] {
        let world = World::new(answer).await;
        let waited = world.tokens.await_ready(Duration::from_millis(300)).await;
        assert!(waited.is_err());
        assert!(!world.tokens.is_ready());
    }
}

#[test]
fn nothing_can_be_left_out() {
    let url = "https://id.example/token";
    let secret = || Secret::new(SECRET.to_owned());
    let built = TokenClient::builder(url).build();
    assert!(matches!(built, Err(InvalidTokenClient::NoClient)));
    let built = TokenClient::builder(url)
        .client("a", Secret::default())
        .build();
    assert!(matches!(built, Err(InvalidTokenClient::NoClient)));
    for scope in ["", "a b", "a\"", "a\\", "\u{e9}"] {
        let built = TokenClient::builder(url)
            .client("a", secret())
            .scopes([scope])
            .build();
        assert!(
            matches!(built, Err(InvalidTokenClient::Scope(_))),
            "{scope}"
        );
    }
    let built = TokenClient::builder("http://id.example/")
        .client("a", secret())
        .build();
    assert!(matches!(
        built,
        Err(InvalidTokenClient::Endpoint(InvalidEndpoint::NotHttps))
    ));
    let shown = format!("{:?}", TokenClient::builder(url).client("a", secret()));
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn outside_a_runtime_there_is_no_token() {
    let tokens = builder("http://127.0.0.1:9/").build().unwrap();
    assert!(tokens.bearer().is_err());
    assert!(!TokenRequestError::Protocol("x").to_string().is_empty());
}
