//! What goes over real sockets, and what hostile peers make of it.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what it calls"
)]

use std::{net::SocketAddr, time::Duration};

use msf_core::{
    clock,
    server::{DrainPlan, Limits, Listener, Server},
    task::{self, Task},
};
use msf_registry::{
    Authority, Change, Discovery, Lease, Registrar, RegistryError, Renewal, Status,
    backend::{http::HttpRegistry, memory::MemoryRegistry},
    server::RegistryServer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

use crate::setup::{eventually, instance, payment, start};

const TTL: Duration = Duration::from_secs(15);
const TOKEN: &str = "a-token-of-the-test-0123456789";

/// A server that is warm, with settings of its own.
fn serve(
    memory: &MemoryRegistry,
    set: impl FnOnce(RegistryServer) -> RegistryServer,
) -> (SocketAddr, Task<()>) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
    let addr = listener.local_addr();
    let server = set(RegistryServer::new(memory.clone()));
    let limits = Limits::default()
        .header_timeout(Duration::from_millis(300))
        .body_timeout(Duration::from_millis(300));
    let task = task::spawn("server", async move {
        let plan = DrainPlan::new(Duration::ZERO, Duration::ZERO);
        let forever = std::future::pending();
        let served = Server::new()
            .limits(limits)
            .serve_until(listener, server, forever, plan)
            .await;
        served.expect("it served");
    });
    (addr, task)
}

fn warm() -> MemoryRegistry {
    MemoryRegistry::builder().warm_up(Duration::ZERO).build()
}

fn client(addr: SocketAddr) -> HttpRegistry {
    HttpRegistry::new(format!("http://{addr}")).expect("it is a URL")
}

#[tokio::test]
async fn only_the_right_token_opens_the_registry() {
    let (addr, _server) = serve(&warm(), |s| s.token(TOKEN.to_owned()).unwrap());
    let with = |token: &str| {
        let builder = HttpRegistry::builder(format!("http://{addr}"));
        builder.token(token.to_owned()).build().unwrap()
    };
    let lease = with(TOKEN).put(&instance(1), TTL).await.unwrap();
    for stranger in [client(addr), with("another-token-0123456789")] {
        let put = stranger.put(&instance(2), TTL).await.unwrap_err();
        assert!(
            matches!(put, RegistryError::Refused { status: 401, .. }),
            "{put:?}"
        );
        assert!(!put.is_permanent(), "its token may be let in later");
        assert!(stranger.fetch(&payment()).await.is_err());
        assert!(
            stranger.renew(&lease).await.is_err(),
            "it is no answer about the lease"
        );
        assert!(
            stranger
                .renew_all(std::slice::from_ref(&lease))
                .await
                .is_err()
        );
    }
    let shown = format!(
        "{:?} {:?}",
        with(TOKEN),
        HttpRegistry::builder("http://a").token(TOKEN.to_owned())
    );
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[tokio::test]
async fn a_thousand_leases_are_renewed_in_three_calls() {
    let memory = warm();
    let (addr, _server) = serve(&memory, |s| s);
    let client = client(addr);
    let mut leases = Vec::new();
    for n in 0..1_200 {
        leases.push(memory.put(&instance(n), TTL).await.unwrap());
    }
    memory.remove(&leases[700]).await.unwrap();
    let renewed = client.renew_all(&leases).await.unwrap();
    assert_eq!(renewed.len(), 1_200);
    for (n, renewal) in renewed.into_iter().enumerate() {
        let expected = if n == 700 {
            Renewal::Gone
        } else {
            Renewal::Renewed { ttl: TTL }
        };
        assert_eq!(renewal, expected, "{n}");
    }
    assert!(client.renew_all(&[]).await.unwrap().is_empty());
}

fn leases(count: usize) -> Vec<Lease> {
    let lease = |n: usize| {
        let instance = instance(u16::try_from(n).unwrap());
        Lease::new(instance.service, instance.id, format!("{n:016x}"), TTL)
    };
    (0..count).map(lease).collect()
}

#[tokio::test]
async fn a_registry_without_batches_is_asked_one_by_one() {
    let server = MockServer::start().await;
    let one = r#"{"ttl_ms":15000,"epoch":"00000000000000ff"}"#;
    Mock::given(method("POST"))
        .and(path("/v1/renew"))
        .respond_with(ResponseTemplate::new(404))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_string(one))
        .mount(&server)
        .await;
    let client = HttpRegistry::new(server.uri()).unwrap();
    let renewed = client.renew_all(&leases(3)).await.unwrap();
    assert_eq!(renewed, [Renewal::Renewed { ttl: TTL }; 3]);
}

#[tokio::test]
async fn an_answer_to_a_batch_is_taken_as_far_as_it_goes() {
    let ok = r#"{"result":"ok","ttl_ms":15000}"#;
    for (results, expected) in [
        (format!("[{ok}]"), Some(1)),
        ("[]".to_owned(), Some(0)),
        (format!("[{ok},{{\"result\":\"in the future\"}}]"), Some(2)),
        (format!("[{ok},{ok},{ok}]"), None),
        ("{}".to_owned(), None),
        ("[7]".to_owned(), None),
    ] {
        let server = MockServer::start().await;
        let body = format!(r#"{{"epoch":"00000000000000ff","results":{results}}}"#);
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_string(&body))
            .mount(&server)
            .await;
        let client = HttpRegistry::new(server.uri()).unwrap();
        let renewed = client.renew_all(&leases(2)).await;
        match expected {
            Some(count) => assert_eq!(renewed.unwrap().len(), count, "{body}"),
            None => {
                let error = renewed.unwrap_err();
                assert!(
                    matches!(error, RegistryError::Protocol(_)),
                    "{body}: {error:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn changes_lead_to_the_same_list_as_the_whole() {
    let memory = warm();
    let (addr, _server) = serve(&memory, |s| s);
    let (client, other) = (client(addr), client(addr));
    let mut held = client.fetch(&payment()).await.unwrap();
    let mut leases: Vec<Lease> = Vec::new();
    for step in 0..60_u16 {
        match step % 5 {
            0..=2 => leases.push(memory.put(&instance(step), TTL).await.unwrap()),
            3 => {
                let lease = &leases[usize::from(step) % leases.len()];
                memory.set_status(lease, Status::Draining).unwrap();
            }
            _ => memory.remove(&leases.remove(0)).await.unwrap(),
        }
        let Change::Changed(next) = client.next(&payment(), held.cursor()).await.unwrap() else {
            panic!("nothing changed in step {step}");
        };
        held = next;
        assert_eq!(held, other.fetch(&payment()).await.unwrap(), "step {step}");
        assert_eq!(held.authority(), Authority::Complete, "it has just begun");
    }
    assert!(held.instances().len() > 10);
}

#[tokio::test]
async fn changes_that_make_no_sense_are_an_error_once() {
    let server = MockServer::start().await;
    let list = r#"{"service":"payment","epoch":"00000000000000ff","revision":3,"authoritative":true,"instances":[]}"#;
    for (delta, body) in [
        (
            "another base",
            r#"{"service":"payment","epoch":"00000000000000ff","revision":9,"after":2,"authoritative":true,"changed":[]}"#,
        ),
        (
            "another epoch",
            r#"{"service":"payment","epoch":"00000000000000fe","revision":9,"after":3,"authoritative":true,"changed":[]}"#,
        ),
        (
            "backwards",
            r#"{"service":"payment","epoch":"00000000000000ff","revision":2,"after":3,"authoritative":true,"changed":[]}"#,
        ),
        (
            "another service",
            r#"{"service":"user","epoch":"00000000000000ff","revision":9,"after":3,"authoritative":true,"changed":[]}"#,
        ),
        (
            "nothing",
            r#"{"service":"payment","epoch":"00000000000000ff","revision":9,"authoritative":true}"#,
        ),
        ("garbage", "\u{0}\u{1}"),
    ] {
        server.reset().await;
        Mock::given(wiremock::matchers::query_param("delta", "1"))
            .respond_with(ResponseTemplate::new(200).set_body_string(body))
            .mount(&server)
            .await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_string(list))
            .mount(&server)
            .await;
        let client = HttpRegistry::new(server.uri()).unwrap();
        let cursor = client.fetch(&payment()).await.unwrap().cursor();
        let error = client.next(&payment(), cursor).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Protocol(_)),
            "{delta}: {error:?}"
        );
        let whole = client.next(&payment(), cursor).await;
        assert!(
            matches!(whole, Ok(Change::Changed(_))),
            "{delta}: {whole:?}"
        );
    }
}

/// A peer that says whatever it is given, and then more of the same for ever.
async fn babbling(begin: &'static str, more: &'static str) -> (HttpRegistry, Task<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let task = task::spawn("babbling", async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            task::spawn("connection", async move {
                let mut request = [0; 1_024];
                let _read = socket.read(&mut request).await;
                let mut said = socket.write_all(begin.as_bytes()).await;
                while said.is_ok() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    said = socket.write_all(more.as_bytes()).await;
                }
            })
            .detach();
        }
    });
    let client = HttpRegistry::builder(format!("http://{addr}"))
        .timeout(Duration::from_millis(500))
        .wait(Duration::from_millis(100))
        .answer_max(10_000)
        .build()
        .unwrap();
    (client, task)
}

#[tokio::test]
async fn a_registry_that_never_ends_its_answer_is_given_up() {
    for (what, begin, more) in [
        ("nothing", "", ""),
        ("a head", "HTTP/1.1 200 OK\r\n", "x-more: and more\r\n"),
        ("one header", "HTTP/1.1 200 OK\r\nx-more: ", "more"),
        (
            "a body",
            "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n",
            "          ",
        ),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "1\r\n \r\n",
        ),
        (
            "an endless line",
            "HTTP/1.1 200 OK\r\n\r\n{\"service\":\"",
            "payment",
        ),
        ("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "?"),
    ] {
        let (client, _peer) = babbling(begin, more).await;
        let begun = clock::now();
        assert!(client.fetch(&payment()).await.is_err(), "{what}");
        let cursor = msf_registry::Cursor::new(1, 1);
        assert!(client.next(&payment(), cursor).await.is_err(), "{what}");
        assert!(client.put(&instance(1), TTL).await.is_err(), "{what}");
        assert!(client.renew_all(&leases(2)).await.is_err(), "{what}");
        assert!(client.remove(&leases(1)[0]).await.is_err(), "{what}");
        let took = clock::now() - begun;
        assert!(took < Duration::from_secs(5), "{what} took {took:?}");
    }
}

/// Sends bytes and reads what comes back until the server closes.
async fn exchange(addr: SocketAddr, said: &[u8]) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(said).await.unwrap();
    let mut heard = Vec::new();
    let read = timeout(Duration::from_secs(5), socket.read_to_end(&mut heard)).await;
    let _reset = read.expect("the server ends it");
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test]
async fn a_client_that_misbehaves_gets_its_answer_and_the_others_theirs() {
    let memory = warm();
    let (addr, _server) = serve(&memory, |s| s);
    let put = "PUT /v1/services/payment/instances/p-1 HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    for (what, said, expected) in [
        ("a head that does not end", "GET /v1/services HTTP/1.1\r\nhost: a\r\n".to_owned(), "408"),
        ("a body that does not come", format!("{put}content-length: 100\r\n\r\n{{"), "408"),
        ("a body that is too large", format!("{put}connection: close\r\ncontent-length: 70000\r\n\r\n{}", " ".repeat(70_000)), "413"),
        ("bytes that are no text", format!("{put}connection: close\r\ncontent-length: 2\r\n\r\n\u{1}\u{2}"), "400"),
        ("a path that is no text", "GET /v1/services/\u{e9}\u{2028} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        ("a name that climbs", "GET /v1/services/../../etc HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "404"),
        ("a wait that is none", "GET /v1/services/payment?after=1&epoch=1&wait_ms=-1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        ("a revision beyond numbers", "GET /v1/services/payment?after=99999999999999999999&epoch=1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        ("a lease of odd bytes", "POST /v1/services/payment/instances/p-1/renew HTTP/1.1\r\nhost: a\r\nx-msf-lease: \u{e9}\r\nconnection: close\r\n\r\n".to_owned(), "400"),
    ] {
        let heard = exchange(addr, said.as_bytes()).await;
        let status = heard.split(' ').nth(1).unwrap_or("");
        assert_eq!(status, expected, "{what}: {heard}");
    }
    assert!(client(addr).services().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stream_carries_events_over_a_socket_and_ends_with_the_server() {
    let server = start(0);
    let url = format!("http://{}/v1/services/payment", server.addr);
    let request = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(url);
    let mut answer = request
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    let mut heard = String::new();
    let mut until = async |word: &str| {
        let deadline = clock::now() + Duration::from_secs(10);
        while !heard.contains(word) {
            let chunk = tokio::time::timeout_at(deadline, answer.chunk()).await;
            match chunk
                .unwrap_or_else(|_| panic!("no {word:?} in {heard}"))
                .unwrap()
            {
                Some(chunk) => heard.push_str(std::str::from_utf8(&chunk).unwrap()),
                None => return false,
            }
        }
        true
    };
    assert!(until("event: snapshot").await);
    server.memory.put(&instance(7), TTL).await.unwrap();
    assert!(until("event: delta").await);
    assert!(until("p-7").await);
    let memory = server.memory.clone();
    let stopping = task::spawn("stop", server.stop());
    assert!(!until("never said").await, "it ends cleanly");
    stopping.join().await.unwrap();
    drop(memory);
}

#[tokio::test]
async fn who_stops_waiting_gives_its_place_back() {
    let memory = warm();
    let (addr, _server) = serve(&memory, |s| s.watchers_max(1));
    let waiting = client(addr);
    let cursor = waiting.fetch(&payment()).await.unwrap().cursor();
    let mine = payment();
    let waited = timeout(Duration::from_millis(200), waiting.next(&mine, cursor)).await;
    assert!(waited.is_err(), "{waited:?}");
    let patient = HttpRegistry::builder(format!("http://{addr}"))
        .wait(Duration::from_millis(100))
        .build()
        .unwrap();
    eventually("the place is free", async || {
        matches!(patient.next(&mine, cursor).await, Ok(Change::Unchanged))
    })
    .await;
}

#[tokio::test]
async fn a_registry_that_went_back_is_asked_for_everything() {
    let server = MockServer::start().await;
    let at = |revision: u64| {
        format!(
            r#"{{"service":"payment","epoch":"00000000000000ff","revision":{revision},"authoritative":true,"instances":[]}}"#
        )
    };
    Mock::given(wiremock::matchers::query_param("after", "9"))
        .respond_with(ResponseTemplate::new(200).set_body_string(at(3)))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string(at(4)))
        .mount(&server)
        .await;
    let client = HttpRegistry::new(server.uri()).unwrap();
    let ahead = msf_registry::Cursor::new(0xff, 9);
    let lost = client.next(&payment(), ahead).await;
    assert!(matches!(lost, Err(RegistryError::CursorLost)), "{lost:?}");
    let now = client.fetch(&payment()).await.unwrap();
    assert_eq!(now.cursor().revision(), 4);
    // Another life of its memory counts from the beginning.
    let elsewhere = msf_registry::Cursor::new(0xfe, 9_000);
    let next = client.next(&payment(), elsewhere).await;
    assert!(matches!(next, Ok(Change::Changed(_))), "{next:?}");
}

#[tokio::test]
async fn a_lease_that_no_header_carries_is_no_lease() {
    for lease in ["a\\nx-evil: 1", "\\u0000", &"x".repeat(2_000)] {
        let server = MockServer::start().await;
        let body = format!(r#"{{"lease":"{lease}","ttl_ms":1,"epoch":"00000000000000ff"}}"#);
        Mock::given(method("PUT"))
            .respond_with(ResponseTemplate::new(200).set_body_string(body))
            .mount(&server)
            .await;
        let client = HttpRegistry::new(server.uri()).unwrap();
        let error = client.put(&instance(1), TTL).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Protocol(_)),
            "{lease}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_leaves_the_list_that_changes_belong_to() {
    let server = MockServer::start().await;
    let list = r#"{"service":"payment","epoch":"00000000000000ff","revision":3,"authoritative":true,"instances":[]}"#;
    let delta = r#"{"service":"payment","epoch":"00000000000000ff","revision":4,"after":3,"authoritative":true,"changed":[]}"#;
    let client = HttpRegistry::new(server.uri()).unwrap();
    for (status, body) in [(200, list), (503, "{}"), (200, delta)] {
        server.reset().await;
        let question = if body == delta {
            Mock::given(wiremock::matchers::query_param("delta", "1"))
        } else {
            Mock::given(method("GET"))
        };
        let answer = ResponseTemplate::new(status).set_body_string(body);
        question.respond_with(answer).mount(&server).await;
        let cursor = msf_registry::Cursor::new(0xff, 3);
        match body {
            "{}" => assert!(client.next(&payment(), cursor).await.is_err()),
            _ if body == list => assert!(client.fetch(&payment()).await.is_ok()),
            _ => {
                let next = client.next(&payment(), cursor).await;
                assert!(matches!(next, Ok(Change::Changed(_))), "{next:?}");
            }
        }
    }
}
