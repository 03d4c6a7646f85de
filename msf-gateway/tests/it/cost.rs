//! What a request costs the gateway in allocations.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
};

use http::{Request, Response};
use msf_core::{
    body::Body,
    server::{Listener, Phase, Server},
    testing::{TestServer, allocations},
};
use msf_gateway::Route;
use tokio::{runtime, sync::oneshot};
use tower_service::Service;

use crate::common::System;

const REQUESTS: u64 = 200;

#[test]
fn a_proxied_request_allocates_little() {
    let upstream = upstream();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let direct = per_request(
        &runtime,
        tower::service_fn(|_request| async {
            Ok::<_, Infallible>(Response::new(Body::from("hello")))
        }),
    );
    let gateway = runtime.block_on(async {
        let system = System::new().with_addr("order", upstream).await;
        let service = system
            .gateway([Route::prefix("/orders").to("order").public()])
            .await
            .into_service();
        (service, system)
    });
    let proxied = per_request(&runtime, gateway.0);
    println!("allocations per request: a bare service {direct:.1}, the gateway {proxied:.1}");
    assert!(
        proxied - direct <= ALLOCATIONS_MAX,
        "{proxied} and {direct}"
    );
}

/// What the gateway adds to a request on the thread of its worker. It is 7: the route and the context in the
/// extensions, the request id, `traceparent`, the box of the call, hyper's channel for the answer and its channel for
/// the body. A change that costs more has to say why.
const ALLOCATIONS_MAX: f64 = 8.0;

/// Serves one client on this thread and counts.
fn per_request<S, B>(runtime: &runtime::Runtime, service: S) -> f64
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<msf_core::BoxError>,
{
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = listener.local_addr();
    let server = Server::new();
    let drain = server.drain().clone();
    let _serving = runtime.block_on(async {
        msf_core::task::spawn(
            "counted",
            async move { server.serve(listener, service).await },
        )
    });
    let (warm, warmed) = oneshot::channel();
    let (go, going) = mpsc::channel();
    let (done, finished) = oneshot::channel();
    let client = thread::spawn(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        ask(&mut stream, 20);
        warm.send(()).unwrap();
        going.recv().unwrap();
        ask(&mut stream, REQUESTS);
        done.send(()).unwrap();
    });
    runtime.block_on(warmed).unwrap();
    let cost = allocations(|| {
        go.send(()).unwrap();
        runtime.block_on(finished).unwrap();
    });
    client.join().unwrap();
    drain.advance(Phase::Cut);
    cost.count as f64 / REQUESTS as f64
}

fn ask(stream: &mut TcpStream, times: u64) {
    let mut answer = [0; 4_096];
    for _ in 0..times {
        stream
            .write_all(b"GET /orders/7 HTTP/1.1\r\nhost: shop.example\r\n\r\n")
            .unwrap();
        let mut len = 0;
        while !answer[..len].ends_with(b"hello") {
            len += stream.read(&mut answer[len..]).unwrap();
        }
    }
}

/// A service on a thread of its own, so that its allocations do not count.
fn upstream() -> SocketAddr {
    let (told, addr) = mpsc::channel();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let server = TestServer::start(tower::service_fn(|_request| async {
                Ok::<_, Infallible>(Response::new(Body::from("hello")))
            }))
            .await;
            told.send(server.addr()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    addr.recv().unwrap()
}
