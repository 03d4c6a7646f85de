//! Connections on which nothing happens, and what is given back meanwhile.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Request, Response};
use msf_core::{
    server::{Body, Drain, Limits, Listener, Phase, Server},
    task,
};
use tokio::time::{Instant, sleep};

use super::{Client, PATIENCE, Served, soon};

/// A server whose service is counted: one for itself, one for each connection, and one more for what serves it.
struct Counted {
    addr: std::net::SocketAddr,
    drain: Drain,
    alive: Arc<()>,
    task: task::Task<std::io::Result<Served>>,
}

impl Counted {
    fn start(limits: Limits) -> Self {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = listener.local_addr();
        let server = Server::new().limits(limits);
        let drain = server.drain().clone();
        let alive = Arc::new(());
        let held = alive.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let _held = &held;
            let path = request.uri().path().to_owned();
            async move { Ok::<_, Infallible>(Response::new(Body::from(path))) }
        });
        let task = task::spawn(
            "server",
            async move { server.serve(listener, service).await },
        );
        Self {
            addr,
            drain,
            alive,
            task,
        }
    }

    async fn connect(&self) -> Client {
        Client(tokio::net::TcpStream::connect(self.addr).await.unwrap())
    }

    /// Waits until one connection has so many services beside the server's own.
    async fn holds(&self, services: usize) {
        let end = Instant::now() + PATIENCE;
        // One is the test's own, one the server's.
        while Arc::strong_count(&self.alive) != 2 + services {
            assert!(Instant::now() < end, "{}", Arc::strong_count(&self.alive));
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The timer of a connection fires once in a header timeout.
fn quick() -> Limits {
    Limits::default()
        .header_timeout(Duration::from_millis(300))
        .idle_timeout(Duration::from_secs(60))
}

async fn ask(client: &mut Client, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    client.send(request).await;
    assert_eq!(client.answer().await.body, path.as_bytes());
}

#[tokio::test]
async fn a_parked_connection_serves_on_as_if_nothing_had_been() {
    let server = Counted::start(quick());
    let mut client = server.connect().await;
    ask(&mut client, "/first").await;
    server.holds(2).await;
    server.holds(1).await;
    // A head in two pieces, and two requests at once.
    client.send("GET /sec").await;
    server.holds(2).await;
    client.send("ond HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.body, b"/second");
    server.holds(1).await;
    ask(&mut client, "/third").await;
    server.holds(1).await;
    client.send("GET /fourth HT").await;
    assert_eq!(client.answer().await.status, 408);
    client.closed().await;
    server.holds(0).await;
}

#[tokio::test]
async fn a_parked_connection_is_still_closed_when_it_is_idle_for_too_long() {
    let server = Counted::start(quick().idle_timeout(Duration::from_secs(4)));
    let mut client = server.connect().await;
    let begun = Instant::now();
    ask(&mut client, "/").await;
    server.holds(1).await;
    client.closed().await;
    assert!(begun.elapsed() >= Duration::from_secs(4));
    server.holds(0).await;
}

#[tokio::test]
async fn a_client_that_leaves_a_parked_connection_is_let_go() {
    let server = Counted::start(quick());
    let mut client = server.connect().await;
    ask(&mut client, "/").await;
    server.holds(1).await;
    drop(client);
    server.holds(0).await;
}

/// What a connection speaks was settled by its first request: whoever is in front has no other picture of it.
#[tokio::test]
async fn a_parked_connection_does_not_change_to_http2() {
    let server = Counted::start(quick());
    let mut client = server.connect().await;
    ask(&mut client, "/").await;
    server.holds(1).await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let answer = client.try_answer().await;
    assert!(
        answer.is_none_or(|answer| answer.head.starts_with("http/1.1 400")),
        "no frame of HTTP/2"
    );
    server.holds(0).await;
}

#[tokio::test]
async fn a_drain_takes_parked_connections_along_and_serves_what_they_still_say() {
    let server = Counted::start(quick());
    let (mut silent, mut late) = (server.connect().await, server.connect().await);
    ask(&mut silent, "/").await;
    ask(&mut late, "/").await;
    server.holds(2).await;
    server.drain.advance(Phase::Draining);
    ask(&mut late, "/while-draining").await;
    server.drain.advance(Phase::Stopping);
    silent.closed().await;
    late.closed().await;
    let served = soon(server.task.join()).await.unwrap().unwrap();
    assert_eq!(served.cut, 0);
}
