//! The endpoints of an authorization server, whose every request has a secret in it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::Router;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Request;
use msf_auth::{
    RemoteKeys, Revocations, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    audit::Audit,
    oauth::{Client, ClientSecret, Clients, GrantType, LookupError, MemoryClients, OAuth},
    refresh::{Grant, MemoryRefreshStore, RefreshPolicy, RefreshTokens},
};
use msf_core::{body::Body, metrics::Metrics, testing::TestClient};
use serde_json::{Value, json};

use super::{HMAC, PASSWORD, printed::Printed};
use crate::support::{ISSUER, clock, encode};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const FORM: &str = "application/x-www-form-urlencoded";

/// A store that is away for one of its clients.
#[derive(Clone)]
struct Away(MemoryClients);

#[async_trait]
impl Clients for Away {
    async fn find(&self, id: &str) -> Result<Option<Arc<Client>>, LookupError> {
        if id == "away" {
            return Err(LookupError::new("the store is away"));
        }
        self.0.find(id).await
    }
}

struct Server {
    client: TestClient<Router>,
    issuer: TokenIssuer,
    refresh: RefreshTokens,
    secret: String,
}

impl Server {
    fn start(printed: &mut Printed, metrics: &Metrics, audit: &Audit) -> Self {
        let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
        let issuer = issuer.with_clock(clock());
        let trusted = TrustedIssuer::new(ISSUER, RemoteKeys::new(issuer.clone()))
            .audience("order")
            .users()
            .any_service();
        let revocations = Revocations::new();
        let verifier = Verifier::builder()
            .issuer(trusted)
            .clock(clock())
            .audit(audit.clone())
            .revocations(revocations.clone())
            .build()
            .unwrap();
        let refresh = RefreshTokens::new(MemoryRefreshStore::new(), RefreshPolicy::default());
        let refresh = refresh.unwrap().with_audit(audit.clone());
        let refresh = refresh.with_clock(clock());
        let secret = ClientSecret::generate().unwrap();
        printed.debug("secret", &secret);
        printed.debug("hash", &secret.hash());
        printed.secret("the hash of a secret", secret.hash().to_string());
        let client = Client::new("order")
            .secret(secret.hash())
            .grant(GrantType::ClientCredentials)
            .grant(GrantType::TokenExchange)
            .grant(GrantType::RefreshToken)
            .scopes(["a"])
            .audience("order")
            .serves("order");
        printed.debug("client", &client);
        let clients = MemoryClients::new();
        clients.insert(client).unwrap();
        clients
            .insert(Client::new("app").grant(GrantType::RefreshToken))
            .unwrap();
        printed.debug("clients", &clients);
        let builder = OAuth::builder(issuer.clone())
            .clients(Away(clients))
            .refresh_tokens(refresh.clone())
            .verifier(verifier)
            .revocations(revocations)
            .audit(audit.clone())
            .metrics(metrics);
        printed.debug("builder", &builder);
        let oauth = builder.build().unwrap();
        printed.debug("oauth", &oauth);
        let secret = secret.text().expose().clone();
        printed.secret("the secret of a client", &secret["msfc_".len()..]);
        Self {
            client: TestClient::new(oauth.router()),
            issuer,
            refresh,
            secret,
        }
    }

    async fn login(&self, printed: &mut Printed) -> String {
        let grant = Grant::new("7").client("order").session("s").scopes(["a"]);
        let issued = self.refresh.issue(grant).await.unwrap();
        let token = issued.token.into_exposed();
        printed.secret("a refresh token", &token[5 + 28..]);
        token
    }

    /// What comes back is printed, but for tokens that were asked for rightly: those are secrets from now on.
    async fn send(&self, printed: &mut Printed, path: &str, basic: Option<&str>, body: &str) {
        let mut request = Request::post(path).header("content-type", FORM);
        if let Some(basic) = basic {
            request = request.header("authorization", basic);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = self.client.send(request).await;
        printed.debug("headers", &answer.headers());
        let body: Value = serde_json::from_str(answer.text()).unwrap_or_default();
        for name in ["access_token", "refresh_token"] {
            let Some(token) = body[name].as_str() else {
                continue;
            };
            match name {
                "access_token" => printed.token("an access token", token),
                _ => printed.secret("a rotated refresh token", &token[5 + 28..]),
            }
        }
        if body["access_token"].is_null() {
            printed.text.push_str(answer.text());
        }
    }
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

pub(super) async fn oauth(printed: &mut Printed, metrics: &Metrics, audit: &Audit) {
    let server = Server::start(printed, metrics, audit);
    let secret = &server.secret;
    let refresh = server.login(printed).await;
    let user = server.issuer.token("7").audience("order").scopes(["a"]);
    let user = user.ttl(Duration::from_secs(600)).sign().unwrap();
    printed.token("the token of a user", &user);
    let cut = &secret[..secret.len() - 1];
    let right = basic(&format!("order:{secret}"));
    let callers = [
        Some(right.clone()),
        None,
        Some(basic(&format!("{secret}:order"))),
        Some(basic(&format!("order:{cut}"))),
        Some(basic(&format!("order:{secret}{secret}"))),
        Some(basic(&format!("away:{secret}"))),
        Some(basic(&format!("app:{secret}"))),
        Some(basic(&format!("{refresh}:x"))),
        Some(basic(&format!("{HMAC}:{secret}"))),
        Some(basic(secret)),
        Some(format!("Basic {secret}")),
        Some(format!("Bearer {secret}")),
        Some(format!("Basic {}", STANDARD.encode(secret.repeat(100)))),
    ];
    let exchange =
        format!("grant_type={EXCHANGE}&subject_token={user}&subject_token_type={ACCESS}");
    let forms = [
        "grant_type=client_credentials".to_owned(),
        format!("grant_type={secret}"),
        format!("grant_type=client_credentials&scope={secret}&audience={refresh}"),
        format!("grant_type=client_credentials&client_id=order&client_secret={secret}"),
        format!("grant_type=client_credentials&client_id={secret}"),
        format!("grant_type=client_credentials&client_id={refresh}&client_secret={cut}"),
        format!("grant_type=client_credentials&client_assertion={secret}"),
        format!("{secret}={secret}&{secret}={secret}"),
        format!("a=%zz{secret}"),
        format!("grant_type=refresh_token&refresh_token={secret}"),
        format!("grant_type=refresh_token&refresh_token={refresh}&scope={refresh}"),
        format!("grant_type=password&username=ada&password={HMAC}"),
        exchange.clone(),
        format!("{exchange}x&audience={secret}"),
        format!("{exchange}&actor_token={user}"),
        format!("{exchange}&requested_token_type={secret}"),
        format!("token={refresh}x"),
        format!("token={user}"),
        format!("token={user}x&token_type_hint={secret}"),
        format!("token={secret}"),
        format!("token={HMAC}&token={HMAC}"),
        secret.repeat(400),
    ];
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        for caller in &callers {
            for form in &forms {
                server.send(printed, path, caller.as_deref(), form).await;
            }
        }
    }
    // Rotated, used again, and its session over.
    let refresh = server.login(printed).await;
    for _ in 0..2 {
        let form = format!("grant_type=refresh_token&refresh_token={refresh}");
        server
            .send(printed, "/oauth/token", Some(&right), &form)
            .await;
    }
    let refresh = server.login(printed).await;
    for path in ["/oauth/introspect", "/oauth/revoke", "/oauth/introspect"] {
        let form = format!("token={refresh}");
        server.send(printed, path, Some(&right), &form).await;
    }
    settings(printed, secret);
    #[cfg(feature = "sqlite")]
    in_a_file(printed, metrics, audit, secret).await;
}

fn settings(printed: &mut Printed, secret: &str) {
    for text in [secret[1..].to_owned(), PASSWORD.to_owned()] {
        printed.failed("secret", ClientSecret::parse(&text.clone().into()));
        printed.failed("hash", text.parse::<msf_auth::oauth::SecretHash>());
    }
    printed.failed("id", Client::new(secret).check());
    printed.failed("public", Client::new("a").serves(encode(secret)).check());
    for text in [
        json!([secret]).to_string(),
        json!([[secret]]).to_string(),
        json!(secret).to_string(),
        json!([{ "secret": secret }]).to_string(),
    ] {
        let text = format!(r#"{{"id":"order","token_ttl_s":60,"secrets":{text}}}"#);
        printed.failed("settings", serde_json::from_str::<Client>(&text));
    }
}

#[cfg(feature = "sqlite")]
async fn in_a_file(printed: &mut Printed, metrics: &Metrics, audit: &Audit, secret: &str) {
    use msf_auth::oauth::SqliteClients;

    use super::stores::File;

    let file = File::new();
    let clients = SqliteClients::open(&file.0).await.unwrap();
    printed.debug("clients", &clients);
    let hash = ClientSecret::parse(&secret.to_owned().into())
        .unwrap()
        .hash();
    clients
        .insert(Client::new("order").secret(hash))
        .await
        .unwrap();
    printed.failed("insert", clients.insert(Client::new(secret)).await);
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let oauth = OAuth::builder(issuer)
        .clients(clients.clone())
        .audit(audit.clone())
        .metrics(metrics)
        .build()
        .unwrap();
    let client = TestClient::new(oauth.router());
    for row in misplaced(secret) {
        file.change("UPDATE msf_auth_client SET client = ?1", &row);
        printed.failed("row", clients.find("order").await);
        let request = Request::post("/oauth/token")
            .header("content-type", FORM)
            .header("authorization", basic(&format!("order:{secret}")))
            .body(Body::from("grant_type=client_credentials"));
        let answer = client.send(request.unwrap()).await;
        assert_eq!(answer.status(), 503, "{row}");
        printed.text.push_str(answer.text());
    }
}

/// A secret where its hash belongs, and in the place of everything else.
#[cfg(feature = "sqlite")]
fn misplaced(secret: &str) -> Vec<String> {
    let client = |name: &str, value: Value| {
        let mut client = json!({ "id": "order", "token_ttl_s": 60 });
        client[name] = value;
        client.to_string()
    };
    vec![
        client("secrets", json!(secret)),
        client("secrets", json!([secret])),
        client("secrets", json!([[secret]])),
        client("secrets", json!({ secret: 1 })),
        client("secrets", json!([{ "secret": secret }])),
        client("secret", json!(secret)),
        client("id", json!([secret])),
        client("grants", json!(secret)),
        client("grants", json!([secret])),
        client("scopes", json!(secret)),
        client("audiences", json!(secret)),
        client("serves", json!({ "a": secret })),
        client("token_ttl_s", json!(secret)),
        json!(secret).to_string(),
        json!({ secret: secret }).to_string(),
        secret.to_owned(),
    ]
}
