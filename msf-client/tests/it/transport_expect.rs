//! `Expect: 100-continue`.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use msf_client::transport::Connections;
use msf_core::body::Body;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::callee::{Scripted, eventually, fed, post, read_head};

fn careful(body: Body) -> Request<Body> {
    let mut request = post(body);
    let value = "100-continue".parse().unwrap();
    request.headers_mut().insert("expect", value);
    request
}

async fn chunk(stream: &mut TcpStream, expected: &str) {
    let mut seen = vec![0; expected.len()];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(String::from_utf8(seen).unwrap(), expected);
}

#[tokio::test]
async fn the_body_goes_when_it_is_asked_for() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        for _ in 0..2 {
            let head = read_head(&mut stream).await.unwrap();
            assert!(head.contains("expect: 100-continue\r\n"), "{head}");
            let mut early = [0; 1];
            let early = time::timeout(Duration::from_millis(50), stream.read(&mut early));
            assert!(
                early.await.is_err(),
                "nothing of the body before it is wanted"
            );
            let go_on = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
            stream.write_all(go_on).await.unwrap();
            chunk(&mut stream, "4\r\nbody\r\n0\r\n\r\n").await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
        }
        time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let connections = Connections::default();
    for _ in 0..2 {
        let (feeder, body) = fed();
        feeder.send(Ok(Bytes::from("body"))).unwrap();
        drop(feeder);
        let response = connections.send(callee.addr, careful(body)).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "ok");
        eventually(|| connections.idle() == 1).await;
    }
    assert_eq!(callee.accepted(), 1);
}

#[tokio::test]
async fn a_body_that_is_refused_is_not_touched() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await.unwrap();
        let answer = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nno.";
        stream.write_all(answer).await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "{rest:?}");
    })
    .await;
    let connections = Connections::default();
    let (feeder, body) = fed();
    feeder.send(Ok(Bytes::from("body"))).unwrap();
    let response = connections.send(callee.addr, careful(body)).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let answer = response.into_body().collect().await.unwrap();
    assert_eq!(answer.to_bytes(), "no.");
    // What the callee still expects is a body, so the connection is of no use.
    eventually(|| connections.open() == 0 && feeder.is_closed()).await;
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_does_not_know_the_word_is_sent_the_body_after_a_second() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await.unwrap();
        chunk(&mut stream, "4\r\nbody\r\n0\r\n\r\n").await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let (feeder, body) = fed();
    feeder.send(Ok(Bytes::from("body"))).unwrap();
    drop(feeder);
    let begun = time::Instant::now();
    let response = Connections::default().send(callee.addr, careful(body));
    assert_eq!(response.await.unwrap().status(), StatusCode::OK);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn without_a_body_there_is_nothing_to_expect() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert!(!head.contains("expect"), "{head}");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let response = Connections::default().send(callee.addr, careful(Body::empty()));
    assert_eq!(response.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_fails_after_it_was_asked_for_says_why() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await.unwrap();
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
        stream.write_all(go_on).await.unwrap();
        time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let (feeder, body) = fed();
    feeder.send(Err("the disk is gone".into())).unwrap();
    let error = Connections::default().send(callee.addr, careful(body));
    let error = error.await.unwrap_err();
    assert!(error.is_own_fault() && !error.is_unsent(), "{error:?}");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the disk is gone");
}

#[tokio::test]
async fn trailers_are_sent_as_they_were_announced() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert!(head.contains("te: trailers\r\n"), "{head}");
        assert!(head.contains("connection: te\r\n"), "{head}");
        chunk(&mut stream, "4\r\ndata\r\n0\r\nx-sum: 7\r\n\r\n").await;
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
            2\r\nok\r\n0\r\nserver-timing: 1\r\nset-cookie: a=b\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let mut fields = http::HeaderMap::new();
    fields.insert("x-sum", "7".parse().unwrap());
    fields.insert("x-user-id", "1".parse().unwrap());
    let body = http_body_util::Full::new(Bytes::from("data"))
        .with_trailers(async move { Some(Ok(fields)) });
    let mut request = post(Body::new(body));
    let headers = request.headers_mut();
    headers.insert("te", "gzip, trailers".parse().unwrap());
    headers.insert("trailer", "x-sum".parse().unwrap());
    let response = Connections::default().send(callee.addr, request);
    let answer = response.await.unwrap().into_body().collect().await.unwrap();
    let trailers = answer.trailers().unwrap();
    assert_eq!(trailers.len(), 1);
    assert_eq!(trailers["server-timing"], "1");
}
