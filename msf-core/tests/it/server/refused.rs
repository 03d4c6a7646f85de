//! What the server refuses by itself, and who hears of it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use msf_core::{
    metrics::Metrics,
    server::{Body, Limits, Listener, ProxyProtocol, Refusal, Refused, Server},
    task::{self, Task},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{Client, PATIENCE, answer, soon};

struct Watched {
    addr: SocketAddr,
    metrics: Metrics,
    heard: Arc<Mutex<Vec<Refused>>>,
    _task: Task<std::io::Result<msf_core::server::Served>>,
}

impl Watched {
    fn start(limits: Limits) -> Self {
        Self::start_as(limits, |server| server)
    }

    fn start_as(limits: Limits, with: impl FnOnce(Server) -> Server) -> Self {
        Self::start_on(limits, |listener| listener, with)
    }

    fn start_on(
        limits: Limits,
        front: impl FnOnce(Listener) -> Listener,
        with: impl FnOnce(Server) -> Server,
    ) -> Self {
        let listener = front(Listener::bind(([127, 0, 0, 1], 0).into()).unwrap());
        let addr = listener.local_addr();
        let metrics = Metrics::new();
        let heard = Arc::<Mutex<Vec<Refused>>>::default();
        let hears = heard.clone();
        let server = Server::new()
            .limits(limits)
            .metrics(&metrics)
            .unwrap()
            .on_refused(move |refused| {
                hears.lock().unwrap().push(refused.clone());
            });
        let server = with(server);
        let served = async move { server.serve(listener, tower::service_fn(answer)).await };
        Self {
            addr,
            metrics,
            heard,
            _task: task::spawn("server", served),
        }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.addr).await.unwrap())
    }

    /// Waits until exactly these were heard of and counted.
    async fn refused(&self, expected: &[Refusal]) {
        let end = Instant::now() + PATIENCE;
        while self.heard.lock().unwrap().len() < expected.len() {
            assert!(Instant::now() < end, "{:?}", self.heard.lock().unwrap());
            sleep(Duration::from_millis(2)).await;
        }
        let heard = self.heard.lock().unwrap();
        let reasons: Vec<Refusal> = heard.iter().map(|refused| refused.reason).collect();
        assert_eq!(reasons, expected);
        drop(heard);
        let text = self.metrics.render();
        for reason in Refusal::ALL {
            let count = expected.iter().filter(|it| *it == reason).count();
            let line = format!(
                "msf_server_refused_total{{reason=\"{}\"}} {count}",
                reason.as_str()
            );
            assert!(text.contains(&line), "{line} in {text}");
        }
    }
}

const HELLO: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn each_refusal_is_counted_and_told_once() {
    let limits = Limits::default()
        .header_timeout(Duration::from_millis(200))
        .body_limit(1_000);
    let server = Watched::start(limits);

    let mut client = server.connect().await;
    client.send("HELLO\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 400);
    let mut expected = vec![Refusal::Malformed];
    server.refused(&expected).await;

    let mut client = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(40 << 10));
    client.send(head).await;
    assert_eq!(client.answer().await.status, 431);
    expected.push(Refusal::HeadTooLarge);
    server.refused(&expected).await;

    let mut client = server.connect().await;
    client.send("GET / HT").await;
    assert_eq!(client.answer().await.status, 408);
    expected.push(Refusal::HeadTooSlow);
    server.refused(&expected).await;

    let mut client = server.connect().await;
    client.closed().await;
    expected.push(Refusal::Silent);
    server.refused(&expected).await;

    let mut client = server.connect().await;
    client
        .send("POST /length?secret HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 413);
    expected.push(Refusal::BodyTooLarge);
    server.refused(&expected).await;

    // Of a request that was read its head is told, and not in what is printed.
    let mut heard = server.heard.lock().unwrap().clone();
    assert!(heard.iter().all(|refused| refused.peer.ip().is_loopback()));
    let last = heard.pop().unwrap();
    assert!(!format!("{last:?}").contains("secret"), "{last:?}");
    let request = last.request.unwrap();
    assert_eq!(
        (request.method(), request.uri().path()),
        (&Method::POST, "/length")
    );
    assert_eq!(request.headers()["host"], "x");
    assert!(heard.iter().all(|refused| refused.request.is_none()));

    // What is in order, or merely over, is nothing.
    let mut client = server.connect().await;
    client.send(HELLO).await;
    assert_eq!(client.answer().await.status, 200);
    drop(client);
    let mut client = server.connect().await;
    client.send("GET / HT").await;
    drop(client);
    sleep(Duration::from_millis(300)).await;
    server.refused(&expected).await;
}

#[tokio::test]
async fn an_address_has_a_cap_and_gets_its_places_back() {
    let server = Watched::start(Limits::default().connections_per_address_max(2));
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for client in [&mut first, &mut second] {
        client.send(HELLO).await;
        assert_eq!(client.answer().await.status, 200);
    }
    let mut third = server.connect().await;
    assert!(third.try_answer().await.is_none());
    server.refused(&[Refusal::AddressFull]).await;

    // Whoever is there goes on, and another address has its own.
    first.send(HELLO).await;
    assert_eq!(first.answer().await.status, 200);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
    let mut other = Client(socket.connect(server.addr).await.unwrap());
    other.send(HELLO).await;
    assert_eq!(other.answer().await.status, 200);

    drop(second);
    let end = Instant::now() + PATIENCE;
    loop {
        let mut again = server.connect().await;
        let _refused = again.0.write_all(HELLO.as_bytes()).await;
        if again.try_answer().await.is_some() {
            break;
        }
        assert!(Instant::now() < end, "the place is not free");
    }
}

#[tokio::test]
async fn a_client_that_a_balancer_names_has_the_cap_of_its_own_address() {
    let balancers = ProxyProtocol::new().trust("127.0.0.0/8".parse().unwrap());
    let server = Watched::start_on(
        Limits::default().connections_per_address_max(2),
        |listener| listener.proxy_protocol(balancers),
        |server| server,
    );
    let connect = async |client: &str| {
        let mut stream = server.connect().await;
        stream
            .send(format!("PROXY TCP4 {client} 10.0.0.1 4711 443\r\n{HELLO}"))
            .await;
        stream
    };
    let mut open = Vec::new();
    // The balancer itself has as many as it likes.
    for client in [
        "192.0.2.1",
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.2",
        "192.0.2.3",
    ] {
        let mut stream = connect(client).await;
        assert_eq!(stream.answer().await.status, 200);
        open.push(stream);
    }
    let mut third = connect("192.0.2.1").await;
    assert!(third.try_answer().await.is_none());
    server.refused(&[Refusal::AddressFull]).await;
    let heard = server.heard.lock().unwrap().clone();
    assert_eq!(heard[0].peer.ip().to_string(), "192.0.2.1");

    drop(open);
    let end = Instant::now() + PATIENCE;
    loop {
        let mut again = connect("192.0.2.1").await;
        if again.try_answer().await.is_some() {
            break;
        }
        assert!(Instant::now() < end, "the place is not free");
    }
}

#[tokio::test]
async fn who_says_nonsense_in_the_place_of_a_balancer_is_counted() {
    let balancers = ProxyProtocol::new().trust("127.0.0.0/8".parse().unwrap());
    let server = Watched::start_on(
        Limits::default(),
        |listener| listener.proxy_protocol(balancers),
        |server| server,
    );
    // A health check that only connects is nothing, whether it closes or resets.
    drop(server.connect().await);
    let check = server.connect().await;
    check.0.set_zero_linger().unwrap();
    drop(check);
    let mut expected = Vec::new();
    for nonsense in [HELLO, "PROXY TCP4 192.0.2.1 nowhere 1 2\r\n"] {
        let mut client = server.connect().await;
        client.send(nonsense).await;
        assert!(client.try_answer().await.is_none());
        expected.push(Refusal::ProxyProtocol);
        server.refused(&expected).await;
    }
    let mut client = server.connect().await;
    client.send("PROXY TCP4 192.").await;
    drop(client);
    expected.push(Refusal::ProxyProtocol);
    server.refused(&expected).await;
}

/// `AddressFull` is told in the accept loop, where proxies are asked about too.
#[tokio::test]
async fn a_listener_that_panics_does_not_end_the_server() {
    let server = Watched::start_on(
        Limits::default().connections_per_address_max(1),
        |listener| listener,
        |server| {
            server
                .on_refused(|_| panic!("a listener that panics"))
                .uncapped(|_, _| panic!("a question that panics"))
        },
    );
    let mut first = server.connect().await;
    first.send(HELLO).await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = server.connect().await;
    assert!(second.try_answer().await.is_none());
    drop(first);
    let end = Instant::now() + PATIENCE;
    loop {
        let mut again = server.connect().await;
        let _refused = again.0.write_all(HELLO.as_bytes()).await;
        if again.try_answer().await.is_some() {
            break;
        }
        assert!(Instant::now() < end, "nobody is served");
    }
}

#[tokio::test]
async fn a_proxy_is_not_everybody() {
    let limits = Limits::default().connections_per_address_max(1);
    let server = Watched::start_as(limits, |server| server.uncapped(|_, ip| ip.is_loopback()));
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = server.connect().await;
        client.send(HELLO).await;
        assert_eq!(client.answer().await.status, 200);
        clients.push(client);
    }
    server.refused(&[]).await;
}

#[tokio::test]
async fn a_body_that_drips_is_408() {
    let limits = Limits::default()
        .body_rate_min(1_000)
        .body_rate_window(Duration::from_millis(400));
    let server = Watched::start(limits);
    let mut client = server.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 600\r\n\r\n")
        .await;
    let begun = Instant::now();
    let (mut reader, mut writer) = client.0.split();
    let drip = async {
        while writer.write_all(b"a").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let mut head = [0; 12];
    tokio::select! {
        () = drip => panic!("closed without an answer"),
        read = soon(reader.read_exact(&mut head)) => drop(read.unwrap()),
    }
    assert_eq!(&head, b"HTTP/1.1 408");
    assert!(begun.elapsed() >= Duration::from_millis(400));

    // As slow, but with enough of it.
    let mut client = server.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n")
        .await;
    for _ in 0..20 {
        client.send([b'a'; 100]).await;
        sleep(Duration::from_millis(40)).await;
    }
    assert_eq!(client.answer().await.body, b"2000");
}

/// CVE-2023-44487: streams that are begun and given up cost a client nothing.
#[tokio::test]
async fn a_client_of_http2_that_gives_all_up_is_cut() {
    let server = Watched::start(Limits::default().http2_resets_max(20));
    let client = async || {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let connected =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (client, connection) = connected.await.unwrap();
        task::spawn("client", async move { drop(connection.await) }).detach();
        client
    };
    let request = |path: &str| {
        let uri = format!("http://x{path}");
        Request::get(uri).body(Body::empty()).unwrap()
    };

    // Who lets as many end may give up as many as it likes.
    let mut honest = client().await;
    for _ in 0..60 {
        let given_up = honest.send_request(request("/never"));
        let given_up = tokio::time::timeout(Duration::from_millis(2), given_up);
        assert!(given_up.await.is_err());
        let answered = soon(honest.send_request(request("/hello"))).await.unwrap();
        assert_eq!(answered.status(), 200);
    }
    server.refused(&[]).await;

    let mut hostile = client().await;
    let mut given_up = 0;
    let attack = async {
        while hostile.ready().await.is_ok() && given_up < 500 {
            let request = hostile.send_request(request("/never"));
            let _given_up = tokio::time::timeout(Duration::from_millis(2), request).await;
            given_up += 1;
        }
    };
    soon(attack).await;
    assert!((21..200).contains(&given_up), "{given_up}");
    server.refused(&[Refusal::Http2Resets]).await;
    let answered = soon(honest.send_request(request("/hello"))).await.unwrap();
    assert_eq!(answered.status(), 200);
}

/// CVE-2025-8671: frames that make the server itself reset the stream. RFC 9113 section 6.9.1: a window above
/// 2^31 - 1 is an error of the stream.
#[tokio::test]
async fn a_client_of_http2_that_provokes_resets_is_cut() {
    let server = Watched::start(Limits::default().http2_resets_max(20));
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let reading = task::spawn("reader", async move {
        let mut rest = Vec::new();
        drop(reader.read_to_end(&mut rest).await);
    });
    writer
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let attack = async {
        for stream in (1_u32..2_000).step_by(2) {
            // GET http /never x, END_STREAM and END_HEADERS.
            let head = b"\x82\x86\x44\x06/never\x41\x01x";
            let mut frames = vec![0, 0, u8::try_from(head.len()).unwrap(), 1, 5];
            frames.extend(stream.to_be_bytes());
            frames.extend(head);
            frames.extend([0, 0, 4, 8, 0]);
            frames.extend(stream.to_be_bytes());
            frames.extend(i32::MAX.to_be_bytes());
            // After the end the server reads on for a while, so that its last words arrive.
            if reading.is_finished() || writer.write_all(&frames).await.is_err() {
                return stream / 2;
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("a thousand resets were borne");
    };
    let borne = soon(attack).await;
    assert!((20..300).contains(&borne), "{borne}");
    soon(reading.join()).await;
    server.refused(&[Refusal::Http2Resets]).await;
}

/// RFC 9113 section 5.2.2: a window that stays shut. TCP is content meanwhile.
#[tokio::test]
async fn a_client_of_http2_that_takes_nothing_is_reset() {
    let limits = Limits::default()
        .header_timeout(Duration::from_millis(400))
        .idle_timeout(Duration::from_millis(400))
        .write_timeout(Duration::from_millis(400));
    let server = Watched::start(limits);
    let connect = async |window| {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(window)
            .handshake::<_, bytes::Bytes>(stream)
            .await
            .unwrap();
        let connection = task::spawn("client", async move { drop(connection.await) });
        (client.ready().await.unwrap(), connection)
    };
    let request = |path: &str| Request::get(format!("http://x{path}")).body(()).unwrap();

    let mut expected = Vec::new();
    let (mut client, _connection) = connect(0).await;
    for path in ["/hello", "/large"] {
        let (answer, _body) = client.send_request(request(path), true).unwrap();
        let mut body = soon(answer).await.unwrap().into_body();
        let error = soon(body.data()).await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
        expected.push(Refusal::ResponseStalled);
        server.refused(&expected).await;
    }

    // Nothing to say is no stall.
    let (answer, _body) = client.send_request(request("/endless"), true).unwrap();
    let mut body = soon(answer).await.unwrap().into_body();
    let silent = tokio::time::timeout(Duration::from_secs(1), body.data());
    assert!(silent.await.is_err());
    server.refused(&expected).await;

    // One byte of the last piece: the server has nothing more to ask the service for, but the client keeps the rest
    // of it, and its place.
    let (mut client, connection) = connect(1).await;
    let (answer, _body) = client.send_request(request("/hello"), true).unwrap();
    let mut body = soon(answer).await.unwrap().into_body();
    assert_eq!(soon(body.data()).await.unwrap().unwrap().len(), 1);
    soon(connection.join()).await;
    assert!(soon(body.data()).await.unwrap().is_err());
    server.refused(&expected).await;
}
