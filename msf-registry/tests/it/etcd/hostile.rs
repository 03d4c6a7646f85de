//! An etcd that lies, hangs, or never stops talking.

use std::time::Duration;

use msf_core::{clock, task};
use msf_registry::{
    Change, Cursor, Discovery, Registrar, RegistryError, backend::etcd::EtcdRegistry,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::setup::{ids, instance, payment};

/// What it says to a request, given its path.
type Script = fn(&str) -> Says;

enum Says {
    /// A whole answer.
    This(String),
    /// An answer that begins so and goes on with this for ever.
    ForEver(&'static str, &'static str),
    /// Nothing.
    Nothing,
}

async fn etcd(script: Script) -> EtcdRegistry {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    task::spawn("etcd", async move {
        while let Ok((stream, _)) = listener.accept().await {
            task::spawn("connection", serve(stream, script)).detach();
        }
    })
    .detach();
    EtcdRegistry::builder(url)
        .timeout(Duration::from_millis(500))
        .wait(Duration::from_millis(500))
        .answer_max(64 * 1024)
        .build()
        .expect("the settings are good")
}

async fn serve(mut stream: TcpStream, script: Script) {
    let mut request = vec![0; 64 * 1024];
    while let Ok(read) = stream.read(&mut request).await {
        let text = String::from_utf8_lossy(&request[..read]);
        let Some(path) = text.split(' ').nth(1) else {
            return;
        };
        let head = "HTTP/1.1 200 OK\r\n";
        let said = match script(path) {
            Says::This(body) => {
                let length = body.len();
                let text = format!("{head}content-length: {length}\r\n\r\n{body}");
                stream.write_all(text.as_bytes()).await
            }
            Says::ForEver(first, then) => {
                let text = format!("{head}\r\n{first}");
                let mut said = stream.write_all(text.as_bytes()).await;
                while said.is_ok() {
                    said = stream.write_all(then.as_bytes()).await;
                }
                said
            }
            Says::Nothing => std::future::pending().await,
        };
        if said.is_err() {
            return;
        }
    }
}

const BLANK: &str = r#"{"header":{"cluster_id":"1","revision":"7"}}"#;

/// A good answer to everything but the watch.
fn quiet(path: &str) -> Option<Says> {
    let list = r#"{"header":{"cluster_id":"1","revision":"7"},"succeeded":true,
        "responses":[{"response_range":{}},{"response_range":{}}]}"#;
    match path {
        "/v3/kv/range" => Some(Says::This(BLANK.to_owned())),
        "/v3/kv/txn" => Some(Says::This(list.to_owned())),
        _ => None,
    }
}

async fn position(etcd: &EtcdRegistry) -> Cursor {
    etcd.fetch(&payment()).await.expect("it answers").cursor()
}

#[tokio::test]
async fn garbage_is_a_protocol_error_that_names_the_question() {
    for script in [
        (|_| Says::This("<html>".to_owned())) as Script,
        |_| Says::This("[]".to_owned()),
        |_| Says::This(r#"{"header":{"revision":"-"},"kvs":7}"#.to_owned()),
        |_| Says::This(r#"{"responses":[{"response_range":{"kvs":[{"key":"!"}]}}]}"#.to_owned()),
        |_| Says::This(r#"{"responses":[]}"#.to_owned()),
        |_| Says::This("[".repeat(60_000)),
    ] {
        let etcd = etcd(script).await;
        let error = etcd.fetch(&payment()).await.unwrap_err();
        let RegistryError::Protocol(place) = &error else {
            panic!("{error:?}");
        };
        assert!(place.to_string().starts_with("kv/txn: "), "{place}");
        let error = etcd
            .put(&instance(1), Duration::from_secs(5))
            .await
            .unwrap_err();
        assert!(matches!(error, RegistryError::Protocol(_)), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_never_ends_is_not_read() {
    let large = etcd(|_| Says::This("x".repeat(100_000))).await;
    let error = large.services().await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol(_)), "{error:?}");
    // Which of its limits it reaches first depends on how fast it talks.
    let endless = etcd(|_| Says::ForEver("{", " ")).await;
    let error = endless.services().await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Protocol(_) | RegistryError::Timeout(_)
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn silence_is_given_up() {
    let etcd = etcd(|_| Says::Nothing).await;
    let begun = clock::now();
    let error = etcd.fetch(&payment()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Timeout(_)), "{error:?}");
    assert!(clock::now() - begun < Duration::from_secs(2));
}

#[tokio::test]
async fn a_watch_that_talks_without_end_and_says_nothing_ends_with_the_wait() {
    let etcd = etcd(|path| quiet(path).unwrap_or(Says::ForEver("", "{\"result\":{}}\n"))).await;
    let begun = clock::now();
    let next = etcd.next(&payment(), position(&etcd).await).await;
    // Nobody has registered, so it looks again after the wait.
    assert!(matches!(next, Ok(Change::Changed(_))), "{next:?}");
    assert!(clock::now() - begun < Duration::from_secs(2));
}

#[tokio::test]
async fn a_line_of_a_watch_that_never_ends_is_answered_by_the_list() {
    let etcd = etcd(|path| quiet(path).unwrap_or(Says::ForEver("{", " "))).await;
    let next = etcd.next(&payment(), position(&etcd).await).await;
    assert!(matches!(next, Ok(Change::Changed(_))), "{next:?}");
}

#[tokio::test]
async fn a_watch_that_makes_no_sense_is_a_protocol_error() {
    for script in [
        (|path| quiet(path).unwrap_or_else(|| Says::This("x".to_owned()))) as Script,
        |path| quiet(path).unwrap_or_else(|| Says::This("{}".to_owned())),
        |path| {
            quiet(path).unwrap_or_else(|| Says::This(r#"{"result":{"events":[{}]}}"#.to_owned()))
        },
    ] {
        let etcd = etcd(script).await;
        let error = etcd
            .next(&payment(), position(&etcd).await)
            .await
            .unwrap_err();
        assert!(matches!(error, RegistryError::Protocol(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_watch_that_ends_or_is_refused_is_an_error_and_no_change() {
    let ended = etcd(|path| quiet(path).unwrap_or_else(|| Says::This("\n".to_owned()))).await;
    let next = ended.next(&payment(), position(&ended).await).await;
    assert!(
        matches!(next, Err(RegistryError::Unreachable(_))),
        "{next:?}"
    );
    let refused = etcd(|path| {
        let line = r#"{"error":{"grpc_code":8,"http_code":429,"message":"too many\u001b[2J"}}"#;
        quiet(path).unwrap_or_else(|| Says::This(line.to_owned()))
    })
    .await;
    let next = refused.next(&payment(), position(&refused).await).await;
    let error = next.unwrap_err();
    assert_eq!(error.to_string(), "the registry answered 429: too many[2J");
}

#[tokio::test]
async fn a_compacted_history_is_a_lost_position() {
    let etcd = etcd(|path| {
        let lines = "{\"result\":{\"created\":true,\"header\":{\"revision\":\"9\"}}}\n\
                     {\"result\":{\"canceled\":true,\"compact_revision\":\"9\"}}\n";
        quiet(path).unwrap_or_else(|| Says::This(lines.to_owned()))
    })
    .await;
    let next = etcd.next(&payment(), position(&etcd).await).await;
    assert!(matches!(next, Err(RegistryError::CursorLost)), "{next:?}");
}

#[tokio::test]
async fn one_instance_that_is_not_understood_hides_no_other() {
    let etcd = etcd(|path| match path {
        "/v3/kv/txn" => {
            // payment/a: good; payment/b: no JSON; payment/c: that of a; payment/d/e: no key of ours.
            let good = r#"eyJzZXJ2aWNlIjoicGF5bWVudCIsImlkIjoiYSIsImVuZHBvaW50cyI6WyJodHRwOi8vMTAuMC4wLjE6MSJdfQ=="#;
            let kv = |key, value| format!(r#"{{"key":"{key}","value":"{value}"}}"#);
            let kvs = [
                kv("L21zZi9yZWdpc3RyeS9wYXltZW50L2E=", good),
                kv("L21zZi9yZWdpc3RyeS9wYXltZW50L2I=", "eA=="),
                kv("L21zZi9yZWdpc3RyeS9wYXltZW50L2M=", good),
                kv("L21zZi9yZWdpc3RyeS9wYXltZW50L2QvZQ==", good),
            ];
            let kvs = kvs.join(",");
            Says::This(format!(
                r#"{{"header":{{"revision":"7"}},"later":1,
                "responses":[{{"response_range":{{}}}},{{"response_range":{{"kvs":[{kvs}]}}}}]}}"#
            ))
        }
        _ => Says::Nothing,
    })
    .await;
    let listed = etcd.fetch(&payment()).await.unwrap();
    assert_eq!(ids(&listed), ["a"]);
}
