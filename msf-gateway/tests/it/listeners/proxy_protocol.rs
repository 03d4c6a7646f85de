//! Balancers that say whose a connection is.

use std::time::Duration;

use msf_core::server::{ProxyProtocol, Tls, TlsSettings};
use msf_gateway::RunningGateway;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use super::{Pki, ask, builder, get, start, system};
use crate::common::{PATIENCE, System, eventually};

const V1: &[u8] = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n";
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0F\xCB\0\x71\x09\x0A\0\0\x01\x12\x67\x01\xBB\x04\0\0";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn expected(trusted: &str) -> ProxyProtocol {
    ProxyProtocol::new().trust(trusted.parse().unwrap())
}

async fn serve(system: &System, expected: ProxyProtocol) -> RunningGateway {
    let gateway = system.build(builder(system)).await;
    start(gateway, |it| it.proxy_protocol(expected))
}

fn came_from(answer: &str, client: &str) -> bool {
    answer.contains(&format!(r#"["x-forwarded-for","{client}"]"#))
}

/// The connection is closed without an answer.
async fn assert_closed(running: &RunningGateway, bytes: &[u8]) {
    let mut stream = TcpStream::connect(running.addr()).await.unwrap();
    let _told = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let ended = time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "{bytes:?} is not closed");
    assert!(answer.is_empty(), "{bytes:?}");
}

#[tokio::test]
async fn services_learn_the_client_that_the_balancer_names() {
    let system = system().await;
    let running = serve(&system, expected("127.0.0.0/8")).await;
    let request = get("shop.example");
    for (header, client) in [
        (V1, "203.0.113.9"),
        (V2, "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n", "2001:db8::7"),
        // The balancer's own.
        (LOCAL, "127.0.0.1"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ] {
        // In one piece, with what follows: not a byte of the request is lost.
        let mut stream = TcpStream::connect(running.addr()).await.unwrap();
        stream.write_all(header).await.unwrap();
        let answer = ask(&mut stream, &request).await;
        assert!(came_from(&answer, client), "{answer}");
        // The header is a connection's, and not a request's.
        let answer = ask(&mut stream, &request).await;
        assert!(came_from(&answer, client), "{answer}");

        let mut stream = TcpStream::connect(running.addr()).await.unwrap();
        let whole = [header, request.as_bytes()].concat();
        let answer = ask(&mut stream, std::str::from_utf8(&whole).unwrap_or_default()).await;
        let is_text = std::str::from_utf8(&whole).is_ok();
        assert!(!is_text || came_from(&answer, client), "{answer}");
    }
    // Byte by byte.
    for header in [V1, V2] {
        let mut stream = TcpStream::connect(running.addr()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in header {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let answer = ask(&mut stream, &request).await;
        assert!(came_from(&answer, "203.0.113.9"), "{answer}");
    }
}

#[tokio::test]
async fn whoever_does_not_say_so_is_closed() {
    let system = system().await;
    let running = serve(
        &system,
        expected("127.0.0.0/8").timeout(Duration::from_millis(200)),
    )
    .await;
    for bytes in [
        &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"",
        b"PROXY",
        b"PROXY TCP4 203.0.113.9",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 99999\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        &V2[..20],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0C............GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xFF\xFF",
        b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0C",
        &[0xFF; 5_000],
    ] {
        assert_closed(&running, bytes).await;
    }
    // A second header is a request that cannot be read, and not another client.
    let mut stream = TcpStream::connect(running.addr()).await.unwrap();
    stream.write_all(V1).await.unwrap();
    let second = format!("{}{}", std::str::from_utf8(V1).unwrap(), get("a"));
    let answer = ask(&mut stream, &second).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    drop(stream);
    eventually(|| running.connections() == 0).await;
}

#[tokio::test]
async fn strangers_are_closed_whatever_they_say() {
    let system = system().await;
    for strangers in [expected("10.0.0.0/8"), ProxyProtocol::new()] {
        let running = serve(&system, strangers).await;
        assert_closed(&running, V1).await;
        assert_closed(&running, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    }
}

#[tokio::test]
async fn a_listener_that_does_not_expect_it_takes_it_for_nonsense() {
    let system = system().await;
    let running = start(system.build(builder(&system)).await, |it| it);
    for header in [V1, LOCAL] {
        let mut stream = TcpStream::connect(running.addr()).await.unwrap();
        stream.write_all(header).await.unwrap();
        let answer = ask(&mut stream, &get("a")).await;
        assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let (pki, system) = (Pki::new("proxied"), system().await);
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let tls = Tls::load(settings).unwrap();
    let gateway = system.build(builder(&system)).await;
    let running = start(gateway, |it| {
        it.tls(tls).proxy_protocol(expected("127.0.0.1"))
    });
    let mut tcp = TcpStream::connect(running.addr()).await.unwrap();
    tcp.write_all(V2).await.unwrap();
    let mut stream = pki.connect().over(tcp, "shop.example").await.unwrap();
    let answer = ask(&mut stream, &get("shop.example")).await;
    assert!(came_from(&answer, "203.0.113.9"), "{answer}");
    assert!(
        answer.contains(r#"["x-forwarded-proto","https"]"#),
        "{answer}"
    );

    // Nobody gets past the balancer by beginning with TLS.
    let refused = pki.connect().to(running.addr(), "shop.example").await;
    assert!(refused.is_err());
}
