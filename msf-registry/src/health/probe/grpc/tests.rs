//! Against a server of raw HTTP/2.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use msf_core::{
    name::{InstanceId, ServiceName},
    task::{self, Task},
};
use tokio::{io::AsyncWriteExt, net::TcpListener, time::timeout};

use super::*;

/// How the server answers.
#[derive(Clone, Copy, Debug)]
enum Script {
    /// One message and the trailers of a success.
    Says(&'static [u8]),
    /// One message and a status.
    Ends(&'static [u8], &'static str),
    NoTrailers,
    Status(StatusCode),
    NotGrpc,
    HeadOnly(&'static str),
    Endless,
    Reset,
    Closes,
    Garbage,
}

async fn server(script: Script) -> (SocketAddr, Task<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let task = task::spawn("grpc-server", async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            match script {
                Script::Closes => continue,
                Script::Garbage => {
                    let _sent = stream.write_all(&[b'x'; 4_096]).await;
                    continue;
                }
                _ => {}
            }
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                // The connection goes on being served by the accept above.
                task::spawn("grpc-answer", answer(script, request, respond)).detach();
            }
        }
    });
    (addr, task)
}

async fn answer(
    script: Script,
    mut request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
) {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    assert_eq!(request.headers()["te"], "trailers");
    let sent = request.body_mut().data().await.unwrap().unwrap();
    assert_eq!(sent, message::request("my.Service"));
    let head = |status: StatusCode, content_type: &str| {
        let response = Response::builder().status(status);
        response
            .header("content-type", content_type)
            .body(())
            .unwrap()
    };
    let grpc = || head(StatusCode::OK, "application/grpc+proto");
    let (body, status) = match script {
        Script::Says(message) => (message, "0"),
        Script::Ends(message, status) => (message, status),
        Script::NoTrailers => {
            let mut body = respond.send_response(grpc(), false).unwrap();
            body.send_data(SERVING.into(), true).unwrap();
            return;
        }
        Script::Status(status) => {
            respond
                .send_response(head(status, "application/grpc"), true)
                .unwrap();
            return;
        }
        Script::NotGrpc => {
            respond
                .send_response(head(StatusCode::OK, "text/html"), true)
                .unwrap();
            return;
        }
        Script::HeadOnly(status) => {
            let mut head = grpc();
            head.headers_mut()
                .insert("grpc-status", status.parse().unwrap());
            respond.send_response(head, true).unwrap();
            return;
        }
        Script::Endless => {
            let mut body = respond.send_response(grpc(), false).unwrap();
            while body.send_data(Bytes::from_static(&[0; 512]), false).is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            return;
        }
        Script::Reset => {
            respond.send_reset(h2::Reason::REFUSED_STREAM);
            return;
        }
        Script::Closes | Script::Garbage => unreachable!("no connection was served"),
    };
    let mut stream = respond.send_response(grpc(), false).unwrap();
    stream.send_data(body.into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    stream.send_trailers(trailers).unwrap();
}

fn instance(addr: SocketAddr) -> Instance {
    let (service, id) = (ServiceName::new("pay"), InstanceId::new("p-1"));
    Instance::new(service.unwrap(), id.unwrap(), addr)
        .health_check("grpc:/my.Service".parse().unwrap())
}

async fn probed(script: Script) -> Result<(), ProbeFailed> {
    let (addr, _server) = server(script).await;
    let limit = Duration::from_secs(5);
    timeout(limit, GrpcProbe::new().probe(&instance(addr)))
        .await
        .unwrap_or_else(|_| panic!("{script:?} never ends"))
}

const SERVING: &[u8] = &[0, 0, 0, 0, 2, 0x08, 1];
const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 0x08, 2];

#[tokio::test]
async fn serving_passes() {
    assert!(probed(Script::Says(SERVING)).await.is_ok());
}

#[tokio::test]
async fn not_serving_is_a_refusal() {
    let failed = probed(Script::Says(NOT_SERVING)).await.unwrap_err();
    assert!(failed.is_refusal());
    assert!(failed.line().contains("NOT_SERVING"));
}

#[tokio::test]
async fn everything_else_fails_and_says_why() {
    for (script, why) in [
        (Script::Says(&[0, 0, 0, 0, 0]), "status UNKNOWN"),
        (Script::Says(&[0, 0, 0, 0, 2, 0x08, 3]), "SERVICE_UNKNOWN"),
        (Script::Says(&[1, 0, 0, 0, 2, 0x08, 1]), "compressed"),
        (Script::Says(&[0, 0, 0, 0, 9, 0x08, 1]), "ends early"),
        (Script::Says(b"what"), "ends early"),
        (Script::Ends(SERVING, "14"), "gRPC status 14"),
        (Script::Ends(SERVING, "many"), "not gRPC"),
        (Script::NoTrailers, "not gRPC"),
        (Script::Status(StatusCode::NOT_FOUND), "404"),
        (Script::NotGrpc, "not gRPC"),
        (Script::HeadOnly("12"), "gRPC status 12"),
        (Script::HeadOnly("x"), "not gRPC"),
        (Script::Endless, "longer than"),
        (Script::Reset, "broke"),
        (Script::Closes, "broke"),
        (Script::Garbage, "broke"),
    ] {
        let failed = probed(script).await.unwrap_err();
        assert!(!failed.is_refusal(), "{script:?}");
        let line = failed.line();
        assert!(line.contains(why), "{script:?}: {line}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let failed = GrpcProbe::new().probe(&instance(addr)).await.unwrap_err();
    assert!(failed.line().contains("connection failed"));
}

#[tokio::test]
async fn dropping_it_closes_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let instance = instance(listener.local_addr().unwrap());
    let probe = GrpcProbe::new();
    let check = timeout(Duration::from_millis(50), probe.probe(&instance));
    assert!(check.await.is_err(), "nobody answered");
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut read = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut read)
        .await
        .unwrap();
    assert!(read.starts_with(b"PRI * HTTP/2.0"));
}
