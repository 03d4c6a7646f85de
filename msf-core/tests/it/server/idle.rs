//! Connections on which nothing happens, and what is given back meanwhile.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use http_body_util::BodyExt;
use msf_core::{
    server::{Body, Drain, Limits, Listener, Phase, Server},
    task,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{Client, PATIENCE, Served, soon};

/// A server whose service is counted: one for itself, one for each connection, and one more for what serves it.
struct Counted {
    addr: std::net::SocketAddr,
    drain: Drain,
    alive: Arc<()>,
    /// Lets one request of `/wait` go on.
    gate: Arc<Notify>,
    /// What became of the upgrade that a request of `/decline` asked for.
    upgraded: Arc<AtomicBool>,
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
        let (gate, upgraded) = (Arc::<Notify>::default(), Arc::<AtomicBool>::default());
        let (opened, tells) = (gate.clone(), upgraded.clone());
        let service = tower::service_fn(move |mut request: Request<Body>| {
            let _held = &held;
            let path = request.uri().path().to_owned();
            let (opened, tells) = (opened.clone(), tells.clone());
            async move {
                match &*path {
                    "/wait" => opened.notified().await,
                    // Goes on reading after the answer.
                    "/later" => task::spawn("reader", async move {
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        assert_eq!(body, "abcd");
                        opened.notify_one();
                    })
                    .detach(),
                    "/decline" => task::spawn("waiter", async move {
                        let got = hyper::upgrade::on(&mut request).await;
                        tells.store(got.is_ok(), Ordering::Relaxed);
                    })
                    .detach(),
                    _ => {}
                }
                Ok::<_, Infallible>(Response::new(Body::from(path)))
            }
        });
        let task = task::spawn(
            "server",
            async move { server.serve(listener, service).await },
        );
        Self {
            addr,
            drain,
            alive,
            gate,
            upgraded,
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

/// A connection that can be parked is, in this time.
const PARKED: Duration = Duration::from_millis(700);

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
    // A head in two pieces.
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

/// What is behind a request in the same packet is read with it, and is not lost with what read it.
#[tokio::test]
async fn a_head_that_began_behind_another_is_gone_on_with() {
    let server = Counted::start(Limits::default());
    let mut client = server.connect().await;
    client
        .send("GET /first HTTP/1.1\r\nhost: x\r\n\r\nGET /sec")
        .await;
    assert_eq!(client.answer().await.body, b"/first");
    sleep(PARKED).await;
    client.send("ond HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.body, b"/second");

    // And behind one that is being worked on.
    client.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.send("GET /thi").await;
    server.holds(2).await;
    sleep(Duration::from_millis(50)).await;
    server.gate.notify_one();
    assert_eq!(client.answer().await.body, b"/wait");
    sleep(PARKED).await;
    client.send("rd HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.body, b"/third");
    server.holds(1).await;
}

#[tokio::test]
async fn a_head_that_began_behind_another_has_its_time_too() {
    let server = Counted::start(quick());
    let mut client = server.connect().await;
    client
        .send("GET /first HTTP/1.1\r\nhost: x\r\n\r\nGET /sec")
        .await;
    assert_eq!(client.answer().await.body, b"/first");
    assert_eq!(client.answer().await.status, 408);
    server.holds(0).await;
}

#[tokio::test]
async fn an_empty_line_behind_a_body_is_nothing() {
    let server = Counted::start(quick());
    let mut client = server.connect().await;
    client
        .send("GET /first HTTP/1.1\r\nhost: x\r\n\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.body, b"/first");
    server.holds(1).await;
    sleep(PARKED).await;
    ask(&mut client, "/second").await;
}

#[tokio::test]
async fn the_rest_of_a_body_that_nobody_reads_is_no_head() {
    let server = Counted::start(quick());
    let mut client = server.connect().await;
    client
        .send("POST /wait HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab")
        .await;
    server.holds(2).await;
    sleep(Duration::from_millis(50)).await;
    client.send("cd").await;
    sleep(Duration::from_millis(50)).await;
    server.gate.notify_one();
    assert_eq!(client.answer().await.body, b"/wait");
    // The time for a head is over.
    sleep(PARKED).await;
    server.holds(1).await;
    ask(&mut client, "/second").await;
}

#[tokio::test]
async fn a_body_that_is_read_after_the_answer_has_its_time() {
    let server = Counted::start(quick());
    let mut client = server.connect().await;
    client
        .send("POST /later HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\na")
        .await;
    assert_eq!(client.answer().await.body, b"/later");
    for piece in ["b", "c", "d"] {
        sleep(PARKED).await;
        client.send(piece).await;
    }
    soon(server.gate.notified()).await;
    ask(&mut client, "/second").await;
    server.holds(1).await;
}

/// hyper gives the socket to whoever waits for it when it is done with a connection, which parking makes it.
#[tokio::test]
async fn a_connection_whose_upgrade_was_declined_is_not_parked() {
    let server = Counted::start(quick());
    let mut client = server.connect().await;
    client
        .send("GET /decline HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: nothing\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.body, b"/decline");
    sleep(PARKED).await;
    assert!(!server.upgraded.load(Ordering::Relaxed));
    ask(&mut client, "/second").await;
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
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        ask(&mut client, "/").await;
        clients.push(client);
    }
    let [mut silent, mut draining, mut late] = <[Client; 3]>::try_from(clients).ok().unwrap();
    server.holds(3).await;
    server.drain.advance(Phase::Draining);
    ask(&mut draining, "/while-draining").await;
    server.drain.advance(Phase::Stopping);
    // It was on its way when the listener closed.
    ask(&mut late, "/while-stopping").await;
    for client in [&mut silent, &mut draining, &mut late] {
        client.closed().await;
    }
    let served = soon(server.task.join()).await.unwrap().unwrap();
    assert_eq!(served.cut, 0);
}
