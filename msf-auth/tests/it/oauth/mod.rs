//! The endpoints of an authorization server, from outside.

mod clients;
mod documents;
mod exchange;
mod forms;
mod introspection;
mod sessions;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use axum::Router;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, header};
use msf_auth::{
    BoundTokens, Reason, RemoteKeys, Revocations, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    audit::{Audit, Kind, MemorySink},
    oauth::{
        Client, ClientSecret, Clients, GrantType, InvalidOAuth, LookupError, MemoryClients, OAuth,
        Subjects,
    },
    refresh::{
        Family, FamilyId, Grant, MemoryRefreshStore, Owner, RefreshPolicy, RefreshStore,
        RefreshTokens,
    },
    store::StoreError,
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
    /// Trusted as well, and no business of ours.
    foreign: TokenIssuer,
    revocations: Revocations,
    store: Hanging,
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
const WITHOUT_ROLE: u8 = 4;
const WRONG: u8 = 5;

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
            WITHOUT_ROLE => Ok(Some(Map::from_iter([("role".to_owned(), Value::Null)]))),
            WRONG => Ok(Some(Map::from_iter([("sub".to_owned(), json!("1"))]))),
            _ => std::future::pending().await,
        }
    }
}

/// A store that makes a change and, if it is told to, never says so.
#[derive(Clone, Default)]
struct Hanging {
    rows: MemoryRefreshStore,
    hangs: Arc<AtomicBool>,
}

#[async_trait]
impl RefreshStore for Hanging {
    async fn insert(&self, family: Family) -> Result<bool, StoreError> {
        self.rows.insert(family).await
    }

    async fn fetch(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        self.rows.fetch(id).await
    }

    async fn replace(&self, family: Family) -> Result<bool, StoreError> {
        let is_done = self.rows.replace(family).await;
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        is_done
    }

    async fn remove(&self, id: FamilyId, version: u64) -> Result<bool, StoreError> {
        self.rows.remove(id, version).await
    }

    async fn find(&self, owner: Owner<'_>, limit: usize) -> Result<Vec<Family>, StoreError> {
        self.rows.find(owner, limit).await
    }

    async fn due(&self, now_ms: u64, limit: usize) -> Result<Vec<Family>, StoreError> {
        self.rows.due(now_ms, limit).await
    }
}

impl Server {
    fn start() -> Self {
        let clock = WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S));
        let key = SigningKey::generate_ed25519().unwrap();
        let issuer = TokenIssuer::new(ISSUER, key).with_clock(clock);
        let key = SigningKey::generate_ed25519().unwrap();
        let foreign = TokenIssuer::new("https://else.where", key).with_clock(clock);
        let other = TrustedIssuer::new("https://else.where", foreign.jwks()).audience("order");
        let trusted = TrustedIssuer::new(ISSUER, RemoteKeys::new(issuer.clone()))
            .audience("shop")
            .audience("order")
            .audience("payment")
            .users()
            .service("order")
            .bound_tokens(BoundTokens::CheckedElsewhere);
        let revocations = Revocations::builder().clock(clock).build().unwrap();
        let verifier = Verifier::builder()
            .issuer(trusted)
            .issuer(other)
            .clock(clock)
            .revocations(revocations.clone())
            .build()
            .unwrap();
        let store = Hanging::default();
        let refresh = RefreshTokens::new(store.clone(), RefreshPolicy::default());
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
            .revocations(revocations.clone())
            .audit(Audit::new(seen.clone()))
            .metrics(&metrics)
            .build()
            .unwrap();
        Self {
            client: TestClient::new(oauth.router()),
            issuer,
            foreign,
            revocations,
            store,
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

fn refresh_form<'a>(token: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    form.extend(more);
    form
}
