//! What the pool does with callees that behave.

use std::{
    error::Error,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use msf_client::transport::{Connections, TransportError, Upstream};
use msf_core::{body::Body, metrics::Metrics};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::yield_now, time};

use crate::callee::{Scripted, echo, eventually, fed, full_queue, get, polled, post, read_head};

async fn text(connections: &Connections, addr: SocketAddr, body: &'static str) -> String {
    let response = connections
        .send(addr, post(Body::from(body)))
        .await
        .unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let callee = echo().await;
    let connections = Connections::default();
    for body in ["one", "two", "", "three"] {
        assert_eq!(text(&connections, callee.addr(), body).await, body);
    }
    assert_eq!((connections.idle(), connections.open()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_share_a_pool() {
    let callee = echo().await;
    let connections = Connections::builder().idle_per_host_max(8).build();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (connections, addr) = (connections.clone(), callee.addr());
            msf_core::task::spawn("caller", async move {
                for _ in 0..50 {
                    assert_eq!(text(&connections, addr, "hello").await, "hello");
                }
            })
        })
        .collect();
    for call in calls {
        call.join().await.expect("no caller panics");
    }
    eventually(|| connections.idle() == connections.open()).await;
    assert!(connections.open() <= 8);
}

#[tokio::test]
async fn both_bodies_stream_at_once() {
    let callee = echo().await;
    let connections = Connections::default();
    let (feeder, body) = fed();
    let response = connections.send(callee.addr(), post(body)).await.unwrap();
    let mut answer = response.into_body();
    for piece in ["first", "second"] {
        feeder.send(Ok(Bytes::from(piece))).unwrap();
        let frame = answer.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
    drop(feeder);
    assert!(answer.frame().await.is_none());
    eventually(|| connections.idle() == 1).await;
}

#[tokio::test]
async fn an_answer_may_come_before_the_request_has_ended() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let early = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(early).await.unwrap();
        time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let connections = Connections::default();
    let (feeder, body) = fed();
    feeder.send(Ok(Bytes::from("half"))).unwrap();
    let response = connections.send(callee.addr, post(body)).await.unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "ok"
    );
    assert_eq!((connections.idle(), connections.open()), (0, 1));
    drop(feeder);
    eventually(|| connections.idle() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_nobody_reads_does_not_keep_its_connection() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let early = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(early).await.unwrap();
        time::sleep(Duration::from_secs(600)).await;
    })
    .await;
    let connections = Connections::default();
    let (feeder, body) = fed();
    connections.send(callee.addr, post(body)).await.unwrap();
    eventually(|| connections.open() == 0).await;
    drop(feeder);
}

#[tokio::test]
async fn a_body_that_is_dropped_closes_the_connection() {
    let callee = echo().await;
    let connections = Connections::default();
    let (feeder, body) = fed();
    let response = connections.send(callee.addr(), post(body)).await.unwrap();
    drop(response);
    assert_eq!((connections.idle(), connections.open()), (0, 0));
    // The upload is gone with it.
    eventually(|| feeder.is_closed()).await;
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_closes_the_connection() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let connections = Connections::default();
    let send = connections.send(callee.addr, get("/"));
    assert!(
        time::timeout(Duration::from_millis(50), send)
            .await
            .is_err()
    );
    assert_eq!(connections.open(), 0);
}

#[tokio::test]
async fn dropping_a_send_at_any_poll_leaks_no_connection() {
    let callee = echo().await;
    let connections = Connections::default();
    for warm in [false, true] {
        for polls in 0..20 {
            if warm {
                assert_eq!(text(&connections, callee.addr(), "warm").await, "warm");
            }
            drop(polled(connections.send(callee.addr(), get("/")), polls, None).await);
            eventually(|| connections.open() == connections.idle()).await;
        }
    }
    assert!(connections.open() <= 1);
}

/// Answers one request per connection and closes it when it is told.
fn closing_server() -> (SocketAddr, mpsc::Sender<()>, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (close, closes) = mpsc::channel();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        assert_ne!(stream.read(&mut request).unwrap(), 0);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none")
            .unwrap();
        closes.recv().unwrap();
        drop(stream);
        let next = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            assert_ne!(stream.read(&mut request).unwrap(), 0);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo")
                .unwrap();
        });
        drop(next);
    });
    (addr, close, server)
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_used() {
    let (addr, close, server) = closing_server();
    let connections = Connections::default();
    assert_eq!(text(&connections, addr, "a").await, "one");
    close.send(()).unwrap();
    server.join().unwrap();
    // Long enough for the connection's task to see the end.
    time::sleep(Duration::from_millis(50)).await;
    assert_eq!(text(&connections, addr, "b").await, "two");
}

#[tokio::test]
async fn a_connection_that_closes_under_the_request_is_replaced() {
    let metrics = Metrics::new();
    let (addr, close, server) = closing_server();
    let connections = Connections::builder().metrics(&metrics).unwrap().build();
    assert_eq!(text(&connections, addr, "a").await, "one");
    close.send(()).unwrap();
    server.join().unwrap();
    // One turn of the runtime's driver: the end has arrived, and the connection's task, which would
    // notice it, has not run yet when the request is handed to it.
    yield_now().await;
    assert_eq!(text(&connections, addr, "b").await, "two");
    let page = metrics.render();
    assert!(
        page.contains("msf_client_connections_stale_total 1"),
        "{page}"
    );
    assert!(
        page.contains("msf_client_connections_opened_total 2"),
        "{page}"
    );
}

#[tokio::test]
async fn a_full_host_refuses_at_once() {
    let callee = echo().await;
    let connections = Connections::builder()
        .max_connections(1)
        .queue_max(0)
        .build();
    let (feeder, body) = fed();
    let first = connections.send(callee.addr(), post(body)).await.unwrap();
    let error = connections.send(callee.addr(), get("/")).await.unwrap_err();
    assert!(
        matches!(error, TransportError::QueueFull { limit: 0, .. }),
        "{error}"
    );
    assert!(error.is_unsent() && error.is_own_fault());
    drop((first, feeder));
    assert_eq!(text(&connections, callee.addr(), "now").await, "now");
}

#[tokio::test]
async fn idle_connections_reach_their_timeout() {
    let callee = echo().await;
    let connections = Connections::builder()
        .idle_timeout(Duration::from_millis(60))
        .build();
    for _ in 0..2 {
        assert_eq!(text(&connections, callee.addr(), "x").await, "x");
        eventually(|| connections.open() == 0).await;
    }
}

#[tokio::test]
async fn a_callee_may_have_idle_limits_of_its_own() {
    let (patient, hasty, alone) = (echo().await, echo().await, echo().await);
    let connections = Connections::default();
    let send = async |addr, upstream: &Upstream| {
        let response = connections.send_to(addr, upstream, get("/")).await.unwrap();
        response.into_body().collect().await.unwrap();
    };
    send(patient.addr(), &Upstream::new()).await;
    let short = Upstream::new().idle_timeout(Duration::from_millis(60));
    send(hasty.addr(), &short).await;
    eventually(|| connections.open() == 1).await;
    send(alone.addr(), &Upstream::new().idle_max(0)).await;
    eventually(|| connections.open() == 1 && connections.idle() == 1).await;
}

#[tokio::test]
async fn nobody_there_is_an_error_that_may_be_repeated() {
    let addr = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = Connections::default()
        .send(addr, get("/"))
        .await
        .unwrap_err();
    assert!(matches!(error, TransportError::Connect { .. }), "{error}");
    assert!(error.is_unsent() && !error.is_own_fault());
}

#[tokio::test]
async fn a_connection_that_is_not_taken_times_out() {
    let (addr, _queue) = full_queue().await;
    let connections = Connections::builder()
        .connect_timeout(Duration::from_millis(100))
        .build();
    let error = connections.send(addr, get("/")).await.unwrap_err();
    assert!(
        matches!(error, TransportError::ConnectTimeout { .. }),
        "{error}"
    );
    assert!(error.is_unsent());
    assert_eq!(connections.open(), 0);
}

#[tokio::test]
async fn a_request_body_that_fails_says_why() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let connections = Connections::default();
    let (feeder, body) = fed();
    feeder.send(Err("the disk is gone".into())).unwrap();
    let error = connections.send(callee.addr, post(body)).await.unwrap_err();
    assert!(
        matches!(error, TransportError::RequestBody { .. }),
        "{error}"
    );
    assert!(error.is_own_fault() && !error.is_unsent());
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    let last = causes.last().unwrap();
    assert_eq!(last.to_string(), "the disk is gone");
    assert_eq!(connections.open(), 0);
}

/// Answers `/half` with half of a body, and all else with a whole one.
async fn halves(mut stream: TcpStream) {
    while let Some(head) = read_head(&mut stream).await {
        let answer: &[u8] = if head.starts_with("GET /half") {
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole"
        };
        stream.write_all(answer).await.unwrap();
    }
}

#[test]
fn a_runtime_that_ends_takes_its_connections_along() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    };
    let (callees, first, second) = (runtime(), runtime(), runtime());
    let callee = callees.block_on(Scripted::start(halves));
    let connections = Connections::default();
    let half = first.block_on(async {
        let half = connections.send(callee.addr, get("/half")).await.unwrap();
        let whole = connections.send(callee.addr, get("/")).await.unwrap();
        whole.into_body().collect().await.unwrap();
        eventually(|| connections.idle() == 1).await;
        half
    });
    drop(first);
    second.block_on(async {
        let read = half.into_body().collect().await;
        assert!(matches!(read, Err(TransportError::Body { .. })), "{read:?}");
        let whole = connections.send(callee.addr, get("/")).await.unwrap();
        let whole = whole.into_body().collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "whole");
        eventually(|| connections.open() == connections.idle()).await;
    });
    assert_eq!(callee.accepted(), 3);
}
