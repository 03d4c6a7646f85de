//! Requests that are dropped, and connections that end or never begin.

use std::{future::pending, net::TcpListener as StdListener, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{Request, Response};
use msf_client::transport::{Connections, Protocol, TransportError};
use msf_core::{body::Body, testing::TestServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time,
};

use super::{callee, h2c, text};
use crate::callee::{Scripted, echo, eventually, fed, get, polled, post};

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_reset() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let answer = move |_, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
        let ended = ended.clone();
        msf_core::task::spawn("watcher", async move {
            let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            drop(request);
            ended.send(reason.unwrap()).unwrap();
        })
        .detach();
    };
    let callee = callee(100, Arc::new(answer)).await;
    let connections = h2c();
    let (feeder, body) = fed();
    feeder.send(Ok(Bytes::from("begun"))).unwrap();
    let send = connections.send(callee.addr, post(body));
    assert!(
        time::timeout(Duration::from_millis(100), send)
            .await
            .is_err()
    );
    assert_eq!(ends.recv().await, Some(h2::Reason::CANCEL));
    eventually(|| feeder.is_closed()).await;
    assert_eq!((connections.idle(), connections.open()), (1, 1));
}

#[tokio::test]
async fn dropping_a_send_at_any_poll_leaks_nothing() {
    let callee = echo().await;
    let connections = h2c();
    for warm in [false, true] {
        for polls in 0..20 {
            if warm {
                let response = connections.send(callee.addr(), post(Body::from("warm")));
                assert_eq!(text(response.await.unwrap()).await, "warm");
            }
            drop(polled(connections.send(callee.addr(), get("/")), polls, None).await);
            eventually(|| connections.open() == connections.idle()).await;
        }
    }
    assert!(connections.open() <= 1);
}

#[tokio::test]
async fn an_idle_connection_reaches_its_timeout() {
    let callee = echo().await;
    let connections = Connections::builder()
        .protocol(Protocol::H2c)
        .idle_timeout(Duration::from_millis(60))
        .build();
    for _ in 0..2 {
        let response = connections.send(callee.addr(), post(Body::from("x")));
        assert_eq!(text(response.await.unwrap()).await, "x");
        eventually(|| connections.open() == 0).await;
    }
}

#[tokio::test]
async fn a_callee_that_has_ended_is_called_on_a_new_connection() {
    let callee = TestServer::start(tower::service_fn(|_request| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::from("first")))
    }))
    .await;
    let connections = h2c();
    let addr = callee.addr();
    let response = connections.send(addr, get("/")).await.unwrap();
    assert_eq!(text(response).await, "first");
    callee.stop().await;
    let error = connections.send(addr, get("/")).await.unwrap_err();
    assert!(error.is_unsent(), "{error:?}");
    eventually(|| connections.open() == 0).await;
}

#[tokio::test]
async fn nobody_there_is_an_error_that_may_be_repeated() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let connections = h2c();
    let sends: Vec<_> = (0..5)
        .map(|_| {
            let connections = connections.clone();
            msf_core::task::spawn("caller", async move {
                connections.send(addr, get("/")).await.unwrap_err()
            })
        })
        .collect();
    for send in sends {
        let error = send.join().await.unwrap();
        assert!(matches!(error, TransportError::Connect { .. }), "{error}");
        assert!(error.is_unsent() && !error.is_own_fault());
    }
    assert_eq!(connections.open(), 0);
}

#[tokio::test]
async fn a_callee_that_speaks_another_protocol_breaks_this_one() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        pending::<()>().await;
    })
    .await;
    let connections = h2c();
    let error = connections.send(callee.addr, get("/")).await.unwrap_err();
    assert!(
        matches!(error, TransportError::Protocol { .. }),
        "{error:?}"
    );
    assert!(!error.is_unsent() && !error.is_own_fault());
    eventually(|| connections.open() == 0).await;
}
