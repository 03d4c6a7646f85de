//! The handle, and what its clones share.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use msf_core::name::{InvalidName, ServiceName};
use msf_registry::Registry;
use msf_resilience::circuit_breaker::{CircuitBreaker, InvalidCircuitBreaker};

use super::{
    builder::ClientBuilder,
    metrics::{Families, ServiceMetrics},
    service::{ServiceClient, Target},
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

    /// A client of one service. The first use of a name begins to watch the service, which goes on
    /// for as long as this client lives: keep the result rather than ask for each call.
    ///
    /// # Errors
    ///
    /// [`InvalidService`] when the name is none.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, unless the registry was given one.
    pub fn service(&self, name: impl AsRef<str>) -> Result<ServiceClient, InvalidService> {
        let mut targets = self
            .shared
            .targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let target = match targets.get(name.as_ref()) {
            Some(target) => target.clone(),
            None => {
                let target = Arc::new(self.target(ServiceName::new(name)?)?);
                targets.insert(target.name().clone(), target.clone());
                target
            }
        };
        drop(targets);
        Ok(ServiceClient::new(target, self.connections.clone()))
    }

    fn target(&self, name: ServiceName) -> Result<Target, InvalidService> {
        let Shared {
            setup, families, ..
        } = &*self.shared;
        let mut breaker = CircuitBreaker::builder(name.as_str());
        if let Some(metrics) = &setup.metrics {
            breaker = breaker.metrics(metrics);
        }
        let breaker = (setup.breaker)(breaker).build()?;
        let metrics = ServiceMetrics::new(families.as_ref(), &name);
        let endpoints = setup.registry.service(&name);
        let bearer = setup.bearer.clone();
        Ok(Target::new(
            name,
            endpoints,
            breaker,
            metrics,
            setup.settings,
            bearer,
        ))
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
