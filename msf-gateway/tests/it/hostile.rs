//! Requests that no honest client sends, as bytes.

use std::net::SocketAddr;

use msf_core::task::{self, Task};
use msf_gateway::Route;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use crate::common::{System, mirror, raw, read_until};

/// What is sent, and how the answer begins.
const CASES: [(&str, &str, &str); 36] = [
    ("no host", "GET / HTTP/1.1\r\n\r\n", "400"),
    (
        "two hosts",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        "400",
    ),
    ("an empty host", "GET / HTTP/1.1\r\nhost:\r\n\r\n", "400"),
    (
        "a host with a user",
        "GET / HTTP/1.1\r\nhost: u@a\r\n\r\n",
        "400",
    ),
    (
        "a host with a path",
        "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        "400",
    ),
    (
        "two hosts in one",
        "GET / HTTP/1.1\r\nhost: a, b\r\n\r\n",
        "400",
    ),
    (
        "a target of another host",
        "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "400",
    ),
    (
        "an unknown coding",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "501",
    ),
    (
        "chunked twice",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "501",
    ),
    (
        "two codings",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "501",
    ),
    (
        "not really chunked",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "400",
    ),
    (
        "chunked before the last",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "400",
    ),
    (
        "a coding in HTTP/1.0",
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "400",
    ),
    (
        "two lengths in one",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\nx",
        "400",
    ),
    (
        "two lengths that differ",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy",
        "400",
    ),
    (
        "a length with a sign",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx",
        "400",
    ),
    (
        "a hexadecimal length",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n\r\nx",
        "400",
    ),
    (
        "a negative length",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\nx",
        "400",
    ),
    (
        "an overflowing length",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\nx",
        "400",
    ),
    (
        "a space before the colon",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "400",
    ),
    (
        "a folded line",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n 2\r\n\r\n",
        "400",
    ),
    (
        "a bare carriage return",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r2\r\n\r\n",
        "400",
    ),
    (
        "a null",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\0\r\n\r\n",
        "400",
    ),
    (
        "a space in the target",
        "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
        "400",
    ),
    ("no version", "GET /\r\n\r\n", "400"),
    (
        "an unknown version",
        "GET / HTTP/1.2\r\nhost: a\r\n\r\n",
        "400",
    ),
    (
        "a relative target",
        "GET a HTTP/1.1\r\nhost: a\r\n\r\n",
        "400",
    ),
    (
        "the server as a whole",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "400",
    ),
    (
        "a tunnel",
        "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\nconnection: close\r\n\r\n",
        "405",
    ),
    (
        "an echo",
        "TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "405",
    ),
    (
        "an unknown expectation",
        "POST / HTTP/1.1\r\nhost: a\r\nexpect: 200-ok\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx",
        "417",
    ),
    (
        "dots",
        "GET /a/../b HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "400",
    ),
    (
        "an encoded slash",
        "GET /a%2f..%2fb HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "400",
    ),
    (
        "a backslash",
        "GET /a\\..\\b HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "400",
    ),
    (
        "an encoded line break",
        "GET /a%0d%0ax:1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "400",
    ),
    (
        "two slashes",
        "GET //b/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "400",
    ),
];

#[tokio::test]
async fn hostile_requests_are_refused_and_reach_nobody() {
    let (addr, mut heads, _task) = recorder().await;
    let system = System::new().with_addr("any", addr).await;
    let gateway = system.serve([Route::prefix("/").to("any").public()]).await;
    for (name, request, status) in CASES {
        // Closed, since a request without a host says nothing about its connection.
        let request =
            request.replacen("host: a\r\n\r\n", "host: a\r\nconnection: close\r\n\r\n", 1);
        let request = match request.strip_suffix("HTTP/1.1\r\n\r\n") {
            Some(line) => format!("{line}HTTP/1.1\r\nconnection: close\r\n\r\n"),
            None => request,
        };
        let request = if request.contains("connection: close") || request.contains("\r\n\r\n0") {
            request
        } else {
            request.replacen("\r\nhost", "\r\nconnection: close\r\nhost", 1)
        };
        let request = request.replacen("\r\ntransfer", "\r\nconnection: close\r\ntransfer", 1);
        let answer = raw(gateway.addr(), request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{name}: {answer:?}"
        );
    }
    assert!(heads.try_recv().is_err(), "a service has seen one of them");
}

#[tokio::test]
async fn two_lengths_of_one_body_are_forwarded_as_one_and_end_the_connection() {
    let (addr, mut heads, _task) = recorder().await;
    let system = System::new().with_addr("any", addr).await;
    let gateway = system.serve([Route::prefix("/").to("any").public()]).await;
    // The second request is what a server that believes the length would see.
    let smuggled = "POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: 44\r\ntransfer-encoding: chunked\r\n\r\n\
        1\r\nx\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let answer = raw(gateway.addr(), smuggled.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    let head = heads.recv().await.unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post /first "), "{head}");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert!(!head.contains("content-length"), "{head}");
    assert!(heads.try_recv().is_err(), "the second request was served");
}

#[tokio::test]
async fn a_pipelined_request_is_served_after_the_first() {
    let system = System::new().with("any", mirror).await;
    let gateway = system.serve([Route::prefix("/").to("any").public()]).await;
    let two = "GET /first HTTP/1.1\r\nhost: a\r\n\r\nGET /second HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = raw(gateway.addr(), two.as_bytes()).await;
    let (first, second) = answer.split_once("\"/first\"").unwrap();
    assert!(first.starts_with("HTTP/1.1 200 "), "{first}");
    assert!(second.contains("\"/second\""), "{second}");
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
    let mut stream = tokio::net::TcpStream::connect(gateway.addr())
        .await
        .unwrap();
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

/// A service that answers with 200 and tells what heads it has seen.
async fn recorder() -> (SocketAddr, mpsc::UnboundedReceiver<String>, Task<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (seen, heads) = mpsc::unbounded_channel();
    let task = task::spawn("recorder", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = seen.clone();
            task::spawn("recorded", async move {
                let mut bytes = Vec::new();
                let mut piece = [0; 4_096];
                while let Ok(len @ 1..) = stream.read(&mut piece).await {
                    bytes.extend_from_slice(&piece[..len]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    if text.ends_with("0\r\n\r\n")
                        || text.starts_with("GET") && text.ends_with("\r\n\r\n")
                    {
                        let _told = seen.send(text);
                        bytes.clear();
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                        stream.write_all(answer).await.unwrap();
                    }
                }
            })
            .detach();
        }
    });
    (addr, heads, task)
}
