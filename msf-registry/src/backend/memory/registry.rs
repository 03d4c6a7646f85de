//! The shared handle around the state.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
    task::Task,
};
use tokio::time::{Instant, sleep_until};

use super::{
    builder::MemoryRegistryBuilder,
    preservation::SelfPreservation,
    state::{Look, NotListed, State, later},
    view::View,
    wake::Doorbells,
};
use crate::{
    backend::{Capabilities, Consistency, Discovery, Registrar},
    error::RegistryError,
    model::{Change, Cursor, Health, Instance, Lease, Renewal, Snapshot, Status},
};

/// A registry in memory; clones share it. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct MemoryRegistry {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    limits: MemoryRegistryBuilder,
    state: Mutex<State>,
    bells: Doorbells,
    #[cfg_attr(
        not(feature = "http"),
        expect(dead_code, reason = "only a server keeps a pulse")
    )]
    pub(super) pulse: OnceLock<Task<()>>,
}

impl Shared {
    /// A panic while it was held would be a defect of ours in code that does no I/O; the data is
    /// still whole enough to serve.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// No such instance is listed, or its lease is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such instance is registered")]
#[non_exhaustive]
pub struct UnknownInstance;

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
            clock::now(),
            limits.warm_up.unwrap_or(Duration::ZERO),
            limits.instances_max,
            limits.preservation.unwrap_or(SelfPreservation::off()),
        );
        Self {
            shared: Arc::new(Shared {
                limits,
                state: Mutex::new(state),
                bells: Doorbells::new(),
                pulse: OnceLock::new(),
            }),
        }
    }

    /// Begins a warm-up now and preserves itself, where nothing else was chosen when it was built.
    #[cfg(feature = "http")]
    pub(crate) fn serve(&self, warm_up: Duration) {
        let limits = &self.shared.limits;
        let mut state = self.state();
        if limits.warm_up.is_none() {
            state.warm_up(clock::now(), warm_up);
        }
        if limits.preservation.is_none() {
            state.preserve(SelfPreservation::new());
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
        match self.view_after(service, after, wait).await {
            Some(view) => Change::Changed(view.snapshot().clone()),
            None => Change::Unchanged,
        }
    }

    /// As [`next_within`](Self::next_within), with what led to the snapshot.
    pub(crate) async fn view_after(
        &self,
        service: &ServiceName,
        after: Cursor,
        wait: Duration,
    ) -> Option<Arc<View>> {
        let deadline = later(clock::now(), wait.min(self.shared.limits.wait_max));
        loop {
            // Listening begins before the look, so that no ring falls between the two.
            let ring = self.shared.bells.listen(service);
            let now = clock::now();
            let look = self.state().look(service, after, now);
            let until = match look {
                Look::Changed(view) => return Some(view),
                Look::Wait(_) if now >= deadline => return None,
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

    /// Says in place of an instance how it is, or no longer says so; whether that is news. It outlives the
    /// registration: an instance that registers again within an hour finds it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use msf_core::name::{InstanceId, ServiceName};
    /// use msf_registry::{Discovery, Instance, Registrar, Status, backend::memory::MemoryRegistry};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = MemoryRegistry::new();
    /// let (payment, id) = (ServiceName::new("payment")?, InstanceId::new("p-1")?);
    /// let instance = Instance::new(payment.clone(), id.clone(), "127.0.0.1:80".parse()?);
    /// registry.put(&instance, Duration::from_secs(15)).await?;
    ///
    /// assert!(registry.set_override(&payment, &id, Some(Status::OutOfService))?);
    /// assert_eq!(registry.fetch(&payment).await?.instances()[0].status(), Status::OutOfService);
    /// assert!(registry.set_override(&payment, &id, None)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`UnknownInstance`] when no such instance is listed.
    pub fn set_override(
        &self,
        service: &ServiceName,
        id: &InstanceId,
        status: Option<Status>,
    ) -> Result<bool, UnknownInstance> {
        let set = self.state().set_override(service, id, status, clock::now());
        let is_news = set.map_err(|_unknown| UnknownInstance)?;
        if is_news {
            self.shared.bells.ring(service);
            let status = status.map(Status::as_str);
            tracing::info!(%service, instance = %id, status, "an operator set a status");
        }
        Ok(is_news)
    }

    /// Says how an instance is, in its own name; whether that is news.
    ///
    /// # Errors
    ///
    /// [`UnknownInstance`] when the lease is not known (any more).
    pub fn set_status(&self, lease: &Lease, status: Status) -> Result<bool, UnknownInstance> {
        let (service, id) = (lease.service(), lease.instance());
        let token = token_of(lease).ok_or(UnknownInstance)?;
        let set = self
            .state()
            .set_status(service, id, token, status, clock::now());
        let is_news = set.map_err(|_unknown| UnknownInstance)?;
        if is_news {
            self.shared.bells.ring(service);
        }
        Ok(is_news)
    }

    pub(crate) fn set_target_health(
        &self,
        service: &ServiceName,
        id: &InstanceId,
        token: u64,
        health: Health,
    ) -> bool {
        let is_news = self
            .state()
            .set_health(service, id, token, health, clock::now());
        if is_news {
            self.shared.bells.ring(service);
        }
        is_news
    }

    /// How many instances and services there are.
    #[cfg(any(feature = "http", test))]
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
        self.view(service).snapshot().clone()
    }

    pub(crate) fn view(&self, service: &ServiceName) -> Arc<View> {
        self.state().view(service, clock::now())
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
        let registered = self
            .state()
            .register(instance.clone(), token, ttl, clock::now());
        registered.map_err(|not_listed| match not_listed {
            NotListed::Full => RegistryError::Full { limit: "instances" },
            NotListed::Taken(by) => RegistryError::Taken {
                id: instance.id.clone(),
                by,
            },
        })?;
        self.shared.bells.ring(&instance.service);
        let (service, id) = (instance.service.clone(), instance.id.clone());
        Ok(Lease::new(service, id, format!("{token:016x}"), ttl))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
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

    async fn renew_all(&self, leases: &[Lease]) -> Result<Vec<Renewal>, RegistryError> {
        Ok(leases.iter().map(|lease| self.renew_now(lease)).collect())
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

    fn capabilities(&self) -> Capabilities {
        Capabilities::default().consistency(Consistency::Strong)
    }
}

fn token_of(lease: &Lease) -> Option<u64> {
    u64::from_str_radix(lease.token(), 16).ok()
}
