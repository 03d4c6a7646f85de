//! Bodies in both directions, their trailers, and their ends.

use std::{future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use msf_client::transport::TransportError;
use msf_core::body::Body;
use tokio::{sync::mpsc, time};

use super::{callee, h2c, text};
use crate::callee::{echo, eventually, fed, get, post};

#[tokio::test]
async fn both_bodies_stream_at_once() {
    let callee = echo().await;
    let connections = h2c();
    let (feeder, body) = fed();
    let response = connections.send(callee.addr(), post(body)).await.unwrap();
    let mut answer = response.into_body();
    for piece in ["first", "second"] {
        feeder.send(Ok(Bytes::from(piece))).unwrap();
        let frame = answer.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
    drop(feeder);
    assert!(answer.collect().await.unwrap().to_bytes().is_empty());
    eventually(|| connections.idle() == 1).await;
}

#[tokio::test]
async fn an_answer_that_is_dropped_ends_the_upload_and_spares_the_connection() {
    let callee = echo().await;
    let connections = h2c();
    let (feeder, body) = fed();
    feeder.send(Ok(Bytes::from("begun"))).unwrap();
    let response = connections.send(callee.addr(), post(body)).await.unwrap();
    drop(response);
    eventually(|| feeder.is_closed()).await;
    assert_eq!((connections.idle(), connections.open()), (1, 1));
    let response = connections.send(callee.addr(), post(Body::from("next")));
    assert_eq!(text(response.await.unwrap()).await, "next");
}

#[tokio::test]
async fn a_request_body_that_fails_says_why_and_resets_the_stream() {
    let callee = callee(
        100,
        Arc::new(|_, request: Request<h2::RecvStream>, respond| {
            msf_core::task::spawn("reader", async move {
                let mut body = request.into_body();
                while let Some(Ok(_)) = body.data().await {}
                pending::<()>().await;
                drop(respond);
            })
            .detach();
        }),
    )
    .await;
    let connections = h2c();
    let (feeder, body) = fed();
    feeder.send(Err("the disk is gone".into())).unwrap();
    let error = connections.send(callee.addr, post(body)).await.unwrap_err();
    let TransportError::RequestBody { source } = error else {
        panic!("{error:?}");
    };
    assert_eq!(source.to_string(), "the disk is gone");
    eventually(|| connections.idle() == 1).await;
}

#[tokio::test]
async fn trailers_go_both_ways_without_what_may_not_trail() {
    let (seen, mut sees) = mpsc::unbounded_channel();
    let answer = move |_, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
        let seen = seen.clone();
        msf_core::task::spawn("reader", async move {
            assert_eq!(request.headers()["te"], "trailers");
            let mut body = request.into_body();
            while let Some(Ok(_)) = body.data().await {}
            seen.send(body.trailers().await.unwrap()).unwrap();
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data("x".into(), false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            trailers.insert("set-cookie", "a=b".parse().unwrap());
            send.send_trailers(trailers).unwrap();
        })
        .detach();
    };
    let callee = callee(100, Arc::new(answer)).await;
    let mut fields = HeaderMap::new();
    for name in ["x-sum", "x-user-id", "authorization"] {
        fields.insert(name, "7".parse().unwrap());
    }
    let mut request = post(Body::new(
        Full::new(Bytes::from("data")).with_trailers(async move { Some(Ok(fields)) }),
    ));
    let headers = request.headers_mut();
    headers.insert("te", "trailers".parse().unwrap());
    headers.insert("trailer", "x-sum, authorization".parse().unwrap());
    let response = h2c().send(callee.addr, request).await.unwrap();
    let answer = response.into_body().collect().await.unwrap();
    let trailers = answer.trailers().unwrap();
    assert_eq!(trailers.len(), 1);
    assert_eq!(trailers["grpc-status"], "0");
    let arrived = sees.recv().await.unwrap().unwrap();
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived["x-sum"], "7");
}

#[tokio::test]
async fn an_answer_that_is_cut_off_does_not_look_complete() {
    for reason in [
        h2::Reason::NO_ERROR,
        h2::Reason::CANCEL,
        h2::Reason::INTERNAL_ERROR,
    ] {
        let answer = move |_, _: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data("half".into(), false).unwrap();
            msf_core::task::spawn("reset", async move {
                time::sleep(Duration::from_millis(40)).await;
                send.send_reset(reason);
            })
            .detach();
        };
        let callee = callee(100, Arc::new(answer)).await;
        let response = h2c().send(callee.addr, get("/")).await.unwrap();
        let read = response.into_body().collect().await;
        assert!(
            matches!(read, Err(TransportError::Body { .. })),
            "{reason:?}: {read:?}"
        );
    }
}

#[tokio::test]
async fn a_whole_answer_that_stops_the_upload_is_whole() {
    let answer = |_, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
        msf_core::task::spawn("reset", async move {
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data("enough".into(), true).unwrap();
            time::sleep(Duration::from_millis(40)).await;
            // RFC 9113 section 8.1.
            respond.send_reset(h2::Reason::NO_ERROR);
            drop(request);
        })
        .detach();
    };
    let callee = callee(100, Arc::new(answer)).await;
    let connections = h2c();
    let (feeder, body) = fed();
    feeder.send(Ok(Bytes::from("half"))).unwrap();
    let response = connections.send(callee.addr, post(body)).await.unwrap();
    time::sleep(Duration::from_millis(80)).await;
    assert_eq!(text(response).await, "enough");
    eventually(|| feeder.is_closed()).await;
    assert_eq!(callee.accepted(), 1);
}
