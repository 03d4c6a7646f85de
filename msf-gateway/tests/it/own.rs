//! The paths that the gateway answers itself.

use http::{Request, Response, StatusCode};
use msf_client::Client;
use msf_core::{assert_problem, body::Body, problem::Code};
use msf_gateway::{Cluster, DirectResponse, Gateway, Mirror, Route};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::common::{System, get, hello, raw, send, start};

async fn system() -> System {
    let system = System::new().with("order", hello).await;
    system
        .with("order", hello)
        .await
        .with("hidden", hello)
        .await
}

fn routes() -> [Route; 2] {
    [
        Route::prefix("/").to("order").public(),
        Route::prefix("/api/payments").to("payment").public(),
    ]
}

#[tokio::test]
async fn health_tells_what_can_be_called() {
    let system = system().await;
    let gateway = system.serve(routes()).await;
    let answer = get(gateway.addr(), "/health").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let mut health: Value = answer.json();
    assert!(health["timestamp"].take().as_str().unwrap().ends_with('Z'));
    assert_eq!(
        health,
        json!({
            "status": "degraded",
            "timestamp": null,
            "services": {
                "order": { "status": "healthy", "healthy": 2, "unhealthy": 0 },
                "payment": {
                    "status": "unhealthy",
                    "healthy": 0,
                    "unhealthy": 0,
                    "reason": "no_instance",
                },
            },
        })
    );
}

#[tokio::test]
async fn a_gateway_without_any_service_is_unhealthy_and_ready() {
    let system = System::new();
    let gateway = system
        .serve([Route::prefix("/").to("nowhere").public()])
        .await;
    let answer = get(gateway.addr(), "/health").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.json::<Value>()["status"], "unhealthy");
    assert_eq!(get(gateway.addr(), "/readyz").await.status(), 200);
    assert_eq!(get(gateway.addr(), "/livez").await.status(), 200);
}

/// Where nobody listens.
async fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A gateway that only redirects is of use without any.
#[tokio::test]
async fn a_gateway_that_needs_no_service_is_healthy() {
    let system = System::new();
    let answer = DirectResponse::json(StatusCode::OK, "{}");
    let gateway = system
        .serve([Route::prefix("/").respond(answer).public()])
        .await;
    let answer = get(gateway.addr(), "/health").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>()["status"], "healthy");
}

/// Nobody waits for copies.
#[tokio::test]
async fn a_service_that_gets_copies_only_is_no_service() {
    let system = System::new().with("order", hello).await;
    let mirrored = Route::prefix("/").to("nowhere").public();
    let gateway = system.serve([mirrored.mirror(Mirror::to("order"))]).await;
    let answer = get(gateway.addr(), "/health").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.json::<Value>()["services"]["order"].is_null());
}

/// What others could read as another request is refused whatever it asks for.
#[tokio::test]
async fn own_paths_take_no_doubtful_message_either() {
    let gateway = system().await.serve(routes()).await;
    for (headers, expected) in [
        (
            "host: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 501",
        ),
        ("host: a\r\nhost: b\r\n\r\n", "HTTP/1.1 400"),
        ("host: a\r\nconnection: close\r\n\r\n", "HTTP/1.1 200"),
    ] {
        let request = format!("GET /livez HTTP/1.1\r\n{headers}");
        let answer = raw(gateway.addr(), request.as_bytes()).await;
        assert!(answer.starts_with(expected), "{headers}: {answer}");
    }
}

#[tokio::test]
async fn an_endpoint_that_refuses_connections_is_unhealthy_although_nobody_checks_it() {
    let system = System::new().with("order", hello).await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let builder = Gateway::builder(client)
        .cluster(Cluster::new("down").endpoint(closed().await))
        .route(Route::prefix("/down").to("down").public())
        .route(Route::prefix("/").to("order").public());
    let gateway = start(system.build(builder).await);
    for sent in 0..4 {
        let health: Value = get(gateway.addr(), "/health").await.json();
        let (down, is_down) = (&health["services"]["down"], sent == 3);
        let expected = if is_down {
            json!({ "status": "unhealthy", "healthy": 0, "unhealthy": 1, "reason": "calls" })
        } else {
            json!({ "status": "healthy", "healthy": 1, "unhealthy": 0 })
        };
        assert_eq!(*down, expected, "after {sent} calls");
        let word = if is_down { "degraded" } else { "healthy" };
        assert_eq!(health["status"], word);
        assert_eq!(get(gateway.addr(), "/down").await.status(), 502);
    }
}

#[tokio::test]
async fn a_gateway_stays_in_for_what_only_calls_can_find_well_again() {
    let system = System::new();
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let down = Cluster::new("down").endpoint(closed().await);
    let builder = Gateway::builder(client)
        .cluster(down.breaker(|breaker| breaker.min_calls(2)))
        .route(Route::prefix("/").to("down").public());
    let gateway = start(system.build(builder).await);
    for _ in 0..2 {
        assert_eq!(get(gateway.addr(), "/").await.status(), 502);
    }
    let answer = get(gateway.addr(), "/health").await;
    assert_eq!(answer.status(), 200);
    let health: Value = answer.json();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["services"]["down"]["reason"], "circuit_open");
}

#[tokio::test]
async fn metrics_are_for_operators() {
    let system = system().await;
    let gateway = system.gateway(routes()).await;
    let server = gateway.server(([127, 0, 0, 1], 0).into()).workers(1);
    let running = server
        .operations(([127, 0, 0, 1], 0).into())
        .start()
        .unwrap();
    let operations = running.operations_addr().unwrap();
    assert_eq!(get(running.addr(), "/orders").await.text(), "hello");
    assert_problem!(get(running.addr(), "/metrics").await, Code::NotFound);

    let metrics = get(operations, "/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
    assert!(
        metrics.text().contains("http_route=\"/**\"} 1"),
        "{}",
        metrics.text()
    );
    assert_problem!(get(operations, "/orders").await, Code::NotFound);
    let post = Request::post("/metrics").body(Body::empty()).unwrap();
    assert_problem!(send(operations, post).await, Code::MethodNotAllowed);
    assert_eq!(get(operations, "/readyz").await.status(), 200);

    let all: Value = get(operations, "/health").await.json();
    let names: Vec<&String> = all["services"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["hidden", "order", "payment"]);
    assert_eq!(
        all["status"], "degraded",
        "what has no route does not count"
    );
}

#[tokio::test]
async fn metrics_can_be_exposed_on_purpose() {
    let system = system().await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let builder = Gateway::builder(client).routes(routes()).expose_metrics();
    let gateway = start(system.build(builder).await);
    assert_eq!(get(gateway.addr(), "/metrics").await.status(), 200);
}

#[tokio::test]
async fn own_paths_are_exact() {
    let system = System::new()
        .with("order", |request: Request<Body>| async move {
            Response::new(Body::from(request.uri().path().to_owned()))
        })
        .await;
    let gateway = system
        .serve([Route::prefix("/").to("order").public()])
        .await;
    for path in ["/healthX", "/health/x", "/Health", "/livez/x", "/metrics/x"] {
        assert_eq!(get(gateway.addr(), path).await.text(), path);
    }
    // Another spelling of an own path is no way to a service's path of that name.
    for spelling in ["/m%65trics", "/metrics/", "/health/"] {
        assert_problem!(get(gateway.addr(), spelling).await, Code::NotFound);
    }
}
