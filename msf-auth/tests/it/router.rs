//! Routes with policies.

use axum::{
    Router,
    extract::Path,
    routing::{any, get, post},
};
use http::{Method, Request};
use msf_auth::{
    Identity, InvalidRoutes, OptionalIdentity, Policies, SecureRouter, SigningKey, TokenIssuer,
    TrustedIssuer, Verifier, VerifierBuilder,
    api_key::{ApiKeys, MemoryApiKeyStore},
    axum::{Claims, InvalidRoute, ScopeSet, Scopes, Tenant},
    policy,
};
use msf_core::testing::{TestClient, TestResponse};
use serde::Deserialize;

use crate::support::ISSUER;

struct World {
    issuer: TokenIssuer,
    client: TestClient<Router>,
}

fn verifier(issuer: &TokenIssuer) -> Verifier {
    let trusted = TrustedIssuer::new(ISSUER, issuer.jwks()).audience("shop");
    Verifier::builder().issuer(trusted).build().unwrap()
}

#[tokio::test]
async fn an_owner_among_several_issuers_has_to_have_one() {
    let issuers = ["https://user.shop", "https://partner"];
    let issuers =
        issuers.map(|name| TokenIssuer::new(name, SigningKey::generate_ed25519().unwrap()));
    let trust =
        |issuer: &TokenIssuer| TrustedIssuer::new(issuer.issuer(), issuer.jwks()).audience("shop");
    let verifier = |trusted: Vec<TrustedIssuer>| {
        let builder = Verifier::builder();
        let builder = trusted.into_iter().fold(builder, VerifierBuilder::issuer);
        builder.build().unwrap()
    };
    let router = |verifier, policy| {
        let show = get(async || "shown");
        SecureRouter::<()>::new(verifier).route("/users/{id}", policy, show)
    };
    let both = verifier(issuers.iter().map(trust).collect());
    let bare = policy::any([policy::scope("users:admin"), policy::owner("id")]);
    let invalid = router(both.clone(), bare.clone())
        .into_router()
        .unwrap_err();
    let path = "/users/{id}".into();
    assert_eq!(invalid.routes, [InvalidRoute::OwnerWithoutIssuer { path }]);

    // Services of a second issuer change nothing, keys of users of another do.
    let services = trust(&issuers[1]).service("order");
    let one = verifier(vec![trust(&issuers[0]), services]);
    assert!(router(one.clone(), bare.clone()).into_router().is_ok());
    let keys = |issuer: &str| {
        let keys = ApiKeys::builder(issuer, MemoryApiKeyStore::new());
        keys.build().unwrap()
    };
    let with_keys = router(one.clone(), bare.clone()).api_keys(keys("https://user.shop"));
    assert!(with_keys.into_router().is_ok());
    let with_keys = router(one, bare).api_keys(keys("https://keys"));
    assert!(with_keys.into_router().is_err());

    let ours = policy::owner_of("https://user.shop", "id");
    let client = TestClient::new(router(both, ours).into_router().unwrap());
    for (issuer, status) in issuers.iter().zip([200, 404]) {
        let token = issuer.token("7").audience("shop").sign().unwrap();
        let request = Request::get("/users/7").header("authorization", format!("Bearer {token}"));
        let answer = client.send(request.body(String::new()).unwrap()).await;
        assert_eq!(answer.status(), status);
    }
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

    fn of(router: impl FnOnce(SecureRouter) -> SecureRouter) -> Self {
        let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
        let router = router(SecureRouter::new(verifier(&issuer)));
        Self {
            client: TestClient::new(router.into_router().unwrap()),
            issuer,
        }
    }

    async fn send(&self, method: &str, path: &str, as_user: Option<(&str, &str)>) -> TestResponse {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap());
        if let Some((subject, scope)) = as_user {
            let token = self
                .issuer
                .token(subject)
                .audience("shop")
                .scopes(scope.split(" "))
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

#[tokio::test]
async fn a_list_says_who_may_for_each_method() {
    let text = r#"
        [routes."/users/{id}"]
        GET = { any = ["scope(users:admin)", "owner(id)"] }
        DELETE = "scope(users:admin)"
        [routes."/hello"]
        "*" = "public"
    "#;
    let handler = || any(async || "ok");
    let world = World::of(|router| {
        router
            .policies_from(Policies::from_toml(text).unwrap())
            .listed("/users/{id}", handler())
            .listed("/hello", handler())
    });
    for (method, path, caller, status) in [
        ("GET", "/users/7", ADA, 200),
        ("HEAD", "/users/7", ADA, 200),
        ("GET", "/users/7", BOB, 404),
        ("GET", "/users/7", None, 401),
        ("DELETE", "/users/7", ADA, 403),
        ("DELETE", "/users/7", STAFF, 200),
        // The handler would take them; the list does not.
        ("POST", "/users/7", STAFF, 403),
        ("POST", "/users/7", None, 401),
        ("get", "/users/7", STAFF, 403),
        ("POST", "/hello", None, 200),
    ] {
        assert_eq!(
            world.status(method, path, caller).await,
            status,
            "{method} {path} {caller:?}"
        );
    }
}

#[test]
fn a_list_and_routes_that_do_not_agree_are_an_error() {
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let text = "[routes.\"/a\"]\nGET = \"owner(id)\"\n[routes.\"/c\"]\nGET = \"external(x)\"\n\
                [routes.\"/d\"]\nGET = \"user\"";
    let handler = || get(async || "ok");
    let router = SecureRouter::<()>::new(verifier(&issuer))
        .listed("/a", handler())
        .listed("/b", handler())
        .listed("/c", handler())
        // Not from the list, so the list's own policy for it would be void.
        .public("/d", handler());
    let unlisted = router.into_router().unwrap_err();
    assert_eq!(unlisted.routes.len(), 3, "without a list: {unlisted}");
    let router = SecureRouter::<()>::new(verifier(&issuer))
        .policies_from(Policies::from_toml(text).unwrap())
        .listed("/a", handler())
        .listed("/b", handler())
        .listed("/c", handler())
        .public("/d", handler());
    let InvalidRoutes { routes, .. } = router.into_router().unwrap_err();
    let (a, b, c, d) = ("/a".into(), "/b".into(), "/c".into(), "/d".into());
    let (id, x) = ("id".into(), "x".into());
    let expected = [
        InvalidRoute::NotServed { path: d },
        InvalidRoute::NotListed { path: b },
        InvalidRoute::NoSuchParameter {
            path: a,
            parameter: id,
        },
        InvalidRoute::NoSuchDecider { path: c, name: x },
    ];
    assert_eq!(routes, expected);
}

#[tokio::test]
async fn a_nested_router_keeps_its_policies() {
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let show = async |Path(id): Path<String>| id;
    let users = SecureRouter::new(verifier(&issuer))
        .public("/", get(async || "all"))
        .route("/{id}", policy::owner("id"), get(show));
    let router = SecureRouter::new(verifier(&issuer)).nest("/users", users);
    let world = World {
        client: TestClient::new(router.into_router().unwrap()),
        issuer,
    };
    assert_eq!(world.status("GET", "/users", None).await, 200);
    assert_eq!(world.status("GET", "/users/7", None).await, 401);
    assert_eq!(world.status("GET", "/users/7", ADA).await, 200);
    assert_eq!(world.status("GET", "/users/7", BOB).await, 404);
    assert_eq!(world.status("GET", "/7", ADA).await, 404);
}

#[tokio::test]
async fn a_plain_router_is_behind_one_policy_whatever_is_in_it() {
    let world = World::of(|router| {
        let inner = Router::new()
            .route("/", get(async || "root"))
            .route("/any", any(async || "any"))
            .route("/files/{*path}", get(async || "file"))
            .route("/users/{id}", get(async || "user"));
        let own = Router::new()
            .route("/it", get(async || "own"))
            .route("/as/{id}", get(async || "own"))
            .fallback(async || "rest");
        router
            .nest_router("/old", policy::scope("users:admin"), inner)
            .nest_router("/own/{id}", policy::owner("id"), own)
    });
    for path in ["/old", "/old/any", "/old/files/x/y", "/old/users/7"] {
        for method in ["GET", "HEAD"] {
            assert_eq!(
                world.status(method, path, None).await,
                401,
                "{method} {path}"
            );
            assert_eq!(
                world.status(method, path, ADA).await,
                403,
                "{method} {path}"
            );
            assert_eq!(
                world.status(method, path, STAFF).await,
                200,
                "{method} {path}"
            );
        }
        assert_eq!(world.status("CUSTOM", path, None).await, 401, "{path}");
    }
    assert_eq!(world.status("GET", "/own/7/it", ADA).await, 200);
    assert_eq!(world.status("GET", "/own/7/nothing", ADA).await, 200);
    assert_eq!(world.status("GET", "/own/8/it", ADA).await, 404);
    assert_eq!(world.status("GET", "/own/8/nothing", None).await, 401);
    assert_eq!(
        world.status("GET", "/own/7/as/7", ADA).await,
        404,
        "which `id`?"
    );
}

#[tokio::test]
async fn what_no_route_takes_may_have_a_policy_too() {
    let world = World::of(|router| {
        router
            .public("/hello", get(async || "hello"))
            .fallback(policy::user(), any(async || "rest"))
    });
    assert_eq!(world.status("GET", "/hello", None).await, 200);
    for path in ["/", "/x", "/hello/"] {
        assert_eq!(world.status("GET", path, None).await, 401, "{path}");
        assert_eq!(world.status("POST", path, ADA).await, 200, "{path}");
    }
}

#[test]
fn prefixes_and_fallbacks_that_do_not_fit_are_errors() {
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate_ed25519().unwrap());
    let new = || SecureRouter::<()>::new(verifier(&issuer));
    let rest = || any(async || "rest");
    for prefix in ["", "/", "a", "/a/", "/{*a}"] {
        let nested = new().nest(prefix, new()).into_router().unwrap_err();
        let plain = new().nest_router(prefix, policy::user(), Router::new());
        let prefix = prefix.into();
        assert_eq!(nested.routes, [InvalidRoute::NoPrefix { prefix }]);
        assert_eq!(plain.into_router().unwrap_err(), nested);
    }
    let guarded = || new().fallback(policy::user(), rest());
    for router in [new().nest("/a", guarded()), guarded().merge(guarded())] {
        assert_eq!(
            router.into_router().unwrap_err().routes,
            [InvalidRoute::Fallback]
        );
    }
    let owned = new().fallback(policy::owner("id"), rest());
    assert!(owned.into_router().is_err());
}

struct Admin;

impl ScopeSet for Admin {
    const SCOPES: &'static [&'static str] = &["users:self", "users:admin"];
}

struct Nothing;

impl ScopeSet for Nothing {
    const SCOPES: &'static [&'static str] = &[];
}

#[derive(Deserialize)]
struct Plan {
    plan: String,
}

#[tokio::test]
async fn extractors_refuse_by_themselves() {
    let world = World::of(|router| {
        router
            .public(
                "/admin",
                get(async |caller: Scopes<Admin>| caller.subject().to_owned()),
            )
            .public("/nothing", get(async |_: Scopes<Nothing>| "nothing"))
            .public(
                "/plan",
                get(async |Claims(Plan { plan }): Claims<Plan>| plan),
            )
            .public(
                "/tenant",
                get(async |Tenant(tenant): Tenant| tenant.into_string()),
            )
    });
    for path in ["/admin", "/nothing", "/plan", "/tenant"] {
        assert_eq!(world.status("GET", path, None).await, 401, "{path}");
        assert_eq!(world.status("GET", path, ADA).await, 403, "{path}");
    }
    let both = Some(("1", "users:admin users:self"));
    assert_eq!(world.send("GET", "/admin", both).await.text(), "1");
    let refused = world.send("GET", "/admin", ADA).await;
    let challenge = r#"Bearer error="insufficient_scope", scope="users:admin""#;
    assert_eq!(refused.header("www-authenticate"), Some(challenge));
    let token = world
        .issuer
        .token("7")
        .audience("shop")
        .claim("plan", "gold")
        .claim("tenant", "blue");
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let get = |path: &str| {
        let request = Request::get(path).header("authorization", &bearer);
        world.client.send(request.body(String::new()).unwrap())
    };
    assert_eq!(get("/plan").await.text(), "gold");
    assert_eq!(get("/tenant").await.text(), "blue");
}
