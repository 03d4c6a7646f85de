//! The handle, and what its clones share.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use msf_core::name::{InvalidName, ServiceName};
use msf_registry::Registry;
use msf_resilience::{
    budget::{Budget, InvalidBudget},
    circuit_breaker::{CircuitBreaker, InvalidCircuitBreaker},
    hedge::InvalidHedge,
    retry::InvalidRetryPolicy,
};

use super::{
    builder::{ClientBuilder, InvalidClient},
    metrics::{Families, ServiceMetrics},
    service::{ServiceClient, Target},
    settings::ServiceSettings,
};
use crate::transport::Connections;

/// Calls services by their names. Clones share breakers, metrics and connections.
///
/// ```
/// use msf_client::Client;
/// use msf_registry::{Registry, backend::memory::MemoryRegistry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
/// assert_eq!(client.service("payment")?.name(), &"payment");
/// assert!(client.service("Not A Name").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    connections: Connections,
}

struct Shared {
    setup: ClientBuilder,
    families: Option<Families>,
    // Held for a look into a map when a service is named, never during a call.
    targets: Mutex<HashMap<ServiceName, Arc<Target>>>,
}

/// A service that cannot be called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidService {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Its breaker cannot be built.
    #[error("the circuit breaker of the service cannot be built")]
    Breaker(#[from] InvalidCircuitBreaker),
    /// Its settings cannot work.
    #[error("the settings of the service are not valid")]
    Settings(#[from] InvalidClient),
    /// The budget of its retries and hedges cannot be built.
    #[error("the retry budget of the service cannot be built")]
    Budget(#[from] InvalidBudget),
    /// Its retries cannot be built.
    #[error("the retries of the service cannot be built")]
    Retry(#[from] InvalidRetryPolicy),
    /// Its hedges cannot be built.
    #[error("the hedges of the service cannot be built")]
    Hedge(#[from] InvalidHedge),
    /// It is no address of this form: `http://127.0.0.1:8080`.
    #[error(
        "{0:?} is not the address of a service: use http://, an IP address or localhost, and a port"
    )]
    Address(Box<str>),
}

impl Client {
    /// Begins a client that finds instances in a registry.
    pub fn builder(registry: Registry) -> ClientBuilder {
        ClientBuilder::new(registry)
    }

    pub(super) fn new(
        setup: ClientBuilder,
        families: Option<Families>,
        connections: Connections,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                setup,
                families,
                targets: Mutex::default(),
            }),
            connections,
        }
    }

    /// A client with the same registry, breakers and metrics, and connections of its own: one per
    /// runtime.
    #[must_use]
    pub fn with_connections(&self, connections: Connections) -> Self {
        Self {
            shared: self.shared.clone(),
            connections,
        }
    }

    /// A client that finds instances elsewhere, with the same settings, metrics, credentials and
    /// connections. Its services are its own: their breakers and budgets are not those of the services
    /// of the same names here, though they have the same labels in metrics.
    ///
    /// ```
    /// use msf_client::Client;
    /// use msf_core::name::ServiceName;
    /// use msf_registry::{Registry, backend::{fixed::StaticRegistry, memory::MemoryRegistry}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
    /// let legacy = ServiceName::new("legacy")?;
    /// let listed = StaticRegistry::new().addrs(&legacy, ["10.0.0.9:80".parse()?])?;
    /// let fixed = client.with_registry(Registry::new(listed));
    /// let legacy = fixed.service("legacy")?;
    /// legacy.instances().ready(std::time::Duration::from_secs(1)).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_registry(&self, registry: Registry) -> Self {
        let mut setup = self.shared.setup.clone();
        setup.registry = registry;
        Self::new(
            setup,
            self.shared.families.clone(),
            self.connections.clone(),
        )
    }

    /// The connections.
    #[must_use]
    pub const fn connections(&self) -> &Connections {
        &self.connections
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.shared.setup.registry
    }

    /// A client of one service, with the settings that it was given at [`ClientBuilder::service`] or last at
    /// [`service_with`](Self::service_with). The first use of a name begins to watch the service, which goes
    /// on for as long as this client lives: keep the result rather than ask for each call.
    ///
    /// # Errors
    ///
    /// [`InvalidService`] when the name is none, or its settings cannot work.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, unless the registry was given one.
    pub fn service(&self, name: impl AsRef<str>) -> Result<ServiceClient, InvalidService> {
        let mut targets = self.targets();
        let target = match targets.get(name.as_ref()) {
            Some(target) => target.clone(),
            None => {
                let settings = self.shared.setup.services.get(name.as_ref());
                let settings = settings.cloned().unwrap_or_default();
                let target = Arc::new(self.target(ServiceName::new(name)?, settings)?);
                targets.insert(target.name().clone(), target.clone());
                target
            }
        };
        drop(targets);
        Ok(ServiceClient::new(target, self.connections.clone()))
    }

    /// A client of one service with settings of its own, which hold for whoever names the service from
    /// now on.
    ///
    /// Clones of the settings are the same settings: with those that the service has, nothing changes.
    /// With others its breaker, budget and counts begin anew, and who has named the service before keeps
    /// the old ones.
    ///
    /// # Errors
    ///
    /// As [`service`](Self::service).
    ///
    /// # Panics
    ///
    /// As [`service`](Self::service).
    pub fn service_with(
        &self,
        name: impl AsRef<str>,
        settings: &ServiceSettings,
    ) -> Result<ServiceClient, InvalidService> {
        let mut targets = self.targets();
        let known = targets.get(name.as_ref());
        let target = match known.filter(|target| target.service_settings.is_same(settings)) {
            Some(target) => target.clone(),
            None => {
                let target = self.target(ServiceName::new(name)?, settings.clone())?;
                let target = Arc::new(target);
                targets.insert(target.name().clone(), target.clone());
                target
            }
        };
        drop(targets);
        Ok(ServiceClient::new(target, self.connections.clone()))
    }

    fn targets(&self) -> MutexGuard<'_, HashMap<ServiceName, Arc<Target>>> {
        let targets = self.shared.targets.lock();
        targets.unwrap_or_else(PoisonError::into_inner)
    }

    fn target(
        &self,
        name: ServiceName,
        service: ServiceSettings,
    ) -> Result<Target, InvalidService> {
        let Shared {
            setup, families, ..
        } = &*self.shared;
        let settings = setup.settings.of(&service)?;
        let mut breaker = CircuitBreaker::builder(name.as_str());
        let mut budget = Budget::builder(name.as_str()).rule(service.inner.budget);
        // No service has a name with a slash.
        let mut resends = Budget::builder(format!("{name}/resend")).rule(service.inner.resends);
        if let Some(metrics) = &setup.metrics {
            breaker = breaker.metrics(metrics);
            budget = budget.metrics(metrics);
            resends = resends.metrics(metrics);
        }
        breaker = (setup.breaker)(breaker);
        if let Some(change) = &service.inner.breaker {
            breaker = change(breaker);
        }
        let mut target = Target {
            host: Target::host(&name),
            breaker: breaker.build()?,
            budget: budget.build()?,
            resends: resends.build()?,
            metrics: ServiceMetrics::new(families.as_ref(), &name),
            instances: setup.registry.service(&name),
            is_known: AtomicBool::new(false),
            bearer: service
                .inner
                .bearer
                .clone()
                .or_else(|| setup.bearer.clone()),
            registered: setup.metrics.clone(),
            plan: None,
            service_settings: service,
            settings,
            name,
        };
        target.plan = target.own_plan(setup.retry.as_ref())?.map(Arc::new);
        Ok(target)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("setup", &self.shared.setup)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
