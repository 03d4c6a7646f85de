//! Requests and answers as values, against callers' mistakes and callees' bad manners.

use std::{convert::Infallible, error::Error as StdError};

use http::{HeaderMap, Request, Response, header};
use msf_client::{Error, ServiceClient};
use msf_core::{body::Body, testing::TestServer};
use serde::Deserialize;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

/// A callee that answers with the target of the request, as it arrived.
async fn targets() -> (TestServer, ServiceClient) {
    let server = TestServer::start(tower::service_fn(|request: Request<Body>| async move {
        Ok::<_, Infallible>(Response::new(Body::from(request.uri().to_string())))
    }))
    .await;
    let client = ServiceClient::at(&format!("http://{}", server.addr())).unwrap();
    (server, client)
}

#[tokio::test]
async fn a_value_in_a_path_stays_where_it_was_put() {
    let (_server, orders) = targets().await;
    for (id, expected) in [
        ("7", "/orders/7/cancel?force=1"),
        ("a/b", "/orders/a%2Fb/cancel?force=1"),
        ("7?x=#", "/orders/7%3Fx%3D%23/cancel?force=1"),
        ("ä b", "/orders/%C3%A4%20b/cancel?force=1"),
        ("%2e%2e", "/orders/%252e%252e/cancel?force=1"),
        ("...", "/orders/.../cancel?force=1"),
    ] {
        let request = orders.get("/orders").segment(id).segment("cancel");
        let answer = request.query("force", "1").send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), expected);
    }
    for id in ["", ".", ".."] {
        let request = orders.get("/orders/").segment(id).segment("cancel");
        let error = request.send().await.unwrap_err();
        assert!(matches!(error, Error::InvalidRequest { .. }), "{id}");
    }
    let late = orders.get("/orders").query("a", "b").segment("7");
    assert!(late.send().await.is_err(), "it would be part of the query");
}

#[tokio::test]
async fn a_path_that_was_put_together_cannot_climb_or_be_cut() {
    let (_server, orders) = targets().await;
    for path in [
        "/orders/../admin",
        "/orders/%2e%2E/admin",
        "/orders/.%2e/admin",
        "/orders/..%2fadmin",
        "/orders/..\\admin",
        "/orders/..",
        "/orders/./7",
        "/orders/7#/cancel",
        "//evil.example/orders",
        "/orders/7\r\nx: y",
        "/orders/7 8",
        "http://evil.example/orders",
        "evil.example:80",
        "*",
        "",
    ] {
        let error = orders.get(path).send().await.unwrap_err();
        assert!(matches!(error, Error::InvalidRequest { .. }), "{path}");
        assert!(error.is_unsent());
    }
    for (path, expected) in [
        ("/", "/"),
        (
            "/a..b/.well-known/x?next=/../y",
            "/a..b/.well-known/x?next=/../y",
        ),
        ("/caf\u{e9}?q=\u{e9}", "/caf%C3%A9?q=%C3%A9"),
        ("/a//b", "/a//b"),
    ] {
        let answer = orders.get(path).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn what_is_secret_is_in_no_debug_output() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).insert_header("set-cookie", "sid=s3cr3t");
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let client = ServiceClient::at(&server.uri()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, "sid=s3cr3t".parse().unwrap());
    let request = client
        .get("/login")
        .headers(headers)
        .header("authorization", "Bearer s3cr3t")
        .idempotency_key("s3cr3t")
        .query("token", "s3cr3t");
    let debug = format!("{request:?}");
    assert!(
        debug.contains("/login") && !debug.contains("s3cr3t"),
        "{debug}"
    );
    let answer = request.send().await.unwrap();
    let debug = format!("{answer:?}");
    assert!(
        debug.contains("200") && !debug.contains("s3cr3t"),
        "{debug}"
    );
    let error = client.get("x?token=s3cr3t").send().await.unwrap_err();
    let said = said(&error);
    assert!(!said.contains("s3cr3t"), "{said}");
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is never made")]
struct Stock {
    items: u32,
    kind: Kind,
}

#[derive(Debug, Deserialize)]
enum Kind {
    Book,
}

/// Everything that an error says of itself.
fn said(error: &Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let causes: String = causes.map(|cause| format!("{cause}\n")).collect();
    let problem = error.to_problem();
    format!(
        "{error}\n{error:?}\n{causes}\n{:?}\n{:?}",
        problem,
        problem.log_detail()
    )
}

#[tokio::test]
async fn what_a_callee_sent_is_not_repeated_in_errors() {
    let long = format!("s3cr3t, expected {}", "x".repeat(1 << 20));
    for (body, explained) in [
        (
            format!(r#"{{"items": "{long}"}}"#),
            "invalid type: string, expected u32 at line 1",
        ),
        (
            r#"{"items": 1, "kind": "s3cr3t"}"#.to_owned(),
            "unknown variant, expected `Book` at line 1",
        ),
        (
            r#"{"items": 1, "s3cr3t": 2}"#.to_owned(),
            "unknown field, expected `items` or `kind`",
        ),
        (
            r#"{"items": 1}"#.to_owned(),
            "missing field `kind` at line 1",
        ),
        ("s3cr3t".to_owned(), "expected value at line 1"),
        (r#"{"items": 1"#.to_owned(), "EOF while parsing"),
    ] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let client = ServiceClient::at(&server.uri()).unwrap();
        let error = client
            .get("/")
            .send()
            .await
            .unwrap()
            .json::<Stock>()
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{explained}");
        let said = said(&error);
        assert!(said.contains(explained), "{explained}: {said:.2000}");
        assert!(
            !said.contains("s3cr3t") && said.len() < 4096,
            "{said:.2000}"
        );
    }
}
