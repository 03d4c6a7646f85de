//! Two instances of one service and a caller that sees both, through whatever becomes of the registry.

use std::time::Duration;

use msf_core::{backoff::Backoff, clock};
use msf_registry::{PickContext, Registration, Registry, ServiceHandle, ServiceRegistry};

use crate::setup::{eventually, instance, payment};

/// A registry that asks again soon.
pub(crate) fn registry(backend: impl ServiceRegistry, ttl: Duration) -> Registry {
    let backoff = Backoff::exponential(Duration::from_millis(50), Duration::from_millis(500));
    Registry::builder(backend)
        .lease_ttl(ttl)
        .watch_backoff(backoff.expect("it is valid"))
        .build()
        .expect("the settings are good")
}

/// Two instances, and a caller that sees both.
pub(crate) async fn two(registry: &Registry) -> (Vec<Registration>, ServiceHandle) {
    let registrations: Vec<Registration> = [1, 2].map(|n| registry.register(instance(n))).into();
    for registration in &registrations {
        registration.registered().await.expect("it is taken");
    }
    let service = registry.service(&payment());
    eventually("both are seen", async || lists(&service, 2)).await;
    (registrations, service)
}

pub(crate) fn lists(service: &ServiceHandle, count: usize) -> bool {
    service.snapshot().instances().len() == count
}

/// Both can be called for as long as `so_long`.
pub(crate) async fn never_lost(service: &ServiceHandle, so_long: Duration) {
    let begun = clock::now();
    while clock::now() - begun < so_long {
        assert!(lists(service, 2), "lost after {:?}", clock::now() - begun);
        assert!(service.pick(&PickContext::new()).is_ok());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
