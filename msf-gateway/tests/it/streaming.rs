//! Bodies that pass as they come, in both directions, and ends that are seen on the other side.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use msf_client::transport::Connections;
use msf_core::{
    body::Body,
    server::{Limits, Listener, Server},
    task,
};
use msf_gateway::Route;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time,
};

use crate::common::{PATIENCE, System, bytes, raw, read_until};

/// Sends the body back as it arrives.
async fn echo(request: Request<Body>) -> Response<Body> {
    Response::new(request.into_body())
}

#[tokio::test]
async fn each_piece_passes_before_the_next_is_sent() {
    let system = System::new().with("echo", echo).await;
    let gateway = system.serve([Route::prefix("/").to("echo").public()]).await;
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    for piece in ["one", "two", "six"] {
        stream
            .write_all(format!("3\r\n{piece}\r\n").as_bytes())
            .await
            .unwrap();
        read_until(&mut stream, piece).await;
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    read_until(&mut stream, "0\r\n\r\n").await;
}

/// So many pieces of 64 KiB, each made when it is asked for.
struct Large(usize);

const PIECE: usize = 64 << 10;

impl http_body::Body for Large {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(vec![7; PIECE].into()))))
    }
}

#[tokio::test]
async fn a_body_larger_than_any_buffer_passes_both_ways() {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = listener.local_addr();
    let service = tower::service_fn(|request| async { Ok::<_, Infallible>(echo(request).await) });
    let server = Server::new().limits(Limits::default().body_limit(1 << 30));
    let _serving = task::spawn("echo", async move { server.serve(listener, service).await });
    let system = System::new().with_addr("echo", addr).await;
    let route = Route::prefix("/").to("echo").public().body_limit(1 << 30);
    let gateway = system.serve([route]).await;
    let pieces = 1_024;
    let before = resident_bytes_max();
    let request = Request::post("/")
        .header("host", "a")
        .body(Body::new(Large(pieces)))
        .unwrap();
    let response = Connections::default()
        .send(gateway.addr(), request)
        .await
        .unwrap();
    let mut body = response.into_body();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        received += frame.unwrap().into_data().map_or(0, |data| data.len());
    }
    assert_eq!(received, pieces * PIECE);
    // Client, gateway and service are all in this process, and other tests run beside.
    let grown = resident_bytes_max().saturating_sub(before);
    assert!(
        grown < received as u64 / 2,
        "{grown} bytes were kept of {received}"
    );
}

/// The most memory that this process has used; 0 where the system does not tell.
fn resident_bytes_max() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

/// Notifies when it is dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_service() {
    let (begun, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, guard) = (begun.clone(), gone.clone());
    let system = System::new()
        .with("slow", move |_request| {
            let (told, guard) = (told.clone(), OnDrop(guard.clone()));
            async move {
                let _guard = guard;
                told.notify_one();
                std::future::pending::<Response<Body>>().await
            }
        })
        .await;
    let gateway = system.serve([Route::prefix("/").to("slow").public()]).await;
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    time::timeout(PATIENCE, begun.notified()).await.unwrap();
    drop(stream);
    time::timeout(PATIENCE, gone.notified()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_amid_the_answer_stops_the_service() {
    let gone = Arc::new(Notify::new());
    let guard = gone.clone();
    let system = System::new()
        .with("endless", move |_request| {
            let guard = OnDrop(guard.clone());
            async move {
                Response::new(Body::new(Endless {
                    is_begun: false,
                    _guard: guard,
                }))
            }
        })
        .await;
    let gateway = system
        .serve([Route::prefix("/").to("endless").public()])
        .await;
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut stream, "begun").await;
    drop(stream);
    time::timeout(PATIENCE, gone.notified()).await.unwrap();
}

/// One piece, and then nothing for ever.
struct Endless {
    is_begun: bool,
    _guard: OnDrop,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_begun {
            return Poll::Pending;
        }
        self.is_begun = true;
        Poll::Ready(Some(Ok(Frame::data(bytes("begun")))))
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_complete() {
    for (head, body) in [
        ("content-length: 100\r\n", "begun"),
        ("transfer-encoding: chunked\r\n", "5\r\nbegun\r\n"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let _breaking = task::spawn("breaking service", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4_096];
                stream.read(&mut request).await.unwrap();
                let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
                // The answer has begun to arrive before it breaks off.
                time::sleep(Duration::from_millis(50)).await;
            }
        });
        let system = System::new().with_addr("breaking", addr).await;
        let gateway = system
            .serve([Route::prefix("/").to("breaking").public()])
            .await;
        let answer = raw(gateway.addr(), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("begun"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn an_early_answer_passes_while_the_body_is_still_coming() {
    let system = System::new()
        .with("early", |_request| async {
            Response::new(Body::from("no more"))
        })
        .await;
    let gateway = system
        .serve([Route::prefix("/").to("early").public()])
        .await;
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nbegin";
    stream.write_all(head).await.unwrap();
    read_until(&mut stream, "no more").await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_for_complete() {
    let seen = Arc::new(std::sync::Mutex::new(None));
    let told = seen.clone();
    let ended = Arc::new(Notify::new());
    let tell = ended.clone();
    let system = System::new()
        .with("reader", move |request: Request<Body>| {
            let (told, tell) = (told.clone(), OnDrop(tell.clone()));
            async move {
                let _tell = tell;
                let whole = request.into_body().collect().await.is_ok();
                *told.lock().unwrap() = Some(whole);
                Response::new(Body::empty())
            }
        })
        .await;
    let gateway = system
        .serve([Route::prefix("/").to("reader").public()])
        .await;
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n";
    stream.write_all(head).await.unwrap();
    time::sleep(Duration::from_millis(50)).await;
    drop(stream);
    time::timeout(PATIENCE, ended.notified()).await.unwrap();
    assert_ne!(*seen.lock().unwrap(), Some(true));
}
