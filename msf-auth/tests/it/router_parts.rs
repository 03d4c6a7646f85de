//! Routers that become part of another: what stays as it was written there.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{Router, routing::get};
use http::Request;
use msf_auth::{
    Policies, SecureRouter, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    api_key::{ApiKeys, MemoryApiKeyStore, NewApiKey},
    audit::{Audit, MemorySink},
    axum::InvalidRoute,
    policy::{self, Decide, Question, all, authenticated, external, owner, scope},
};
use msf_core::{BoxError, metrics::Metrics, testing::TestClient};

use crate::support::ISSUER;

const STAFF: &str = "https://staff.shop";

fn issuer(name: &str) -> TokenIssuer {
    TokenIssuer::new(name, SigningKey::generate_ed25519().unwrap())
}

fn verifier(name: &str, issuer: &TokenIssuer) -> Verifier {
    let trusted = TrustedIssuer::new(name, issuer.jwks()).audience("shop");
    Verifier::builder().issuer(trusted).build().unwrap()
}

fn bearer(issuer: &TokenIssuer) -> String {
    let token = issuer.token("7").audience("shop").scopes(["a"]).sign();
    format!("Bearer {}", token.unwrap())
}

async fn status(client: &TestClient<Router>, path: &str, authorization: &str) -> u16 {
    let request = Request::get(path).header("authorization", authorization);
    let response = client.send(request.body(String::new()).unwrap()).await;
    response.status().as_u16()
}

fn client(router: SecureRouter) -> TestClient<Router> {
    TestClient::new(router.into_router().unwrap())
}

/// Says yes where it is told to, and keeps what it was asked.
#[derive(Clone, Default)]
struct Seen {
    says: bool,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

#[async_trait]
impl Decide for Seen {
    async fn decide(&self, question: &Question) -> Result<bool, BoxError> {
        let team = question.params().get("team").unwrap_or("none").to_owned();
        let asked = (question.path().to_owned(), team);
        self.asked.lock().unwrap().push(asked);
        Ok(self.says)
    }
}

fn seen(says: bool) -> Seen {
    Seen {
        says,
        ..Seen::default()
    }
}

#[tokio::test]
async fn who_may_not_call_a_route_alone_may_not_call_it_as_part_of_another_router() {
    let (users, staff) = (issuer(ISSUER), issuer(STAFF));
    let admin = || {
        SecureRouter::new(verifier(STAFF, &staff)).route(
            "/admin",
            authenticated(),
            get(async || "admin"),
        )
    };
    let shop = || {
        SecureRouter::new(verifier(ISSUER, &users)).route(
            "/shop",
            authenticated(),
            get(async || "shop"),
        )
    };
    for (router, admin) in [
        (shop().merge(admin()), "/admin"),
        (shop().nest("/in", admin()), "/in/admin"),
        (shop().nest("/a", shop().merge(admin())), "/a/admin"),
    ] {
        let client = client(router);
        assert_eq!(status(&client, admin, &bearer(&staff)).await, 200);
        assert_eq!(status(&client, admin, &bearer(&users)).await, 401);
    }
    let merged = client(admin().merge(shop()));
    assert_eq!(status(&merged, "/shop", &bearer(&users)).await, 200);
    assert_eq!(status(&merged, "/shop", &bearer(&staff)).await, 401);
}

#[tokio::test]
async fn api_keys_are_taken_where_they_were_allowed() {
    let users = issuer(ISSUER);
    let keys = ApiKeys::builder(ISSUER, MemoryApiKeyStore::new());
    let keys = keys.build().unwrap();
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    let new = || SecureRouter::new(verifier(ISSUER, &users));
    let closed = new().route("/closed", authenticated(), get(async || "closed"));
    let open = new().route("/open", authenticated(), get(async || "open"));
    let router = new().merge(closed).api_keys(keys.clone());
    let client = client(router.merge(open.api_keys(keys.clone())));
    let key = format!("Bearer {}", made.key.expose());
    assert_eq!(status(&client, "/open", &key).await, 200);
    assert_eq!(status(&client, "/closed", &key).await, 401);

    // Keys and nothing else.
    let only = SecureRouter::<()>::new(keys).route("/", authenticated(), get(async || "only"));
    let client = TestClient::new(only.into_router().unwrap());
    assert_eq!(status(&client, "/", &key).await, 200);
    assert_eq!(status(&client, "/", &bearer(&users)).await, 401);
}

#[tokio::test]
async fn lists_and_deciders_stay_and_what_is_missing_comes_from_outside() {
    let users = issuer(ISSUER);
    let (audit, metrics) = (MemorySink::new(10), Metrics::new());
    let list = |text: &str| Policies::from_toml(&format!("[routes.\"/x\"]\n{text}")).unwrap();
    let new = || SecureRouter::new(verifier(ISSUER, &users));
    let strict = new()
        .policies_from(list("GET = \"scope(b)\""))
        .listed("/x", get(async || "x"))
        .route("/own", external("engine"), get(async || "own"))
        .decider("engine", seen(false));
    let lax = new().route("/outer", external("engine"), get(async || "outer"));
    let router = new()
        .nest("/strict", strict)
        .merge(lax)
        .policies_from(list("GET = \"public\""))
        .listed("/x", get(async || "x"))
        .decider("engine", seen(true))
        .audit(Audit::new(audit.clone()))
        .metrics(&metrics);
    let table = router.table();
    let row = table.rows().iter().find(|row| &*row.path == "/strict/x");
    assert_eq!(row.map(|row| &*row.policy), Some("scope(b)"));
    let client = client(router);
    let ada = bearer(&users);
    assert_eq!(status(&client, "/strict/x", &ada).await, 403);
    assert_eq!(status(&client, "/x", "").await, 200);
    assert_eq!(status(&client, "/strict/own", &ada).await, 403);
    assert_eq!(status(&client, "/outer", &ada).await, 200);
    assert_eq!(audit.events().len(), 2);
    let line = "msf_auth_decisions_total{result=\"forbidden\"} 2";
    assert!(metrics.render().contains(line));
}

#[test]
fn a_list_that_is_void_is_a_mistake_also_inside() {
    let users = issuer(ISSUER);
    let new = || SecureRouter::<()>::new(verifier(ISSUER, &users));
    let list = |path: &str| Policies::from_toml(&format!("[routes.{path:?}]\nGET = \"user\""));
    let inner = new()
        .policies_from(list("/a").unwrap())
        .listed("/b", get(async || "b"));
    let mistakes = new().nest("/in", inner).into_router().unwrap_err().routes;
    let (path, other) = ("/a".into(), "/b".into());
    let expected = [
        InvalidRoute::NotServed { path },
        InvalidRoute::NotListed { path: other },
    ];
    assert_eq!(mistakes, expected);
    // Without a list of its own it takes that of the outer router, by the whole path.
    let inner = new().listed("/b", get(async || "b"));
    let router = new().nest("/in", inner);
    let router = router.policies_from(list("/in/b").unwrap());
    assert!(router.into_router().is_ok());
}

#[tokio::test]
async fn whoever_decides_sees_the_whole_path_and_its_parameters() {
    let users = issuer(ISSUER);
    let engine = seen(true);
    let inner = || Router::new().route("/list", get(async || "list"));
    let router = SecureRouter::new(verifier(ISSUER, &users))
        .decider("engine", engine.clone())
        .route("/teams/{team}", external("engine"), get(async || "team"))
        .nest_router("/public", external("engine"), inner())
        .nest_router("/secret/{team}", external("engine"), inner());
    let client = client(router);
    for path in ["/teams/bl%75e?x=1", "/public/list", "/secret/red/list"] {
        assert_eq!(status(&client, path, &bearer(&users)).await, 200, "{path}");
    }
    let asked = engine.asked.lock().unwrap().clone();
    let expected = [
        ("/teams/bl%75e", "blue"),
        ("/public/list", "none"),
        ("/secret/red/list", "red"),
    ];
    assert_eq!(
        asked,
        expected.map(|(path, team)| (path.to_owned(), team.to_owned()))
    );
}

#[tokio::test]
async fn what_a_plain_router_does_not_know_is_for_the_outer_fallback() {
    let users = issuer(ISSUER);
    let inner = Router::new().route("/known", get(async || "known"));
    let new = || SecureRouter::new(verifier(ISSUER, &users));
    let plain = || new().nest_router("/in", scope("b"), inner.clone());
    let without = client(plain());
    assert_eq!(status(&without, "/in/known", "").await, 401);
    assert_eq!(status(&without, "/in/unknown", "").await, 404);
    let with = client(plain().fallback(scope("a"), get(async || "rest")));
    assert_eq!(status(&with, "/in/known", &bearer(&users)).await, 403);
    assert_eq!(status(&with, "/in/unknown", "").await, 401);
    assert_eq!(status(&with, "/in/unknown", &bearer(&users)).await, 200);
}

#[tokio::test]
async fn an_owner_is_not_found_by_a_spelling_that_the_handler_reads_as_the_same() {
    use axum::extract::Path;

    let users = issuer(ISSUER);
    let approve = all([scope("a"), policy::not(owner("id"))]);
    let handler = get(async |Path(id): Path<u64>| id.to_string());
    let router = SecureRouter::new(verifier(ISSUER, &users));
    let client = client(router.route("/approve/{id}", approve, handler));
    for (path, expected) in [
        ("/approve/8", 200),
        ("/approve/7", 403),
        ("/approve/07", 404),
        ("/approve/%2B7", 404),
    ] {
        let status = status(&client, path, &bearer(&users)).await;
        assert_eq!(status, expected, "{path}");
    }
}

#[test]
#[should_panic(expected = "start with")]
fn a_path_without_a_slash_is_not_glued_to_the_prefix() {
    let users = issuer(ISSUER);
    let new = || SecureRouter::<()>::new(verifier(ISSUER, &users));
    let inner = new().public("admin", get(async || "admin"));
    let _router = new().nest("/api", inner).into_router();
}
