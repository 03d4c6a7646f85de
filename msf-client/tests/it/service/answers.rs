//! What answers mean, and those that cannot be read.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response, StatusCode};
use msf_client::Error;
use msf_core::{
    body::Body,
    problem::{Code, Problem},
    testing::TestServer,
};
use msf_resilience::circuit_breaker::State;
use tokio::{io::AsyncWriteExt, net::TcpStream, time};

use crate::{
    callee::{Scripted, echo, fed, read_head},
    world::World,
};

#[tokio::test]
async fn a_server_error_is_an_answer_and_a_failure() {
    let callee = TestServer::start(tower::service_fn(|_request: Request<Body>| async {
        let problem = Problem::new(Code::Conflict).with_detail("sold out");
        let mut response: Response<Body> = problem.into_response();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        Ok::<_, Infallible>(response)
    }))
    .await;
    let world = World::with(&[callee.addr()], |client| {
        client.breaker(|breaker| breaker.min_calls(1))
    })
    .await;
    let response = world.payment.get("/").send().await.unwrap();
    assert_eq!(response.status(), 500);
    let error = response.ok().await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::INTERNAL_SERVER_ERROR));
    let received = error.received().unwrap();
    assert_eq!(received.code, Some(Code::Conflict));
    assert_eq!(received.detail.as_deref(), Some("sold out"));
    assert!(error.to_string().contains("sold out"), "{error}");
    assert_eq!(world.payment.breaker().state(), State::Open);
    assert!((world.ended("5xx") - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn an_error_without_a_problem_has_the_code_of_its_status() {
    for body in ["", "<html>", "[]"] {
        let callee = Scripted::start(move |mut stream: TcpStream| async move {
            read_head(&mut stream).await;
            let length = body.len();
            let head = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(head.as_bytes()).await.unwrap();
        })
        .await;
        let world = World::new(&[callee.addr]).await;
        let response = world.payment.get("/").send().await.unwrap();
        let error = response.json::<()>().await.unwrap_err();
        let received = error.received().unwrap();
        assert_eq!(
            (received.code, &received.detail),
            (Some(Code::NotFound), &None)
        );
    }
}

#[tokio::test]
async fn answers_that_cannot_be_read_are_errors() {
    let callee = echo().await;
    let world = World::with(&[callee.addr()], |client| client.body_limit(16)).await;
    let send = |body: Body| world.payment.post("/").body(body).send();

    let error = send("[1, x]".into()).await.unwrap().json::<Vec<u8>>().await;
    assert!(matches!(error, Err(Error::Decode { .. })), "{error:?}");

    // With a length and without one.
    let (feeder, stream) = fed();
    feeder.send(Ok("seventeen bytes..".into())).unwrap();
    drop(feeder);
    for body in [Body::from("seventeen bytes.."), stream] {
        let error = send(body).await.unwrap().bytes().await.unwrap_err();
        assert!(
            matches!(error, Error::BodyTooLarge { limit: 16, .. }),
            "{error:?}"
        );
    }

    let (feeder, stream) = fed();
    for piece in ["in ", "three ", "pieces"] {
        feeder.send(Ok(piece.into())).unwrap();
    }
    drop(feeder);
    assert_eq!(
        send(stream).await.unwrap().bytes().await.unwrap(),
        "in three pieces"
    );
}

#[tokio::test]
async fn a_typed_answer_that_drips_reaches_the_timeout() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let world = World::new(&[callee.addr]).await;
    let request = world.payment.get("/").timeout(Duration::from_millis(100));
    let error = request.send().await.unwrap().bytes().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert_eq!(world.client.connections().open(), 0);
}
