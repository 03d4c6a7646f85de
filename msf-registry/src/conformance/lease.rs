//! What holds for every backend that instances register with.

use std::{num::NonZeroU16, time::Duration};

use msf_core::{clock, name::InstanceId};

use super::{
    suite::{Suite, callable},
    values::{ids, instance, payment, payments, ports},
};
use crate::{
    backend::ServiceRegistry,
    model::{Authority, Health, Lease, Renewal, Status},
};

pub(super) async fn a_registered_instance_is_listed_whole<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let full = instance("payment", "p-1", 81)
        .endpoint("grpc://[::1]:9090".parse().expect("it is one"))
        .version("1.2.3+build.7")
        .zone("eu-1a")
        .weight(NonZeroU16::MAX)
        .priority(u8::MAX)
        .status(Status::Starting)
        .health_check("/readyz?full=1".parse().expect("it is a check"))
        .metadata("zone", "a b/c");
    let lease = backend.put(&full, suite.long).await.unwrap();
    assert_eq!(
        lease.ttl(),
        suite.long,
        "another time to live than was asked for"
    );
    assert_eq!(
        (lease.service(), lease.instance()),
        (&full.service, &full.id)
    );
    let snapshot = backend.fetch(&full.service).await.unwrap();
    assert_eq!(
        *snapshot.instances()[0].instance,
        full,
        "not listed as registered"
    );
    assert_ne!(
        snapshot.instances()[0].health,
        Health::Unhealthy,
        "unhealthy before it was checked"
    );
    assert_eq!(backend.services().await.unwrap(), [full.service]);
}

pub(super) async fn hostile_text_is_kept_as_it_is<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    let mut hostile = instance("payment", "p-1", 81)
        .version("\"}],\"x\":[{\"'; DROP TABLE instances; --")
        .zone("z\u{202e}\u{0}\r\n\t/../{}");
    for (n, value) in HOSTILE.iter().enumerate() {
        hostile = hostile
            .metadata(format!("{n}"), *value)
            .metadata(value.chars().take(12).chain(['k']).collect::<String>(), "");
    }
    let hostile = hostile.metadata("long", "\u{1f980}".repeat(64));
    backend.put(&hostile, suite.long).await.unwrap();
    backend
        .put(&instance("payment", "p-2", 82), suite.long)
        .await
        .unwrap();
    let snapshot = backend.fetch(&payment()).await.unwrap();
    assert_eq!(ids(&snapshot), ["p-1", "p-2"], "one hides the other");
    assert_eq!(
        *snapshot.instances()[0].instance,
        hostile,
        "text was changed"
    );
}

pub(super) async fn ids_of_every_form_are_kept_apart<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let longest = "x".repeat(128);
    let all = [
        "...",
        "10.0.0.7:8080",
        "A",
        "P-1",
        "_",
        "a",
        "a.b",
        "a:b",
        "a_b",
        "p-1",
        "p-1.",
        "p-1.json",
        "p-10",
        &longest,
    ];
    let mut leases = Vec::new();
    for id in all {
        let lease = backend.put(&instance("payment", id, 81), suite.long).await;
        leases.push(lease.unwrap_or_else(|error| panic!("{id}: {error:?}")));
    }
    let mut expected = all.to_vec();
    expected.sort_unstable();
    let snapshot = backend.fetch(&payment()).await.unwrap();
    assert_eq!(ids(&snapshot), expected);
    for lease in leases {
        let renewed = backend.renew(&lease).await.unwrap();
        assert_eq!(renewed, Renewal::Renewed { ttl: suite.long }, "{lease:?}");
        backend.remove(&lease).await.unwrap();
        expected.retain(|id| *lease.instance() != **id);
        let snapshot = backend.fetch(&payment()).await.unwrap();
        assert_eq!(
            ids(&snapshot),
            expected,
            "removed another one than {lease:?}"
        );
    }
}

pub(super) async fn the_same_id_replaces<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    for port in [81, 82] {
        let one = instance("payment", "p-1", port);
        backend.put(&one, suite.long).await.unwrap();
    }
    let snapshot = backend.fetch(&payment()).await.unwrap();
    assert_eq!(ids(&snapshot), ["p-1"], "registering twice lists twice");
    assert_eq!(ports(&snapshot), [82], "the first one stayed");
}

pub(super) async fn only_the_last_lease_counts<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    let instance = instance("payment", "p-1", 81);
    let old = backend.put(&instance, suite.long).await.unwrap();
    let new = backend.put(&instance, suite.long).await.unwrap();
    assert_eq!(
        backend.renew(&old).await.unwrap(),
        Renewal::Gone,
        "a replaced lease lives on"
    );
    backend.remove(&old).await.unwrap();
    let snapshot = backend.fetch(&instance.service).await.unwrap();
    assert_eq!(
        ids(&snapshot),
        ["p-1"],
        "a replaced lease ends its successor"
    );
    let renewed = backend.renew(&new).await.unwrap();
    assert_eq!(renewed, Renewal::Renewed { ttl: suite.long });
}

pub(super) async fn a_renewed_lease_outlives_its_time<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let instance = instance("payment", "p-1", 81);
    let lease = backend.put(&instance, suite.short).await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(suite.short / 2).await;
        let renewed = backend.renew(&lease).await.unwrap();
        assert_eq!(
            renewed,
            Renewal::Renewed { ttl: suite.short },
            "lost although renewed"
        );
    }
    let snapshot = backend.fetch(&instance.service).await.unwrap();
    assert_eq!(ids(&snapshot), ["p-1"], "not listed although renewed");
}

pub(super) async fn a_renewed_lease_ends_too<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    let instance = instance("payment", "p-1", 81);
    let lease = backend.put(&instance, suite.short).await.unwrap();
    backend.renew(&lease).await.unwrap();
    backend.renew_all(&[lease]).await.unwrap();
    // From the last renewal, and not from the sum of all.
    tokio::time::sleep(suite.short + suite.grace).await;
    let snapshot = backend.fetch(&instance.service).await.unwrap();
    let left = callable(&snapshot).count();
    assert_eq!(
        left, 0,
        "listed for more than a time to live after its last renewal"
    );
}

pub(super) async fn a_renewal_is_no_news<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    let lease = backend
        .put(&instance("payment", "p-1", 81), suite.long)
        .await
        .unwrap();
    let before = suite.vouched(backend, &payment()).await;
    for _ in 0..3 {
        backend.renew(&lease).await.unwrap();
    }
    let after = backend.fetch(&payment()).await.unwrap();
    assert_eq!(
        after.cursor(),
        before.cursor(),
        "every renewal wakes every caller"
    );
}

pub(super) async fn the_end_of_a_replaced_lease_ends_nobody<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let instance = instance("payment", "p-1", 81);
    backend.put(&instance, suite.short).await.unwrap();
    let lease = backend.put(&instance, suite.long).await.unwrap();
    tokio::time::sleep(suite.short + suite.grace).await;
    let snapshot = backend.fetch(&instance.service).await.unwrap();
    assert_eq!(
        ids(&snapshot),
        ["p-1"],
        "ended at the time of the lease before it"
    );
    let renewed = backend.renew(&lease).await.unwrap();
    assert_eq!(renewed, Renewal::Renewed { ttl: suite.long });
}

pub(super) async fn an_expired_lease_is_gone<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    let instance = instance("payment", "p-1", 81);
    let lease = backend.put(&instance, suite.short).await.unwrap();
    tokio::time::sleep(suite.short + suite.grace).await;
    let snapshot = backend.fetch(&instance.service).await.unwrap();
    assert!(
        callable(&snapshot).next().is_none(),
        "an expired instance is listed"
    );
    if snapshot.instances().is_empty() {
        assert!(
            backend.services().await.unwrap().is_empty(),
            "a service without an instance is named"
        );
        assert_eq!(
            backend.renew(&lease).await.unwrap(),
            Renewal::Gone,
            "an expired lease lives on"
        );
    }
}

pub(super) async fn removing_twice_is_no_error<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    let instance = instance("payment", "p-1", 81);
    let lease = backend.put(&instance, suite.long).await.unwrap();
    backend.remove(&lease).await.unwrap();
    backend.remove(&lease).await.unwrap();
    let snapshot = backend.fetch(&instance.service).await.unwrap();
    assert!(snapshot.instances().is_empty(), "listed although removed");
    assert!(backend.services().await.unwrap().is_empty());
    assert_eq!(
        backend.renew(&lease).await.unwrap(),
        Renewal::Gone,
        "renewed although removed"
    );
}

pub(super) async fn who_left_can_come_back<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    let mut cursor = backend.fetch(&payment()).await.unwrap().cursor();
    for port in 81..85 {
        let instance = instance("payment", "p-1", port);
        let lease = backend.put(&instance, suite.long).await.unwrap();
        let listed = suite.until(backend, &payment(), cursor, 1).await;
        assert_eq!(ports(&listed), [port]);
        backend.remove(&lease).await.unwrap();
        let left = suite.until(backend, &payment(), listed.cursor(), 0).await;
        cursor = left.cursor();
    }
}

pub(super) async fn a_forged_lease_counts_for_nothing<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let instance = instance("payment", "p-1", 81);
    let lease = backend.put(&instance, suite.long).await.unwrap();
    let other = format!("{}0", lease.token());
    for token in ["", "0", "../..", "\u{1f980}\r\nX: y", &other] {
        let id = instance.id.clone();
        let forged = Lease::new(payment(), id, token, suite.long);
        // It may also be refused as something that it never gave out.
        if let Ok(renewed) = backend.renew(&forged).await {
            assert_eq!(renewed, Renewal::Gone, "renewed with {token:?}");
        }
        let _refused_or_ignored = backend.remove(&forged).await;
        let snapshot = backend.fetch(&payment()).await.unwrap();
        assert_eq!(ids(&snapshot), ["p-1"], "removed with {token:?}");
    }
    let elsewhere = Lease::new(
        payment(),
        InstanceId::new("p-2").unwrap(),
        lease.token(),
        suite.long,
    );
    if let Ok(renewed) = backend.renew(&elsewhere).await {
        assert_eq!(renewed, Renewal::Gone, "the lease of one renews another");
    }
}

pub(super) async fn a_waiter_hears_of_an_expiry<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    let instance = instance("payment", "p-1", 81);
    backend.put(&instance, suite.short).await.unwrap();
    let listed = backend.fetch(&instance.service).await.unwrap();
    assert_eq!(ids(&listed), ["p-1"]);
    suite
        .until(backend, &instance.service, listed.cursor(), 0)
        .await;
}

pub(super) async fn a_waiter_hears_of_another_status<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let up = instance("payment", "p-1", 81);
    backend.put(&up, suite.long).await.unwrap();
    let mut cursor = backend.fetch(&payment()).await.unwrap().cursor();
    let draining = up.status(Status::Draining);
    backend.put(&draining, suite.long).await.unwrap();
    let deadline = clock::now() + suite.patience;
    loop {
        let snapshot = suite.until(backend, &payment(), cursor, 1).await;
        if snapshot.instances()[0].status() == Status::Draining {
            return;
        }
        assert!(clock::now() < deadline, "nobody heard that it drains");
        cursor = snapshot.cursor();
    }
}

pub(super) async fn renewed_together_each_has_its_own_answer<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let mut leases = Vec::new();
    for instance in payments(20) {
        leases.push(backend.put(&instance, suite.long).await.unwrap());
    }
    for gone in [0, 7, 19] {
        backend.remove(&leases[gone]).await.unwrap();
    }
    // Answers may be missing at the end: those leases are asked for again.
    let mut renewals = Vec::new();
    while renewals.len() < leases.len() {
        let more = backend.renew_all(&leases[renewals.len()..]).await.unwrap();
        assert!(!more.is_empty(), "no answer, and no error");
        renewals.extend(more);
    }
    assert_eq!(renewals.len(), leases.len(), "more answers than questions");
    for (n, renewal) in renewals.into_iter().enumerate() {
        let expected = if [0, 7, 19].contains(&n) {
            Renewal::Gone
        } else {
            Renewal::Renewed { ttl: suite.long }
        };
        assert_eq!(renewal, expected, "the answer for lease {n}");
    }
    assert!(backend.renew_all(&[]).await.unwrap().is_empty());
}

pub(super) async fn registrations_at_once_are_all_listed<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let all = payments(12);
    let put = |n: usize| backend.put(&all[n], suite.long);
    let leases = tokio::try_join!(
        put(0),
        put(1),
        put(2),
        put(3),
        put(4),
        put(5),
        put(6),
        put(7),
        put(8),
        put(9),
        put(10),
        put(11),
    );
    drop(leases.unwrap());
    let snapshot = backend.fetch(&payment()).await.unwrap();
    assert_eq!(callable(&snapshot).count(), 12, "one overwrote another");
}

pub(super) async fn one_id_at_once_ends_with_one_lease<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let (one, other) = (
        instance("payment", "p-1", 81),
        instance("payment", "p-1", 82),
    );
    let (one, other) = tokio::join!(
        backend.put(&one, suite.long),
        backend.put(&other, suite.long)
    );
    let mut living = 0;
    for lease in [one, other].into_iter().flatten() {
        let renewed = backend.renew(&lease).await.unwrap();
        living += usize::from(renewed != Renewal::Gone);
    }
    assert_eq!(living, 1, "two leases for one id");
    let snapshot = backend.fetch(&payment()).await.unwrap();
    assert_eq!(ids(&snapshot), ["p-1"]);
}

pub(super) async fn an_invalid_instance_is_refused<B: ServiceRegistry>(backend: &B, suite: &Suite) {
    let nowhere = instance("payment", "p-1", 0);
    let long = instance("payment", "p-2", 81).zone("z".repeat(65));
    for invalid in [nowhere, long] {
        let refused = backend.put(&invalid, suite.long).await;
        let error = refused.expect_err("an invalid instance was taken");
        assert!(error.is_permanent(), "{error:?} asks to be tried again");
    }
    assert!(backend.services().await.unwrap().is_empty());
}

pub(super) async fn a_lease_of_no_time_is_not_granted<B: ServiceRegistry>(
    backend: &B,
    _suite: &Suite,
) {
    let instance = instance("payment", "p-1", 81);
    for ttl in [Duration::ZERO, Duration::MAX] {
        match backend.put(&instance, ttl).await {
            Ok(lease) => assert!(
                !lease.ttl().is_zero() && lease.ttl() < Duration::MAX,
                "{ttl:?} was granted"
            ),
            Err(error) => assert!(error.is_permanent(), "{error:?} asks to be tried again"),
        }
    }
}

pub(super) async fn a_list_emptied_by_expiry_is_not_explicit<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    suite.vouched(backend, &payment()).await;
    let instance = instance("payment", "p-1", 81);
    backend.put(&instance, suite.short).await.unwrap();
    tokio::time::sleep(suite.short + suite.grace).await;
    let snapshot = backend.fetch(&payment()).await.unwrap();
    if snapshot.instances().is_empty() {
        assert_eq!(
            snapshot.authority(),
            Authority::Complete,
            "leases that ran out look like a goodbye"
        );
    }
}

pub(super) async fn an_expiry_before_the_last_goodbye_is_not_explicit<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    suite.vouched(backend, &payment()).await;
    let (silent, polite) = (
        instance("payment", "p-1", 81),
        instance("payment", "p-2", 82),
    );
    backend.put(&silent, suite.short).await.unwrap();
    let lease = backend.put(&polite, suite.long).await.unwrap();
    tokio::time::sleep(suite.short + suite.grace).await;
    backend.remove(&lease).await.unwrap();
    let snapshot = backend.fetch(&payment()).await.unwrap();
    if snapshot.instances().is_empty() {
        assert_eq!(
            snapshot.authority(),
            Authority::Complete,
            "one goodbye speaks for somebody who only fell silent"
        );
    }
}

/// What breaks codecs that paste text together.
const HOSTILE: [&str; 9] = [
    "",
    "\"\\\"",
    "</script><!--",
    "%2e%2e%2f%00",
    "${jndi:ldap://x}\u{0}",
    "a=b&c=d;e#f",
    "\u{feff}\u{2028}\u{2029}\u{fffd}",
    "__proto__",
    "\r\n\r\nHTTP/1.1 200 OK\r\n",
];
