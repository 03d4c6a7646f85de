//! What services and clients get to see of each other.

use http::{Request, Response};
use msf_client::Client;
use msf_core::{
    body::Body,
    testing::{LogCapture, TestClient},
};
use msf_gateway::{Gateway, Route, headers::forwarded::Forwarding};

use crate::common::{PATIENCE, System, get, hello, mirror, seen, send, start};

#[tokio::test]
async fn a_service_sees_the_client_and_nothing_that_it_made_up() {
    let system = System::new().with("order", mirror).await;
    let gateway = system
        .serve([Route::prefix("/").to("order").public()])
        .await;
    let request = Request::get("/orders?id=%2f&x")
        .header("host", "shop.example:8443")
        .header("x-user-id", "1")
        .header("X_User_Id", "1")
        .header("x-msf-timeout-ms", "1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-forwarded-host", "evil")
        .header("forwarded", "for=10.0.0.1")
        .header("x-request-id", "chosen-by-the-client")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .header("baggage", "admin=true")
        .header("connection", "x-hop, authorization")
        .header("x-hop", "1")
        .header("authorization", "Bearer abc")
        .header("te", "trailers")
        .header("upgrade", "websocket")
        .header("accept", "application/json")
        .header("cookie", "a=b");
    let answer = send(gateway.addr(), request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.json::<serde_json::Value>()["target"],
        "/orders?id=%2f&x"
    );
    for gone in [
        "x-user-id",
        "x_user_id",
        "forwarded",
        "baggage",
        "x-hop",
        "upgrade",
    ] {
        assert_eq!(seen(&answer, gone), [""; 0], "{gone}");
    }
    // That it takes trailers is said anew, for the connection to the service.
    assert_eq!(seen(&answer, "te"), ["trailers"]);
    assert_eq!(seen(&answer, "connection"), ["te"]);
    assert_eq!(seen(&answer, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen(&answer, "x-forwarded-proto"), ["http"]);
    assert_eq!(seen(&answer, "x-forwarded-host"), ["shop.example:8443"]);
    assert_eq!(seen(&answer, "via"), ["1.1 msf-gateway"]);
    assert_eq!(seen(&answer, "authorization"), ["Bearer abc"]);
    assert_eq!(seen(&answer, "accept"), ["application/json"]);
    assert_eq!(seen(&answer, "cookie"), ["a=b"]);
    assert_eq!(seen(&answer, "host").len(), 1);
    assert_ne!(seen(&answer, "host"), ["shop.example:8443"]);
    assert_ne!(seen(&answer, "x-msf-timeout-ms"), ["1"]);

    // One id for the client, the service and the log, and it is the gateway's.
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(seen(&answer, "x-request-id"), [id]);
    assert_ne!(id, "chosen-by-the-client");
    assert!(!seen(&answer, "traceparent")[0].contains("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[tokio::test]
async fn a_client_sees_the_answer_and_nothing_of_the_inside() {
    let system = System::new()
        .with("order", |_request| async {
            let response = Response::builder()
                .header("server", "order/1.2")
                .header("x-powered-by", "rust")
                .header("connection", "x-hop")
                .header("x-hop", "1")
                .header("keep-alive", "timeout=5")
                .header("x-request-id", "the-service-s-own")
                .header("set-cookie", "a=1")
                .header("set-cookie", "b=2")
                .header("location", "/orders/7");
            response.status(201).body(Body::from("made")).unwrap()
        })
        .await;
    let gateway = system
        .serve([Route::prefix("/").to("order").public()])
        .await;
    let answer = get(gateway.addr(), "/").await;
    assert_eq!((answer.status().as_u16(), answer.text()), (201, "made"));
    for gone in [
        "server",
        "x-powered-by",
        "x-hop",
        "keep-alive",
        "connection",
        "via",
    ] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.header("location"), Some("/orders/7"));
    assert_ne!(answer.header("x-request-id"), Some("the-service-s-own"));
}

#[tokio::test]
async fn a_trusted_proxy_tells_who_the_client_is() {
    let system = System::new().with("order", mirror).await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let builder = Gateway::builder(client)
        .route(Route::prefix("/").to("order").public())
        .forwarding(
            Forwarding::default()
                .trust("127.0.0.0/8".parse().unwrap())
                .rfc7239(),
        );
    let gateway = start(system.build(builder).await);
    let request = Request::get("/")
        .header("x-forwarded-for", "6.6.6.6, 203.0.113.9")
        .header("x-forwarded-proto", "https");
    let answer = send(gateway.addr(), request.body(Body::empty()).unwrap()).await;
    assert_eq!(seen(&answer, "x-forwarded-for"), ["203.0.113.9, 127.0.0.1"]);
    assert_eq!(seen(&answer, "x-forwarded-proto"), ["https"]);
    assert_eq!(
        seen(&answer, "forwarded"),
        [r#"for=203.0.113.9, for=127.0.0.1;proto=https;host="shop.example""#]
    );
}

#[tokio::test]
async fn a_prefix_can_be_stripped() {
    let system = System::new().with("order", mirror).await;
    let route = Route::prefix("/api/orders")
        .to("order")
        .public()
        .strip_prefix();
    let gateway = system.serve([route]).await;
    for (path, expected) in [
        ("/api/orders/7?x=1", "/7?x=1"),
        ("/api/orders", "/"),
        ("/api/orders/", "/"),
        ("/api/orders/%61", "/a"),
    ] {
        let answer = get(gateway.addr(), path).await;
        assert_eq!(
            answer.json::<serde_json::Value>()["target"],
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_request_is_logged_and_counted_by_its_route() {
    let logs = LogCapture::start();
    let system = System::new().with("order", hello).await;
    let routes = [Route::prefix("/api/orders").to("order").public()];
    let gateway = system.gateway(routes).await;
    let metrics = gateway.metrics().clone();
    let client = TestClient::new(gateway.into_service());
    let ask = |path: &str| {
        let request = Request::get(path).header("host", "shop.example");
        client.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(ask("/api/orders/7").await.text(), "hello");
    assert_eq!(ask("/api/%6frders/8").await.text(), "hello");
    assert_eq!(ask("/unknown").await.status(), 404);

    let line = logs.find("request served").unwrap();
    assert_eq!(line.field("http.route"), Some("/api/orders/**"));
    assert_eq!(line.field("http.response.status_code"), Some("200"));
    let paths: Vec<_> = logs
        .events()
        .into_iter()
        .filter(|event| event.target == "msf::access")
        .map(|event| event.field("url.path").unwrap().to_owned())
        .collect();
    assert_eq!(paths, ["/api/orders/7", "/api/orders/8", "/unknown"]);

    let text = metrics.render();
    let count = |route: &str, status: u16, error: &str| {
        format!(
            "http_server_request_duration_seconds_count{{error_type=\"{error}\",\
             http_request_method=\"GET\",http_response_status_code=\"{status}\",http_route=\"{route}\"}}"
        )
    };
    assert!(
        text.contains(&format!("{} 2", count("/api/orders/**", 200, ""))),
        "{text}"
    );
    assert!(
        text.contains(&format!("{} 1", count("", 404, "not_found"))),
        "{text}"
    );
}

#[tokio::test]
async fn a_host_that_observes_finds_the_route_in_the_response() {
    let system = System::new().with("order", hello).await;
    let gateway = system
        .gateway([Route::prefix("/a").to("order").public()])
        .await;
    let request = Request::get("/a/b").header("host", "shop.example");
    let request = request.body(Body::empty()).unwrap();
    let service = gateway.into_unobserved_service();
    let response = tower::ServiceExt::oneshot(service, request).await.unwrap();
    assert_eq!(
        msf_core::route::matched(response.extensions()),
        Some("/a/**")
    );
    assert!(response.headers().get("x-request-id").is_none());
}

#[tokio::test]
async fn a_request_that_is_given_up_is_counted_once_and_leaves_nothing_behind() {
    let system = System::new()
        .with("order", |_request| std::future::pending::<Response<Body>>())
        .await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let builder = Gateway::builder(client.clone()).route(Route::prefix("/a").to("order").public());
    let gateway = system.build(builder).await;
    let metrics = gateway.metrics().clone();
    let mut service = gateway.into_service();
    // Given up before it is polled, while it connects, and while it waits for the answer.
    for wait in [None, Some(0), Some(50)] {
        let request = Request::get("/a/b").header("host", "shop.example");
        let call = tower::Service::call(&mut service, request.body(Body::empty()).unwrap());
        if let Some(ms) = wait {
            let waited = tokio::time::timeout(std::time::Duration::from_millis(ms), call).await;
            assert!(waited.is_err());
        }
    }
    let text = metrics.render();
    let cancelled = "error_type=\"cancelled\",http_request_method=\"GET\",\
                     http_response_status_code=\"\",http_route=\"/a/**\"} 3";
    assert!(text.contains(cancelled), "{text}");
    assert!(
        text.contains("http_server_active_requests{http_request_method=\"GET\"} 0"),
        "{text}"
    );
    let closed = async {
        while client.connections().open() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
}
