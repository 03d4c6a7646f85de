//! Headers and paths that a route changes.

use http::Method;
use msf_core::{assert_problem, problem::Code};
use msf_gateway::{GatewayError, HeaderTransform, Redirect, Route};

use super::{builder, request};
use crate::common::{System, get, mirror, seen, send};

fn target(response: &msf_core::testing::TestResponse) -> String {
    let seen: serde_json::Value = response.json();
    seen["target"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn headers_are_changed_both_ways() {
    let system = System::new().with("order", mirror).await;
    let gateway = system
        .serve([Route::prefix("/orders")
            .to("order")
            .public()
            .request_headers(
                HeaderTransform::new()
                    .set("x-client", "{client_ip}")
                    .set("x-asked", "{host}{path}?{query}")
                    .set("x-id", "{request_id}")
                    .add("accept", "text/plain")
                    .remove("x-debug"),
            )
            .response_headers(
                HeaderTransform::new()
                    .set("x-route", "{route}")
                    .set("cache-control", "no-store"),
            )])
        .await;
    let asked = request(
        Method::GET,
        "/orders/7?x=1",
        &[
            ("x-debug", "1"),
            ("x-client", "6.6.6.6"),
            ("accept", "*/*"),
            ("host", "shop.example:80"),
        ],
    );
    let answer = send(gateway.addr(), asked).await;
    assert_eq!(seen(&answer, "x-client"), ["127.0.0.1"]);
    assert_eq!(seen(&answer, "x-asked"), ["shop.example:80/orders/7?x=1"]);
    assert_eq!(
        seen(&answer, "x-id"),
        [answer.header("x-request-id").unwrap()]
    );
    assert_eq!(seen(&answer, "accept"), ["*/*", "text/plain"]);
    assert!(seen(&answer, "x-debug").is_empty());
    assert_eq!(answer.header("x-route"), Some("/orders/**"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn paths_are_changed_and_never_to_the_inside() {
    let system = System::new().with("order", mirror).await;
    let to = |path: &str| Route::prefix(path).to("order").public();
    let gateway = system
        .serve([
            to("/api/orders").replace_prefix("/v2/orders"),
            Route::exact("/mine")
                .to("order")
                .public()
                .rewrite("/orders/of{path}"),
            to("/root").replace_prefix("/"),
            to("/tail").rewrite("/internal/charges"),
        ])
        .await;
    let addr = gateway.addr();
    assert_eq!(
        target(&get(addr, "/api/orders/7?x=%2f").await),
        "/v2/orders/7?x=%2f"
    );
    assert_eq!(target(&get(addr, "/api/orders").await), "/v2/orders");
    assert_eq!(target(&get(addr, "/mine?a").await), "/orders/of/mine?a");
    assert_eq!(target(&get(addr, "/root/a").await), "/a");
    for path in [
        "/root/internal/charges",
        "/root/metrics",
        "/root/health/",
        "/tail",
    ] {
        assert_problem!(get(addr, path).await, Code::NotFound);
    }
}

#[tokio::test]
async fn what_a_route_captured_goes_into_paths_headers_and_redirects() {
    let system = System::new().with("order", mirror).await;
    let gateway = system
        .serve([
            Route::template("/users/{user}/orders/{*rest}")
                .to("order")
                .public()
                .request_headers(HeaderTransform::new().set("x-user", "{user}"))
                .response_headers(HeaderTransform::new().set("x-rest", "{rest}"))
                .rewrite("/of/{user}/{rest}"),
            Route::template("/old/{id}")
                .public()
                .redirect(Redirect::to("/new/{id}?{query}")),
        ])
        .await;
    let answer = get(gateway.addr(), "/users/caf%c3%a9/orders/7/lines?x").await;
    assert_eq!(target(&answer), "/of/caf%C3%A9/7/lines?x");
    assert_eq!(seen(&answer, "x-user"), ["caf%C3%A9"]);
    assert_eq!(answer.header("x-rest"), Some("7/lines"));
    let moved = get(gateway.addr(), "/old/7?a=b").await;
    assert_eq!(moved.header("location"), Some("/new/7?a=b"));
    let unknown = Route::template("/a/{id}")
        .to("order")
        .public()
        .rewrite("/b/{no}");
    let errors = builder(&system).route(unknown).build().unwrap_err();
    assert!(
        errors.to_string().contains("{no} is not known here"),
        "{errors}"
    );
}

#[tokio::test]
async fn a_path_that_is_changed_twice_is_an_error() {
    let system = System::new();
    let to = |path: &str| Route::prefix(path).to("order").public();
    let errors = builder(&system)
        .route(to("/a").strip_prefix().replace_prefix("/b"))
        .route(to("/c").replace_prefix("/b").rewrite("/d"))
        .route(Route::exact("/e").to("order").public().replace_prefix("/b"))
        .route(to("/f").request_headers(HeaderTransform::new().set("host", "a")))
        .build()
        .unwrap_err();
    assert_eq!(errors.all().len(), 4);
    assert!(
        errors
            .all()
            .iter()
            .all(|it| matches!(it, GatewayError::InvalidTransform { .. })),
        "{errors}"
    );
}
