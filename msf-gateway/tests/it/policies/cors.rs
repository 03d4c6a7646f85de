//! CORS as a browser meets it.

use http::Method;
use msf_auth::policy::authenticated;
use msf_core::{assert_problem, problem::Code};
use msf_gateway::{Cors, GatewayError, Route};

use super::{builder, request};
use crate::common::{System, mirror, send};

const SHOP: &str = "https://shop.example";

#[tokio::test]
async fn a_preflight_needs_no_token_and_reaches_no_service() {
    let system = System::new().with("order", mirror).await;
    let cors = || {
        Cors::new()
            .origins([SHOP])
            .headers(["authorization"])
            .credentials()
    };
    let gateway = system
        .serve([
            Route::prefix("/orders")
                .methods([Method::GET, Method::DELETE])
                .to("order")
                .policy(authenticated())
                .cors(cors()),
            Route::prefix("/orders")
                .methods([Method::POST])
                .to("order")
                .public(),
            Route::prefix("/plain").to("order").public(),
        ])
        .await;
    let addr = gateway.addr();
    let ask = |path: &'static str, origin: &'static str, method: &'static str| {
        let announced = [
            ("origin", origin),
            ("access-control-request-method", method),
        ];
        send(addr, request(Method::OPTIONS, path, &announced))
    };

    let allowed = ask("/orders/7", SHOP, "DELETE").await;
    assert_eq!(allowed.status(), 204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(
        allowed.header("access-control-allow-methods"),
        Some("GET, DELETE, HEAD")
    );
    assert_eq!(
        allowed.header("access-control-allow-headers"),
        Some("authorization")
    );
    assert_problem!(
        ask("/orders/7", "https://evil.example", "DELETE").await,
        Code::Forbidden
    );
    // The route of this method has no CORS, and the path no route for OPTIONS.
    assert_problem!(ask("/orders/7", SHOP, "POST").await, Code::MethodNotAllowed);
    assert_problem!(ask("/nowhere", SHOP, "GET").await, Code::NotFound);
    // Without CORS it is a request like any other.
    assert_eq!(ask("/plain", SHOP, "GET").await.status(), 200);
    let no_preflight = send(
        addr,
        request(Method::OPTIONS, "/orders", &[("origin", SHOP)]),
    )
    .await;
    assert_problem!(no_preflight, Code::MethodNotAllowed);
}

#[tokio::test]
async fn pages_may_read_answers_and_refusals_and_caches_keep_them_apart() {
    let system = System::new().with("order", mirror).await;
    let cors = Cors::new().origins([SHOP]).credentials();
    let gateway = system
        .serve([Route::prefix("/orders")
            .to("order")
            .policy(authenticated())
            .cors(cors)])
        .await;
    let bearer = format!("Bearer {}", system.token("7", &[]));
    let ask = |headers: Vec<(&'static str, String)>| {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        send(gateway.addr(), request(Method::GET, "/orders", &headers))
    };

    let answer = ask(vec![
        ("origin", SHOP.to_owned()),
        ("authorization", bearer.clone()),
    ])
    .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    assert_eq!(answer.header("vary"), Some("origin"));

    let refused = ask(vec![("origin", SHOP.to_owned())]).await;
    assert_eq!(refused.header("access-control-allow-origin"), Some(SHOP));
    assert_problem!(refused, Code::Unauthenticated);

    let other = ask(vec![
        ("origin", "https://evil.example".to_owned()),
        ("authorization", bearer),
    ])
    .await;
    assert_eq!(
        other.status(),
        200,
        "it is the browser that keeps it from the page"
    );
    assert_eq!(other.header("access-control-allow-origin"), None);
    assert_eq!(other.header("vary"), Some("origin"));
}

#[tokio::test]
async fn cors_that_lets_everybody_act_as_the_user_is_an_error() {
    let system = System::new();
    let route = Route::prefix("/").to("order").public();
    let errors = builder(&system).route(route.cors(Cors::new().any_origin().credentials()));
    let errors = errors.build().unwrap_err();
    assert!(
        matches!(errors.all(), [GatewayError::Cors { .. }]),
        "{errors}"
    );
}
