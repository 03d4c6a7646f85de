//! What every backend must do, as one suite.
//!
//! ```
//! use msf_registry::{backend::memory::MemoryRegistry, conformance};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! conformance::run(|| async { MemoryRegistry::new() }).await;
//! # }
//! ```
//!
//! It uses real time, about two seconds of it, because most backends have a clock of their own.

#![expect(
    clippy::unwrap_used,
    reason = "a suite fails by panicking, as tests do"
)]

use std::{net::SocketAddr, time::Duration};

use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};

use crate::{
    backend::ServiceRegistry,
    model::{Change, Cursor, Instance, Renewal, Snapshot},
};

/// Runs the whole suite; `make` gives an empty registry each time.
///
/// # Panics
///
/// When the backend breaks a rule; the message says which.
pub async fn run<B: ServiceRegistry, F: Future<Output = B>>(make: impl Fn() -> F) {
    an_unknown_service_has_no_instances(&make().await).await;
    a_registered_instance_is_listed_whole(&make().await).await;
    services_do_not_mix(&make().await).await;
    the_same_id_replaces(&make().await).await;
    only_the_last_lease_counts(&make().await).await;
    a_renewed_lease_outlives_its_time(&make().await).await;
    an_expired_lease_is_gone(&make().await).await;
    deregistering_twice_is_no_error(&make().await).await;
    a_waiter_hears_of_a_registration(&make().await).await;
    a_waiter_hears_of_an_expiry(&make().await).await;
    no_change_is_missed_between_two_questions(&make().await).await;
    an_unknown_position_is_answered_at_once(&make().await).await;
    a_dropped_question_loses_nothing(&make().await).await;
    an_invalid_instance_is_refused(&make().await).await;
}

async fn an_unknown_service_has_no_instances(backend: &impl ServiceRegistry) {
    let snapshot = backend.fetch(&service("nobody")).await.unwrap();
    assert!(snapshot.instances().is_empty(), "a service out of nothing");
    assert!(backend.services().await.unwrap().is_empty());
}

async fn a_registered_instance_is_listed_whole(backend: &impl ServiceRegistry) {
    let full = instance("payment", "p-1", 81)
        .version("1.2.3")
        .weight(std::num::NonZeroU16::new(7).unwrap())
        .health_check("/readyz?full=1".parse().expect("it is a check"))
        .metadata("zone", "a b/c");
    let lease = backend.put(&full, LONG).await.unwrap();
    assert_eq!(lease.ttl(), LONG, "another time to live than was asked for");
    let snapshot = backend.fetch(&full.service).await.unwrap();
    assert_eq!(snapshot.service(), &full.service);
    assert_eq!(
        *snapshot.instances()[0].instance,
        full,
        "not listed as registered"
    );
    assert_eq!(backend.services().await.unwrap(), [full.service]);
}

async fn services_do_not_mix(backend: &impl ServiceRegistry) {
    for (name, id) in [("user", "u-1"), ("user-admin", "a-1"), ("use", "e-1")] {
        backend.put(&instance(name, id, 81), LONG).await.unwrap();
    }
    let snapshot = backend.fetch(&service("user")).await.unwrap();
    assert_eq!(
        ids(&snapshot),
        ["u-1"],
        "services with a common prefix are mixed up"
    );
    assert_eq!(backend.services().await.unwrap().len(), 3);
}

async fn the_same_id_replaces(backend: &impl ServiceRegistry) {
    backend
        .put(&instance("payment", "p-1", 81), LONG)
        .await
        .unwrap();
    backend
        .put(&instance("payment", "p-1", 82), LONG)
        .await
        .unwrap();
    let snapshot = backend.fetch(&service("payment")).await.unwrap();
    assert_eq!(ids(&snapshot), ["p-1"], "registering twice lists twice");
    assert_eq!(snapshot.instances()[0].instance.addr().port(), 82);
}

async fn only_the_last_lease_counts(backend: &impl ServiceRegistry) {
    let instance = instance("payment", "p-1", 81);
    let old = backend.put(&instance, LONG).await.unwrap();
    let new = backend.put(&instance, LONG).await.unwrap();
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
    assert_eq!(renewed, Renewal::Renewed { ttl: LONG });
}

async fn a_renewed_lease_outlives_its_time(backend: &impl ServiceRegistry) {
    let instance = instance("payment", "p-1", 81);
    let lease = backend.put(&instance, SHORT).await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(SHORT / 2).await;
        let renewed = backend.renew(&lease).await.unwrap();
        assert_eq!(
            renewed,
            Renewal::Renewed { ttl: SHORT },
            "lost although renewed"
        );
    }
    assert_eq!(
        ids(&backend.fetch(&instance.service).await.unwrap()),
        ["p-1"]
    );
}

async fn an_expired_lease_is_gone(backend: &impl ServiceRegistry) {
    let instance = instance("payment", "p-1", 81);
    let lease = backend.put(&instance, SHORT).await.unwrap();
    tokio::time::sleep(SHORT + GRACE).await;
    assert_eq!(
        backend.renew(&lease).await.unwrap(),
        Renewal::Gone,
        "an expired lease lives on"
    );
    let snapshot = backend.fetch(&instance.service).await.unwrap();
    assert!(
        snapshot.instances().is_empty(),
        "an expired instance is listed"
    );
    assert!(backend.services().await.unwrap().is_empty());
}

async fn deregistering_twice_is_no_error(backend: &impl ServiceRegistry) {
    let instance = instance("payment", "p-1", 81);
    let lease = backend.put(&instance, LONG).await.unwrap();
    backend.remove(&lease).await.unwrap();
    backend.remove(&lease).await.unwrap();
    assert!(
        backend
            .fetch(&instance.service)
            .await
            .unwrap()
            .instances()
            .is_empty()
    );
}

async fn a_waiter_hears_of_a_registration(backend: &impl ServiceRegistry) {
    let name = service("payment");
    let before = backend.fetch(&name).await.unwrap().cursor();
    let register = async {
        tokio::time::sleep(GRACE).await;
        backend
            .put(&instance("payment", "p-1", 81), LONG)
            .await
            .unwrap();
    };
    let (after, ()) = tokio::join!(until(backend, &name, before, 1), register);
    assert_ne!(after.cursor(), before);
}

async fn a_waiter_hears_of_an_expiry(backend: &impl ServiceRegistry) {
    let instance = instance("payment", "p-1", 81);
    backend.put(&instance, SHORT).await.unwrap();
    let listed = backend.fetch(&instance.service).await.unwrap();
    assert_eq!(ids(&listed), ["p-1"]);
    until(backend, &instance.service, listed.cursor(), 0).await;
}

async fn no_change_is_missed_between_two_questions(backend: &impl ServiceRegistry) {
    let name = service("payment");
    let cursor = backend.fetch(&name).await.unwrap().cursor();
    backend
        .put(&instance("payment", "p-1", 81), LONG)
        .await
        .unwrap();
    backend
        .put(&instance("payment", "p-2", 82), LONG)
        .await
        .unwrap();
    until(backend, &name, cursor, 2).await;
}

async fn an_unknown_position_is_answered_at_once(backend: &impl ServiceRegistry) {
    let instance = instance("payment", "p-1", 81);
    backend.put(&instance, LONG).await.unwrap();
    let now = backend.fetch(&instance.service).await.unwrap().cursor();
    let elsewhere = Cursor::new(!now.epoch(), now.revision());
    until(backend, &instance.service, elsewhere, 1).await;
}

async fn a_dropped_question_loses_nothing(backend: &impl ServiceRegistry) {
    let name = service("payment");
    let cursor = backend.fetch(&name).await.unwrap().cursor();
    let dropped = tokio::time::timeout(GRACE, backend.next(&name, cursor)).await;
    drop(dropped);
    backend
        .put(&instance("payment", "p-1", 81), LONG)
        .await
        .unwrap();
    until(backend, &name, cursor, 1).await;
}

async fn an_invalid_instance_is_refused(backend: &impl ServiceRegistry) {
    let refused = backend.put(&instance("payment", "p-1", 0), LONG).await;
    let error = refused.expect_err("an instance on port 0 was taken");
    assert!(error.is_permanent(), "{error:?} asks to be tried again");
}

/// Asks until so many are listed.
async fn until(
    backend: &impl ServiceRegistry,
    service: &ServiceName,
    mut cursor: Cursor,
    count: usize,
) -> Snapshot {
    let deadline = clock::now() + PATIENCE;
    while clock::now() < deadline {
        let answer = tokio::time::timeout_at(deadline, backend.next(service, cursor)).await;
        match answer.map(Result::unwrap) {
            Ok(Change::Changed(snapshot)) if snapshot.instances().len() == count => {
                return snapshot;
            }
            Ok(Change::Changed(snapshot)) => cursor = snapshot.cursor(),
            Ok(Change::Unchanged) | Err(_) => {}
        }
    }
    panic!("nobody heard of {count} instances of {service} within {PATIENCE:?}")
}

fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

fn instance(name: &str, id: &str, port: u16) -> Instance {
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    Instance::new(service(name), InstanceId::new(id).unwrap(), addr)
}

fn ids(snapshot: &Snapshot) -> Vec<&str> {
    let members = snapshot.instances().iter();
    members.map(|member| member.instance.id.as_str()).collect()
}

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);
