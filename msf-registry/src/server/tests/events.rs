//! The stream of events.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use msf_core::{
    clock,
    server::Body,
    testing::{TestClient, advance},
};
use serde_json::Value;
use tokio::time::timeout;
use tower::ServiceExt;

use super::{TTL, instance};
use crate::{backend::memory::MemoryRegistry, server::RegistryServer};

struct Stream(Response<Body>);

#[derive(Debug, Default, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

fn quiet() -> MemoryRegistry {
    MemoryRegistry::builder().warm_up(Duration::ZERO).build()
}

async fn open(server: &RegistryServer, last: Option<&str>) -> Stream {
    let mut request = Request::get("/v1/services/payment").header("accept", "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let request = request.body(Body::empty()).unwrap();
    let answer = server.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    Stream(answer)
}

impl Stream {
    async fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        while !text.ends_with("\n\n") {
            let frame = self.0.body_mut().frame().await?;
            let data = frame.unwrap().into_data().unwrap();
            text.push_str(std::str::from_utf8(&data).unwrap());
        }
        Some(text)
    }

    /// The events of the next chunk.
    async fn events(&mut self) -> Vec<Event> {
        let text = timeout(Duration::from_secs(100), self.text()).await;
        let mut text = text.expect("it says something").expect("it goes on");
        if text.contains("event: reset") {
            text.push_str(&self.text().await.expect("the whole follows"));
        }
        assert!(text.ends_with("\n\n"), "{text:?}");
        let blocks = text.trim_end().split("\n\n");
        let event = |block: &str| {
            let mut event = Event::default();
            for line in block.lines() {
                match line.split_once(": ").expect("a field") {
                    ("event", name) => event.name = name.to_owned(),
                    ("id", id) => event.id = id.to_owned(),
                    ("data", data) => event.data = serde_json::from_str(data).unwrap(),
                    ("retry", _) | ("", _) => {}
                    other => panic!("{other:?}"),
                }
            }
            event
        };
        blocks.map(event).collect()
    }
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn it_begins_with_the_whole_and_goes_on_with_what_changes() {
    let memory = quiet();
    let server = RegistryServer::new(memory.clone());
    memory.register_now(&instance(1), TTL).unwrap();
    let mut stream = open(&server, None).await;
    let first = stream.events().await;
    assert_eq!(names(&first), ["snapshot"]);
    assert_eq!(first[0].data["instances"][0]["id"], "p-1");
    assert_eq!(first[0].data["authority"], "complete");

    let lease = memory.register_now(&instance(2), TTL).unwrap();
    let second = stream.events().await;
    assert_eq!(names(&second), ["delta"]);
    let data = &second[0].data;
    assert_eq!(data["changed"][0]["id"], "p-2");
    assert_eq!(data["changed"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&data["after"], &data["removed"]),
        (&first[0].data["revision"], &Value::Array(vec![]))
    );
    let position = format!("{}:{}", data["epoch"].as_str().unwrap(), data["revision"]);
    assert_eq!(second[0].id, position);

    memory.deregister_now(&lease);
    let third = stream.events().await;
    assert_eq!(third[0].data["removed"], serde_json::json!(["p-2"]));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_was_cut_off_goes_on_where_it_was() {
    let memory = quiet();
    let server = RegistryServer::new(memory.clone());
    memory.register_now(&instance(1), TTL).unwrap();
    let mut stream = open(&server, None).await;
    let id = stream.events().await[0].id.clone();
    drop(stream);

    let mut same = open(&server, Some(&id)).await;
    assert_eq!(names(&same.events().await), [""], "a comment and no event");
    memory.register_now(&instance(2), TTL).unwrap();
    let mut changed = open(&server, Some(&id)).await;
    for stream in [&mut same, &mut changed] {
        let events = stream.events().await;
        assert_eq!(names(&events), ["delta"]);
        assert_eq!(events[0].data["changed"][0]["id"], "p-2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_that_is_lost_is_said_to_be() {
    let memory = quiet();
    let server = RegistryServer::new(memory.clone());
    memory.register_now(&instance(1), TTL).unwrap();
    let now = memory.snapshot(&instance(1).service).cursor();
    let ahead = format!("{:016x}:{}", now.epoch(), now.revision() + 1);
    for lost in [
        "0000000000000001:1",
        &ahead,
        "",
        "garbage",
        ":",
        "1:1:1",
        "ffffffffffffffffffff:99999999999999999999999",
    ] {
        let events = open(&server, Some(lost)).await.events().await;
        assert_eq!(names(&events), ["reset", "snapshot"], "{lost}");
        assert_eq!(events[1].data["instances"][0]["id"], "p-1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_everything_together() {
    let memory = quiet();
    let server = RegistryServer::new(memory.clone());
    let mut stream = open(&server, None).await;
    stream.events().await;
    for n in 1..50 {
        memory.register_now(&instance(n), TTL).unwrap();
    }
    let events = stream.events().await;
    assert_eq!(names(&events), ["delta"]);
    assert_eq!(events[0].data["changed"].as_array().unwrap().len(), 49);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_shows_that_it_lives_and_ends_in_time() {
    let memory = quiet();
    let life = Duration::from_secs(60);
    let server = RegistryServer::new(memory)
        .stream_max(life)
        .keep_alive(Duration::from_secs(10));
    let mut stream = open(&server, None).await;
    stream.events().await;
    assert_eq!(server.watchers(), 1);
    let start = clock::now();
    let mut comments = 0;
    while let Some(text) = stream.text().await {
        assert_eq!(text, ": keep-alive\n\n");
        comments += 1;
    }
    let lasted = clock::now() - start;
    assert!(lasted <= life && lasted >= life.mul_f64(0.9), "{lasted:?}");
    assert!((5..=6).contains(&comments), "{comments}");
    assert_eq!(
        server.watchers(),
        0,
        "its place is free before it is dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn streams_are_bounded_like_every_other_wait() {
    let server = RegistryServer::new(quiet()).watchers_max(1);
    let mut stream = open(&server, None).await;
    stream.events().await;
    let client = TestClient::new(server.clone());
    let request = Request::get("/v1/services/payment").header("accept", "text/event-stream");
    let refused = client.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status(), 503);
    drop(stream);
    assert_eq!(server.watchers(), 0);
    drop(open(&server, None).await);
    let head = Request::head("/v1/services/payment").header("accept", "text/event-stream");
    let head = client.send(head.body(Body::empty()).unwrap()).await;
    assert_eq!((head.status().as_u16(), head.bytes().len()), (200, 0));
    assert_eq!(server.watchers(), 0, "a head holds no place");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_warm_up_and_an_expiry_are_events() {
    let memory = MemoryRegistry::builder().warm_up(TTL).build();
    let server = RegistryServer::new(memory.clone());
    memory.register_now(&instance(1), 2 * TTL).unwrap();
    let mut stream = open(&server, None).await;
    assert_eq!(stream.events().await[0].data["authority"], "partial");
    let warm = stream.events().await;
    let warm = if names(&warm) == [""] {
        stream.events().await
    } else {
        warm
    };
    assert_eq!(names(&warm), ["delta"]);
    assert_eq!(warm[0].data["authority"], "complete");
    assert_eq!(warm[0].data["changed"], Value::Array(vec![]));
    advance(TTL).await;
    let expired = stream.events().await;
    assert_eq!(expired[0].data["removed"], serde_json::json!(["p-1"]));
    assert_eq!(expired[0].data["authority"], "complete");
}
