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
    let io = TokioIo::new(TcpStream::connect(running.addr).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    let connection = task::spawn("h2 client", connection);
    let request = || {
        Request::get(format!("http://{}/hello", running.addr))
            .body(Empty::<bytes::Bytes>::new())
            .unwrap()
    };
    let response = soon(sender.send_request(request())).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.collect().await.unwrap().to_bytes(), "hello");

    // The drain sends GOAWAY, and the client's side of the connection ends without an error.
    running.drain.advance(Phase::Draining);
    soon(connection.join()).await.unwrap().unwrap();
    assert_eq!(running.end().await.cut, 0);
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
