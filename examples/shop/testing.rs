//! What the tests of the services share.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use axum::Router;
use http::Request;
use msf_auth::{SigningKey, TokenIssuer, Verifier};
use msf_core::testing::{TestClient, TestResponse};
use serde_json::Value;

use crate::identity::{AUDIENCE, ORDER_ISSUER, Role, USER_ISSUER, verifier};

/// A directory that is removed when the test ends.
#[derive(Debug)]
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    /// A new, empty directory.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("msf-shop-{}-{next}", std::process::id()));
        // Left by an earlier process of the same number.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Issues the tokens of a test, and verifies them.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) users: TokenIssuer,
    pub(crate) orders: TokenIssuer,
}

impl Tokens {
    /// Issuers with new keys, under the names of the shop.
    pub(crate) fn new() -> Self {
        let issuer = |name| TokenIssuer::new(name, SigningKey::generate_ed25519().unwrap());
        Self {
            users: issuer(USER_ISSUER),
            orders: issuer(ORDER_ISSUER),
        }
    }

    /// What a service has that trusts both.
    pub(crate) fn verifier(&self, service: &str) -> Verifier {
        verifier(self.users.jwks(), Some((service, self.orders.jwks()))).unwrap()
    }

    /// The token of a user.
    pub(crate) fn user(&self, id: i64, role: Role) -> String {
        let subject = id.to_string();
        let token = self.users.token(&subject).audience(AUDIENCE);
        token.scopes(role.scopes()).sign().unwrap()
    }

    /// The token with which the order service calls another.
    pub(crate) fn order_service(&self, audience: &str) -> String {
        let token = self.orders.token("order").audience(audience);
        token.service(true).sign().unwrap()
    }
}

/// A caller of routes, with or without a token.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    client: TestClient<Router>,
    token: Option<String>,
    key: Option<String>,
}

impl Caller {
    /// Nobody.
    pub(crate) fn new(router: Router) -> Self {
        Self {
            client: TestClient::new(router),
            token: None,
            key: None,
        }
    }

    /// Somebody.
    pub(crate) fn with(&self, token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            ..self.clone()
        }
    }

    /// With an idempotency key.
    pub(crate) fn key(&self, key: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            ..self.clone()
        }
    }

    /// Sends a request without a body.
    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.send("GET", path, None).await
    }

    /// Sends a request with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: Value) -> TestResponse {
        self.send("POST", path, Some(body)).await
    }

    /// Sends any request.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> TestResponse {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                body.to_string()
            }
            None => String::new(),
        };
        self.client.send(request.body(body).unwrap()).await
    }
}

#[test]
fn every_correction_names_tests_that_are_there() {
    fn read(dir: &Path, sources: &mut String) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, sources);
            } else if path.extension().is_some_and(|it| it == "rs") {
                sources.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    read(&examples.join("shop"), &mut sources);
    read(&examples.join("tests"), &mut sources);
    let rows = include_str!("CORRECTED.md").lines();
    let last = rows.filter_map(|row| row.strip_suffix('|')?.rsplit('|').next());
    let names: Vec<_> = last
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| name.contains('_'))
        .collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "{name}");
    }
}
