//! More requests than connections.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use msf_client::transport::{Connections, TransportError, Upstream};
use msf_core::{body::Body, testing::TestServer};
use tokio::{task::yield_now, time};
use tokio_test::{assert_pending, task::spawn};

use crate::callee::{echo, eventually, fed, get, post};

fn one() -> Connections {
    Connections::builder().max_connections(1).build()
}

async fn text(response: http::Response<msf_client::transport::ResponseBody>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn busy(
    connections: &Connections,
    callee: &TestServer,
) -> (
    http::Response<msf_client::transport::ResponseBody>,
    crate::callee::Feeder,
) {
    let (feeder, body) = fed();
    let response = connections.send(callee.addr(), post(body)).await.unwrap();
    (response, feeder)
}

#[tokio::test]
async fn the_next_in_line_gets_the_connection_that_comes_back() {
    let callee = echo().await;
    let connections = one();
    let (first, feeder) = busy(&connections, &callee).await;
    let mut waiting: Vec<_> = ["one", "two", "three"]
        .into_iter()
        .map(|body| spawn(connections.send(callee.addr(), post(Body::from(body)))))
        .collect();
    for waits in &mut waiting {
        assert_pending!(waits.poll());
    }
    drop(feeder);
    assert_eq!(text(first).await, "");
    for (waits, expected) in waiting.into_iter().zip(["one", "two", "three"]) {
        assert_eq!(text(waits.await.unwrap()).await, expected);
    }
    assert_eq!((connections.idle(), connections.open()), (1, 1));
}

#[tokio::test]
async fn when_a_connection_breaks_the_next_in_line_opens_another() {
    let callee = echo().await;
    let connections = one();
    let (first, _feeder) = busy(&connections, &callee).await;
    let mut waits = spawn(connections.send(callee.addr(), post(Body::from("next"))));
    assert_pending!(waits.poll());
    drop(first);
    assert!(waits.is_woken());
    assert_eq!(text(waits.await.unwrap()).await, "next");
    assert_eq!(connections.open(), 1);
}

#[tokio::test]
async fn a_line_that_is_full_takes_nobody() {
    let callee = echo().await;
    let connections = Connections::builder()
        .max_connections(1)
        .queue_max(1)
        .build();
    let (_first, _feeder) = busy(&connections, &callee).await;
    let mut waits = spawn(connections.send(callee.addr(), get("/")));
    assert_pending!(waits.poll());
    let error = connections.send(callee.addr(), get("/")).await.unwrap_err();
    assert!(
        matches!(error, TransportError::QueueFull { limit: 1, .. }),
        "{error}"
    );
    assert!(error.is_unsent() && error.is_own_fault());
    // Who leaves makes room.
    drop(waits);
    let mut waits = spawn(connections.send(callee.addr(), get("/")));
    assert_pending!(waits.poll());
}

#[tokio::test]
async fn a_wait_ends_in_time() {
    let callee = echo().await;
    let connections = one();
    let (_first, _feeder) = busy(&connections, &callee).await;
    let hasty = Upstream::new().queue_timeout(Duration::from_millis(30));
    let error = connections
        .send_to(callee.addr(), &hasty, get("/"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransportError::QueueTimeout { .. }),
        "{error}"
    );
    assert!(error.is_unsent() && error.is_own_fault());
}

#[tokio::test]
async fn one_callee_may_have_more_than_the_others() {
    let callee = echo().await;
    let connections = Connections::builder()
        .max_connections(1)
        .queue_max(0)
        .build();
    let (_first, _feeder) = busy(&connections, &callee).await;
    let more = Upstream::new().max_connections(2);
    let response = connections.send_to(callee.addr(), &more, post(Body::from("more")));
    assert_eq!(text(response.await.unwrap()).await, "more");
    assert!(connections.send(callee.addr(), get("/")).await.is_ok());
}

#[tokio::test]
async fn leaving_the_line_at_any_moment_loses_no_connection() {
    let callee = echo().await;
    let connections = one();
    for breaks in [false, true] {
        for polls in 1..12 {
            let (first, feeder) = busy(&connections, &callee).await;
            let mut waits = spawn(connections.send(callee.addr(), post(Body::from("x"))));
            assert_pending!(waits.poll());
            if breaks {
                drop((first, feeder));
            } else {
                feeder.send(Ok(Bytes::from("y"))).unwrap();
                drop(feeder);
                assert_eq!(text(first).await, "y");
            }
            for _ in 1..polls {
                if waits.poll().is_ready() {
                    break;
                }
                yield_now().await;
            }
            drop(waits);
            let next = connections.send(callee.addr(), post(Body::from("next")));
            let next = time::timeout(Duration::from_secs(5), next).await;
            assert_eq!(text(next.unwrap().unwrap()).await, "next", "{polls}");
            eventually(|| connections.open() <= 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_gets_through_few_connections() {
    let callee = echo().await;
    let connections = Connections::builder()
        .max_connections(3)
        .queue_timeout(Duration::from_secs(20))
        .build();
    let calls: Vec<_> = (0..60)
        .map(|_| {
            let (connections, addr) = (connections.clone(), callee.addr());
            msf_core::task::spawn("caller", async move {
                for _ in 0..10 {
                    let response = connections.send(addr, post(Body::from("hello")));
                    assert_eq!(text(response.await.unwrap()).await, "hello");
                    assert!(connections.open() <= 3);
                }
            })
        })
        .collect();
    for call in calls {
        call.join().await.expect("no caller panics");
    }
}
