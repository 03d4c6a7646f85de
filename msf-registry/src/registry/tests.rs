//! The drivers against a registry that fails on demand, under a paused clock.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use msf_core::{
    clock,
    metrics::Metrics,
    name::{InstanceId, ServiceName},
};
use tokio::time::{sleep, timeout};

use super::{Registration, Registry};
use crate::{
    backend::{Discovery, Registrar, memory::MemoryRegistry},
    error::RegistryError,
    model::{Change, Cursor, Instance, Lease, Renewal, Snapshot},
    service::{PickContext, ServiceHandle},
};

const TTL: Duration = Duration::from_secs(3);
const HOLD: Duration = Duration::from_secs(30);

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance(n: u16) -> Instance {
    let id = InstanceId::new(format!("p-{n}")).unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], 8_000 + n).into())
}

/// A registry that can go away, hang and lose its memory.
#[derive(Clone)]
struct Flaky {
    shared: Arc<Shared>,
}

struct Shared {
    memory: Mutex<MemoryRegistry>,
    mode: Mutex<Mode>,
    calls: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Mode {
    Up,
    Away,
    Hangs,
    LosesCursors,
    /// Grants leases of no time and forgets them at once.
    GrantsNothing,
}

impl Flaky {
    fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                memory: Mutex::new(MemoryRegistry::new()),
                mode: Mutex::new(Mode::Up),
                calls: AtomicUsize::new(0),
            }),
        }
    }

    fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    fn lose_memory(&self, warm_up: Duration) {
        *self.shared.memory.lock().unwrap() = MemoryRegistry::builder().warm_up(warm_up).build();
    }

    fn memory(&self) -> MemoryRegistry {
        self.shared.memory.lock().unwrap().clone()
    }

    fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::Relaxed)
    }

    fn mode(&self) -> Mode {
        *self.shared.mode.lock().unwrap()
    }

    async fn up(&self) -> Result<MemoryRegistry, RegistryError> {
        self.shared.calls.fetch_add(1, Ordering::Relaxed);
        match self.mode() {
            // A loop without a pause would never let the test end.
            Mode::GrantsNothing if self.calls() > 10_000 => pending().await,
            Mode::Up | Mode::LosesCursors | Mode::GrantsNothing => Ok(self.memory()),
            Mode::Away => Err(RegistryError::Unreachable("refused".into())),
            Mode::Hangs => pending().await,
        }
    }

    /// Fails a question that was under way when the mode changed.
    async fn broken(&self) {
        loop {
            if matches!(self.mode(), Mode::Away) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[async_trait]
impl Registrar for Flaky {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        let lease = self.up().await?.put(instance, ttl).await?;
        Ok(match self.mode() {
            Mode::GrantsNothing => {
                let (service, id) = (lease.service().clone(), lease.instance().clone());
                Lease::new(service, id, "forgotten", Duration::ZERO)
            }
            _ => lease,
        })
    }

    async fn renew(&self, lease: &Lease) -> Result<Renewal, RegistryError> {
        self.up().await?.renew(lease).await
    }

    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError> {
        self.up().await?.remove(lease).await
    }
}

#[async_trait]
impl Discovery for Flaky {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        self.up().await?.fetch(service).await
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        let memory = self.up().await?;
        if matches!(self.mode(), Mode::LosesCursors) {
            return Err(RegistryError::CursorLost);
        }
        tokio::select! {
            change = memory.next(service, after) => change,
            () = self.broken() => Err(RegistryError::Unreachable("reset".into())),
        }
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        self.up().await?.services().await
    }
}

fn registry(backend: &Flaky) -> Registry {
    Registry::builder(backend.clone())
        .lease_ttl(TTL)
        .empty_hold(HOLD)
        .build()
        .unwrap()
}

fn listed(backend: &Flaky) -> usize {
    backend.memory().snapshot(&payment()).instances().len()
}

fn in_use(endpoints: &ServiceHandle) -> usize {
    endpoints.snapshot().instances().len()
}

async fn registered(registry: &Registry, n: u16) -> Registration {
    let registration = registry.register(instance(n));
    timeout(TTL, registration.registered())
        .await
        .unwrap()
        .unwrap();
    registration
}

#[tokio::test(start_paused = true)]
async fn an_instance_stays_listed_for_as_long_as_its_handle() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    for _ in 0..40 {
        sleep(TTL / 2).await;
        assert_eq!(listed(&backend), 1);
    }
    drop(registration);
    sleep(TTL).await;
    assert_eq!(listed(&backend), 0, "its lease has expired");
}

#[tokio::test(start_paused = true)]
async fn it_registers_again_when_the_registry_has_forgotten() {
    let backend = Flaky::new();
    let _registration = registered(&registry(&backend), 1).await;
    backend.lose_memory(TTL);
    assert_eq!(listed(&backend), 0);
    sleep(TTL / 2).await;
    assert_eq!(listed(&backend), 1);
}

#[tokio::test(start_paused = true)]
async fn it_never_gives_up() {
    let backend = Flaky::new();
    backend.set(Mode::Away);
    let registration = registry(&backend).register(instance(1));
    assert!(
        timeout(Duration::from_secs(3_600), registration.registered())
            .await
            .is_err()
    );
    backend.set(Mode::Hangs);
    sleep(Duration::from_secs(600)).await;
    backend.set(Mode::Up);
    timeout(Duration::from_secs(10), registration.registered())
        .await
        .unwrap()
        .unwrap();

    backend.set(Mode::Away);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(listed(&backend), 0);
    backend.set(Mode::Up);
    sleep(TTL).await;
    assert_eq!(listed(&backend), 1);
}

#[tokio::test(start_paused = true)]
async fn one_lost_renewal_loses_no_lease() {
    let backend = Flaky::new();
    let _registration = registered(&registry(&backend), 1).await;
    let before = backend.memory().snapshot(&payment()).cursor();
    sleep(TTL / 4).await;
    backend.set(Mode::Away);
    sleep(TTL / 4).await;
    backend.set(Mode::Up);
    sleep(TTL * 3).await;
    let after = backend.memory().snapshot(&payment()).cursor();
    assert_eq!(after, before, "it was away or registered again");
}

#[tokio::test(start_paused = true)]
async fn one_renewal_that_hangs_loses_no_lease() {
    let backend = Flaky::new();
    let _registration = registered(&registry(&backend), 1).await;
    let before = backend.memory().snapshot(&payment()).cursor();
    backend.set(Mode::Hangs);
    sleep(TTL / 2).await;
    // The next one is answered; the one that is under way never is.
    backend.set(Mode::Up);
    sleep(TTL * 3).await;
    let after = backend.memory().snapshot(&payment()).cursor();
    assert_eq!(after, before, "it was away or registered again");
}

#[tokio::test(start_paused = true)]
async fn deregistering_takes_it_off_the_list_at_once() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    registration.deregister().await.unwrap();
    assert_eq!(listed(&backend), 0);
    sleep(TTL * 3).await;
    assert_eq!(listed(&backend), 0, "it came back");
}

#[tokio::test(start_paused = true)]
async fn deregistering_from_a_registry_that_is_away_ends_all_the_same() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let registration = registered(&registry, 1).await;
    let never = registry.register(instance(2));
    backend.set(Mode::Hangs);
    let start = clock::now();
    assert!(matches!(
        registration.deregister().await,
        Err(RegistryError::Timeout(_))
    ));
    never.deregister().await.unwrap_or(());
    assert!(clock::now() - start < TTL * 4);
}

#[tokio::test(start_paused = true)]
async fn a_deregistration_that_is_dropped_leaves_a_lease_that_expires() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    backend.set(Mode::Hangs);
    assert!(
        timeout(Duration::from_millis(1), registration.deregister())
            .await
            .is_err()
    );
    backend.set(Mode::Up);
    sleep(TTL).await;
    assert_eq!(listed(&backend), 0);
    let calls = backend.calls();
    sleep(TTL * 10).await;
    assert_eq!(backend.calls(), calls, "its driver still runs");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_and_waiting_for_it_may_be_dropped() {
    let backend = Flaky::new();
    let nobody = instance(1).moved_to(([127, 0, 0, 1], 0).into());
    let registration = registry(&backend).register(nobody);
    assert!(
        timeout(Duration::ZERO, registration.registered())
            .await
            .is_err()
    );
    let refused = registration.registered().await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap();
    assert!(
        matches!(cause.downcast_ref(), Some(RegistryError::Invalid(_))),
        "{cause}"
    );
}

#[tokio::test(start_paused = true)]
async fn callers_hear_of_who_comes_and_who_goes() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let endpoints = registry.service(&payment());
    let first = registered(&registry, 1).await;
    let second = registered(&registry, 2).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(in_use(&endpoints), 2);
    first.deregister().await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(in_use(&endpoints), 1);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn one_watch_serves_all_callers_and_ends_with_the_last() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let all: Vec<ServiceHandle> = (0..50).map(|_| registry.service(&payment())).collect();
    sleep(Duration::from_millis(50)).await;
    assert!(backend.calls() <= 3, "{} questions", backend.calls());
    let last = all[0].clone();
    drop(all);
    registered(&registry, 1).await.deregister().await.unwrap();
    let calls = backend.calls();
    sleep(Duration::from_secs(120)).await;
    assert!(
        backend.calls() > calls,
        "the watch ended with the first handle"
    );
    drop(last);
    sleep(Duration::from_millis(1)).await;
    let calls = backend.calls();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(
        backend.calls(),
        calls,
        "nobody is left and it still watches"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_list_stays_in_use_while_the_registry_is_away() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    for mode in [Mode::Away, Mode::Hangs] {
        backend.set(mode);
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(
            endpoints.pick(&PickContext::new()).unwrap().addr(),
            instance(1).addr()
        );
        assert!(endpoints.age().unwrap() > Duration::from_secs(3_000));
    }
    backend.set(Mode::Up);
    // The longest that a question may hang, and the longest back-off.
    sleep(Duration::from_secs(130)).await;
    assert!(endpoints.age().unwrap() < Duration::from_secs(40));
    assert_eq!(in_use(&endpoints), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_without_memory_hides_nobody() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _stays = registered(&registry, 1).await;
    let dies = registered(&registry, 2).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    backend.set(Mode::Away);
    drop(dies);
    sleep(Duration::from_secs(1)).await;
    backend.lose_memory(TTL);
    backend.set(Mode::Up);
    let start = clock::now();
    while clock::now() - start < TTL - Duration::from_millis(200) {
        assert_eq!(
            in_use(&endpoints),
            2,
            "{:?} after the restart",
            clock::now() - start
        );
        sleep(Duration::from_millis(50)).await;
    }
    sleep(TTL).await;
    assert_eq!(
        in_use(&endpoints),
        1,
        "the dead one is forgotten after the warm-up"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_suddenly_empty_is_not_believed_at_once() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    registration.deregister().await.unwrap();
    sleep(HOLD - Duration::from_secs(1)).await;
    assert!(endpoints.pick(&PickContext::new()).is_ok());
    sleep(Duration::from_secs(2)).await;
    assert!(endpoints.pick(&PickContext::new()).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_hold_ends_although_the_registry_is_away() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    registration.deregister().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    backend.set(Mode::Away);
    sleep(HOLD).await;
    assert!(endpoints.pick(&PickContext::new()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_lost_position_costs_another_fetch_and_no_busy_loop() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    backend.set(Mode::LosesCursors);
    sleep(Duration::from_secs(60)).await;
    let calls = backend.calls();
    sleep(Duration::from_secs(1)).await;
    let per_second = backend.calls() - calls;
    assert!(
        (2..=60).contains(&per_second),
        "{per_second} questions in a second"
    );
    assert_eq!(in_use(&endpoints), 1);
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_counted() {
    let backend = Flaky::new();
    let metrics = Metrics::new();
    let registry = Registry::builder(backend.clone())
        .lease_ttl(TTL)
        .metrics(&metrics)
        .build()
        .unwrap();
    let _registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    drop(endpoints.pick(&PickContext::new()).unwrap());
    sleep(TTL).await;
    backend.lose_memory(Duration::ZERO);
    sleep(TTL).await;
    let text = metrics.render();
    for line in [
        r#"msf_lb_picks_total{outcome="ok",policy="peak_ewma",service="payment"} 1"#,
        r#"msf_registry_instances{health="unknown",service="payment"} 1"#,
        r#"msf_registry_lease_renewals_total{result="registered"} 2"#,
        r#"msf_registry_lease_renewals_total{result="gone"} 1"#,
        r#"msf_registry_snapshot_revision{service="payment"}"#,
        r#"msf_registry_snapshot_age_seconds{service="payment"}"#,
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}

#[test]
fn a_lease_that_cannot_be_renewed_in_time_is_refused() {
    let builder = Registry::builder(MemoryRegistry::new());
    assert!(
        builder
            .lease_ttl(Duration::from_millis(99))
            .build()
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_grants_no_time_is_not_asked_without_pause() {
    let backend = Flaky::new();
    backend.set(Mode::GrantsNothing);
    let registry = registry(&backend);
    let _registration = registry.register(instance(1));
    sleep(Duration::from_secs(1)).await;
    let calls = backend.calls();
    assert!((2..100).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_hold_without_end_keeps_the_last_list_and_hears_of_the_next() {
    let backend = Flaky::new();
    let registry = Registry::builder(backend.clone())
        .lease_ttl(TTL)
        .empty_hold(Duration::MAX)
        .build()
        .unwrap();
    let registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    registration.deregister().await.unwrap();
    sleep(HOLD * 100).await;
    assert_eq!(
        endpoints.pick(&PickContext::new()).unwrap().addr().port(),
        8_001
    );
    let _next = registered(&registry, 2).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(
        endpoints.pick(&PickContext::new()).unwrap().addr().port(),
        8_002
    );
}
