//! The endpoints of an authorization server, from outside.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use axum::Router;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, header};
use msf_auth::{
    Revocations, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    audit::{Audit, Kind, MemorySink},
    oauth::{
        Client, ClientSecret, Clients, GrantType, InvalidOAuth, LookupError, MemoryClients, OAuth,
        Subjects,
    },
    refresh::{Grant, MemoryRefreshStore, RefreshPolicy, RefreshTokens},
};
use msf_core::{
    body::Body,
    clock::WallClock,
    metrics::Metrics,
    testing::{TestClient, TestResponse},
};
use serde_json::{Map, Value, json};
use tokio::time;

use crate::support::{ISSUER, NOW_S};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

struct Server {
    client: TestClient<Router>,
    issuer: TokenIssuer,
    refresh: RefreshTokens,
    verifier: Verifier,
    order: ClientSecret,
    payment: ClientSecret,
    web: ClientSecret,
    clients: MemoryClients,
    subjects: Switch,
    metrics: Metrics,
    seen: MemorySink,
}

/// Says what the test wants it to say about subjects.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicU8>);

const KNOWN: u8 = 0;
const GONE: u8 = 1;
const FAILING: u8 = 2;
const SILENT: u8 = 3;

#[async_trait]
impl Subjects for Switch {
    async fn claims(&self, subject: &str) -> Result<Option<Map<String, Value>>, LookupError> {
        match self.0.load(Ordering::Relaxed) {
            KNOWN => {
                let role = json!(format!("role of {subject}"));
                Ok(Some(Map::from_iter([("role".to_owned(), role)])))
            }
            GONE => Ok(None),
            FAILING => Err(LookupError::new("away")),
            _ => std::future::pending().await,
        }
    }
}

impl Server {
    fn start() -> Self {
        let clock = WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S));
        let key = SigningKey::generate_ed25519().unwrap();
        let issuer = TokenIssuer::new(ISSUER, key).with_clock(clock);
        let trusted = TrustedIssuer::new(ISSUER, issuer.jwks())
            .audience("shop")
            .audience("order")
            .audience("payment")
            .users()
            .service("order");
        let revocations = Revocations::builder().clock(clock).build().unwrap();
        let verifier = Verifier::builder()
            .issuer(trusted)
            .clock(clock)
            .revocations(revocations.clone())
            .build()
            .unwrap();
        let refresh = RefreshTokens::new(MemoryRefreshStore::new(), RefreshPolicy::default());
        let refresh = refresh.unwrap().with_clock(clock);
        let secret = || ClientSecret::generate().unwrap();
        let (order, payment, web) = (secret(), secret(), secret());
        let clients = MemoryClients::new();
        for client in [
            Client::new("order")
                .secret(order.hash())
                .grant(GrantType::ClientCredentials)
                .grant(GrantType::TokenExchange)
                .scopes(["payments:write", "orders:read"])
                .audience("payment")
                .serves("order")
                .token_ttl(Duration::from_secs(300)),
            Client::new("payment")
                .secret(payment.hash())
                .grant(GrantType::TokenExchange)
                .scopes(["payments:write", "ledger:write"])
                .audience("ledger")
                .audience("order")
                .serves("payment"),
            Client::new("web")
                .secret(web.hash())
                .grant(GrantType::RefreshToken)
                .scopes(["orders:read", "orders:write"])
                .audience("order"),
            Client::new("app")
                .grant(GrantType::RefreshToken)
                .scopes(["orders:read"])
                .audience("order"),
        ] {
            clients.insert(client).unwrap();
        }
        let (subjects, metrics, seen) = (Switch::default(), Metrics::new(), MemorySink::new(1_000));
        let oauth = OAuth::builder(issuer.clone())
            .clients(clients.clone())
            .subjects(subjects.clone())
            .refresh_tokens(refresh.clone())
            .verifier(verifier.clone())
            .revocations(revocations)
            .audit(Audit::new(seen.clone()))
            .metrics(&metrics)
            .build()
            .unwrap();
        Self {
            client: TestClient::new(oauth.router()),
            issuer,
            refresh,
            verifier,
            order,
            payment,
            web,
            clients,
            subjects,
            metrics,
            seen,
        }
    }

    async fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> TestResponse {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.client.send(request.body(body.into()).unwrap()).await
    }

    /// A form with Basic authentication.
    async fn post(
        &self,
        path: &str,
        client: &str,
        secret: &ClientSecret,
        form: &[(&str, &str)],
    ) -> TestResponse {
        let basic = basic(client, secret.text().expose());
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", basic.as_str()),
        ];
        self.send(path, &headers, encode(form)).await
    }

    async fn token(
        &self,
        client: &str,
        secret: &ClientSecret,
        form: &[(&str, &str)],
    ) -> TestResponse {
        self.post("/oauth/token", client, secret, form).await
    }

    /// Without authentication other than what is in the form.
    async fn bare(&self, path: &str, form: &[(&str, &str)]) -> TestResponse {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(path, &headers, encode(form)).await
    }

    async fn login(&self, client: &str, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned());
        let grant = Grant::new("7").client(client).session("s1").scopes(scopes);
        let issued = self
            .refresh
            .issue(grant.claim("role", "old"))
            .await
            .unwrap();
        issued.token.expose().clone()
    }

    fn user_token(&self, audience: &str, scopes: &[&str]) -> String {
        let token = self.issuer.token("7").audience(audience).scopes(scopes);
        let token = token.claim("sid", "s1").claim("role", "admin");
        token.ttl(Duration::from_secs(900)).sign().unwrap()
    }

    async fn exchange(&self, subject_token: &str, more: &[(&str, &str)]) -> TestResponse {
        let mut form = vec![
            ("grant_type", EXCHANGE),
            ("subject_token", subject_token),
            ("subject_token_type", ACCESS),
        ];
        form.extend(more);
        self.token("order", &self.order, &form).await
    }
}

fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client}:{secret}")))
}

fn encode(form: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        let escape = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(escape).collect()
    };
    let pairs = form
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&engine.decode(payload).unwrap()).unwrap()
}

#[track_caller]
fn refused(response: &TestResponse, status: u16, code: &str) {
    assert_eq!(response.status(), status, "{}", response.text());
    let body: Value = response.json();
    assert_eq!(body["error"], code, "{body}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[tokio::test(start_paused = true)]
async fn a_service_gets_a_token_in_its_own_name() {
    let server = Server::start();
    let response = server.token("order", &server.order, &CREDENTIALS).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("pragma"), Some("no-cache"));
    let body: Value = response.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 300);
    assert_eq!(body["scope"], "payments:write orders:read");
    assert!(body.get("refresh_token").is_none());

    let token = text(&body["access_token"]);
    let caller = server.verifier.verify(token).await.unwrap();
    assert_eq!((caller.subject(), caller.is_service()), ("order", true));
    assert_eq!(claims(token)["client_id"], "order");
    assert_eq!(claims(token)["aud"], "payment");

    let less = [
        CREDENTIALS[0],
        ("scope", "orders:read orders:read"),
        ("audience", "payment"),
    ];
    let response = server.token("order", &server.order, &less).await;
    assert_eq!(response.json::<Value>()["scope"], "orders:read");

    assert_eq!(server.seen.count(Kind::ClientAuthenticated), 2);
    assert_eq!(server.seen.count(Kind::TokenIssued), 2);
    let metrics = server.metrics.render();
    let line = r#"msf_auth_oauth_requests_total{endpoint="token",result="ok"} 2"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_more_than_is_theirs() {
    let server = Server::start();
    for (form, code) in [
        (
            vec![CREDENTIALS[0], ("scope", "orders:read admin")],
            "invalid_scope",
        ),
        (
            vec![CREDENTIALS[0], ("scope", "orders:read  x")],
            "invalid_scope",
        ),
        (vec![CREDENTIALS[0], ("scope", "a\"b")], "invalid_scope"),
        (
            vec![CREDENTIALS[0], ("audience", "ledger")],
            "invalid_target",
        ),
        (
            vec![CREDENTIALS[0], ("audience", "Payment")],
            "invalid_target",
        ),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", "refresh_token")], "unauthorized_client"),
        (vec![("grant_type", "")], "invalid_request"),
        (vec![], "invalid_request"),
    ] {
        let response = server.token("order", &server.order, &form).await;
        refused(&response, 400, code);
    }
    // Two audiences, and none of them meant.
    let response = server.token("payment", &server.payment, &CREDENTIALS).await;
    refused(&response, 400, "unauthorized_client");
    let response = server.token("web", &server.web, &CREDENTIALS).await;
    refused(&response, 400, "unauthorized_client");
}

#[tokio::test(start_paused = true)]
async fn a_client_has_to_prove_itself_in_one_way() {
    let server = Server::start();
    let secret = server.order.text().expose().as_str();
    let good = [
        CREDENTIALS[0],
        ("client_id", "order"),
        ("client_secret", secret),
    ];
    assert_eq!(server.bare("/oauth/token", &good).await.status(), 200);

    let other = server.payment.text().expose().as_str();
    let hash = server.order.hash().to_string();
    for (id, secret) in [
        ("order", other),
        ("order", "x"),
        ("order", ""),
        ("order", &*hash),
        ("Order", secret),
        ("nobody", secret),
        ("", secret),
        ("order\u{0}", secret),
        ("app", secret),
        ("app", ""),
    ] {
        let form = [CREDENTIALS[0], ("client_id", id), ("client_secret", secret)];
        let response = server.bare("/oauth/token", &form).await;
        // A public client is who it says, and may not do this.
        let (status, code) = match (id, secret) {
            ("app", "") => (400, "unauthorized_client"),
            ("order\u{0}", _) => (400, "invalid_request"),
            _ => (401, "invalid_client"),
        };
        refused(&response, status, code);
        if code == "invalid_client" {
            assert!(
                response
                    .header("www-authenticate")
                    .unwrap()
                    .starts_with("Basic ")
            );
        }
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", &*basic(id, secret)),
        ];
        let response = server
            .send("/oauth/token", &headers, encode(&CREDENTIALS))
            .await;
        refused(&response, 401, "invalid_client");
    }

    let form = ("content-type", "application/x-www-form-urlencoded");
    let basic = basic("order", secret);
    let basic = ("authorization", basic.as_str());
    for (headers, body, status, code) in [
        (
            vec![form, basic, basic],
            CREDENTIALS.to_vec(),
            400,
            "invalid_request",
        ),
        (vec![form, basic], good.to_vec(), 400, "invalid_request"),
        (
            vec![form, basic],
            vec![CREDENTIALS[0], ("client_id", "payment")],
            400,
            "invalid_request",
        ),
        (
            vec![form, ("authorization", "Bearer x")],
            good.to_vec(),
            400,
            "invalid_request",
        ),
        (
            vec![form, ("authorization", "Bearer x")],
            CREDENTIALS.to_vec(),
            401,
            "invalid_client",
        ),
        (
            vec![form, ("authorization", "Basic")],
            CREDENTIALS.to_vec(),
            401,
            "invalid_client",
        ),
        (
            vec![form, ("authorization", "Basic !")],
            CREDENTIALS.to_vec(),
            401,
            "invalid_client",
        ),
        (
            vec![form, ("authorization", "Basic b3JkZXI=")],
            CREDENTIALS.to_vec(),
            401,
            "invalid_client",
        ),
        (vec![form], CREDENTIALS.to_vec(), 401, "invalid_client"),
        (
            vec![form],
            vec![CREDENTIALS[0], ("client_assertion", "x")],
            400,
            "invalid_request",
        ),
    ] {
        let response = server.send("/oauth/token", &headers, encode(&body)).await;
        refused(&response, status, code);
    }
    assert!(server.seen.count(Kind::ClientRefused) > 10);

    server.clients.remove("order");
    refused(
        &server.bare("/oauth/token", &good).await,
        401,
        "invalid_client",
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_form_is_refused() {
    let server = Server::start();
    let good = encode(&[
        CREDENTIALS[0],
        ("client_id", "order"),
        ("client_secret", server.order.text().expose()),
    ]);
    let form = (
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    );
    assert_eq!(
        server
            .send("/oauth/token", &[form], good.clone())
            .await
            .status(),
        200
    );
    let twice = format!("{good}&grant_type=client_credentials");
    let unknown_twice = format!("{good}&x=1&x=1");
    for (path, headers, body) in [
        ("/oauth/token", vec![], good.clone()),
        (
            "/oauth/token",
            vec![("content-type", "application/json")],
            good.clone(),
        ),
        ("/oauth/token", vec![form, form], good.clone()),
        ("/oauth/token?scope=x", vec![form], good.clone()),
        ("/oauth/token", vec![form], twice),
        ("/oauth/token", vec![form], unknown_twice),
        ("/oauth/token", vec![form], format!("{good}&a=%zz")),
    ] {
        refused(
            &server.send(path, &headers, body).await,
            400,
            "invalid_request",
        );
    }
    let huge = format!("{good}&x={}", "x".repeat(17 * 1_024));
    refused(
        &server.send("/oauth/token", &[form], huge).await,
        413,
        "invalid_request",
    );
    // One that never ends.
    let endless = Body::new(Never);
    refused(
        &server.send("/oauth/token", &[form], endless).await,
        400,
        "invalid_request",
    );
    assert_eq!(server.client.get("/oauth/token").await.status(), 405);
}

/// A body that never comes.
struct Never;

impl http_body::Body for Never {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        Poll::Pending
    }
}

fn refresh_form<'a>(token: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    form.extend(more);
    form
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_with_what_is_known_now() {
    let server = Server::start();
    let first = server
        .login("web", &["orders:read", "orders:write", "payments:write"])
        .await;
    let response = server
        .token("web", &server.web, &refresh_form(&first, &[]))
        .await;
    assert_eq!(response.status(), 200, "{}", response.text());
    let body: Value = response.json();
    // What the login granted and the client may not have is not in it.
    assert_eq!(body["scope"], "orders:read orders:write");
    assert_eq!(body["expires_in"], 600);
    let token = claims(text(&body["access_token"]));
    assert_eq!(
        (&token["sub"], &token["sid"], &token["client_id"]),
        (&json!("7"), &json!("s1"), &json!("web"))
    );
    assert_eq!(token["role"], "role of 7");
    let caller = server
        .verifier
        .verify(text(&body["access_token"]))
        .await
        .unwrap();
    assert!(!caller.is_service());

    let second = text(&body["refresh_token"]).to_owned();
    let less = refresh_form(&second, &[("scope", "orders:read")]);
    let response = server.token("web", &server.web, &less).await;
    let body: Value = response.json();
    assert_eq!(body["scope"], "orders:read");
    let third = text(&body["refresh_token"]).to_owned();

    let more = refresh_form(&third, &[("scope", "orders:read admin")]);
    refused(
        &server.token("web", &server.web, &more).await,
        400,
        "invalid_scope",
    );
    let elsewhere = refresh_form(&third, &[("audience", "payment")]);
    refused(
        &server.token("web", &server.web, &elsewhere).await,
        400,
        "invalid_target",
    );
    // Neither used it up.
    let response = server
        .token("web", &server.web, &refresh_form(&third, &[]))
        .await;
    assert_eq!(response.status(), 200);

    // The first one again: two have it.
    time::advance(Duration::from_secs(60)).await;
    let response = server
        .token("web", &server.web, &refresh_form(&first, &[]))
        .await;
    refused(&response, 400, "invalid_grant");
    let fourth = text(
        &server
            .token("web", &server.web, &refresh_form(&third, &[]))
            .await
            .json::<Value>()["error"],
    )
    .to_owned();
    assert_eq!(fourth, "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_of_no_use_to_another_client() {
    let server = Server::start();
    let token = server.login("web", &["orders:read"]).await;
    let form = refresh_form(&token, &[("client_id", "app")]);
    refused(
        &server.bare("/oauth/token", &form).await,
        400,
        "invalid_grant",
    );
    let response = server
        .token("web", &server.web, &refresh_form(&token, &[]))
        .await;
    assert_eq!(response.status(), 200);
    // A public client has its own.
    let token = server.login("app", &["orders:read", "orders:write"]).await;
    let form = refresh_form(&token, &[("client_id", "app")]);
    let body: Value = server.bare("/oauth/token", &form).await.json();
    assert_eq!(body["scope"], "orders:read");
    for nonsense in ["x", "msfr_", "msfr_AAAA", "a.b.c"] {
        let form = refresh_form(nonsense, &[]);
        refused(
            &server.token("web", &server.web, &form).await,
            400,
            "invalid_grant",
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_gone_gets_no_token_and_a_store_that_is_away_costs_no_session() {
    let server = Server::start();
    let token = server.login("web", &["orders:read"]).await;
    let refresh = || async {
        server
            .token("web", &server.web, &refresh_form(&token, &[]))
            .await
    };
    for state in [FAILING, SILENT] {
        server.subjects.0.store(state, Ordering::Relaxed);
        let response = refresh().await;
        refused(&response, 503, "temporarily_unavailable");
        assert_eq!(response.header("retry-after"), Some("1"));
        // Longer than any grace.
        time::advance(Duration::from_secs(600)).await;
    }
    server.subjects.0.store(GONE, Ordering::Relaxed);
    refused(&refresh().await, 400, "invalid_grant");
    server.subjects.0.store(KNOWN, Ordering::Relaxed);
    refused(&refresh().await, 400, "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn an_exchanged_token_is_less_in_every_way() {
    let server = Server::start();
    let token = server.user_token("order", &["orders:read", "payments:write", "admin"]);
    time::advance(Duration::from_secs(1)).await;
    let response = server.exchange(&token, &[]).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    let body: Value = response.json();
    assert_eq!(body["issued_token_type"], ACCESS);
    assert_eq!(body["expires_in"], 60);
    assert_eq!(body["scope"], "orders:read payments:write");
    let exchanged = text(&body["access_token"]);
    let told = claims(exchanged);
    assert_eq!(told["act"], json!({ "sub": "order" }));
    assert_eq!(
        (&told["sub"], &told["aud"], &told["sid"]),
        (&json!("7"), &json!("payment"), &json!("s1"))
    );
    assert!(told.get("role").is_none());
    let caller = server.verifier.verify(exchanged).await.unwrap();
    assert!(!caller.is_service());

    // On from there, by the service that it was sent to.
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", exchanged),
        ("subject_token_type", ACCESS),
        ("audience", "ledger"),
        ("scope", "payments:write"),
    ];
    let body: Value = server.token("payment", &server.payment, &form).await.json();
    let next = claims(text(&body["access_token"]));
    assert_eq!(
        next["act"],
        json!({ "sub": "payment", "act": { "sub": "order" } })
    );

    // Never longer than what it came from.
    time::advance(Duration::from_secs(870)).await;
    let body: Value = server.exchange(&token, &[]).await.json();
    assert_eq!(body["expires_in"], 29);
    assert_eq!(server.seen.count(Kind::TokenExchanged), 3);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_not_sent_to_the_client_is_not_exchanged() {
    let server = Server::start();
    let good = server.user_token("order", &["orders:read"]);
    let elsewhere = server.user_token("payment", &["orders:read"]);
    let forged = format!("{}x", &good[..good.len() - 1]);
    for token in [elsewhere.as_str(), &forged, "x", "a.b.c"] {
        refused(&server.exchange(token, &[]).await, 400, "invalid_request");
    }
    refused(
        &server.exchange(&good, &[("scope", "payments:write")]).await,
        400,
        "invalid_scope",
    );
    refused(
        &server.exchange(&good, &[("scope", "admin")]).await,
        400,
        "invalid_scope",
    );
    refused(
        &server.exchange(&good, &[("audience", "ledger")]).await,
        400,
        "invalid_target",
    );
    refused(
        &server.exchange(&good, &[("actor_token", "x")]).await,
        400,
        "invalid_request",
    );
    let id_token = "urn:ietf:params:oauth:token-type:id_token";
    let form = [("requested_token_type", id_token)];
    refused(&server.exchange(&good, &form).await, 400, "invalid_request");

    // A loop of services ends.
    let act =
        json!({ "sub": "a", "act": { "sub": "b", "act": { "sub": "c", "act": { "sub": "d" } } } });
    let token = server.issuer.token("7").audience("order").claim("act", act);
    refused(
        &server.exchange(&token.sign().unwrap(), &[]).await,
        400,
        "invalid_request",
    );
    // It has ended, within the leeway of the verifier.
    time::advance(Duration::from_secs(900)).await;
    refused(&server.exchange(&good, &[]).await, 400, "invalid_request");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_told_about_to_those_it_was_meant_for() {
    let server = Server::start();
    let token = server.user_token("order", &["orders:read"]);
    let ask = async |client: &str, secret: &ClientSecret, token: &str| -> Value {
        let response = server
            .post("/oauth/introspect", client, secret, &[("token", token)])
            .await;
        assert_eq!(response.status(), 200);
        response.json()
    };
    let told = ask("order", &server.order, &token).await;
    assert_eq!(
        (&told["active"], &told["sub"], &told["aud"]),
        (&json!(true), &json!("7"), &json!("order"))
    );
    assert_eq!(told["exp"], NOW_S + 900);
    assert!(told.get("role").is_none());
    let nothing = json!({ "active": false });
    assert_eq!(ask("payment", &server.payment, &token).await, nothing);
    assert_eq!(ask("order", &server.order, "a.b.c").await, nothing);
    assert_eq!(ask("order", &server.order, "x").await, nothing);

    let session = server.login("web", &["orders:read"]).await;
    let told = ask("web", &server.web, &session).await;
    assert_eq!(
        (&told["active"], &told["sid"]),
        (&json!(true), &json!("s1"))
    );
    assert_eq!(ask("order", &server.order, &session).await, nothing);

    let form = [("token", token.as_str()), ("client_id", "app")];
    refused(
        &server.bare("/oauth/introspect", &form).await,
        400,
        "unauthorized_client",
    );
    let form = [("token", token.as_str())];
    refused(
        &server.bare("/oauth/introspect", &form).await,
        401,
        "invalid_client",
    );

    time::advance(Duration::from_secs(931)).await;
    assert_eq!(ask("order", &server.order, &token).await, nothing);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_ended_by_its_client_only() {
    let server = Server::start();
    let token = server.login("web", &["orders:read"]).await;
    let form = [("token", token.as_str()), ("client_id", "app")];
    refused(
        &server.bare("/oauth/revoke", &form).await,
        400,
        "invalid_grant",
    );
    assert!(server.refresh.inspect(&token).await.unwrap().is_some());

    let form = [
        ("token", token.as_str()),
        ("token_type_hint", "access_token"),
    ];
    for _ in 0..2 {
        // The second time there is nothing to do, and that is no error.
        let response = server
            .post("/oauth/revoke", "web", &server.web, &form)
            .await;
        assert_eq!((response.status().as_u16(), response.text()), (200, ""));
    }
    let response = server
        .token("web", &server.web, &refresh_form(&token, &[]))
        .await;
    refused(&response, 400, "invalid_grant");
    let unknown = [("token", "x")];
    let response = server
        .post("/oauth/revoke", "web", &server.web, &unknown)
        .await;
    assert_eq!(response.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn access_tokens_are_taken_back_by_their_client_and_with_their_session() {
    let server = Server::start();
    let session = server.login("web", &["orders:read"]).await;
    let response = server
        .token("web", &server.web, &refresh_form(&session, &[]))
        .await;
    let body: Value = response.json();
    let of_session = text(&body["access_token"]);
    let response = server.token("order", &server.order, &CREDENTIALS).await;
    let body: Value = response.json();
    let own = text(&body["access_token"]);
    let revoke = async |client: &str, secret: &ClientSecret, token: &str| {
        let form = [("token", token)];
        server.post("/oauth/revoke", client, secret, &form).await
    };

    refused(&revoke("web", &server.web, own).await, 400, "invalid_grant");
    assert!(server.verifier.verify(own).await.is_ok());
    for token in [own, own, "a.b.c"] {
        let response = revoke("order", &server.order, token).await;
        assert_eq!(response.status(), 200);
    }
    assert!(server.verifier.verify(own).await.is_err());
    assert_eq!(server.seen.count(Kind::TokenRevoked), 1);

    assert!(server.verifier.verify(of_session).await.is_ok());
    assert_eq!(revoke("web", &server.web, &session).await.status(), 200);
    assert!(server.verifier.verify(of_session).await.is_err());

    // Nobody is told.
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let oauth = OAuth::builder(issuer).clients(server.clients.clone());
    let oauth = oauth.build().unwrap();
    let secret = server.web.text().expose().as_str();
    for token in ["a.b.c", "x"] {
        let form = [
            ("client_id", "web"),
            ("client_secret", secret),
            ("token", token),
        ];
        let request = Request::post("/oauth/revoke")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(encode(&form)).unwrap();
        let response = TestClient::new(oauth.router()).send(request).await;
        refused(&response, 400, "unsupported_token_type");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_of_clients_that_is_away_is_no_wrong_secret() {
    struct Away(bool);

    #[async_trait]
    impl Clients for Away {
        async fn find(&self, _: &str) -> Result<Option<Arc<Client>>, LookupError> {
            if self.0 {
                std::future::pending::<()>().await;
            }
            Err(LookupError::new("away"))
        }
    }

    for hangs in [false, true] {
        let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
        let oauth = OAuth::builder(issuer).clients(Away(hangs)).build().unwrap();
        let form = [
            CREDENTIALS[0],
            ("client_id", "order"),
            ("client_secret", "x"),
        ];
        let request = Request::post("/oauth/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Body::from(encode(&form))).unwrap();
        let response = TestClient::new(oauth.router()).send(request).await;
        refused(&response, 503, "temporarily_unavailable");
    }
}

#[tokio::test]
async fn the_documents_say_what_there_is() {
    let server = Server::start();
    let document = server.client.get("/.well-known/openid-configuration").await;
    assert_eq!(document.header("content-type"), Some("application/json"));
    let document: Value = document.json();
    let other = server
        .client
        .get("/.well-known/oauth-authorization-server")
        .await;
    assert_eq!(other.json::<Value>(), document);
    assert_eq!(document["issuer"], ISSUER);
    for (name, status) in [
        ("token_endpoint", 405),
        ("revocation_endpoint", 405),
        ("introspection_endpoint", 405),
        ("jwks_uri", 200),
    ] {
        let path = text(&document[name]).strip_prefix(ISSUER).unwrap();
        assert_eq!(server.client.get(path).await.status(), status, "{name}");
    }
    let jwks = server.client.get("/.well-known/jwks.json").await;
    assert!(jwks.text().contains(&*server.issuer.key_id()));
    assert_eq!(
        document["grant_types_supported"],
        json!(["client_credentials", "refresh_token", EXCHANGE])
    );
}

#[tokio::test]
async fn an_issuer_with_a_path_has_everything_below_it() {
    let key = || SigningKey::generate_ed25519().unwrap();
    let issuer = TokenIssuer::new("https://id.shop/eu", key());
    let oauth = OAuth::builder(issuer)
        .clients(MemoryClients::new())
        .build()
        .unwrap();
    let client = TestClient::new(oauth.router());
    for path in [
        "/eu/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/eu",
        "/eu/.well-known/jwks.json",
    ] {
        assert_eq!(client.get(path).await.status(), 200, "{path}");
    }
    let document: Value = client
        .get("/eu/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(document["token_endpoint"], "https://id.shop/eu/oauth/token");
    assert_eq!(
        document["grant_types_supported"],
        json!(["client_credentials"])
    );
    assert!(document.get("introspection_endpoint").is_none());
    assert_eq!(client.get("/eu/oauth/introspect").await.status(), 404);

    let builder = OAuth::builder(TokenIssuer::new("http://id.shop", key()));
    let error = builder.clients(MemoryClients::new()).build().unwrap_err();
    assert!(matches!(error, InvalidOAuth::Issuer(_)), "{error}");
    let error = OAuth::builder(TokenIssuer::new(ISSUER, key()))
        .build()
        .unwrap_err();
    assert!(matches!(error, InvalidOAuth::NoClients), "{error}");
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_told() {
    let server = Server::start();
    let secret = server.order.text().expose().as_str();
    let token = server.login("web", &["orders:read"]).await;
    let mut told = String::new();
    for form in [
        vec![
            CREDENTIALS[0],
            ("client_id", "web"),
            ("client_secret", secret),
        ],
        vec![CREDENTIALS[0], ("client_id", secret)],
        vec![
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("refresh_token", token.as_str()),
        ],
        vec![
            ("grant_type", secret),
            ("client_id", "order"),
            ("client_secret", secret),
        ],
        vec![
            CREDENTIALS[0],
            ("client_id", "order"),
            ("client_secret", secret),
            ("scope", secret),
        ],
    ] {
        let response = server.bare("/oauth/token", &form).await;
        assert_ne!(response.status(), 200);
        told.push_str(response.text());
    }
    told.push_str(&format!(
        "{:?} {:?} {:?}",
        server.seen.events(),
        server.clients,
        server.order
    ));
    told.push_str(&server.metrics.render());
    for secret in [secret, token.as_str()] {
        for part in [secret, &secret[5..13], &secret[secret.len() - 8..]] {
            assert!(!told.contains(part), "{part} in {told}");
        }
    }
}
