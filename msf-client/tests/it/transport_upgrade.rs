//! Connections that leave HTTP.

use http::{Request, StatusCode, header};
use msf_client::transport::{AllowUpgrade, Connections, OnUpgrade, Protocol, TransportError};
use msf_core::body::Body;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    callee::{Scripted, eventually, get, read_head},
    world::World,
};

fn asking(protocol: &str) -> Request<Body> {
    let mut request = get("/chat");
    let value = protocol.parse().unwrap();
    request.headers_mut().insert(header::UPGRADE, value);
    request
}

fn allowed(protocol: &str) -> Request<Body> {
    let mut request = asking(protocol);
    request.extensions_mut().insert(AllowUpgrade::new());
    request
}

/// Answers with a head and the first bytes of what follows it, and then gives back what it gets.
async fn switching(head: &'static str) -> Scripted {
    Scripted::start(move |mut stream: TcpStream| async move {
        let request = read_head(&mut stream).await.unwrap();
        if request.contains("upgrade: ") {
            assert!(request.contains("connection: upgrade\r\n"), "{request}");
        }
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        write.shutdown().await.unwrap();
    })
    .await
}

const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n\r\nhello, ";

#[tokio::test]
async fn after_the_switch_the_bytes_are_the_callers() {
    let callee = switching(SWITCHED).await;
    let connections = Connections::default();
    let request = allowed("h2c, websocket");
    let mut response = connections.send(callee.addr, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut upgraded = OnUpgrade::of(&mut response).unwrap().await.unwrap();
    assert!(OnUpgrade::of(&mut response).is_none());
    upgraded.write_all(b"world").await.unwrap();
    // Half of it is closed, and the other half goes on.
    upgraded.shutdown().await.unwrap();
    let mut seen = String::new();
    upgraded.read_to_string(&mut seen).await.unwrap();
    assert_eq!(seen, "hello, world");
    assert_eq!((connections.idle(), connections.open()), (0, 1));
    drop(upgraded);
    assert_eq!(connections.open(), 0);
}

#[tokio::test]
async fn a_switch_that_nobody_takes_closes_the_connection() {
    let callee = switching(SWITCHED).await;
    let connections = Connections::default();
    let response = connections.send(callee.addr, allowed("websocket"));
    drop(response.await.unwrap());
    assert_eq!(connections.open(), 0);
}

#[tokio::test]
async fn a_switch_to_something_else_is_an_error() {
    for head in [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket, h2c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nupgrade: h2c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade:\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        let callee = switching(head).await;
        let connections = Connections::default();
        let error = connections.send(callee.addr, allowed("websocket"));
        let error = error.await.unwrap_err();
        assert!(
            matches!(error, TransportError::Protocol { .. }),
            "{head} {error}"
        );
        assert_eq!(connections.open(), 0);
    }
}

#[tokio::test]
async fn without_permission_nobody_is_asked_and_nobody_may_switch() {
    let callee = switching("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let connections = Connections::default();
    let response = connections.send(callee.addr, asking("websocket")).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    eventually(|| connections.idle() == 1).await;

    let callee = switching(SWITCHED).await;
    let error = connections.send(callee.addr, asking("websocket"));
    let error = error.await.unwrap_err();
    assert!(matches!(error, TransportError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_callee_that_stays_with_http_answers_as_always() {
    let callee = switching("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n").await;
    let connections = Connections::default();
    let response = connections.send(callee.addr, allowed("websocket"));
    let mut response = response.await.unwrap();
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    assert!(OnUpgrade::of(&mut response).is_none());
    eventually(|| connections.idle() == 1).await;
}

#[tokio::test]
async fn over_http2_nothing_is_switched() {
    let connections = Connections::builder().protocol(Protocol::H2c).build();
    let nobody = ([127, 0, 0, 1], 9).into();
    let error = connections.send(nobody, allowed("websocket")).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, TransportError::InvalidRequest { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_tunnel_is_a_call_in_flight_until_it_ends() {
    let callee = switching(SWITCHED).await;
    let world = World::new(&[callee.addr]).await;
    let mut response = world.payment.call(allowed("websocket")).await.unwrap();
    assert!((world.active() - 1.0).abs() < 0.1);
    let upgraded = OnUpgrade::of(&mut response).unwrap().await.unwrap();
    drop(response);
    assert!((world.active() - 1.0).abs() < 0.1, "the tunnel is open");
    drop(upgraded);
    assert!(world.active().abs() < 0.1);

    let response = world.payment.call(allowed("websocket")).await.unwrap();
    drop(response);
    assert!(world.active().abs() < 0.1, "nobody took it");
}
