//! WebSockets and other protocols to which a service switches, and `Expect`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use msf_core::{metrics::Metrics, server::DrainPlan};
use msf_gateway::{Gateway, GatewayError, Route};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, mpsc},
    time,
};

use crate::common::{PATIENCE, System, eventually, hello, mirror, raw, read_until, scripted};

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    sec-websocket-version: 13\r\n\r\n";

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    keep-alive: timeout=5\r\nserver: chat/1\r\nx-powered-by: chat\r\n\r\n";

fn chat() -> Route {
    Route::exact("/chat")
        .to("chat")
        .public()
        .upgrade(["websocket"])
}

/// A service that says each head that it gets, answers with this, and gives back what follows.
async fn service(answer: &'static str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (told, heads) = mpsc::unbounded_channel();
    let addr = scripted(move |mut stream: TcpStream| {
        let told = told.clone();
        async move {
            loop {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_end) => return,
                    }
                }
                let _unheard = told.send(String::from_utf8(head).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.starts_with("HTTP/1.1 101 ") {
                    let (mut read, mut write) = stream.split();
                    let _echoed = tokio::io::copy(&mut read, &mut write).await;
                    let _closed = write.shutdown().await;
                    return;
                }
            }
        }
    })
    .await;
    (addr, heads)
}

async fn ask(addr: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn after_the_switch_bytes_pass_both_ways() {
    let (addr, mut heads) = service(SWITCHED).await;
    let system = System::new().with_addr("chat", addr).await;
    let metrics = Metrics::new();
    let builder = Gateway::builder(client_of(&system)).route(chat());
    let gateway = system.build(builder.metrics(&metrics)).await;
    let gateway = crate::common::start(gateway);
    // The first bytes of the new protocol come with the question.
    let mut stream = ask(gateway.addr(), &format!("{ASK}early ")).await;
    let answer = read_until(&mut stream, "early ").await;
    let (head, _rest) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nupgrade: websocket"), "{head}");
    assert!(head.contains("\r\nconnection: upgrade"), "{head}");
    assert!(head.contains("\r\nsec-websocket-accept: "), "{head}");
    for other in [
        "keep-alive",
        "content-length",
        "transfer-encoding",
        "server",
        "x-powered-by",
    ] {
        assert!(!head.contains(other), "{head}");
    }
    let seen = heads.recv().await.unwrap();
    assert!(seen.contains("\r\nupgrade: websocket\r\n"), "{seen}");
    assert!(seen.contains("\r\nconnection: upgrade\r\n"), "{seen}");
    assert!(seen.contains("\r\nsec-websocket-key: "), "{seen}");

    stream.write_all(b"later").await.unwrap();
    read_until(&mut stream, "later").await;
    assert_eq!(gateway.connections(), 1);
    let page = metrics.render();
    assert!(page.contains("msf_gateway_tunnels 1"), "{page}");
    // One half ends, and what is on its way still comes.
    stream.write_all(b" last").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, " last");
    eventually(|| gateway.connections() == 0).await;
    let page = metrics.render();
    for line in [
        "msf_gateway_tunnels 0",
        "msf_gateway_tunnels_ended_total{reason=\"closed\"} 1",
        "msf_gateway_tunnel_bytes_total{direction=\"to_service\"} 16",
        "msf_gateway_tunnel_bytes_total{direction=\"to_client\"} 16",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
}

#[tokio::test]
async fn a_service_that_does_not_switch_answers_as_always() {
    let (addr, mut heads) = service("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let system = System::new().with_addr("chat", addr).await;
    let gateway = system.serve([chat()]).await;
    // What follows is another request and never reaches the service as it is.
    let smuggled = "GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answers = raw(gateway.addr(), format!("{ASK}{smuggled}").as_bytes()).await;
    assert!(answers.starts_with("HTTP/1.1 403 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 404 "), "{answers}");
    assert!(heads.recv().await.unwrap().starts_with("GET /chat "));
    assert!(heads.try_recv().is_err());
}

#[tokio::test]
async fn a_switch_that_was_not_asked_for_is_a_bad_gateway() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        let (addr, _heads) = service(answer).await;
        let system = System::new().with_addr("chat", addr).await;
        let gateway = system.serve([chat()]).await;
        let mut stream = ask(gateway.addr(), ASK).await;
        let seen = read_until(&mut stream, "\r\n\r\n").await;
        assert!(seen.starts_with("HTTP/1.1 502 "), "{seen}");
    }
}

#[tokio::test]
async fn what_a_route_does_not_allow_is_not_forwarded() {
    let (addr, mut heads) = service("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let system = System::new().with_addr("chat", addr).await;
    let plain = Route::exact("/plain").to("chat").public();
    let gateway = system.serve([chat(), plain]).await;
    for request in [
        // Another route.
        "GET /plain HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n",
        // HTTP/2 behind the gateway's back.
        "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
            http2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        // Not meant.
        "GET /chat HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n",
        "GET /chat HTTP/1.0\r\nhost: a\r\nconnection: upgrade, keep-alive\r\nupgrade: websocket\r\n",
        // With a body.
        "POST /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
            transfer-encoding: chunked\r\n",
    ] {
        let body = if request.starts_with("POST") {
            "0\r\n\r\n"
        } else {
            ""
        };
        let mut stream = ask(gateway.addr(), &format!("{request}\r\n{body}")).await;
        let seen = read_until(&mut stream, "\r\n\r\n").await;
        assert!(seen.contains(" 200 "), "{seen}");
        let head = heads.recv().await.unwrap();
        assert!(!head.contains("upgrade"), "{head}");
        assert!(!head.contains("http2-settings"), "{head}");
    }
}

#[tokio::test]
async fn only_what_is_allowed_of_a_list_is_asked_for() {
    let (addr, mut heads) = service(SWITCHED).await;
    let system = System::new().with_addr("chat", addr).await;
    let gateway = system.serve([chat()]).await;
    let request = ASK.replace(
        "websocket\r\nsec-websocket-key",
        "h2c, WebSocket\r\nsec-websocket-key",
    );
    let mut stream = ask(gateway.addr(), &request).await;
    let seen = read_until(&mut stream, "\r\n\r\n").await;
    assert!(seen.starts_with("HTTP/1.1 101 "), "{seen}");
    let head = heads.recv().await.unwrap();
    assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
}

#[tokio::test]
async fn the_policy_of_the_route_comes_first() {
    let (addr, mut heads) = service(SWITCHED).await;
    let system = System::new().with_addr("chat", addr).await;
    let route = Route::exact("/chat")
        .to("chat")
        .policy(msf_auth::policy::authenticated())
        .upgrade(["websocket"]);
    let gateway = system.serve([route]).await;
    let mut stream = ask(gateway.addr(), ASK).await;
    let seen = read_until(&mut stream, "\r\n\r\n").await;
    assert!(seen.starts_with("HTTP/1.1 401 "), "{seen}");
    assert!(heads.try_recv().is_err());
}

#[tokio::test]
async fn a_silent_tunnel_ends() {
    let (addr, _heads) = service(SWITCHED).await;
    let system = System::new().with_addr("chat", addr).await;
    let route = chat().upgrade_idle_timeout(Duration::from_millis(100));
    let gateway = system.serve([route]).await;
    let mut stream = ask(gateway.addr(), ASK).await;
    read_until(&mut stream, "\r\n\r\n").await;
    let end = time::timeout(PATIENCE, stream.read_u8()).await.unwrap();
    assert!(end.is_err());
    eventually(|| gateway.connections() == 0).await;
}

#[tokio::test]
async fn a_service_that_is_gone_ends_the_tunnel() {
    let addr = scripted(|mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(SWITCHED.as_bytes()).await.unwrap();
    })
    .await;
    let system = System::new().with_addr("chat", addr).await;
    let gateway = system.serve([chat()]).await;
    let mut stream = ask(gateway.addr(), ASK).await;
    read_until(&mut stream, "\r\n\r\n").await;
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_drain_ends_silent_tunnels_without_a_cut() {
    let (addr, _heads) = service(SWITCHED).await;
    let system = System::new().with_addr("chat", addr).await;
    let gateway = system.gateway([chat()]).await;
    let server = gateway.server(([127, 0, 0, 1], 0).into()).workers(1);
    let plan = DrainPlan::new(Duration::ZERO, Duration::from_secs(20));
    let gateway = server.drain_plan(plan).start().unwrap();
    let mut stream = ask(gateway.addr(), ASK).await;
    read_until(&mut stream, "\r\n\r\n").await;
    let stopping = gateway.stop();
    let client = async { stream.read(&mut [0; 1]).await };
    let (served, end) = tokio::join!(time::timeout(PATIENCE, stopping), client);
    assert_eq!(end.unwrap(), 0);
    assert_eq!(served.unwrap().unwrap().cut, 0);
}

#[tokio::test]
async fn a_drain_cuts_a_tunnel_that_goes_on() {
    let (addr, _heads) = service(SWITCHED).await;
    let system = System::new().with_addr("chat", addr).await;
    let gateway = system.gateway([chat()]).await;
    let server = gateway.server(([127, 0, 0, 1], 0).into()).workers(1);
    let plan = DrainPlan::new(Duration::ZERO, Duration::from_millis(300));
    let gateway = server.drain_plan(plan).start().unwrap();
    let mut stream = ask(gateway.addr(), ASK).await;
    read_until(&mut stream, "\r\n\r\n").await;
    let talking = async {
        // Until the gateway has had enough.
        while stream.write_all(b"x").await.is_ok() {
            if stream.read_u8().await.is_err() {
                break;
            }
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    let stopping = time::timeout(PATIENCE, gateway.stop());
    let (served, ()) = tokio::join!(stopping, talking);
    assert_eq!(served.unwrap().unwrap().cut, 1);
}

#[tokio::test]
async fn http_is_no_protocol_to_switch_to() {
    let system = System::new().with("chat", hello).await;
    for protocol in ["h2c", "HTTP/2.0", "TLS/1.2", "a b", ""] {
        let route = Route::exact("/chat")
            .to("chat")
            .public()
            .upgrade([protocol]);
        let built = Gateway::builder(client_of(&system)).route(route).build();
        let errors = built.unwrap_err();
        assert!(
            matches!(errors.all(), [GatewayError::Upgrade { .. }]),
            "{errors}"
        );
    }
}

fn client_of(system: &System) -> msf_client::Client {
    let client = msf_client::Client::builder(system.registry.clone());
    client.build().unwrap()
}

const CAREFUL: &str =
    "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 4\r\n\r\n";

#[tokio::test]
async fn a_client_is_told_to_go_on_when_the_service_says_so() {
    let go = Arc::new(Notify::new());
    let gone = go.clone();
    let addr = scripted(move |mut stream: TcpStream| {
        let gone = gone.clone();
        async move {
            let head = read_until(&mut stream, "\r\n\r\n").await;
            assert!(head.contains("expect: 100-continue\r\n"), "{head}");
            gone.notified().await;
            let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
            stream.write_all(go_on).await.unwrap();
            let mut body = [0; 4];
            stream.read_exact(&mut body).await.unwrap();
            assert_eq!(&body, b"body");
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
        }
    })
    .await;
    let system = System::new().with_addr("store", addr).await;
    let gateway = system
        .serve([Route::prefix("/").to("store").public()])
        .await;
    let mut stream = ask(gateway.addr(), CAREFUL).await;
    let early = time::timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(early.is_err(), "nobody has said that it may go on");
    go.notify_one();
    let seen = read_until(&mut stream, "\r\n\r\n").await;
    assert_eq!(seen, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").await.unwrap();
    let seen = read_until(&mut stream, "ok").await;
    assert!(seen.starts_with("HTTP/1.1 200 "), "{seen}");
}

#[tokio::test]
async fn a_body_that_the_service_refuses_is_never_asked_for() {
    let (addr, _heads) =
        service("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nno.").await;
    let system = System::new().with_addr("store", addr).await;
    let gateway = system
        .serve([Route::prefix("/").to("store").public()])
        .await;
    let seen = raw(gateway.addr(), CAREFUL.as_bytes()).await;
    assert!(seen.starts_with("HTTP/1.1 413 "), "{seen}");
    assert!(seen.ends_with("no."), "{seen}");
}

#[tokio::test]
async fn a_refusal_of_the_gateway_asks_for_no_body_either() {
    let system = System::new().with("store", hello).await;
    let route = Route::prefix("/").to("store").public().body_limit(3);
    let gateway = system.serve([route]).await;
    let seen = raw(gateway.addr(), CAREFUL.as_bytes()).await;
    assert!(seen.starts_with("HTTP/1.1 413 "), "{seen}");
}

#[tokio::test]
async fn who_waits_for_permission_to_send_sends_nothing_in_vain() {
    let system = System::new().with("any", mirror).await;
    let gateway = system
        .serve([
            Route::prefix("/open").to("any").public().body_limit(10),
            Route::prefix("/closed")
                .to("any")
                .policy(msf_auth::policy::authenticated()),
        ])
        .await;
    let head = |path: &str, len: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {len}\r\n\r\n"
        )
    };
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream.write_all(head("/open", 5).as_bytes()).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.write_all(b"hello").await.unwrap();
    let answer = read_until(&mut stream, "hello").await;
    // It is the service that gives the permission.
    assert!(answer.contains("[\"expect\",\"100-continue\"]"), "{answer}");

    for (path, len, status) in [
        ("/closed", 5, "401"),
        ("/open", 11, "413"),
        ("/none", 5, "404"),
    ] {
        let answer = raw(gateway.addr(), head(path, len).as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {answer}"
        );
    }
}
