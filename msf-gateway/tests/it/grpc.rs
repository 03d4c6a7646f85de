//! gRPC through the gateway: HTTP/2 on both sides, and what its status stands in.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use msf_client::transport::{Connections, Protocol};
use msf_core::{body::Body, task};
use msf_gateway::{Route, RunningGateway};
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
    time,
};

use crate::common::{PATIENCE, System, scripted, start_speaking};

/// A service of one method, by what it does with a call.
async fn service<F>(answer: F) -> (RunningGateway, System)
where
    F: Fn(Request<h2::RecvStream>, SendResponse<Bytes>) + Clone + Send + 'static,
{
    let addr = scripted(move |stream: TcpStream| {
        let answer = answer.clone();
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                answer(request, respond);
            }
        }
    })
    .await;
    let system = System::new().with_addr("greeter", addr).await;
    let route = Route::prefix("/shop.Greeter").to("greeter").public();
    let gateway = start_speaking(system.gateway([route]).await, Protocol::H2c);
    (gateway, system)
}

/// A message as gRPC frames it.
fn message(text: &str) -> Bytes {
    let len = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[0][..], &len, text.as_bytes()].concat().into()
}

fn status(code: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().unwrap());
    trailers.insert("grpc-message", "as%20it%20is".parse().unwrap());
    trailers
}

fn head() -> Response<()> {
    Response::builder()
        .header("content-type", "application/grpc+proto")
        .body(())
        .unwrap()
}

fn call(body: Body) -> Request<Body> {
    Request::post("/shop.Greeter/Greet")
        .header("host", "shop.example")
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .header("grpc-timeout", "5S")
        .body(body)
        .unwrap()
}

async fn send(
    addr: SocketAddr,
    request: Request<Body>,
) -> Response<msf_client::transport::ResponseBody> {
    let client = Connections::builder().protocol(Protocol::H2c).build();
    let sending = time::timeout(PATIENCE, client.send(addr, request));
    sending.await.unwrap().unwrap()
}

struct Fed(mpsc::UnboundedReceiver<Bytes>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[tokio::test]
async fn a_call_has_its_status_in_the_trailers() {
    let (gateway, _system) = service(|request, mut respond| {
        task::spawn("greeter", async move {
            assert_eq!(request.headers()["te"], "trailers");
            assert_eq!(request.headers()["content-type"], "application/grpc+proto");
            assert_eq!(request.uri().path(), "/shop.Greeter/Greet");
            let mut body = request.into_body();
            let question = body.data().await.unwrap().unwrap();
            assert_eq!(question, message("Ada"));
            let mut send = respond.send_response(head(), false).unwrap();
            send.send_data(message("Hello, Ada"), false).unwrap();
            send.send_trailers(status("0")).unwrap();
        })
        .detach();
    })
    .await;
    let response = send(gateway.addr(), call(Body::from(message("Ada").to_vec()))).await;
    assert_eq!(response.headers()["content-type"], "application/grpc+proto");
    let answer = response.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(answer.to_bytes(), message("Hello, Ada"));
}

#[tokio::test]
async fn a_refusal_of_the_service_is_a_header_and_nothing_else() {
    let (gateway, _system) = service(|_request, mut respond| {
        let mut refusal = head();
        refusal.headers_mut().extend(status("5"));
        respond.send_response(refusal, true).unwrap();
    })
    .await;
    let response = send(gateway.addr(), call(Body::from(message("Ada").to_vec()))).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "5");
    assert_eq!(response.headers()["grpc-message"], "as%20it%20is");
    assert!(http_body::Body::is_end_stream(response.body()));
}

#[tokio::test]
async fn both_sides_stream_message_by_message() {
    let (gateway, _system) = service(|request, mut respond| {
        task::spawn("greeter", async move {
            let mut send = respond.send_response(head(), false).unwrap();
            let mut body = request.into_body();
            while let Some(question) = body.data().await {
                let question = question.unwrap();
                let _ = body.flow_control().release_capacity(question.len());
                send.send_data(question, false).unwrap();
            }
            send.send_trailers(status("0")).unwrap();
        })
        .detach();
    })
    .await;
    let (feeder, pieces) = mpsc::unbounded_channel();
    let response = send(gateway.addr(), call(Body::new(Fed(pieces)))).await;
    let mut body = response.into_body();
    for name in ["Ada", "Grace", "Edith"] {
        feeder.send(message(name)).unwrap();
        let frame = time::timeout(PATIENCE, body.frame()).await;
        let frame = frame.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), message(name));
    }
    drop(feeder);
    let rest = time::timeout(PATIENCE, body.collect())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest.trailers().unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn a_status_may_come_before_the_client_has_said_all() {
    let (gateway, _system) = service(|request, mut respond| {
        task::spawn("greeter", async move {
            let mut send = respond.send_response(head(), false).unwrap();
            send.send_trailers(status("8")).unwrap();
            drop(request);
        })
        .detach();
    })
    .await;
    let (feeder, pieces) = mpsc::unbounded_channel();
    feeder.send(message("Ada")).unwrap();
    let response = send(gateway.addr(), call(Body::new(Fed(pieces)))).await;
    let answer = time::timeout(PATIENCE, response.into_body().collect());
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "8");
}

#[tokio::test]
async fn a_service_that_resets_is_not_taken_for_one_that_has_answered() {
    let tell = Arc::new(Notify::new());
    let told = tell.clone();
    let (gateway, _system) = service(move |_request, mut respond| {
        let told = told.clone();
        task::spawn("greeter", async move {
            let mut send = respond.send_response(head(), false).unwrap();
            send.send_data(message("Hello, "), false).unwrap();
            told.notified().await;
            send.send_reset(h2::Reason::CANCEL);
        })
        .detach();
    })
    .await;
    let response = send(gateway.addr(), call(Body::from(message("Ada").to_vec()))).await;
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    tell.notify_one();
    let rest = time::timeout(PATIENCE, body.collect()).await;
    assert!(rest.unwrap().is_err());
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled_at_the_service() {
    let (told, mut tells) = mpsc::unbounded_channel();
    let (gateway, _system) = service(move |request, mut respond| {
        let told = told.clone();
        task::spawn("greeter", async move {
            told.send(None).unwrap();
            let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            drop(request);
            told.send(Some(reason.unwrap())).unwrap();
        })
        .detach();
    })
    .await;
    let (_feeder, pieces) = mpsc::unbounded_channel();
    let sending = task::spawn("caller", {
        let addr = gateway.addr();
        async move { send(addr, call(Body::new(Fed(pieces)))).await.status() }
    });
    assert_eq!(tells.recv().await, Some(None));
    drop(sending);
    let reason = time::timeout(PATIENCE, tells.recv()).await.unwrap();
    assert_eq!(reason, Some(Some(h2::Reason::CANCEL)));
}
