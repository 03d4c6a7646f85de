//! A registry that dies and comes back without its memory.

use std::time::Duration;

use msf_core::{clock, server::DrainPlan};
use msf_registry::{Change, Discovery, PickContext, Registry};

use crate::setup::{TTL, eventually, instance, listed, payment, start, start_with};

#[tokio::test]
async fn nobody_notices_a_restart_but_the_log() {
    let server = start(0);
    let registry = Registry::builder(server.client())
        .lease_ttl(TTL)
        // A caller that was away during the whole warm-up doubts the new memory for as long as this.
        .empty_hold(2 * TTL)
        .build()
        .unwrap();
    let first = registry.register(instance(1));
    let second = registry.register(instance(2));
    first.registered().await.unwrap();
    second.registered().await.unwrap();
    let endpoints = registry.service(&payment());
    eventually("both are listed", async || {
        endpoints.snapshot().instances().len() == 2
    })
    .await;
    let epoch = endpoints.snapshot().cursor().epoch();

    let port = server.stop().await;
    let stopped = clock::now();
    while clock::now() - stopped < TTL {
        assert_eq!(
            endpoints.snapshot().instances().len(),
            2,
            "the last list is gone"
        );
        assert!(endpoints.pick(&PickContext::new()).is_ok());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One instance dies meanwhile.
    drop(second);

    let server = start(port);
    let memory = server.memory.clone();
    eventually("it registers again", async || {
        assert!(!endpoints.snapshot().instances().is_empty());
        listed(&memory).await == 1
    })
    .await;
    eventually("callers see the new list", async || {
        let snapshot = endpoints.snapshot();
        assert!(!snapshot.instances().is_empty());
        snapshot.cursor().epoch() != epoch
            && snapshot.is_authoritative()
            && snapshot.instances().len() == 1
    })
    .await;
    assert_eq!(
        endpoints.pick(&PickContext::new()).unwrap().instance().id,
        instance(1).id
    );

    first.deregister().await.unwrap();
    assert_eq!(listed(&server.memory).await, 0);
    server.stop().await;
}

#[tokio::test]
async fn the_end_of_the_server_does_not_wait_for_those_who_wait_for_a_change() {
    let minute = Duration::from_secs(60);
    let server = start_with(0, DrainPlan::new(Duration::ZERO, minute));
    let client = server.client();
    // Past its warm-up, whose end is a change.
    eventually("it vouches", async || {
        client.fetch(&payment()).await.unwrap().is_authoritative()
    })
    .await;
    let cursor = client.fetch(&payment()).await.unwrap().cursor();
    let service = payment();
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let begun = clock::now();
        server.stop().await;
        clock::now() - begun
    };
    let (change, took) = tokio::join!(client.next(&service, cursor), stopping);
    assert!(matches!(change, Ok(Change::Unchanged)), "{change:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}
