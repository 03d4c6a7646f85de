//! The end of a server: nothing is reset, nothing outlives the deadline.

use std::time::Duration;

use msf_core::server::{Limits, Phase};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Client, Running, soon};

const HELLO: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn while_draining_new_connections_are_served_and_told_to_close() {
    let running = Running::start(Limits::default());
    let mut old = running.connect().await;
    old.send(HELLO).await;
    assert!(!old.answer().await.head.contains("connection: close"));

    running.drain.advance(Phase::Draining);
    old.send(HELLO).await;
    assert!(old.answer().await.head.contains("connection: close"));
    old.closed().await;

    let mut new = running.connect().await;
    new.send(HELLO).await;
    assert!(new.answer().await.head.contains("connection: close"));
    assert_eq!(running.end().await.cut, 0);
}

#[tokio::test]
async fn a_request_in_flight_is_finished_and_the_port_is_closed() {
    let running = Running::start(Limits::default());
    let addr = running.addr;
    let mut client = running.connect().await;
    client.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    while running.server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    let (answer, served) = tokio::join!(client.answer(), running.end());
    assert_eq!(answer.body, b"slow");
    assert!(answer.head.contains("connection: close"));
    assert_eq!(served.cut, 0);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn connections_that_wait_in_the_kernel_are_served() {
    // The server runs on this thread, so those that it has not seen yet are in the kernel's queue.
    let running = Running::start(Limits::default());
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = running.connect().await;
        client.send(HELLO).await;
        clients.push(client);
    }
    running.drain.advance(Phase::Stopping);
    for client in &mut clients {
        assert_eq!(client.answer().await.status, 200);
        client.closed().await;
    }
    assert_eq!(running.end().await.cut, 0);
}

#[tokio::test]
async fn the_kernels_queue_is_served_even_when_every_slot_is_taken_at_the_end() {
    let running = Running::start(Limits::default().connections_max(1));
    let mut idle = running.connect().await;
    idle.send(HELLO).await;
    idle.answer().await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut client = running.connect().await;
        client.send(HELLO).await;
        waiting.push(client);
    }
    running.drain.advance(Phase::Stopping);
    for client in &mut waiting {
        assert_eq!(client.answer().await.status, 200);
    }
    drop(waiting);
    assert_eq!(running.end().await.cut, 0);
}

#[tokio::test]
async fn a_large_answer_arrives_whole_although_the_server_ends() {
    let running = Running::start(Limits::default());
    let mut client = running.connect().await;
    client.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    while running.server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    running.drain.advance(Phase::Draining);
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.drain.advance(Phase::Stopping);
    // Longer than the grace of an idle connection.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(client.answer().await.body.len(), super::LARGE);
    assert_eq!(running.end().await.cut, 0);
}

#[tokio::test]
async fn a_request_that_races_with_the_end_is_answered() {
    let running = Running::start(Limits::default());
    let mut client = running.connect().await;
    client.send(HELLO).await;
    client.answer().await;

    running.drain.advance(Phase::Stopping);
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.send(HELLO).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("connection: close"));
    client.closed().await;
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let running = Running::start(Limits::default());
    let mut client = running.connect().await;
    client.send(HELLO).await;
    client.answer().await;
    let (served, ()) = tokio::join!(running.end(), client.closed());
    assert_eq!(served.cut, 0);
}

#[tokio::test]
async fn a_stream_that_listens_ends_by_itself() {
    let running = Running::start(Limits::default());
    let mut client = running.connect().await;
    client.send("GET /polite HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(running.end().await.cut, 0);
}

#[tokio::test]
async fn a_stream_that_does_not_listen_is_cut_at_the_deadline() {
    let running = Running::start(Limits::default());
    let mut endless = running.connect().await;
    endless
        .send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert_eq!(endless.answer().await.status, 200);
    let mut never = running.connect().await;
    never.send("GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await;
    while running.server.connections() < 2 {
        tokio::task::yield_now().await;
    }

    running.drain.advance(Phase::Stopping);
    assert!(!running.task.is_finished());
    running.drain.advance(Phase::Cut);
    assert_eq!(running.end().await.cut, 2);
    assert!(never.try_answer().await.is_none());
}

#[tokio::test]
async fn an_upgraded_connection_is_counted_and_cut() {
    let running = Running::start(Limits::default());
    let mut client = running.connect().await;
    client
        .send("GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 101);
    echoes(&mut client).await;
    assert_eq!(running.server.connections(), 1);

    running.drain.advance(Phase::Stopping);
    echoes(&mut client).await;
    running.drain.advance(Phase::Cut);
    assert_eq!(running.end().await.cut, 1);
    client.closed().await;
}

async fn echoes(client: &mut Client) {
    soon(async {
        client.0.write_all(b"!").await.unwrap();
        let mut byte = [0; 1];
        client.0.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"!");
    })
    .await;
}
