//! Who leaves before the answer is complete is counted, once, with and without the access log.

use std::{io, net::SocketAddr, time::Duration};

use http::{Method, Request, Response};
use msf_client::Client;
use msf_core::{body::Body, task};
use msf_gateway::{AccessLog, Gateway, Route, RunningGateway};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::common::{System, eventually, get, read_until, scripted, send, start};

async fn silent(_request: Request<Body>) -> Response<Body> {
    std::future::pending().await
}

/// Announces 100 bytes and sends 5; then it waits, or closes if it was asked to.
async fn amid() -> SocketAddr {
    scripted(|mut stream: TcpStream| async move {
        let mut request = [0; 4_096];
        let read = stream.read(&mut request).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun";
        stream.write_all(head).await.unwrap();
        if request[..read].windows(5).any(|it| it == b"break") {
            time::sleep(Duration::from_millis(20)).await;
        } else {
            let _end = stream.read(&mut request).await;
        }
    })
    .await
}

async fn serve(is_logged: bool) -> (System, RunningGateway) {
    let system = System::new()
        .with("silent", silent)
        .await
        .with("whole", |_request| async {
            Response::new(Body::from("x".repeat(200_000)))
        })
        .await
        .with_addr("amid", amid().await)
        .await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let mut builder = Gateway::builder(client).routes([
        Route::prefix("/silent").to("silent").public(),
        Route::prefix("/amid").to("amid").public(),
        Route::prefix("/whole").to("whole").public(),
    ]);
    if is_logged {
        builder = builder.access_log(AccessLog::json().writer(io::sink()));
    }
    let gateway = start(system.build(builder).await);
    (system, gateway)
}

/// By flag: who is gone, and whose service broke off.
fn counted(gateway: &RunningGateway) -> (u64, u64) {
    let metrics = gateway.gateway().metrics().render();
    let of = |labels: &str| {
        let series = format!("msf_gateway_failures_total{labels} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
        line.map_or(0, |count| count.parse().unwrap())
    };
    (
        of(r#"{ended_by="client",flag="client_gone"}"#),
        of(r#"{ended_by="upstream",flag="upstream_reset"}"#),
    )
}

async fn request(gateway: &RunningGateway, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn leaves_are_counted(is_logged: bool) {
    let (_system, gateway) = serve(is_logged).await;
    // Before there is an answer.
    let stream = request(&gateway, "/silent").await;
    time::sleep(Duration::from_millis(50)).await;
    drop(stream);
    eventually(|| counted(&gateway) == (1, 0)).await;

    // Amid the body.
    let mut stream = request(&gateway, "/amid").await;
    read_until(&mut stream, "begun").await;
    drop(stream);
    eventually(|| counted(&gateway) == (2, 0)).await;

    // A service that breaks off is no client that leaves.
    let mut stream = request(&gateway, "/amid?break").await;
    let _broken = stream.read_to_end(&mut Vec::new()).await;
    eventually(|| counted(&gateway) == (2, 1)).await;

    // Whole answers of each kind, and failures that were answered, count no client.
    assert_eq!(get(gateway.addr(), "/whole").await.text().len(), 200_000);
    let head = Request::builder().method(Method::HEAD).uri("/whole");
    send(gateway.addr(), head.body(Body::empty()).unwrap()).await;
    assert_eq!(get(gateway.addr(), "/nothing").await.status(), 404);
    let mut stream = request(&gateway, "/whole").await;
    let mut answer = vec![0; 200_000];
    stream.read_exact(&mut answer).await.unwrap();
    drop(stream);
    let gateway_counted = counted(&gateway);
    gateway.stop().await.unwrap();
    assert_eq!(gateway_counted, (2, 1));
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_once() {
    leaves_are_counted(false).await;
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_once_where_the_log_is_on() {
    leaves_are_counted(true).await;
}

/// A drop of the service's future, as an embedding server does it, is a client that leaves too.
#[tokio::test]
async fn a_call_that_is_dropped_is_counted() {
    let (system, gateway) = serve(false).await;
    let service = gateway.gateway().clone().into_service();
    let request = Request::get("/silent").header("host", "a");
    let request = request.body(Body::empty()).unwrap();
    let call = tower::ServiceExt::oneshot(service, request);
    let call = task::spawn("call", call);
    time::sleep(Duration::from_millis(20)).await;
    drop(call);
    eventually(|| counted(&gateway) == (1, 0)).await;
    drop(system);
}
