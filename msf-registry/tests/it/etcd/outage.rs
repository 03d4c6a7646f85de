//! etcd dies, comes back, forgets, hangs; callers keep calling, instances are listed again.

use std::time::Duration;

use msf_core::clock;
use msf_registry::{
    Authority, Change, Discovery, Registrar, Registration, Registry, RegistryError, ServiceHandle,
    backend::etcd::EtcdRegistry,
};
use serde_json::json;

use super::server::Etcd;
use crate::{
    pair::{self, lists, never_lost},
    setup::{eventually, instance, payment},
};

/// The least that etcd grants here.
const TTL: Duration = Duration::from_secs(2);
const PREFIX: &str = "/shop";

fn client(etcd: &Etcd) -> EtcdRegistry {
    let builder = etcd
        .builder()
        .prefix(PREFIX)
        .warm_up(TTL * 2)
        .timeout(Duration::from_secs(1))
        .wait(Duration::from_secs(5));
    builder.build().expect("the settings are good")
}

fn registry(etcd: &Etcd) -> Registry {
    pair::registry(client(etcd), TTL)
}

/// Two instances, a caller that sees both, and the warm-up over.
async fn two(etcd: &Etcd) -> (Registry, Vec<Registration>, ServiceHandle) {
    let registry = registry(etcd);
    let (registrations, service) = pair::two(&registry).await;
    let backend = client(etcd);
    eventually("the warm-up ends", async || {
        let listed = backend.fetch(&payment()).await;
        listed.is_ok_and(|listed| listed.is_authoritative())
    })
    .await;
    (registry, registrations, service)
}

/// How many etcd itself lists.
async fn listed(etcd: &Etcd) -> usize {
    let snapshot = client(etcd).fetch(&payment()).await;
    snapshot.map_or(0, |snapshot| snapshot.instances().len())
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn a_killed_etcd_comes_back_with_its_data() {
    let mut etcd = Etcd::start().await;
    let (_registry, registrations, service) = two(&etcd).await;
    etcd.kill();
    never_lost(&service, TTL * 2).await;
    etcd.up().await;
    never_lost(&service, TTL).await;
    assert_eq!((listed(&etcd).await, etcd.leases_with_keys().await), (2, 2));
    // The watch goes on where it was.
    for registration in registrations {
        registration.deregister().await.expect("etcd answers");
    }
    eventually("both are gone", async || listed(&etcd).await == 0).await;
    eventually("callers hear of it", async || lists(&service, 0)).await;
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn an_emptied_etcd_lists_everybody_again_within_one_time_to_live() {
    let mut etcd = Etcd::start().await;
    let (_registry, registrations, service) = two(&etcd).await;
    let epoch = service.snapshot().cursor().epoch();
    etcd.kill();
    etcd.lose_memory();
    never_lost(&service, TTL * 4).await;
    etcd.up().await;
    let back = clock::now();
    tokio::join!(
        async {
            eventually("both are listed again", async || listed(&etcd).await == 2).await;
            let took = clock::now() - back;
            assert!(took < TTL, "listed again after {took:?} only");
        },
        never_lost(&service, TTL * 4),
    );
    assert_eq!(
        etcd.leases_with_keys().await,
        2,
        "not one lease per instance"
    );
    eventually("callers follow the new life", async || {
        let snapshot = service.snapshot();
        snapshot.cursor().epoch() != epoch && snapshot.is_authoritative()
    })
    .await;
    assert!(lists(&service, 2));
    for registration in registrations {
        registration.deregister().await.expect("etcd answers");
    }
    eventually("callers hear of the end", async || lists(&service, 0)).await;
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn an_emptied_etcd_that_is_ahead_is_still_another_one() {
    let mut etcd = Etcd::start().await;
    let before = client(&etcd);
    before.put(&instance(1), TTL).await.unwrap();
    let cursor = before.fetch(&payment()).await.unwrap().cursor();
    etcd.kill();
    etcd.lose_memory();
    etcd.up().await;
    while etcd.revision().await <= cursor.revision() + 5 {
        etcd.post("kv/put", &json!({ "key": "YQ==" })).await;
    }
    let Change::Changed(blank) = before.next(&payment(), cursor).await.unwrap() else {
        panic!("nobody noticed that its memory is gone");
    };
    assert_ne!(blank.cursor().epoch(), cursor.epoch());
    assert_eq!(blank.authority(), Authority::Partial);
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn an_etcd_that_hangs_is_as_good_as_away() {
    let etcd = Etcd::start().await;
    let (_registry, _registrations, service) = two(&etcd).await;
    etcd.hang();
    never_lost(&service, TTL * 2).await;
    etcd.resume();
    never_lost(&service, TTL * 2).await;
    assert_eq!((listed(&etcd).await, etcd.leases_with_keys().await), (2, 2));
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn a_history_that_was_compacted_during_an_outage_costs_one_more_fetch() {
    let mut etcd = Etcd::start().await;
    let (registry, registrations, service) = two(&etcd).await;
    let cursor = service.snapshot().cursor();
    etcd.kill();
    etcd.up().await;
    let third = registry.register(instance(3));
    third.registered().await.expect("etcd takes it");
    etcd.compact().await;
    let lost = client(&etcd).next(&payment(), cursor).await;
    assert!(matches!(lost, Err(RegistryError::CursorLost)), "{lost:?}");
    eventually("callers see the third", async || lists(&service, 3)).await;
    drop(registrations);
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn whoever_falls_silent_is_held_and_whoever_leaves_is_not() {
    let etcd = Etcd::start().await;
    let backend = client(&etcd);
    let (registry, registrations, service) = two(&etcd).await;
    for registration in registrations {
        registration.deregister().await.expect("etcd answers");
    }
    eventually("callers hear of two goodbyes", async || lists(&service, 0)).await;
    for n in [3, 4] {
        backend.put(&instance(n), TTL).await.expect("etcd takes it");
    }
    eventually("callers see both", async || lists(&service, 2)).await;
    eventually("both fall silent", async || listed(&etcd).await == 0).await;
    never_lost(&service, TTL).await;
    drop(registry);
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn a_key_deleted_by_hand_is_written_again() {
    let etcd = Etcd::start().await;
    let (_registry, _registrations, service) = two(&etcd).await;
    let everything = json!({ "key": "AA==", "range_end": "AA==" });
    etcd.post("kv/deleterange", &everything).await;
    eventually("both are listed again", async || listed(&etcd).await == 2).await;
    never_lost(&service, TTL).await;
}

#[tokio::test]
#[ignore = "needs etcd on PATH"]
async fn the_next_member_is_asked_when_one_is_away_or_hangs() {
    let (mut first, second) = (Etcd::start().await, Etcd::start().await);
    // Two clusters of one: what matters here is who is asked.
    let both = first
        .builder()
        .also(second.url())
        .timeout(Duration::from_millis(300))
        .build()
        .expect("the settings are good");
    let service = payment();
    first.hang();
    let hung = both.fetch(&service).await;
    assert!(matches!(hung, Err(RegistryError::Timeout(_))), "{hung:?}");
    both.fetch(&service).await.expect("the second answers");
    first.resume();
    first.kill();
    both.fetch(&service)
        .await
        .expect("it stays with the second");
    first.up().await;
    drop(second);
    both.fetch(&service).await.expect("within one call");
}
