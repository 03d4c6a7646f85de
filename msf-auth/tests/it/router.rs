//! Routes with policies.

use axum::{
    Router,
    extract::Path,
    routing::{any, get, post},
};
use http::{Method, Request};
use msf_auth::{
    Identity, InvalidRoutes, OptionalIdentity, SecureRouter, SigningKey, TokenIssuer,
    TrustedIssuer, Verifier, policy,
};
use msf_core::testing::{TestClient, TestResponse};

use crate::support::ISSUER;

struct World {
    issuer: TokenIssuer,
    client: TestClient<Router>,
}

fn verifier(issuer: &TokenIssuer) -> Verifier {
    let trusted = TrustedIssuer::new(ISSUER, issuer.jwks()).audience("shop");
    Verifier::builder().issuer(trusted).build().unwrap()
}

impl World {
    fn new() -> Self {
        let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
        let own = || policy::any([policy::scope("users:admin"), policy::owner("id")]);
        let show = async |caller: Identity, Path(id): Path<String>| {
            format!("{} sees {id}", caller.subject())
        };
        let greet = async |OptionalIdentity(caller): OptionalIdentity| {
            caller.map_or_else(|| "nobody".to_owned(), |caller| caller.subject().to_owned())
        };
        let router = SecureRouter::new(verifier(&issuer))
            .public("/hello", get(greet))
            .route("/users/{id}", own(), get(show))
            .route(
                "/users/{id}",
                policy::scope("users:admin"),
                post(async || "changed"),
            )
            .route("/all", policy::authenticated(), any(async || "all"))
            .public(
                "/needs-caller",
                get(async |caller: Identity| caller.subject().to_owned()),
            )
            .into_router()
            .unwrap();
        Self {
            issuer,
            client: TestClient::new(router),
        }
    }

    async fn send(&self, method: &str, path: &str, as_user: Option<(&str, &str)>) -> TestResponse {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap());
        if let Some((subject, scope)) = as_user {
            let token = self
                .issuer
                .token(subject)
                .audience("shop")
                .scopes([scope])
                .sign();
            request = request.header("authorization", format!("Bearer {}", token.unwrap()));
        }
        self.client
            .send(request.uri(path).body(String::new()).unwrap())
            .await
    }

    async fn status(&self, method: &str, path: &str, as_user: Option<(&str, &str)>) -> u16 {
        self.send(method, path, as_user).await.status().as_u16()
    }
}

const ADA: Option<(&str, &str)> = Some(("7", "users:self"));
const BOB: Option<(&str, &str)> = Some(("8", "users:self"));
const STAFF: Option<(&str, &str)> = Some(("1", "users:admin"));

#[tokio::test]
async fn each_method_of_a_path_has_its_own_policy() {
    let world = World::new();
    for (method, caller, status) in [
        ("GET", None, 401),
        ("GET", ADA, 200),
        ("GET", BOB, 404),
        ("GET", STAFF, 200),
        ("POST", None, 401),
        ("POST", ADA, 403),
        ("POST", STAFF, 200),
    ] {
        assert_eq!(
            world.status(method, "/users/7", caller).await,
            status,
            "{method} {caller:?}"
        );
    }
}

#[tokio::test]
async fn the_parameter_is_the_decoded_one() {
    let world = World::new();
    assert_eq!(world.status("GET", "/users/%37", ADA).await, 200);
    assert_eq!(world.status("GET", "/users/7%20", ADA).await, 404);
    assert_eq!(world.status("GET", "/users/8%2f..%2f7", ADA).await, 404);
}

#[tokio::test]
async fn a_parameter_that_the_path_has_twice_owns_nothing() {
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let shown = SecureRouter::<()>::new(verifier(&issuer))
        .route("/users/{id}", policy::owner("id"), get(async || "shown"))
        .into_router()
        .unwrap();
    let world = World {
        issuer,
        client: TestClient::new(Router::new().nest("/teams/{id}", shown)),
    };
    assert_eq!(world.status("GET", "/teams/7/users/8", ADA).await, 404);
    assert_eq!(world.status("GET", "/teams/8/users/7", ADA).await, 404);
}

#[tokio::test]
async fn head_is_as_get_and_other_methods_tell_the_unknown_nothing() {
    let world = World::new();
    assert_eq!(world.status("HEAD", "/users/7", None).await, 401);
    assert_eq!(world.status("HEAD", "/users/7", BOB).await, 404);
    let head = world.send("HEAD", "/users/7", ADA).await;
    assert_eq!((head.status().as_u16(), head.bytes().len()), (200, 0));
    for method in ["OPTIONS", "DELETE", "PATCH", "TRACE", "CUSTOM"] {
        assert_eq!(
            world.status(method, "/users/7", None).await,
            401,
            "{method}"
        );
        assert_eq!(
            world.status(method, "/users/7", STAFF).await,
            405,
            "{method}"
        );
        assert_eq!(world.status(method, "/hello", None).await, 405, "{method}");
    }
}

#[tokio::test]
async fn a_handler_for_any_method_is_guarded_for_each() {
    let world = World::new();
    for method in ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "CUSTOM"] {
        assert_eq!(world.status(method, "/all", None).await, 401, "{method}");
        assert_eq!(world.status(method, "/all", ADA).await, 200, "{method}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_for_everybody() {
    let world = World::new();
    for path in [
        "/",
        "/users",
        "/users/7/",
        "/users/7/x",
        "/HELLO",
        "//hello",
    ] {
        assert_eq!(world.status("GET", path, None).await, 404, "{path}");
        assert_eq!(world.status("GET", path, STAFF).await, 404, "{path}");
    }
}

#[tokio::test]
async fn a_public_route_knows_who_calls_if_anybody_says() {
    let world = World::new();
    assert_eq!(world.send("GET", "/hello", None).await.text(), "nobody");
    assert_eq!(world.send("GET", "/hello", ADA).await.text(), "7");
    let refused = world.send("GET", "/needs-caller", None).await;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn a_parameter_that_the_path_does_not_have_is_an_error_when_it_is_built() {
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let handler = || get(async || "ok");
    let router = SecureRouter::<()>::new(verifier(&issuer))
        .route("/users/{user}", policy::owner("id"), handler())
        .route("/good/{id}", policy::owner("id"), handler())
        .route(
            "/files/{*id}",
            policy::any([policy::owner("id"), policy::owner("no")]),
            handler(),
        )
        .route("/teams/{id}/users/{id}", policy::owner("id"), handler());
    let listed: Vec<String> = router
        .policies()
        .map(|(p, policy)| format!("{p} {policy}"))
        .collect();
    assert_eq!(listed[0], "/users/{user} owner(id)");
    let InvalidRoutes { routes, .. } = router.into_router().unwrap_err();
    assert_eq!(routes.len(), 3, "{routes:?}");
    assert!(routes[0].to_string().contains("`id`") && routes[1].to_string().contains("`no`"));
}
