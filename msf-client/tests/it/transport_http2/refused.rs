//! Streams that the callee refuses or resets, and GOAWAY.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{Request, Response, StatusCode};
use msf_client::transport::TransportError;
use msf_core::body::Body;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use super::{callee, h2c, ok, text};
use crate::callee::{Scripted, eventually, get, post};

#[tokio::test]
async fn a_refused_stream_is_sent_again_whole() {
    let answer = |number, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
        if number == 0 {
            respond.send_reset(h2::Reason::REFUSED_STREAM);
            return;
        }
        msf_core::task::spawn("reader", async move {
            let mut body = request.into_body();
            let mut seen = Vec::new();
            while let Some(piece) = body.data().await {
                seen.extend_from_slice(&piece.unwrap());
            }
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data(seen.into(), true).unwrap();
        })
        .detach();
    };
    let callee = callee(100, Arc::new(answer)).await;
    let request = post(Body::from("all of it"));
    let response = h2c().send(callee.addr, request).await.unwrap();
    assert_eq!(text(response).await, "all of it");
}

#[tokio::test]
async fn a_callee_that_refuses_everything_is_named() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let answer = move |_, _, mut respond: SendResponse<Bytes>| {
        count.fetch_add(1, Ordering::Relaxed);
        respond.send_reset(h2::Reason::REFUSED_STREAM);
    };
    let callee = callee(100, Arc::new(answer)).await;
    let connections = h2c();
    let error = connections.send(callee.addr, get("/")).await.unwrap_err();
    assert!(matches!(error, TransportError::Refused { .. }), "{error:?}");
    assert!(error.is_unsent() && !error.is_own_fault());
    // It has too much to do already.
    assert_eq!(requests.load(Ordering::Relaxed), 2);
    eventually(|| connections.idle() == connections.open()).await;
}

#[tokio::test]
async fn any_other_reset_is_not_sent_again() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let answer = move |_, _, mut respond: SendResponse<Bytes>| {
        count.fetch_add(1, Ordering::Relaxed);
        respond.send_reset(h2::Reason::INTERNAL_ERROR);
    };
    let callee = callee(100, Arc::new(answer)).await;
    let error = h2c().send(callee.addr, get("/")).await.unwrap_err();
    assert!(matches!(error, TransportError::Reset { .. }), "{error:?}");
    assert!(!error.is_unsent());
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

/// Reads one frame: its type, flags and stream.
async fn read_frame(stream: &mut TcpStream) -> Option<(u8, u8, u32)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut rest = vec![0; usize::try_from(len).unwrap()];
    stream.read_exact(&mut rest).await.ok()?;
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], head[4], id))
}

#[tokio::test]
async fn a_stream_above_the_last_of_a_goaway_goes_to_the_next_connection() {
    let turn = Arc::new(AtomicUsize::new(0));
    let callee = Scripted::start(move |mut stream: TcpStream| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        async move {
            if turn > 0 {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_request, respond))) = connection.accept().await {
                    ok(respond);
                }
                return;
            }
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).await.unwrap();
            let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
            stream.write_all(&settings).await.unwrap();
            while read_frame(&mut stream).await.unwrap().0 != HEADERS {}
            let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            stream.write_all(&goaway).await.unwrap();
            while read_frame(&mut stream).await.is_some() {}
        }
    })
    .await;
    let connections = h2c();
    let response = connections
        .send(callee.addr, post(Body::from("kept")))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(callee.accepted(), 2);
    eventually(|| connections.open() == 1).await;
}

const HEADERS: u8 = 1;

#[tokio::test]
async fn what_was_in_flight_before_a_goaway_is_finished() {
    let callee = Scripted::start(|stream: TcpStream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        connection.graceful_shutdown();
        let late = async move {
            time::sleep(Duration::from_millis(50)).await;
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data("late".into(), true).unwrap();
            pending::<()>().await;
        };
        tokio::select! {
            () = late => {}
            _ended = async { while connection.accept().await.is_some() {} } => {}
        }
    })
    .await;
    let connections = h2c();
    for connection in 1..3 {
        let response = connections.send(callee.addr, get("/")).await.unwrap();
        assert_eq!(text(response).await, "late");
        assert_eq!(callee.accepted(), connection);
    }
}
