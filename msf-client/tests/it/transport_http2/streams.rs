//! How many requests a connection has, and who waits.

use std::{future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use msf_client::transport::{Connections, Protocol, TransportError, Upstream};
use msf_core::body::Body;
use tokio::{sync::mpsc, time};

use super::{callee, h2c, ok, text};
use crate::callee::{echo, eventually, get, post};

#[tokio::test]
async fn requests_share_a_connection() {
    let callee = callee(100, Arc::new(|_, _, respond| ok(respond))).await;
    let connections = h2c();
    for _ in 0..3 {
        let sends: Vec<_> = (0..20)
            .map(|_| {
                let (connections, addr) = (connections.clone(), callee.addr);
                msf_core::task::spawn("caller", async move {
                    connections.send(addr, get("/")).await.unwrap()
                })
            })
            .collect();
        for send in sends {
            let response = send.join().await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
        }
    }
    assert_eq!(callee.accepted(), 1);
    eventually(|| (connections.idle(), connections.open()) == (1, 1)).await;
}

#[tokio::test]
async fn both_protocols_are_spoken_to_one_callee() {
    let callee = echo().await;
    let connections = Connections::default();
    for (protocol, version) in [
        (Protocol::Http1, Version::HTTP_11),
        (Protocol::H2c, Version::HTTP_2),
    ] {
        let upstream = Upstream::new().protocol(protocol);
        let request = post(Body::from("hello"));
        let response = connections.send_to(callee.addr(), &upstream, request);
        let response = response.await.unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(text(response).await, "hello");
    }
    assert_eq!(connections.open(), 2);
}

#[tokio::test]
async fn the_next_connection_is_opened_at_four_fifths_of_the_streams() {
    let (held, mut holds) = mpsc::unbounded_channel();
    let answer = move |_, _, respond| held.send(respond).unwrap();
    let callee = callee(5, Arc::new(answer)).await;
    let connections = h2c();
    let mut sends = Vec::new();
    let mut responds = Vec::new();
    for expected in [1, 1, 1, 1, 2, 2, 2, 2] {
        let (connections, addr) = (connections.clone(), callee.addr);
        let send = async move { connections.send(addr, get("/")).await };
        sends.push(msf_core::task::spawn("caller", send));
        responds.push(holds.recv().await.unwrap());
        assert_eq!(callee.accepted(), expected);
    }
    responds.into_iter().for_each(ok);
    for send in sends {
        assert!(send.join().await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn requests_wait_for_a_stream_when_there_may_be_no_other_connection() {
    let (held, mut holds) = mpsc::unbounded_channel();
    let answer = move |_, _, respond| held.send(respond).unwrap();
    let callee = callee(1, Arc::new(answer)).await;
    let connections = Connections::builder()
        .protocol(Protocol::H2c)
        .max_connections(1)
        .queue_max(2)
        .streams_max(1)
        .build();
    let mut sends = Vec::new();
    for _ in 0..3 {
        let mut send = tokio_test::task::spawn(connections.send(callee.addr, get("/")));
        assert!(send.poll().is_pending());
        sends.push(send);
    }
    let error = connections.send(callee.addr, get("/")).await.unwrap_err();
    assert!(
        matches!(error, TransportError::QueueFull { limit: 2, .. }),
        "{error}"
    );
    for mut send in sends {
        let respond = async {
            ok(holds.recv().await.unwrap());
            pending::<()>().await;
        };
        let response = tokio::select! {
            response = &mut send => response.unwrap(),
            () = respond => unreachable!(),
        };
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(callee.accepted(), 1);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_holds_up_no_other() {
    let answer = |_, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        let pieces = if request.uri().path() == "/large" {
            64
        } else {
            4
        };
        for piece in 0..pieces {
            let data = Bytes::from(vec![7; 64 << 10]);
            send.send_data(data, piece + 1 == pieces).unwrap();
        }
    };
    let callee = callee(100, Arc::new(answer)).await;
    let connections = h2c();
    let mut unread = Vec::new();
    for _ in 0..20 {
        unread.push(connections.send(callee.addr, get("/large")).await.unwrap());
    }
    let response = connections.send(callee.addr, get("/small")).await.unwrap();
    let body = time::timeout(Duration::from_secs(5), response.into_body().collect());
    assert_eq!(body.await.unwrap().unwrap().to_bytes().len(), 256 << 10);
    assert_eq!(callee.accepted(), 1);
}
