//! Callees that answer wrongly, late or not at all.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use http_body_util::BodyExt;
use msf_client::transport::{Connections, TransportError};
use msf_core::BoxError;
use tokio::{io::AsyncWriteExt, net::TcpStream, time};

use crate::callee::{Scripted, eventually, get, read_head};

/// Answers every request with the same bytes and then closes, or waits.
async fn answering(answer: impl Into<Vec<u8>>, closes: bool) -> Scripted {
    let answer: Vec<u8> = answer.into();
    Scripted::start(move |mut stream: TcpStream| {
        let answer = answer.clone();
        async move {
            while read_head(&mut stream).await.is_some() {
                // A client that has seen enough closes before it has read all.
                if stream.write_all(&answer).await.is_err() || closes {
                    return;
                }
            }
        }
    })
    .await
}

async fn refused(answer: impl Into<Vec<u8>>) -> TransportError {
    let callee = answering(answer, true).await;
    let connections = Connections::default();
    let error = connections.send(callee.addr, get("/")).await.unwrap_err();
    assert!(!error.is_unsent() && !error.is_own_fault(), "{error}");
    assert_eq!(connections.open(), 0);
    assert_eq!(callee.accepted(), 1, "what was sent is not repeated");
    error
}

async fn read(answer: impl Into<Vec<u8>>) -> Result<Vec<u8>, BoxError> {
    let callee = answering(answer, true).await;
    let connections = Connections::default();
    let response = connections.send(callee.addr, get("/")).await?;
    let body = response.into_body().collect().await;
    eventually(|| connections.open() == connections.idle()).await;
    Ok(body?.to_bytes().to_vec())
}

#[tokio::test]
async fn no_answer_at_all_is_a_reset() {
    let error = refused("").await;
    assert!(matches!(error, TransportError::Reset { .. }), "{error:?}");
}

#[tokio::test]
async fn half_a_head_is_a_reset() {
    let error = refused("HTTP/1.1 200 OK\r\ncontent-le").await;
    assert!(matches!(error, TransportError::Reset { .. }), "{error:?}");
}

#[tokio::test]
async fn garbage_breaks_the_protocol() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "\0\0\0\0\0\0\0\0",
    ] {
        let error = refused(garbage).await;
        assert!(
            matches!(error, TransportError::Protocol { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_huge_head_breaks_the_protocol() {
    let mut head = String::from("HTTP/1.1 200 OK\r\n");
    for field in 0..90 {
        head += &format!("x-{field}: {}\r\n", "a".repeat(1000));
    }
    let error = refused(head + "\r\n").await;
    assert!(
        matches!(error, TransportError::Protocol { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn too_many_fields_break_the_protocol() {
    let fields: String = (0..500).map(|n| format!("x-{n}: 1\r\n")).collect();
    let error = refused(format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).await;
    assert!(
        matches!(error, TransportError::Protocol { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_switch_of_protocols_breaks_the_protocol() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let error = refused(switch).await;
    assert!(
        matches!(error, TransportError::Protocol { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_coding_that_nobody_asked_for_breaks_the_protocol() {
    for coding in ["gzip, chunked", "chunked, chunked", "identity", "gzip"] {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n");
        let error = refused(answer).await;
        assert!(
            matches!(error, TransportError::Protocol { .. }),
            "{coding}: {error:?}"
        );
    }
}

#[tokio::test]
async fn interim_answers_are_skipped() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n\
                  HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    assert_eq!(read(answer).await.unwrap(), b"ok");
}

#[tokio::test]
async fn a_short_body_is_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n",
    ] {
        let error = read(answer).await.unwrap_err();
        let error = error.downcast::<TransportError>().unwrap();
        assert!(matches!(*error, TransportError::Body { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_reset_within_the_body_is_an_error() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        stream.write_all(half).await.unwrap();
        time::sleep(Duration::from_millis(20)).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let connections = Connections::default();
    let response = connections.send(callee.addr, get("/")).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(matches!(error, TransportError::Body { .. }), "{error:?}");
    assert_eq!(connections.open(), 0);
}

#[tokio::test]
async fn a_body_that_stalls_times_out() {
    let callee = answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", false).await;
    let connections = Connections::builder()
        .body_timeout(Duration::from_millis(50))
        .build();
    let response = connections.send(callee.addr, get("/")).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "half"
    );
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(
        matches!(error, TransportError::BodyTimeout { .. }),
        "{error:?}"
    );
    assert_eq!(connections.open(), 0);
}

#[tokio::test]
async fn a_length_beside_an_encoding_is_not_passed_on() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n\
                  2\r\nok\r\n0\r\n\r\n";
    let callee = answering(answer, false).await;
    let connections = Connections::default();
    for _ in 0..2 {
        let response = connections.send(callee.addr, get("/")).await.unwrap();
        assert!(!response.headers().contains_key("content-length"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "ok");
        assert_eq!(connections.open(), 0);
    }
    assert_eq!(callee.accepted(), 2);
}

#[tokio::test]
async fn a_callee_that_closes_is_believed() {
    let answer = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    let callee = answering(answer, false).await;
    let connections = Connections::default();
    connections.send(callee.addr, get("/")).await.unwrap();
    assert_eq!(connections.open(), 0);
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_end_the_connection() {
    static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        while read_head(&mut stream).await.is_some() {
            REQUESTS.fetch_add(1, Ordering::Relaxed);
            // The second answer is one that the next request must not get.
            let both = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\
                         HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
            stream.write_all(both).await.unwrap();
        }
    })
    .await;
    let connections = Connections::default();
    for _ in 0..3 {
        let response = connections.send(callee.addr, get("/")).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "ok");
    }
    assert_eq!(REQUESTS.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_body_where_none_belongs_is_nobodys_answer() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    for (method, status) in [
        ("HEAD", "200 OK"),
        ("GET", "204 No Content"),
        ("GET", "304 Not Modified"),
    ] {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
            evil.len()
        );
        let callee = answering(head + evil, false).await;
        let connections = Connections::default();
        for _ in 0..3 {
            let mut request = get("/");
            *request.method_mut() = method.parse().unwrap();
            let response = connections.send(callee.addr, request).await.unwrap();
            assert!(
                status.starts_with(response.status().as_str()),
                "{method} {status}"
            );
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "", "{method} {status}");
        }
    }
}

#[tokio::test]
async fn interim_answers_without_end_end_with_the_callers_patience() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let hints = b"HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n".repeat(100);
        while stream.write_all(&hints).await.is_ok() {}
    })
    .await;
    let connections = Connections::default();
    let send = connections.send(callee.addr, get("/"));
    let outcome = time::timeout(Duration::from_millis(200), send).await;
    assert!(outcome.is_err(), "{outcome:?}");
    assert_eq!(connections.open(), 0);
}
