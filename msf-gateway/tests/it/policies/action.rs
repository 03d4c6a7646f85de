//! Routes that answer by themselves, and routes that are closed.

use http::{Method, StatusCode};
use msf_auth::policy::authenticated;
use msf_core::{assert_problem, problem::Code};
use msf_gateway::{DirectResponse, HeaderTransform, Maintenance, Redirect, Route};

use super::{builder, errors, request};
use crate::common::{System, get, hello, send};

#[tokio::test]
async fn a_route_answers_itself() {
    let system = System::new();
    let gateway = system
        .serve([
            Route::prefix("/shop")
                .public()
                .redirect(Redirect::prefix("/store").permanent()),
            Route::prefix("/secure")
                .public()
                .redirect(Redirect::https()),
            Route::exact("/version")
                .public()
                .respond(DirectResponse::json(StatusCode::OK, r#"{"version":2}"#))
                .response_headers(HeaderTransform::new().set("cache-control", "max-age=60")),
            Route::exact("/old")
                .public()
                .respond(DirectResponse::problem(Code::Gone)),
            Route::exact("/mine")
                .policy(authenticated())
                .redirect(Redirect::to("/yours")),
        ])
        .await;
    let addr = gateway.addr();
    let moved = get(addr, "/shop/7?x=%20").await;
    assert_eq!(moved.status(), 308);
    assert_eq!(moved.header("location"), Some("/store/7?x=%20"));
    let secure = get(addr, "/secure/7").await;
    assert_eq!(secure.status(), 307);
    assert_eq!(
        secure.header("location"),
        Some("https://shop.example/secure/7")
    );
    let version = get(addr, "/version").await;
    assert_eq!(version.text(), r#"{"version":2}"#);
    assert_eq!(version.header("cache-control"), Some("max-age=60"));
    assert_eq!(version.header("content-type"), Some("application/json"));
    let head = send(addr, request(Method::HEAD, "/version", &[])).await;
    assert_eq!((head.status().as_u16(), head.text()), (200, ""));
    assert_problem!(get(addr, "/old").await, Code::Gone);
    assert_problem!(get(addr, "/mine").await, Code::Unauthenticated);
}

#[tokio::test]
async fn a_closed_route_is_closed_until_it_is_opened() {
    let system = System::new().with("order", hello).await;
    let closed = Maintenance::new().detail("back at noon");
    let gateway = system
        .serve([Route::prefix("/orders")
            .to("order")
            .policy(authenticated())
            .maintenance(closed.clone())])
        .await;
    assert_problem!(get(gateway.addr(), "/orders").await, Code::Unavailable);
    closed.set(false);
    assert_problem!(get(gateway.addr(), "/orders").await, Code::Unauthenticated);
}

#[tokio::test]
async fn what_a_route_without_a_service_cannot_do_is_an_error() {
    let system = System::new();
    let said = errors(
        builder(&system)
            .route(
                Route::prefix("/a")
                    .public()
                    .redirect(Redirect::https())
                    .to("order"),
            )
            .route(
                Route::prefix("/b")
                    .public()
                    .respond(DirectResponse::status(StatusCode::OK))
                    .request_headers(HeaderTransform::new().remove("x")),
            )
            .route(
                Route::prefix("/c")
                    .public()
                    .redirect(Redirect::prefix("/c")),
            )
            .route(
                Route::prefix("/d")
                    .public()
                    .respond(DirectResponse::text(StatusCode::NO_CONTENT, "x")),
            ),
    );
    assert_eq!(said.len(), 4, "{said:?}");
    for (said, expected) in said.iter().zip([
        "only one of `to`, `split`, `redirect` and `respond`",
        "`request_headers` is about the call of a service",
        "leads to where it comes from",
        "has no body",
    ]) {
        assert!(said.contains(expected), "{said}");
    }
}
