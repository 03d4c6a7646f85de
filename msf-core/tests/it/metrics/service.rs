//! The layer between a real server and its services.

use axum::extract::MatchedPath;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use msf_core::metrics::{HttpMetricsLayer, Metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_test::{assert_pending, assert_ready, task};
use tower::ServiceExt;

use super::{Bench, Script, Step, collect, get};

#[tokio::test(start_paused = true)]
async fn readiness_passes_through_in_both_directions() {
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let (mut service, mut handle) =
        tower_test::mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(layer);
    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert_ready!(service.poll_ready()).unwrap();
    let mut call = task::spawn(service.call(get("/a")));
    assert_pending!(call.poll());
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_response(Response::new(Full::from("x")));
    assert!(call.is_woken());
    assert_ready!(call.poll()).unwrap();
}

#[tokio::test]
async fn an_axum_router_takes_the_layer_and_names_the_route() {
    let bench = Bench::new();
    let layer = bench
        .layer
        .clone()
        .route_from(|extensions| extensions.get::<MatchedPath>().map(MatchedPath::as_str));
    let router: axum::Router = axum::Router::new()
        .route("/items/{id}", axum::routing::get(|| async { "x" }))
        .layer(layer);
    let request = Request::get("/items/7")
        .body(axum::body::Body::empty())
        .unwrap();
    collect(router.oneshot(request).await.unwrap()).await;
    bench.ended_once("200", "");
}

/// What the layer takes for the end of a body is what a real server leaves of it.
#[tokio::test]
async fn a_server_that_stops_reading_a_sent_body_has_not_cancelled_it() {
    for (method, head, body) in [
        (
            "GET",
            "content-length",
            vec![Step::Data("ab"), Step::Data("c")],
        ),
        (
            "GET",
            "x-no-length",
            vec![Step::Data("ab"), Step::Data("c")],
        ),
        ("HEAD", "content-length", vec![Step::Data("abc")]),
        ("HEAD", "x-no-length", vec![Step::Data("abc")]),
    ] {
        let bench = Bench::new();
        let body = Script(body.into());
        let (mut client, serving) = bench.serve(head, body);
        let request = format!("{method} / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        serving.await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
        assert_eq!(bench.count(method, "", "200", ""), 1.0, "{method} {head}");
        assert_eq!(bench.total(), 1.0);
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_counted_as_cancelled() {
    let bench = Bench::new();
    let (mut client, serving) =
        bench.serve("x-no-length", Script::new([Step::Data("a"), Step::Wait]));
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut start = [0; 12];
    client.read_exact(&mut start).await.unwrap();
    assert_eq!(bench.active("GET"), 1.0);
    drop(client);
    serving.await.unwrap();
    assert_eq!(bench.count("GET", "", "200", "cancelled"), 1.0);
    assert_eq!(bench.active("GET"), 0.0);
}
