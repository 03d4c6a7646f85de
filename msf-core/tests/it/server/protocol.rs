//! Both protocols, panics, pipelining, client aborts, shards.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use msf_core::{
    server::{Body, Limits, Listener, Phase, Server},
    task,
};
use tokio::{net::TcpStream, sync::oneshot};

use super::{Running, answer, soon};

#[tokio::test]
async fn a_panic_is_500_and_the_connection_lives() {
    let running = Running::start(Limits::default());
    let mut client = running.connect().await;
    client.send("GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.problem()["code"], "internal");
    assert!(!String::from_utf8(answer.body).unwrap().contains("purpose"));

    client.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.body, b"hello");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let running = Running::start(Limits::default());
    let mut client = running.connect().await;
    let get = |path| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    client.send(get("/slow") + &get("/hello")).await;
    let bytes = soon(async {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"hello") {
            tokio::io::AsyncReadExt::read_buf(&mut client.0, &mut bytes)
                .await
                .unwrap();
        }
        bytes
    })
    .await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.find("slow").unwrap() < text.find("hello").unwrap());
}

#[tokio::test]
async fn http2_with_prior_knowledge() {
    let running = Running::start(Limits::default());
    let tcp = TcpStream::connect(running.addr).await.unwrap();
    let (mut sender, connection) = http2_over(tcp).await;
    let request = http2_get(&running, "/hello");
    let response = soon(sender.send_request(request)).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.collect().await.unwrap().to_bytes(), "hello");

    // The drain sends GOAWAY, and the client's side of the connection ends without an error.
    running.drain.advance(Phase::Draining);
    soon(connection.join()).await.unwrap().unwrap();
    assert_eq!(running.end().await.cut, 0);
}

type Http2 = hyper::client::conn::http2::SendRequest<Empty<bytes::Bytes>>;

async fn http2_over(tcp: TcpStream) -> (Http2, task::Task<hyper::Result<()>>) {
    let io = TokioIo::new(tcp);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    (sender, task::spawn("h2 client", connection))
}

fn http2_get(running: &Running, path: &str) -> Request<Empty<bytes::Bytes>> {
    Request::get(format!("http://{}{path}", running.addr))
        .body(Empty::new())
        .unwrap()
}

#[tokio::test]
async fn an_http2_client_that_comes_during_the_drain_is_served_and_told_to_leave() {
    let running = Running::start(Limits::default());
    running.drain.advance(Phase::Draining);
    let tcp = TcpStream::connect(running.addr).await.unwrap();
    // Accepted before it has said a word.
    while running.server.connections() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (mut sender, connection) = http2_over(tcp).await;
    let response = soon(sender.send_request(http2_get(&running, "/hello")))
        .await
        .unwrap();
    assert_eq!(response.collect().await.unwrap().to_bytes(), "hello");
    soon(connection.join()).await.unwrap().unwrap();
    assert_eq!(running.end().await.cut, 0);
}

#[tokio::test]
async fn every_stream_of_an_http2_connection_is_finished_at_the_end() {
    let running = Running::start(Limits::default());
    let tcp = TcpStream::connect(running.addr).await.unwrap();
    let (sender, _connection) = http2_over(tcp).await;
    let requests: Vec<_> = (0..100)
        .map(|_| {
            let mut sender = sender.clone();
            let request = http2_get(&running, "/slow");
            task::spawn("request", async move {
                let response = sender.send_request(request).await.unwrap();
                response.collect().await.unwrap().to_bytes()
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let served = running.end().await;
    for request in requests {
        assert_eq!(soon(request.join()).await.unwrap(), "slow");
    }
    assert_eq!(served.cut, 0);
}

#[tokio::test]
async fn a_preface_in_pieces_is_http2_still() {
    let limits = Limits::default().header_timeout(Duration::from_secs(1));
    let running = Running::start(limits);
    let mut client = running.connect().await;
    client.0.set_nodelay(true).unwrap();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        client.send([*byte]).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // SETTINGS, and its acknowledgement.
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    client.send([0, 0, 0, 4, 1, 0, 0, 0, 0]).await;
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let mut bytes = Vec::new();
    client.0.try_read_buf(&mut bytes).unwrap();
    assert!(!bytes.is_empty());
    assert!(
        !bytes.windows(4).any(|word| word == b"HTTP"),
        "{:?}",
        String::from_utf8_lossy(&bytes)
    );
    assert_eq!(running.server.connections(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_request() {
    let (dropped, was_dropped) = oneshot::channel::<Infallible>();
    let dropped = Arc::new(Mutex::new(Some(dropped)));
    let service = tower::service_fn(move |_request: Request<Body>| {
        let guard = dropped.lock().unwrap().take();
        async move {
            let _guard = guard;
            std::future::pending::<Result<Response<Body>, Infallible>>().await
        }
    });
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = listener.local_addr();
    let server = Server::new();
    let open = server.clone();
    let _task = task::spawn(
        "server",
        async move { server.serve(listener, service).await },
    );

    let mut client = super::Client(TcpStream::connect(addr).await.unwrap());
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    while open.connections() == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    assert!(soon(was_dropped).await.is_err());
    soon(async {
        while open.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn shards_share_a_port_and_end_together() {
    let listeners = Listener::bind_shared(([127, 0, 0, 1], 0).into(), 2).unwrap();
    let addr = listeners[0].local_addr();
    let threads = Arc::new(Mutex::new(Vec::new()));
    let seen = threads.clone();
    let service = move || {
        seen.lock()
            .unwrap()
            .push(std::thread::current().name().map(str::to_owned));
        tower::service_fn(answer)
    };
    let server = Server::new();
    let drain = server.drain().clone();
    let task = task::spawn("server", async move {
        server.serve_sharded(listeners, service).await
    });

    for _ in 0..20 {
        let mut client = super::Client(TcpStream::connect(addr).await.unwrap());
        client.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 200);
    }
    drain.advance(Phase::Stopping);
    assert_eq!(soon(task.join()).await.unwrap().unwrap().cut, 0);
    let mut threads = threads.lock().unwrap().clone();
    threads.sort();
    assert_eq!(
        threads,
        [
            Some("msf-shard-0".to_owned()),
            Some("msf-shard-1".to_owned())
        ]
    );
}

#[tokio::test]
async fn a_shard_that_panics_ends_the_whole_server() {
    let listeners = Listener::bind_shared(([127, 0, 0, 1], 0).into(), 3).unwrap();
    let addr = listeners[0].local_addr();
    let service = || {
        let thread = std::thread::current();
        assert_ne!(thread.name(), Some("msf-shard-1"), "on purpose");
        tower::service_fn(answer)
    };
    let error = soon(Server::new().serve_sharded(listeners, service))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("shard"), "{error}");
    closes(addr).await;
}

#[tokio::test]
async fn dropping_a_sharded_server_ends_its_threads() {
    let listeners = Listener::bind_shared(([127, 0, 0, 1], 0).into(), 2).unwrap();
    let addr = listeners[0].local_addr();
    let server = Server::new();
    let serving = server.serve_sharded(listeners, || tower::service_fn(answer));
    let _dropped = tokio::time::timeout(Duration::from_millis(50), serving).await;
    closes(addr).await;
}

#[tokio::test]
async fn a_shard_whose_thread_is_blocked_does_not_hold_up_the_deadline() {
    let listeners = Listener::bind_shared(([127, 0, 0, 1], 0).into(), 1).unwrap();
    let addr = listeners[0].local_addr();
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let service = move || {
        let begun = begun.clone();
        tower::service_fn(move |_request: Request<Body>| {
            let _begun = begun.try_send(());
            std::thread::sleep(Duration::from_secs(6));
            async { Ok::<_, Infallible>(Response::new(Body::empty())) }
        })
    };
    let server = Server::new();
    let drain = server.drain().clone();
    let task = task::spawn("server", async move {
        server.serve_sharded(listeners, service).await
    });
    let mut client = super::Client(TcpStream::connect(addr).await.unwrap());
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(has_begun.recv()).await.unwrap();
    drain.advance(Phase::Cut);
    let served = tokio::time::timeout(Duration::from_secs(3), task.join())
        .await
        .expect("the deadline holds");
    assert_eq!(served.unwrap().unwrap().cut, 1);
}

async fn closes(addr: std::net::SocketAddr) {
    soon(async {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// RFC 9113 section 8.1: `NO_ERROR` is for servers that have answered. Of a client it is an upload that ended early.
#[tokio::test]
async fn an_upload_that_is_reset_does_not_look_complete() {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = listener.local_addr();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: Request<Body>| {
        let tell = tell.clone();
        async move {
            // By itself, as a proxy's connection to its callee: the handler is gone with the stream.
            let reading = task::spawn("reading", async move {
                let mut body = request.into_body();
                loop {
                    let frame = body.frame().await;
                    let goes_on = matches!(frame, Some(Ok(_)));
                    if let Some(Ok(frame)) = &frame
                        && frame.data_ref().is_some_and(bytes::Bytes::is_empty)
                    {
                        continue;
                    }
                    tell.send(frame.map(|frame| frame.is_ok())).unwrap();
                    if !goes_on {
                        return;
                    }
                }
            });
            reading.detach();
            std::future::pending::<Result<Response<Body>, Infallible>>().await
        }
    });
    let _server = task::spawn("server", async move {
        Server::new().serve(listener, service).await
    });
    for (end, expected) in [
        (&[0, 0, 0, 0, 1, 0, 0, 0, 1][..], None),
        (&[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0], Some(false)),
        (&[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8], Some(false)),
    ] {
        let mut tcp = TcpStream::connect(addr).await.unwrap();
        let mut send = async |bytes: &[u8]| {
            tokio::io::AsyncWriteExt::write_all(&mut tcp, bytes)
                .await
                .unwrap();
        };
        send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
        // POST http://x/ on stream 1, and four bytes that do not end it.
        send(b"\0\0\x06\x01\x04\0\0\0\x01\x83\x86\x84\x41\x01x").await;
        send(b"\0\0\x04\0\0\0\0\0\x01half").await;
        assert_eq!(soon(told.recv()).await, Some(Some(true)));
        send(end).await;
        assert_eq!(soon(told.recv()).await, Some(expected), "{end:?}");
    }
}
