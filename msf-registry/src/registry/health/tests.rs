//! Checks from here, of a registry that checks nothing.

use std::{sync::atomic::Ordering, time::Duration};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::sleep;

use crate::{
    Balance, Discovery, Health, Instance, LoadBalancing, PickContext, Registrar, Registry,
    ServiceHandle,
    backend::memory::MemoryRegistry,
    health::{
        HealthChecker, InvalidHealthChecker,
        told::{Answer, Told},
    },
};

const INTERVAL: Duration = Duration::from_secs(2);
const TTL: Duration = Duration::from_secs(600);

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance(port: u16) -> Instance {
    let id = InstanceId::new(format!("p-{port}")).unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], port).into())
        .health_check("/readyz".parse().unwrap())
}

fn checker(told: &Told) -> HealthChecker {
    HealthChecker::new()
        .interval(INTERVAL)
        .timeout(INTERVAL / 2)
        .edge_interval(INTERVAL / 4)
        .probe(told.clone())
}

fn seen(handle: &ServiceHandle) -> Vec<(u16, Health)> {
    let snapshot = handle.snapshot();
    let members = snapshot.instances().iter();
    members
        .map(|member| (member.instance.addr().port(), member.health))
        .collect()
}

/// The ports that calls go to.
fn called(handle: &ServiceHandle) -> Vec<u16> {
    let mut ports: Vec<u16> = (0..64)
        .map(|_| handle.pick(&PickContext::new()).unwrap().addr().port())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

struct Setup {
    memory: MemoryRegistry,
    registry: Registry,
    handle: ServiceHandle,
    told: Told,
}

/// Two instances that answer.
async fn two() -> Setup {
    let memory = MemoryRegistry::new();
    for port in [1, 2] {
        memory.put(&instance(port), TTL).await.unwrap();
    }
    // Who comes later is called as often as the others at once: these tests look at who is called at all.
    let at_once = LoadBalancing::new(Balance::default()).without_slow_start();
    let registry = Registry::builder(memory.clone()).load_balancing(at_once);
    let registry = registry.build().unwrap();
    let handle = registry.service(&payment());
    handle.ready(INTERVAL).await.unwrap();
    Setup {
        memory,
        registry,
        handle,
        told: Told::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_here_is_not_called_until_it_does() {
    let s = two().await;
    let _checks = s.registry.start_health_checking(checker(&s.told)).unwrap();
    sleep(INTERVAL).await;
    assert_eq!(
        seen(&s.handle),
        [(1, Health::Healthy), (2, Health::Healthy)]
    );
    s.told.set(1, Answer::Hangs);
    sleep(INTERVAL * 5).await;
    assert_eq!(called(&s.handle), [2]);
    let listed = s.memory.fetch(&payment()).await.unwrap();
    let untouched = listed.instances().iter();
    assert!(
        untouched
            .clone()
            .all(|member| member.health == Health::Unknown)
    );
    assert_eq!(untouched.count(), 2);

    // What was found survives a new list.
    s.memory.put(&instance(3), TTL).await.unwrap();
    sleep(INTERVAL).await;
    assert_eq!(called(&s.handle), [2, 3]);
    s.told.set(1, Answer::Passes);
    sleep(INTERVAL * 3).await;
    assert_eq!(called(&s.handle), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_and_comes_back_between_two_looks_is_still_unhealthy() {
    let s = two().await;
    s.told.set(1, Answer::Fails);
    let _checks = s.registry.start_health_checking(checker(&s.told)).unwrap();
    sleep(INTERVAL * 5).await;
    assert_eq!(called(&s.handle), [2]);
    let lease = s.memory.put(&instance(1), TTL).await.unwrap();
    s.memory.remove(&lease).await.unwrap();
    sleep(Duration::from_millis(110)).await;
    s.memory.put(&instance(1), TTL).await.unwrap();
    sleep(INTERVAL * 2).await;
    assert_eq!(called(&s.handle), [2]);
}

#[tokio::test(start_paused = true)]
async fn only_services_that_are_watched_are_asked() {
    let memory = MemoryRegistry::new();
    memory.put(&instance(1), TTL).await.unwrap();
    let registry = Registry::new(memory);
    let told = Told::default();
    let _checks = registry.start_health_checking(checker(&told)).unwrap();
    sleep(INTERVAL * 3).await;
    assert_eq!(told.asked.load(Ordering::Relaxed), 0);
    let handle = registry.service(&payment());
    sleep(INTERVAL).await;
    assert_eq!(seen(&handle), [(1, Health::Healthy)]);
    drop(handle);
    sleep(INTERVAL).await;
    let asked = told.asked.load(Ordering::Relaxed);
    sleep(INTERVAL * 3).await;
    assert_eq!(told.asked.load(Ordering::Relaxed), asked);
    // Watched again, it is known again.
    told.set(1, Answer::Refuses);
    let handle = registry.service(&payment());
    sleep(INTERVAL).await;
    assert_eq!(seen(&handle), [(1, Health::Unhealthy)]);
}

#[tokio::test(start_paused = true)]
async fn dropped_checks_take_back_what_they_said_and_make_room_for_others() {
    let s = two().await;
    s.told.set(1, Answer::Refuses);
    let checks = s.registry.start_health_checking(checker(&s.told)).unwrap();
    let second = s.registry.start_health_checking(checker(&s.told));
    assert!(matches!(second, Err(InvalidHealthChecker::AlreadyChecked)));
    sleep(INTERVAL * 2).await;
    assert_eq!(called(&s.handle), [2]);
    // No await between: the old checks are still being dropped when the new ones begin.
    drop(checks);
    assert_eq!(
        seen(&s.handle),
        [(1, Health::Unknown), (2, Health::Unknown)]
    );
    let checks = s.registry.start_health_checking(checker(&s.told)).unwrap();
    sleep(INTERVAL * 2).await;
    assert_eq!(called(&s.handle), [2]);
    drop(checks);
    let bad = checker(&s.told).fall(0);
    assert!(s.registry.start_health_checking(bad).is_err());
    assert!(s.registry.start_health_checking(checker(&s.told)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_passes_is_kept_while_the_registry_has_lost_it_if_so_told() {
    for keeps in [true, false] {
        let s = two().await;
        // Nobody renews it.
        s.memory.put(&instance(3), INTERVAL * 2).await.unwrap();
        let checker = checker(&s.told).keep_delisted(keeps);
        let _checks = s.registry.start_health_checking(checker).unwrap();
        sleep(INTERVAL).await;
        assert_eq!(called(&s.handle), [1, 2, 3]);
        sleep(INTERVAL * 10).await;
        let expected: &[u16] = if keeps { &[1, 2, 3] } else { &[1, 2] };
        assert_eq!(called(&s.handle), expected);
        s.told.set(3, Answer::Fails);
        sleep(INTERVAL * 5).await;
        assert_eq!(called(&s.handle), [1, 2]);
        assert_eq!(seen(&s.handle).len(), 2, "it is forgotten");
        s.told.set(3, Answer::Passes);
        sleep(INTERVAL * 5).await;
        assert_eq!(seen(&s.handle).len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn services_that_nobody_calls_are_asked_less_often() {
    let s = two().await;
    let checker = checker(&s.told).idle_interval(INTERVAL * 10);
    let _checks = s.registry.start_health_checking(checker).unwrap();
    let asked = || s.told.asked.load(Ordering::Relaxed);
    for _ in 0..40 {
        sleep(INTERVAL / 2).await;
        drop(s.handle.pick(&PickContext::new()).unwrap());
    }
    let while_called = asked();
    assert!((34..=46).contains(&while_called), "{while_called}");
    sleep(INTERVAL * 2).await;
    let before = asked();
    sleep(INTERVAL * 20).await;
    let while_idle = asked() - before;
    assert!((2..=6).contains(&while_idle), "{while_idle}");
    // Calls begin again: all are asked within an interval.
    s.told.times.lock().unwrap().clear();
    drop(s.handle.pick(&PickContext::new()).unwrap());
    sleep(INTERVAL * 3 / 2).await;
    let mut ports: Vec<u16> = s
        .told
        .times
        .lock()
        .unwrap()
        .iter()
        .map(|(port, _)| *port)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports, [1, 2]);
}
