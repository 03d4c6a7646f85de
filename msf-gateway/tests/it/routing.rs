//! Which route takes a request, through the whole gateway.

use http::{Method, Request, Version};
use msf_auth::policy::{owner, scope};
use msf_client::Client;
use msf_core::{
    body::Body,
    testing::{TestResponse, allocations},
};
use msf_gateway::{
    CookieMatch, Gateway, GatewayError, HeaderMatch, Probe, QueryMatch, Route, RunningGateway,
    route::{Answer, Found, Lookup, Match, Table, Verdict},
};

use crate::common::{System, get, mirror, seen, send};

async fn ask(gateway: &RunningGateway, target: &str, headers: &[(&str, &str)]) -> TestResponse {
    let mut request = Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(gateway.addr(), request.body(Body::empty()).unwrap()).await
}

/// Which service a mirror says that it is.
fn service(response: &TestResponse) -> String {
    let host = seen(response, "host").pop().unwrap_or_default();
    host.split(':').next().unwrap_or_default().to_owned()
}

async fn mirrors(names: &[&str]) -> System {
    let mut system = System::new();
    for name in names {
        system = system.with(name, mirror).await;
    }
    system
}

#[tokio::test]
async fn host_header_query_and_cookie_choose_the_service() {
    let system = mirrors(&["all", "shop", "any-shop", "canary", "page", "beta"]).await;
    let to = |route: Route, service: &str| route.to(service).public();
    let gateway = system
        .serve([
            to(Route::prefix("/"), "all"),
            to(Route::prefix("/").host("shop.test"), "shop"),
            to(Route::prefix("/").host("*.shop.test"), "any-shop"),
            to(
                Route::prefix("/a").header(HeaderMatch::exact("x-canary", "1")),
                "canary",
            ),
            to(
                Route::prefix("/a").query(QueryMatch::present("page")),
                "page",
            ),
            to(
                Route::prefix("/a").cookie(CookieMatch::exact("beta", "yes")),
                "beta",
            ),
        ])
        .await;
    for (target, headers, expected) in [
        ("/x", &[][..], "all"),
        ("/x", &[("host", "SHOP.test:8080")], "shop"),
        ("/x", &[("host", "a.b.shop.test")], "any-shop"),
        ("/a/7", &[], "all"),
        ("/a/7", &[("x-canary", "1")], "canary"),
        ("/a/7", &[("x-canary", "2")], "all"),
        ("/a?page=2", &[], "page"),
        ("/a?page", &[("x-canary", "1")], "canary"),
        ("/a", &[("cookie", "a=b; beta=yes")], "beta"),
        ("/a", &[("cookie", "beta=no")], "all"),
    ] {
        let response = ask(&gateway, target, headers).await;
        assert_eq!(response.status(), 200, "{target} {headers:?}");
        assert_eq!(service(&response), expected, "{target} {headers:?}");
    }
    gateway.stop().await.unwrap();
}

#[tokio::test]
async fn a_policy_may_ask_for_a_capture() {
    let system = mirrors(&["user"]).await;
    let gateway = system
        .serve([
            Route::template("/users/{id}/**")
                .to("user")
                .policy(owner("id")),
            Route::regex("/v[0-9]+/(?<id>[^/]+)")
                .to("user")
                .policy(owner("id")),
        ])
        .await;
    let bearer = |subject| format!("Bearer {}", system.token(subject, &[]));
    let (ann, odd) = (bearer("ann"), bearer("an:n é"));
    for (target, token, expected) in [
        // To others than its owner there is nothing.
        ("/users/ann", &ann, 200),
        ("/users/ann/orders", &ann, 200),
        ("/users/%61nn", &ann, 200),
        ("/users/bob", &ann, 404),
        ("/users/an:n%20%C3%A9/x", &odd, 200),
        ("/v2/ann", &ann, 200),
        ("/v2/bob", &ann, 404),
    ] {
        let response = ask(&gateway, target, &[("authorization", token)]).await;
        assert_eq!(response.status(), expected, "{target}");
    }
    gateway.stop().await.unwrap();
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_around_a_route() {
    let system = mirrors(&["shop"]).await;
    let gateway = system
        .serve([
            Route::prefix("/").to("shop").public(),
            Route::exact("/admin").to("shop").policy(scope("admin")),
            Route::template("/users/{id}/keys")
                .to("shop")
                .policy(scope("admin")),
            Route::prefix("/audit").to("shop").policy(scope("admin")),
        ])
        .await;
    for (target, expected) in [
        ("/admin", 401),
        ("/%61dmin", 401),
        ("/admin/", 404),
        ("/admin%2f", 400),
        ("/admin/.", 400),
        ("/x/../admin", 400),
        ("//admin", 400),
        ("/admin;x", 400),
        ("/admin?x", 401),
        ("/users/7/keys", 401),
        ("/users/7/keys/", 404),
        ("/users/7/%6beys", 401),
        ("/users//keys", 400),
        ("/audit", 401),
        ("/audit/", 401),
        ("/audit/x/y", 401),
        ("/audits", 200),
    ] {
        assert_eq!(
            get(gateway.addr(), target).await.status(),
            expected,
            "{target}"
        );
    }
    gateway.stop().await.unwrap();
}

#[tokio::test]
async fn a_route_by_host_is_for_that_host_in_every_form_of_the_target() {
    let system = mirrors(&["all", "inside"]).await;
    let gateway = system
        .serve([
            Route::prefix("/").to("all").public(),
            Route::prefix("/")
                .host("inside.test")
                .to("inside")
                .policy(scope("admin")),
        ])
        .await;
    let addr = gateway.addr();
    let raw = |head: &str| {
        let text = format!("{head}\r\nconnection: close\r\n\r\n");
        async move { crate::common::raw(addr, text.as_bytes()).await }
    };
    for (head, expected) in [
        ("GET / HTTP/1.1\r\nhost: shop.test", "200"),
        ("GET / HTTP/1.1\r\nhost: inside.test", "401"),
        ("GET / HTTP/1.1\r\nhost: INSIDE.test.:80", "401"),
        (
            "GET http://inside.test/ HTTP/1.1\r\nhost: inside.test",
            "401",
        ),
        // The target wins over the header where the two are allowed to differ at all.
        ("GET http://inside.test/ HTTP/1.1\r\nhost: shop.test", "4"),
        (
            "GET / HTTP/1.1\r\nhost: shop.test\r\nhost: inside.test",
            "400",
        ),
        ("GET / HTTP/1.1\r\nhost: x@inside.test", "400"),
    ] {
        let answer = raw(head).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected}")),
            "{head}: {answer}"
        );
    }
    gateway.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_explained_is_what_happens() {
    let system = mirrors(&["user", "canary"]).await;
    let gateway = system
        .gateway([
            Route::template("/api/users/{id}")
                .id("user")
                .to("user")
                .policy(scope("users:read")),
            Route::prefix("/api/users")
                .id("canary")
                .header(HeaderMatch::present("x-canary"))
                .to("canary")
                .public(),
            Route::prefix("/strip")
                .id("strip")
                .to("user")
                .public()
                .strip_prefix(),
            Route::exact("/login")
                .id("login")
                .methods([Method::POST])
                .to("user")
                .public(),
        ])
        .await;
    let explanation = gateway.explain(&Probe::get("https://shop.test/api/users/%41nn"));
    let Answer::Route { id, captures } = &explanation.answer else {
        panic!("{explanation}");
    };
    assert_eq!(
        (&**id, &*captures[0].name, &*captures[0].value),
        ("user", "id", "Ann")
    );
    assert_eq!(explanation.candidates[1].verdict, Verdict::LessSpecific);
    let text = explanation.to_string();
    for part in [
        "GET shop.test/api/users/Ann",
        "route user",
        "users:read",
        "to: user",
        "takes it",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let answer = |probe: Probe| gateway.explain(&probe).answer;
    assert_eq!(
        answer(Probe::get("/login")),
        Answer::MethodNotAllowed {
            allow: "POST".into()
        }
    );
    assert_eq!(answer(Probe::get("/nothing")), Answer::NotFound);
    assert_eq!(answer(Probe::get("/livez")), Answer::Own);
    assert_eq!(
        answer(Probe::get("/strip/internal/x")),
        Answer::Internal { id: "strip".into() }
    );
    let canary = Probe::new(Method::PUT, "/api/users").header("x-canary", "1");
    assert!(matches!(answer(canary), Answer::Route { id, .. } if id == "canary"));
    for invalid in [
        Probe::get("/a/../b"),
        Probe::get("https://a b/"),
        Probe::get(""),
        Probe::get("*"),
        Probe::get("/").header("a b", "c"),
    ] {
        let text = format!("{invalid:?}");
        assert!(matches!(answer(invalid), Answer::Invalid { .. }), "{text}");
    }
}

#[tokio::test]
async fn routes_that_cannot_be_meant_are_refused_all_at_once() {
    let system = System::new();
    let client = Client::builder(system.registry).build().unwrap();
    let to = |route: Route| route.to("order").public();
    let errors = Gateway::builder(client)
        .route(to(Route::prefix("/a").id("a")))
        .route(to(Route::prefix("/a").host("*")))
        .route(to(Route::exact("/b").id("a")))
        .route(to(
            Route::template("/c/{id").header(HeaderMatch::regex("x", "("))
        ))
        .route(to(Route::prefix("/")))
        .route(to(Route::regex("/v[0-9]+")))
        .route(to(Route::template("/d/{x}")))
        .route(to(Route::template("/d/{y}")))
        .route(Route::template("/e/{id}").to("order").policy(owner("user")))
        .build()
        .unwrap_err();
    let text = errors.to_string();
    for part in [
        "*/a/**: `*` is no host",
        "two routes have the id `a`",
        "/c/{id: `{id` is no capture",
        "/c/{id: the regular expression `(`",
        "/v[0-9]+: no request reaches it, /** takes them all",
        "/d/{y}: an earlier route, /d/{x}, takes every method there already",
        "needs the path parameter `user`",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let unreachable = |it: &&GatewayError| matches!(it, GatewayError::Unreachable { .. });
    assert_eq!(errors.all().iter().filter(unreachable).count(), 1, "{text}");
}

#[test]
fn a_lookup_allocates_nothing() {
    let services = (0..1_000).map(|at| Match::prefix(format!("/api/service-{at}")));
    let matches = services.chain([
        Match::exact("/api/users/login").methods([Method::POST]),
        Match::template("/api/users/{id}/orders/{order}/{*rest}"),
        Match::prefix("/")
            .host("*.shop.test")
            .header(HeaderMatch::exact("x", "1")),
        Match::prefix("/q").query(QueryMatch::exact("page", "2")),
        Match::prefix("/c").cookie(CookieMatch::exact("beta", "yes")),
    ]);
    let table = Table::new(matches.map(|it| (it, ()))).unwrap();
    for (method, target) in [
        (Method::GET, "http://www.shop.test:80/api/service-777/a/b/c"),
        (Method::POST, "/api/users/login"),
        (Method::GET, "/api/users/7/orders/8/a/b"),
        (Method::GET, "/q?a=b&page=2"),
        (Method::GET, "/c/x"),
    ] {
        let request = Request::builder().method(method).uri(target);
        let request = request
            .version(Version::HTTP_11)
            .header("cookie", "a=b; beta=yes");
        let request = request.body(()).unwrap();
        let cost = allocations(|| {
            let found = table.find(&Lookup::of(&request));
            assert!(matches!(found, Found::Route(..)), "{target}");
        });
        assert_eq!(cost.count, 0, "{target}");
    }
}
