//! Several workers, and their end.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use msf_core::{body::Body, server::DrainPlan};
use msf_gateway::{Route, StartError};
use tokio::{io::AsyncWriteExt, net::TcpStream, time};

use crate::common::{PATIENCE, System, get, hello, read_until};

#[tokio::test]
async fn workers_share_a_port_and_each_has_connections_of_its_own() {
    let peers = Arc::new(Mutex::new(HashSet::new()));
    let seen = peers.clone();
    let system = System::new()
        .with("order", move |request: http::Request<Body>| {
            let connection: &msf_core::server::Connection = request.extensions().get().unwrap();
            seen.lock().unwrap().insert(connection.peer());
            hello(request)
        })
        .await;
    let gateway = system
        .gateway([Route::prefix("/").to("order").public()])
        .await;
    let running = gateway
        .server(([127, 0, 0, 1], 0).into())
        .workers(2)
        .start()
        .unwrap();
    // One after the other: a single pool would use a single connection. With 40 clients the kernel
    // picks each worker at least once in all but one of 2^39 runs.
    for _ in 0..40 {
        assert_eq!(get(running.addr(), "/").await.text(), "hello");
    }
    assert_eq!(peers.lock().unwrap().len(), 2);
    let served = running.stop().await.unwrap();
    assert_eq!(served.cut, 0);
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight() {
    let (system, held) = System::new().with_held("order").await;
    let gateway = system
        .gateway([Route::prefix("/").to("order").public()])
        .await;
    let plan = DrainPlan::new(Duration::from_millis(100), PATIENCE);
    let server = gateway
        .server(([127, 0, 0, 1], 0).into())
        .workers(1)
        .drain_plan(plan);
    let running = server
        .operations(([127, 0, 0, 1], 0).into())
        .start()
        .unwrap();
    let (addr, operations) = (running.addr(), running.operations_addr().unwrap());
    let health = running.gateway().health().clone();

    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    held.begun().await;
    let stop = msf_core::task::spawn("stop", running.stop());
    while health.status() != msf_core::health::Status::Draining {
        time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(get(operations, "/readyz").await.status(), 503);
    held.let_go();
    let answer = read_until(&mut stream, "late").await;
    assert!(
        answer.to_ascii_lowercase().contains("connection: close"),
        "{answer}"
    );
    let served = time::timeout(PATIENCE, stop.join()).await.unwrap().unwrap();
    assert_eq!(served.unwrap().cut, 0);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_gateway_runs_until_it_is_told_to_stop() {
    let system = System::new().with("order", hello).await;
    let gateway = system
        .gateway([Route::prefix("/").to("order").public()])
        .await;
    let server = gateway.server(([127, 0, 0, 1], 0).into()).workers(2);
    let served = server.run_until(async {}).await.unwrap();
    assert_eq!(served.cut, 0);
}

#[tokio::test]
async fn a_busy_address_is_told_at_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let system = System::new();
    let gateway = system
        .gateway([Route::prefix("/").to("order").public()])
        .await;
    let error = gateway
        .server(taken.local_addr().unwrap())
        .start()
        .unwrap_err();
    assert!(matches!(error, StartError::Bind(_)), "{error}");
    assert!(error.to_string().contains("in use"), "{error}");
}
