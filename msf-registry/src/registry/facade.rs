//! One handle for both sides of a registry.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use super::{
    builder::{RegistryBuilder, Settings},
    linger::Linger,
    registration::Registration,
};
use crate::{
    backend::ServiceRegistry,
    cache::Cache,
    drive::{Leases, Limits, WatchDriver, WatchRules},
    error::RegistryError,
    metrics::{CacheErrors, Families, Picks, Renewals},
    model::Instance,
    outlier::Ejections,
    routing::{Ejection, Routable, routable},
    service::{NoEndpoints, PickContext, ServiceHandle, State, Watch},
};
use msf_core::{
    clock::QuickEpoch,
    name::{InstanceId, ServiceName},
    task::{self, Task},
};
use tokio::time::timeout;

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
    leases: Leases,
    cache: Option<Cache>,
    linger: Linger,
    watches: Mutex<HashMap<ServiceName, Weak<Watch>>>,
    #[cfg(feature = "health")]
    is_checked: Arc<std::sync::atomic::AtomicBool>,
}

impl Registry {
    /// A registry with the usual settings and without metrics.
    #[must_use]
    pub fn new(backend: impl ServiceRegistry) -> Self {
        Self::with(Arc::new(backend), Settings::default(), None)
    }

    /// A registry with settings of its own. What is built is of the same type whatever the backend, so a program
    /// can choose one when it starts.
    pub fn builder(backend: impl ServiceRegistry) -> RegistryBuilder {
        RegistryBuilder::new(Arc::new(backend))
    }

    pub(super) fn with(
        backend: Arc<dyn ServiceRegistry>,
        settings: Settings,
        families: Option<Families>,
    ) -> Self {
        // The first one takes milliseconds: rather at start than in the first call.
        let _measured = QuickEpoch::new();
        let limits = Limits {
            ttl: settings.lease_ttl,
            deregister: settings.deregister_timeout,
            call: settings.call_timeout,
        };
        let renewals = families
            .as_ref()
            .map_or_else(Renewals::noop, |families| families.renewals.clone());
        let runtime = settings.runtime.clone();
        let cache = settings.cache_dir.as_ref().map(|dir| {
            let errors = families
                .as_ref()
                .map_or_else(CacheErrors::noop, |families| families.cache_errors.clone());
            Cache::new(dir, settings.cache_age_max, errors)
        });
        Self {
            shared: Arc::new(Shared {
                leases: Leases::new(Arc::clone(&backend), limits, renewals, runtime),
                backend,
                cache,
                linger: Linger::new(settings.linger),
                settings,
                families,
                watches: Mutex::default(),
                #[cfg(feature = "health")]
                is_checked: Arc::default(),
            }),
        }
    }

    /// Registers an instance and keeps it registered in the background, for ever: a registry that is
    /// away is tried again, one that has forgotten is told again. Returns at once;
    /// [`Registration::registered`] waits.
    ///
    /// What would be refused again is not tried again, and [`Registration::registered`] says why: an instance that
    /// breaks a rule, a backend that is only read, an id that this process has registered already.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, unless [`RegistryBuilder::runtime`] named one.
    pub fn register(&self, instance: Instance) -> Registration {
        let first = Arc::new(instance.clone());
        let seat = self.shared.leases.register(instance);
        Registration::new(first, seat, self.drain_wait())
    }

    /// The instances of a service, to pick from. Returns at once, with a list that is empty until the registry has
    /// answered: wait for that with [`ServiceHandle::ready`]. Keep the handle: all that the process holds share one
    /// watch, which starts with the first and ends with the last.
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
        // One that is over went with its runtime.
        let watch = watches.get(service).and_then(Weak::upgrade);
        if let Some(watch) = watch.filter(|watch| !watch.is_over()) {
            return ServiceHandle::new(watch);
        }
        watches.retain(|_, watch| watch.strong_count() > 0);
        let watch = self.watch(service);
        watches.insert(service.clone(), Arc::downgrade(&watch));
        ServiceHandle::new(watch)
    }

    /// Ends the registration of an instance that this registry registered, wherever its [`Registration`] is;
    /// whether there was one.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when the registry did not answer; the lease then expires by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropped after its first poll, the instance is deregistered in the background.
    pub async fn unregister(
        &self,
        service: &ServiceName,
        id: &InstanceId,
    ) -> Result<bool, RegistryError> {
        match self.shared.leases.unregister(service, id) {
            None => Ok(false),
            Some(ending) => ending.wait().await.map(|()| true),
        }
    }

    /// Where to call a service: the URL of one picked instance, such as `http://10.0.0.1:80`. For programs that
    /// call through another client; the outcome of the call cannot be recorded, so prefer
    /// [`service`](Self::service) and [`ServiceHandle::pick`].
    ///
    /// Waits at most 5 s for the first list of the service, and for nothing after it. The service stays watched for a
    /// while ([`linger`](RegistryBuilder::linger), 60 s) after the last question.
    ///
    /// # Errors
    ///
    /// [`NoEndpoints`] when there is no instance.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn service_url(&self, service: &ServiceName) -> Result<String, NoEndpoints> {
        let handle = self.known(service).await;
        let picked = handle.pick(&PickContext::new())?;
        Ok(picked.instance().first_endpoint().to_string())
    }

    /// Whether a service has an instance that calls go to: one that is up or degraded, and not unhealthy. Asks the
    /// registry unless the service is watched, which it then is for a while as for
    /// [`service_url`](Self::service_url); a registry that does not answer within 5 s is a no, unless there is a list
    /// from before.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn is_healthy(&self, service: &ServiceName) -> bool {
        let handle = self.known(service).await;
        let snapshot = handle.snapshot();
        let mut members = snapshot.instances().iter();
        members.any(|member| {
            let (own, operator) = (member.instance.status, member.operator_status);
            let routable = routable(own, operator, member.health, Ejection::None);
            matches!(routable, Routable::Yes | Routable::Degraded)
        })
    }

    /// A handle, once something is known of the service or it takes too long; it stays watched for a while.
    async fn known(&self, service: &ServiceName) -> ServiceHandle {
        let handle = self.service(service);
        self.shared.linger.hold(&handle);
        let mut changes = handle.changes();
        let is_known = async {
            while !handle.is_known() {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // Whatever came of it: the handle tells.
        let _late = timeout(KNOWN_MAX, is_known).await;
        handle
    }

    /// The services that this process watches now.
    #[cfg(any(feature = "health", feature = "http", test))]
    pub(crate) fn watched(&self) -> Vec<Arc<State>> {
        let watches = self
            .shared
            .watches
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let alive = watches.values().filter_map(Weak::upgrade);
        alive.map(|watch| watch.state()).collect()
    }

    /// The services that have an instance, sorted: asks the registry each time.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when the registry does not answer within
    /// [`call_timeout`](RegistryBuilder::call_timeout), 10 s.
    pub async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        let limit = self.shared.settings.call_timeout;
        timeout(limit, self.shared.backend.services())
            .await
            .unwrap_or(Err(RegistryError::Timeout(limit)))
    }

    /// Long enough for callers to hear that an instance drains.
    fn drain_wait(&self) -> Duration {
        let settings = &self.shared.settings;
        if settings.drain_wait.is_zero() {
            return Duration::ZERO;
        }
        let capabilities = self.shared.backend.capabilities();
        let lag = if capabilities.watch {
            Duration::ZERO
        } else {
            // A poll is up to 10 % late.
            capabilities.poll_interval.saturating_mul(11) / 10
        };
        settings
            .drain_wait
            .max(settings.merge_window * 2)
            .max(lag + settings.merge_window)
    }

    fn watch(&self, service: &ServiceName) -> Arc<Watch> {
        let settings = &self.shared.settings;
        let families = self.shared.families.as_ref();
        let rules = settings.load_balancing(service).clone();
        let picks = families.map_or_else(Picks::noop, |f| f.picks(service, rules.balance));
        let ejections = families.map_or_else(Ejections::noop, |f| f.ejections(service));
        let state = Arc::new(State::new(service.clone(), rules, picks).ejections(ejections));
        if let Some(families) = families {
            families.observe(&state);
        }
        let rules = WatchRules {
            empty_hold: settings.empty_hold,
            merge_window: settings.merge_window,
            backoff: settings.backoff,
            call_timeout: settings.call_timeout,
            watch_timeout: settings.watch_timeout,
        };
        let driver = WatchDriver::new(
            Arc::clone(&self.shared.backend),
            Arc::clone(&state),
            rules,
            settings.reach.clone(),
        );
        let task = match self.shared.cache.clone() {
            None => self.spawn("registry-watch", driver.run(std::future::ready(None))),
            Some(cache) => {
                let persisted = cache.clone().load(service.clone());
                let kept = cache.keep(Arc::clone(&state));
                let both = async {
                    tokio::join!(driver.run(persisted), kept);
                };
                self.spawn("registry-watch", both)
            }
        };
        Watch::new(state, task)
    }

    /// Whether checks from this side run.
    #[cfg(feature = "health")]
    pub(super) fn is_checked(&self) -> &Arc<std::sync::atomic::AtomicBool> {
        &self.shared.is_checked
    }

    pub(super) fn spawn<F>(&self, name: &'static str, future: F) -> Task<F::Output>
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
        task::spawn_root(name, future)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

const KNOWN_MAX: Duration = Duration::from_secs(5);
