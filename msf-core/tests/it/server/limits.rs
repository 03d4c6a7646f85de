//! Limits and hostile input.

use std::time::Duration;

use msf_core::server::Limits;
use tokio::{io::AsyncWriteExt, time::sleep};

use super::{Running, soon};

fn quick() -> Limits {
    Limits::default()
        .header_timeout(Duration::from_millis(200))
        .idle_timeout(Duration::from_millis(500))
        .body_timeout(Duration::from_millis(200))
        .body_limit(1_000)
}

#[tokio::test]
async fn garbage_is_answered_and_the_server_lives() {
    let running = Running::start(Limits::default());
    for garbage in [
        "\x00\x01\x02\x03\r\n\r\n",
        "HELLO\r\n\r\n",
        "GET /hello\r\n\r\n",
        "GET  /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/9.9\r\nhost: x\r\n\r\n",
        "GET /hello HTTP/1.1\r\nbad header\r\n\r\n",
        "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ] {
        let mut client = running.connect().await;
        client.send(garbage).await;
        assert_eq!(client.answer().await.status, 400, "{garbage:?}");
        client.closed().await;
    }
    running.is_alive().await;
}

#[tokio::test]
async fn a_head_of_ten_mebibytes_is_431_and_the_answer_arrives() {
    let running = Running::start(Limits::default());
    let mut client = running.connect().await;
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx-big: {}\r\n\r\n",
        "a".repeat(10 << 20)
    );
    // A client that is still sending when it is refused must be able to read why.
    let (_, mut writer) = client.0.split();
    soon(writer.write_all(head.as_bytes())).await.unwrap();
    assert_eq!(client.answer().await.status, 431);
    running.is_alive().await;
}

#[tokio::test]
async fn a_slow_head_is_408_and_dripping_does_not_help() {
    let running = Running::start(quick());
    let mut client = running.connect().await;
    client.send("GET /hello HTTP/1.1\r\n").await;
    let drip = async {
        let mut client = running.connect().await;
        for byte in "GET /hello HTTP/1.1\r\nhost: x\r\n".bytes().cycle() {
            if client.0.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let (answer, ()) = tokio::join!(client.answer(), soon(drip));
    assert_eq!(answer.status, 408);
    assert_eq!(answer.problem()["code"], "request_timeout");
    client.closed().await;
    running.is_alive().await;
}

#[tokio::test]
async fn a_method_that_begins_like_the_preface_of_http2_is_a_slow_head_too() {
    let running = Running::start(quick().idle_timeout(Duration::from_secs(60)));
    let mut client = running.connect().await;
    client.send("PRIX /hello HTTP/1.1\r\n").await;
    assert_eq!(client.answer().await.status, 408);
}

#[tokio::test]
async fn half_a_preface_of_http2_is_closed_after_the_header_timeout() {
    let running = Running::start(quick().idle_timeout(Duration::from_secs(60)));
    let mut client = running.connect().await;
    client.send("PRI * HTTP/2.0").await;
    assert_eq!(client.answer().await.status, 408);
}

#[tokio::test]
async fn a_half_written_answer_is_not_broken_by_the_next_slow_head() {
    let running = Running::start(quick());
    let mut client = running.connect().await;
    client.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(Duration::from_millis(50)).await;
    client.send("GET /hello HT").await;
    // Longer than the header timeout and the idle timeout, in which the answer fills the socket.
    sleep(Duration::from_millis(900)).await;
    let answer = client.answer().await;
    assert_eq!(answer.body.len(), super::LARGE);
    assert!(answer.body.iter().all(|byte| *byte == b'x'));
    // What came of the next head was too slow, from now on at the latest.
    assert_eq!(client.answer().await.status, 408);
    client.closed().await;
}

#[tokio::test]
async fn limits_without_an_end_do_not_break_the_server() {
    for endless in [Duration::MAX, Duration::ZERO] {
        let limits = Limits::default()
            .idle_timeout(endless)
            .body_timeout(Duration::MAX)
            .write_timeout(Duration::MAX)
            .header_timeout(Duration::MAX);
        let running = Running::start(limits);
        running.is_alive().await;
        let mut client = running.connect().await;
        client
            .send("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n")
            .await;
        sleep(Duration::from_millis(20)).await;
        client.send("a").await;
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn a_silent_client_is_closed_without_an_answer() {
    let running = Running::start(quick());
    running.connect().await.closed().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_idle_timeout() {
    let running = Running::start(quick());
    let mut client = running.connect().await;
    client.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    // Longer than the header timeout, which does not count while nothing arrives.
    sleep(Duration::from_millis(350)).await;
    client.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    client.closed().await;
}

#[tokio::test]
async fn a_declared_body_above_the_limit_is_413_before_it_is_sent() {
    let running = Running::start(quick());
    let mut client = running.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\nexpect: 100-continue\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.problem()["limit"], 1_000);
}

#[tokio::test]
async fn an_undeclared_body_above_the_limit_is_413_too() {
    let running = Running::start(quick());
    let mut client = running.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    for _ in 0..3 {
        client.send(format!("190\r\n{}\r\n", "a".repeat(400))).await;
    }
    let answer = client.answer().await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.problem()["code"], "payload_too_large");
}

#[tokio::test]
async fn a_body_at_the_limit_passes() {
    let running = Running::start(quick());
    let mut client = running.connect().await;
    client
        .send(format!(
            "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{}",
            "a".repeat(1_000)
        ))
        .await;
    assert_eq!(client.answer().await.body, b"1000");
}

#[tokio::test]
async fn a_body_that_stalls_is_408() {
    let running = Running::start(quick());
    let mut client = running.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.problem()["code"], "request_timeout");
}

#[tokio::test]
async fn the_client_after_the_last_slot_waits_for_one() {
    let running = Running::start(Limits::default().connections_max(1));
    let mut first = running.connect().await;
    first.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(running.server.connections(), 1);

    // The kernel completes the handshake; the server does not look at it yet.
    let mut second = running.connect().await;
    second.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let early = tokio::time::timeout(Duration::from_millis(100), second.answer()).await;
    assert!(early.is_err());

    drop(first);
    assert_eq!(second.answer().await.status, 200);
    assert_eq!(running.server.connections(), 1);
}
