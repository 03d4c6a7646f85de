//! Every answer of the gateway's own, each seen with its code.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Method, Request, Response};
use msf_auth::policy::{authenticated, scope};
use msf_client::Client;
use msf_core::{assert_problem, body::Body, problem::Code, testing::TestResponse};
use msf_gateway::{Gateway, GatewayError, Key, RateKey, Route};
use msf_resilience::rate_limit::{Quota, RateLimiter};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::common::{System, get, hello, mirror, raw, send, start};

fn with_token(method: Method, path: &str, token: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("authorization", format!("Bearer {token}"));
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_policy_is_a_part_of_its_route() {
    let system = System::new()
        .with("order", mirror)
        .await
        .with("user", hello)
        .await;
    let gateway = system
        .serve([
            Route::prefix("/api/orders")
                .to("order")
                .policy(scope("orders:read")),
            Route::prefix("/api/users")
                .to("user")
                .policy(authenticated()),
            Route::exact("/api/users/login")
                .to("user")
                .methods([Method::POST])
                .public(),
        ])
        .await;
    let addr = gateway.addr();

    let nobody = get(addr, "/api/orders/7").await;
    assert_problem!(nobody, Code::Unauthenticated);
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));

    let forged = System::new().token("7", &["orders:read"]);
    let forged = send(addr, with_token(Method::GET, "/api/orders/7", &forged)).await;
    assert_problem!(forged, Code::InvalidToken);
    assert_eq!(
        forged.header("www-authenticate"),
        Some(r#"Bearer error="invalid_token""#)
    );

    let other = system.token("7", &["users:self"]);
    let other = send(addr, with_token(Method::GET, "/api/orders/7", &other)).await;
    assert_problem!(other, Code::Forbidden);
    assert_eq!(
        other.header("www-authenticate"),
        Some(r#"Bearer error="insufficient_scope", scope="orders:read""#)
    );

    let token = system.token("7", &["orders:read"]);
    let allowed = send(addr, with_token(Method::GET, "/api/orders/7", &token)).await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(
        crate::common::seen(&allowed, "authorization"),
        [format!("Bearer {token}")]
    );

    let login = Request::post("/api/users/login")
        .body(Body::empty())
        .unwrap();
    assert_eq!(send(addr, login).await.text(), "hello");
    assert_problem!(get(addr, "/api/users/7").await, Code::Unauthenticated);

    let mut twice = with_token(Method::GET, "/api/orders/7", &token);
    twice
        .headers_mut()
        .append("authorization", "Basic eDp5".parse().unwrap());
    assert_problem!(send(addr, twice).await, Code::BadRequest);
}

#[tokio::test]
async fn what_is_public_does_not_make_its_neighbours_public() {
    let system = System::new().with("user", mirror).await;
    let gateway = system
        .serve([
            Route::prefix("/api/users")
                .to("user")
                .policy(authenticated()),
            Route::exact("/api/users/login").to("user").public(),
        ])
        .await;
    for (path, code) in [
        ("/api/users/login/../42", Code::BadRequest),
        ("/api/users/login/%2e%2e/42", Code::BadRequest),
        ("/api/users/login%2f..%2f42", Code::BadRequest),
        ("/api/users/login;/../42", Code::BadRequest),
        ("/api/users//login", Code::BadRequest),
        ("/api/users/login/", Code::NotFound),
        ("/api/users/login/42", Code::Unauthenticated),
        ("/api/users/loginX", Code::Unauthenticated),
        ("/api/users/LOGIN", Code::Unauthenticated),
        ("/metricsX", Code::NotFound),
    ] {
        // As bytes: a client library would tidy them up.
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = raw(gateway.addr(), request.as_bytes()).await;
        assert!(
            answer.contains(&format!("\"code\":\"{code}\"")),
            "{path}: {answer}"
        );
    }
    let escaped = get(gateway.addr(), "/api/users/%6cogin").await;
    assert_eq!(
        escaped.json::<serde_json::Value>()["target"],
        "/api/users/login"
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let system = System::new().with("order", hello).await;
    let routes = [Route::prefix("/api/orders")
        .to("order")
        .methods([Method::GET])
        .public()];
    let gateway = system.serve(routes).await;
    assert_problem!(get(gateway.addr(), "/api/order").await, Code::NotFound);
    let delete = Request::delete("/api/orders").body(Body::empty()).unwrap();
    let refused = send(gateway.addr(), delete).await;
    assert_problem!(refused, Code::MethodNotAllowed);
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    let head = Request::head("/api/orders").body(Body::empty()).unwrap();
    assert_eq!(send(gateway.addr(), head).await.status(), 200);
}

#[tokio::test]
async fn internal_paths_stay_inside() {
    let system = System::new().with("payment", hello).await;
    let gateway = system
        .serve([
            Route::prefix("/").to("payment").public(),
            Route::prefix("/api/payments")
                .to("payment")
                .public()
                .strip_prefix(),
        ])
        .await;
    for path in [
        "/internal/charges",
        "/internal",
        "/api/payments/internal/charges",
        "/%69nternal/x",
    ] {
        assert_problem!(get(gateway.addr(), path).await, Code::NotFound);
    }
    assert_eq!(get(gateway.addr(), "/internals").await.status(), 200);
    assert_eq!(get(gateway.addr(), "/api/internal").await.status(), 200);
}

#[tokio::test]
async fn a_body_above_the_limit_of_its_route_is_refused() {
    let system = System::new().with("order", mirror).await;
    let gateway = system
        .serve([
            Route::prefix("/small").to("order").public().body_limit(10),
            Route::prefix("/large").to("order").public().body_limit(100),
        ])
        .await;
    let post = |path: &str, len: usize| {
        let body = Body::from("x".repeat(len));
        send(gateway.addr(), Request::post(path).body(body).unwrap())
    };
    assert_eq!(post("/small", 10).await.status(), 200);
    let refused = post("/small", 11).await;
    let problem = assert_problem!(refused, Code::PayloadTooLarge);
    assert_eq!(
        problem.detail.as_deref(),
        Some("at most 10 bytes are accepted")
    );
    assert_eq!(post("/large", 11).await.status(), 200);
    assert_problem!(post("/large", 101).await, Code::PayloadTooLarge);

    // Without a length it is counted while it passes.
    let chunked = "POST /small HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
        8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n";
    let answer = raw(gateway.addr(), chunked.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("\"code\":\"payload_too_large\""),
        "{answer}"
    );
}

#[tokio::test]
async fn a_client_above_its_limit_waits() {
    let limiter = RateLimiter::<RateKey>::builder(Quota::per_minute(2))
        .name("login")
        .build()
        .unwrap();
    let system = System::new().with("user", hello).await;
    let routes = [Route::prefix("/login")
        .to("user")
        .public()
        .rate_limit(limiter, Key::Client)];
    let gateway = system.serve(routes).await;
    let allowed = get(gateway.addr(), "/login").await;
    assert_eq!(
        allowed.header("ratelimit-policy"),
        Some(r#""login";q=2;w=60"#)
    );
    assert!(
        allowed
            .header("ratelimit")
            .unwrap()
            .starts_with(r#""login";r=1;"#)
    );
    assert_eq!(get(gateway.addr(), "/login").await.status(), 200);
    // Another address in the header is no way around.
    let request = Request::get("/login").header("x-forwarded-for", "192.0.2.7");
    let refused = send(gateway.addr(), request.body(Body::empty()).unwrap()).await;
    assert_problem!(refused, Code::RateLimited);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert!(
        refused
            .header("ratelimit")
            .unwrap()
            .starts_with(r#""login";r=0;"#)
    );
}

#[tokio::test]
async fn a_subject_is_limited_wherever_it_comes_from() {
    let limiter = RateLimiter::<RateKey>::builder(Quota::per_minute(1))
        .build()
        .unwrap();
    let system = System::new().with("order", hello).await;
    let route = Route::prefix("/orders").to("order").policy(authenticated());
    let gateway = system
        .serve([route.rate_limit(limiter, Key::Subject)])
        .await;
    let of = |subject: &str| {
        send(
            gateway.addr(),
            with_token(Method::GET, "/orders", &system.token(subject, &[])),
        )
    };
    assert_eq!(of("7").await.status(), 200);
    assert_problem!(of("7").await, Code::RateLimited);
    assert_eq!(of("8").await.status(), 200);
    // Who has no token is refused before it counts for anybody.
    assert_problem!(get(gateway.addr(), "/orders").await, Code::Unauthenticated);
}

#[tokio::test]
async fn a_service_without_instances_is_503() {
    let system = System::new().with("order", hello).await;
    let gateway = system
        .serve([Route::prefix("/").to("nowhere").public()])
        .await;
    let answer = get(gateway.addr(), "/").await;
    let problem = assert_problem!(answer, Code::NoHealthyEndpoint);
    assert_eq!(problem.detail, None, "the names of services stay inside");
}

#[tokio::test]
async fn a_service_that_nobody_serves_is_502_and_then_503() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let system = System::new().with_addr("order", gone).await;
    let gateway = system
        .serve([Route::prefix("/").to("order").public()])
        .await;
    let first = get(gateway.addr(), "/").await;
    assert_problem!(first, Code::ConnectRefused);
    assert!(!first.text().contains("127.0.0.1"), "{}", first.text());

    // The breaker opens after its minimum of calls.
    let mut answer = first;
    for _ in 0..100 {
        if answer.status() == 503 {
            break;
        }
        answer = get(gateway.addr(), "/").await;
    }
    assert_problem!(answer, Code::BreakerOpen);
    assert!(answer.header("retry-after").is_some());
}

/// A service that reads a request and then does something else than HTTP.
async fn strange_service(answer: &'static [u8]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    msf_core::task::spawn("strange service", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _read = stream.read(&mut request).await;
            let _written = stream.write_all(answer).await;
        }
    })
    .detach();
    addr
}

#[tokio::test]
async fn a_service_that_does_not_speak_http_is_502() {
    let cases: [(&[u8], Code); 5] = [
        (b"", Code::UpstreamReset),
        (b"SSH-2.0-OpenSSH_9.9\r\n", Code::BadGateway),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello",
            Code::BadGateway,
        ),
        (
            b"HTTP/1.1 200 OK\r\nbad header: 1\r\n\r\n",
            Code::BadGateway,
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            Code::BadGateway,
        ),
    ];
    for (answer, code) in cases {
        let system = System::new()
            .with_addr("order", strange_service(answer).await)
            .await;
        let gateway = system
            .serve([Route::prefix("/").to("order").public()])
            .await;
        let answered = get(gateway.addr(), "/").await;
        assert_eq!(
            answered.status(),
            502,
            "{}",
            String::from_utf8_lossy(answer)
        );
        assert_problem!(answered, code);
    }
}

#[tokio::test]
async fn the_words_behind_a_status_are_the_gateways() {
    let answer = b"HTTP/1.1 200 order-7 at 10.0.0.7\r\ncontent-length: 5\r\n\r\nhello";
    let system = System::new()
        .with_addr("order", strange_service(answer).await)
        .await;
    let gateway = system
        .serve([Route::prefix("/").to("order").public()])
        .await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answered = raw(gateway.addr(), request).await;
    assert!(answered.starts_with("HTTP/1.1 200 OK\r\n"), "{answered}");
    assert!(answered.ends_with("hello"), "{answered}");
}

/// A service that never answers.
async fn silent(_request: Request<Body>) -> Response<Body> {
    std::future::pending().await
}

#[tokio::test]
async fn a_service_that_takes_too_long_is_504_and_opens_the_breaker() {
    let system = System::new().with("order", silent).await;
    let client = Client::builder(system.registry.clone()).breaker(|breaker| breaker.min_calls(2));
    let route = Route::prefix("/").to("order").public();
    let builder = Gateway::builder(client.build().unwrap());
    let builder = builder.route(route.timeout(Duration::from_millis(50)));
    let gateway = start(system.build(builder).await);
    for _ in 0..2 {
        let answer = get(gateway.addr(), "/").await;
        assert_problem!(answer, Code::Timeout);
    }
    let answer = get(gateway.addr(), "/").await;
    assert_problem!(answer, Code::BreakerOpen);
}

#[tokio::test]
async fn a_route_may_take_longer_than_the_client_allows() {
    let system = System::new()
        .with("order", |request: Request<Body>| async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            hello(request).await
        })
        .await;
    let client = Client::builder(system.registry.clone()).timeout(Duration::from_millis(50));
    let patient = Route::prefix("/report").to("order").public();
    let builder = Gateway::builder(client.build().unwrap())
        .route(patient.timeout(Duration::from_secs(30)))
        .route(Route::prefix("/").to("order").public());
    let gateway = start(system.build(builder).await);
    assert_problem!(get(gateway.addr(), "/").await, Code::Timeout);
    assert_eq!(get(gateway.addr(), "/report").await.text(), "hello");
}

#[tokio::test]
async fn errors_of_services_pass_untouched() {
    let system = System::new()
        .with("order", |_request| async {
            let problem = msf_core::problem::Problem::new(Code::Conflict).with_detail("sold out");
            problem.into_response()
        })
        .await;
    let gateway = system
        .serve([Route::prefix("/").to("order").public()])
        .await;
    let answer = get(gateway.addr(), "/").await;
    let problem = assert_problem!(answer, Code::Conflict);
    assert_eq!(problem.detail.as_deref(), Some("sold out"));
}

#[tokio::test]
async fn nothing_that_is_refused_reaches_a_service() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let system = System::new()
        .with("order", move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            hello(request)
        })
        .await;
    let route = Route::prefix("/api").to("order").policy(scope("a"));
    let gateway = start(system.gateway([route.methods([Method::GET])]).await);
    let refused: Vec<TestResponse> = vec![
        get(gateway.addr(), "/api").await,
        get(gateway.addr(), "/").await,
        send(
            gateway.addr(),
            with_token(Method::GET, "/api", &system.token("1", &["b"])),
        )
        .await,
        send(
            gateway.addr(),
            with_token(Method::POST, "/api", &system.token("1", &["a"])),
        )
        .await,
    ];
    assert!(
        refused
            .iter()
            .all(|answer| answer.status().is_client_error())
    );
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_build_tells_everything_that_is_wrong() {
    let system = System::new();
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let errors = Gateway::builder(client)
        .route(Route::prefix("/a").to("order"))
        .route(Route::prefix("/b").public())
        .route(Route::prefix("/c").to("Order!").public())
        .route(Route::prefix("/d").to("order").policy(authenticated()))
        .route(
            Route::prefix("/e")
                .to("order")
                .methods([Method::GET, Method::PUT])
                .public(),
        )
        .route(
            Route::prefix("/e/")
                .to("other")
                .methods([Method::GET])
                .public(),
        )
        .route(Route::exact("/f").to("order").public().strip_prefix())
        .route(Route::exact("/health").to("order").public())
        .route(Route::exact("g").to("order").public())
        .route(Route::exact("/h/../i").to("order").public())
        .route(Route::exact("/{id}").to("order").public())
        .route(Route::exact("/j%41").to("order").public())
        .route(Route::exact("/k").to("order").methods([]).public())
        .route(
            Route::exact("/l")
                .to("order")
                .public()
                .timeout(Duration::ZERO),
        )
        .route(
            Route::exact("/m")
                .to("order")
                .policy(msf_auth::policy::owner("id")),
        )
        .route(
            Route::exact("/n")
                .to("order")
                .policy("any(public, external(engine))".parse().unwrap()),
        )
        .build()
        .unwrap_err();
    let found: Vec<&str> = errors
        .all()
        .iter()
        .map(|error| match error {
            GatewayError::NoPolicy { .. } => "no policy",
            GatewayError::NoService { .. } => "no service",
            GatewayError::InvalidService { .. } => "service",
            GatewayError::NoVerifier { .. } => "no verifier",
            GatewayError::Duplicate { .. } => "duplicate",
            GatewayError::StripExact { .. } => "strip",
            GatewayError::Reserved { .. } => "reserved",
            GatewayError::InvalidPath { .. } => "path",
            GatewayError::NoMethods { .. } => "no methods",
            GatewayError::ZeroTimeout { .. } => "timeout",
            GatewayError::PathParameter { .. } => "parameter",
            GatewayError::External { .. } => "external",
            _ => "?",
        })
        .collect();
    assert_eq!(
        found,
        [
            "no policy",
            "no service",
            "service",
            "no verifier",
            "duplicate",
            "strip",
            "reserved",
            "path",
            "path",
            "path",
            "path",
            "no methods",
            "timeout",
            "no verifier",
            "parameter",
            "external",
        ]
    );
    let text = errors.to_string();
    assert!(
        text.contains("/e/**: an earlier route, ") && text.contains("takes GET there already"),
        "{text}"
    );
    let client = Client::builder(system.registry).build().unwrap();
    let none = Gateway::builder(client).build().unwrap_err();
    assert!(matches!(none.all(), [GatewayError::NoRoutes]));
}

#[tokio::test]
async fn a_grpc_client_is_told_in_its_own_words() {
    let limiter = RateLimiter::<RateKey>::builder(Quota::per_hour(1));
    let limiter = limiter.build().unwrap();
    let system = System::new()
        .with("silent", silent)
        .await
        .with("order", |_request| async {
            let answer = Response::builder().status(503).header("grpc-status", "5");
            answer.body(Body::from("of the service")).unwrap()
        })
        .await;
    let to = |path: &str, service: &str| Route::prefix(path).to(service).public();
    let routes = vec![
        to("/silent", "silent").timeout(Duration::from_millis(50)),
        to("/nowhere", "nowhere"),
        to("/order", "order").methods([Method::POST]),
        to("/limited", "nowhere").rate_limit(limiter, Key::Client),
        to("/small", "order").body_limit(4),
        Route::prefix("/user").to("order").policy(authenticated()),
        Route::prefix("/admin").to("order").policy(scope("admin")),
    ];
    let gateway = system.serve(routes).await;
    let call = |path: &str| {
        let request = Request::post(path).header("content-type", "application/grpc+proto");
        request.header("te", "trailers")
    };
    let token = format!("Bearer {}", system.token("7", &[]));
    let body = || Body::from("\0\0\0\0\0");
    for (request, status) in [
        (call("/nothing").body(body()), "12"),
        (call("/user").body(body()), "16"),
        (
            call("/user")
                .header("authorization", "Bearer forged")
                .body(body()),
            "16",
        ),
        (
            call("/admin").header("authorization", token).body(body()),
            "7",
        ),
        (call("/small").body(body()), "8"),
        (call("/silent").body(body()), "4"),
        (call("/nowhere").body(body()), "14"),
        (call("/limited").body(body()), "14"),
        (call("/limited").body(body()), "8"),
        (call("/a//b").body(body()), "13"),
    ] {
        let request = request.unwrap();
        let path = request.uri().to_string();
        let answer = send(gateway.addr(), request).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.header("grpc-status"), Some(status), "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/grpc"),
            "{path}"
        );
        assert!(!answer.header("grpc-message").unwrap().is_empty(), "{path}");
        assert!(answer.header("x-request-id").is_some(), "{path}");
        assert_eq!(answer.text(), "", "{path}");
    }
    // What the service says is the service's.
    let answer = send(gateway.addr(), call("/order").body(body()).unwrap()).await;
    assert_eq!(
        (answer.status().as_u16(), answer.text()),
        (503, "of the service")
    );
    assert_eq!(answer.header("grpc-status"), Some("5"));
    // And gRPC-Web is another protocol.
    let web = Request::post("/nothing").header("content-type", "application/grpc-web");
    assert_problem!(
        send(gateway.addr(), web.body(body()).unwrap()).await,
        Code::NotFound
    );
    let metrics = gateway.gateway().metrics().render();
    assert!(metrics.contains(r#"flag="rate_limited"} 1"#), "{metrics}");
}

#[tokio::test]
async fn a_service_is_told_which_request_it_is_and_when_it_came() {
    let system = System::new().with("order", mirror).await;
    let gateway = system
        .serve([Route::prefix("/").to("order").public()])
        .await;
    let request = Request::get("/")
        .header("x-gateway-request-id", "made-up")
        .header("x-gateway-timestamp", "1970-01-01T00:00:00Z")
        .body(Body::empty())
        .unwrap();
    let answer = send(gateway.addr(), request).await;
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(crate::common::seen(&answer, "x-gateway-request-id"), [id]);
    assert_eq!(crate::common::seen(&answer, "x-request-id"), [id]);
    let stamps = crate::common::seen(&answer, "x-gateway-timestamp");
    assert_eq!(stamps.len(), 1);
    let stamp = humantime::parse_rfc3339(&stamps[0]).unwrap();
    assert!(
        stamp.elapsed().unwrap() < Duration::from_secs(60),
        "{stamps:?}"
    );

    let client = Client::builder(system.registry.clone()).build().unwrap();
    let builder = Gateway::builder(client).gateway_headers(false);
    let route = Route::prefix("/").to("order").public();
    let gateway = start(system.build(builder.route(route)).await);
    let answer = get(gateway.addr(), "/").await;
    assert!(crate::common::seen(&answer, "x-gateway-request-id").is_empty());
    assert!(crate::common::seen(&answer, "x-gateway-timestamp").is_empty());
}
