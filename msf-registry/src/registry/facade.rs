//! One handle for both sides of a registry.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use msf_core::{
    name::ServiceName,
    task::{self, Task},
};
use tokio::sync::{oneshot, watch};

use super::{
    builder::{RegistryBuilder, Settings},
    registration::Registration,
};
use crate::{
    backend::ServiceRegistry,
    drive::{LeaseDriver, Standing, WatchDriver},
    error::RegistryError,
    metrics::{Families, Picks, Renewals},
    model::Instance,
    service::{ServiceHandle, State, Watch},
};

/// A registry as a process uses it: registers its own instances and finds those of others. Clones
/// share everything.
///
/// ```
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::{Instance, Registry, backend::memory::MemoryRegistry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new(MemoryRegistry::new());
/// let payment = ServiceName::new("payment")?;
/// let id = InstanceId::random(&payment);
/// let here = registry.register(Instance::new(payment.clone(), id, "127.0.0.1:8080".parse()?));
/// here.registered().await?;
/// assert_eq!(registry.services().await?, [payment]);
/// here.deregister().await?;
/// assert!(registry.services().await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

struct Shared {
    backend: Arc<dyn ServiceRegistry>,
    settings: Settings,
    families: Option<Families>,
    watches: Mutex<HashMap<ServiceName, Weak<Watch>>>,
}

impl Registry {
    /// A registry with the usual settings and without metrics.
    #[must_use]
    pub fn new(backend: impl ServiceRegistry) -> Self {
        Self::with(Arc::new(backend), Settings::default(), None)
    }

    /// A registry with settings of its own.
    pub fn builder(backend: impl ServiceRegistry) -> RegistryBuilder {
        RegistryBuilder::new(Arc::new(backend))
    }

    pub(super) fn with(
        backend: Arc<dyn ServiceRegistry>,
        settings: Settings,
        families: Option<Families>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                backend,
                settings,
                families,
                watches: Mutex::default(),
            }),
        }
    }

    /// Registers an instance and keeps it registered in the background, for ever: a registry that is
    /// away is tried again, one that has forgotten is told again. Returns at once.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, unless [`RegistryBuilder::runtime`] named one.
    pub fn register(&self, instance: Instance) -> Registration {
        let (standing, seen) = watch::channel(Standing::Pending);
        let (stop, told) = oneshot::channel();
        let driver = LeaseDriver {
            backend: Arc::clone(&self.shared.backend),
            instance: instance.clone(),
            ttl: self.shared.settings.lease_ttl,
            standing,
            renewals: self
                .shared
                .families
                .as_ref()
                .map_or_else(Renewals::noop, |families| families.renewals.clone()),
            stop: told,
        };
        Registration::new(
            instance,
            seen,
            stop,
            self.spawn("registry-lease", driver.run()),
        )
    }

    /// The instances of a service. All callers in the process share one watch, which starts with the
    /// first and ends with the last.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, unless [`RegistryBuilder::runtime`] named one.
    #[must_use]
    pub fn service(&self, service: &ServiceName) -> ServiceHandle {
        let mut watches = self
            .shared
            .watches
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watches.get(service).and_then(Weak::upgrade) {
            return ServiceHandle::new(watch);
        }
        watches.retain(|_, watch| watch.strong_count() > 0);
        let watch = self.watch(service);
        watches.insert(service.clone(), Arc::downgrade(&watch));
        ServiceHandle::new(watch)
    }

    /// The services that have an instance, sorted: asks the registry each time.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when the registry does not answer.
    pub async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        self.shared.backend.services().await
    }

    fn watch(&self, service: &ServiceName) -> Arc<Watch> {
        let settings = &self.shared.settings;
        let families = self.shared.families.as_ref();
        let balance = settings.load_balancing(service).balance;
        let picks = families.map_or_else(Picks::noop, |f| f.picks(service, balance));
        let state = Arc::new(State::new(service.clone(), balance, picks));
        if let Some(families) = families {
            families.observe(&state);
        }
        let driver = WatchDriver::new(
            Arc::clone(&self.shared.backend),
            Arc::clone(&state),
            settings.empty_hold,
            settings.backoff,
        );
        Watch::new(state, self.spawn("registry-watch", driver.run()))
    }

    fn spawn<F>(&self, name: &'static str, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let _entered = self
            .shared
            .settings
            .runtime
            .as_ref()
            .map(|runtime| runtime.enter());
        task::spawn(name, future)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
