//! The shared handle around the state.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};
use tokio::time::{Instant, sleep_until};

use super::{
    builder::MemoryRegistryBuilder,
    state::{Look, State, later},
    wake::Doorbells,
};
use crate::{
    backend::{Discovery, Registrar},
    error::RegistryError,
    model::{Change, Cursor, Health, Instance, Lease, Renewal, Snapshot},
};

/// A registry in memory; clones share it. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct MemoryRegistry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: MemoryRegistryBuilder,
    state: Mutex<State>,
    bells: Doorbells,
}

/// An instance as a health checker needs it.
#[cfg(feature = "health")]
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) instance: Arc<Instance>,
    /// Which registration of this id it is.
    pub(crate) token: u64,
    pub(crate) health: Health,
}

impl Default for MemoryRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryRegistry {
    /// An empty registry with the usual limits and no warm-up.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A registry with limits of its own.
    pub fn builder() -> MemoryRegistryBuilder {
        MemoryRegistryBuilder::default()
    }

    pub(super) fn with(limits: MemoryRegistryBuilder) -> Self {
        let epoch = fastrand::u64(..);
        let state = State::new(
            epoch,
            later(clock::now(), limits.warm_up.unwrap_or(Duration::ZERO)),
            limits.instances_max,
        );
        Self {
            shared: Arc::new(Shared {
                limits,
                state: Mutex::new(state),
                bells: Doorbells::new(),
            }),
        }
    }

    /// Begins a warm-up now, unless one was chosen when it was built.
    #[cfg(feature = "http")]
    pub(crate) fn warm_up_unless_set(&self, warm_up: Duration) {
        if self.shared.limits.warm_up.is_none() {
            self.state().warm_at(later(clock::now(), warm_up));
        }
    }

    #[cfg(feature = "http")]
    pub(crate) fn epoch(&self) -> u64 {
        self.state().epoch()
    }

    /// Whether its warm-up is over, so that its snapshots are authoritative.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        self.state().is_warm(clock::now())
    }

    /// As [`Discovery::next`], for at most `wait` and never longer than the registry's own limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn next_within(
        &self,
        service: &ServiceName,
        after: Cursor,
        wait: Duration,
    ) -> Change {
        let deadline = later(clock::now(), wait.min(self.shared.limits.wait_max));
        loop {
            // Listening begins before the look, so that no ring falls between the two.
            let ring = self.shared.bells.listen(service);
            let now = clock::now();
            let look = self.state().look(service, after, now);
            let until = match look {
                Look::Changed(snapshot) => return Change::Changed(snapshot),
                Look::Wait(_) if now >= deadline => return Change::Unchanged,
                Look::Wait(until) => until.map_or(deadline, |until| until.min(deadline)),
            };
            tokio::select! {
                () = ring => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// Says how an instance is, from outside its own word; whether that is news.
    ///
    /// Only for the registration that holds the lease: what was measured on its predecessor is ignored.
    pub fn set_health(&self, lease: &Lease, health: Health) -> bool {
        token_of(lease).is_some_and(|token| {
            self.set_target_health(lease.service(), lease.instance(), token, health)
        })
    }

    pub(crate) fn set_target_health(
        &self,
        service: &ServiceName,
        id: &InstanceId,
        token: u64,
        health: Health,
    ) -> bool {
        let is_news = self.state().set_health(service, id, token, health);
        if is_news {
            self.shared.bells.ring(service);
        }
        is_news
    }

    /// How many instances and services there are.
    #[cfg(feature = "http")]
    pub(crate) fn counts(&self) -> (usize, usize) {
        self.state().counts(clock::now())
    }

    /// Every instance of every service.
    #[cfg(feature = "health")]
    pub(crate) fn targets(&self) -> Vec<Target> {
        let all = self.state().all(clock::now());
        all.into_iter()
            .map(|(instance, token, health)| Target {
                instance,
                token,
                health,
            })
            .collect()
    }

    pub(crate) fn snapshot(&self, service: &ServiceName) -> Snapshot {
        self.state().snapshot(service, clock::now())
    }

    pub(crate) fn service_names(&self) -> Vec<ServiceName> {
        self.state().services(clock::now())
    }

    pub(crate) fn renew_now(&self, lease: &Lease) -> Renewal {
        let now: Instant = clock::now();
        let renewed = token_of(lease).and_then(|token| {
            self.state()
                .renew(lease.service(), lease.instance(), token, now)
        });
        renewed.map_or(Renewal::Gone, |ttl| Renewal::Renewed { ttl })
    }

    pub(crate) fn deregister_now(&self, lease: &Lease) {
        let is_news = token_of(lease).is_some_and(|token| {
            let now = clock::now();
            self.state()
                .deregister(lease.service(), lease.instance(), token, now)
        });
        if is_news {
            self.shared.bells.ring(lease.service());
        }
    }

    pub(crate) fn register_now(
        &self,
        instance: &Instance,
        ttl: Duration,
    ) -> Result<Lease, RegistryError> {
        instance.validate()?;
        let (min, max) = (self.shared.limits.ttl_min, self.shared.limits.ttl_max);
        if ttl < min || ttl > max {
            return Err(RegistryError::Ttl { ttl, min, max });
        }
        let token = fastrand::u64(..);
        self.state()
            .register(instance.clone(), token, ttl, clock::now())
            .map_err(|_full| RegistryError::Full { limit: "instances" })?;
        self.shared.bells.ring(&instance.service);
        let (service, id) = (instance.service.clone(), instance.id.clone());
        Ok(Lease::new(service, id, format!("{token:016x}"), ttl))
    }

    /// A panic while it was held would be a defect of ours in code that does no I/O; the data is
    /// still whole enough to serve.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Registrar for MemoryRegistry {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        self.register_now(instance, ttl)
    }

    async fn renew(&self, lease: &Lease) -> Result<Renewal, RegistryError> {
        Ok(self.renew_now(lease))
    }

    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError> {
        self.deregister_now(lease);
        Ok(())
    }
}

#[async_trait]
impl Discovery for MemoryRegistry {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        Ok(self.snapshot(service))
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        let wait = self.shared.limits.wait_max;
        Ok(self.next_within(service, after, wait).await)
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        Ok(self.service_names())
    }
}

fn token_of(lease: &Lease) -> Option<u64> {
    u64::from_str_radix(lease.token(), 16).ok()
}
