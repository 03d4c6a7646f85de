//! The settings of a [`Registry`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use msf_core::{
    backoff::{Backoff, InvalidBackoff},
    metrics::{Metrics, MetricsError},
    name::ServiceName,
};
use tokio::runtime::Handle;

use super::facade::Registry;
use crate::{
    backend::ServiceRegistry,
    balance::{Balance, InvalidLoadBalancing, LoadBalancing},
    metrics::Families,
};

/// Builds a [`Registry`]. Made by [`Registry::builder`].
///
/// ```
/// use std::time::Duration;
/// use msf_core::metrics::Metrics;
/// use msf_registry::{Balance, Registry, backend::memory::MemoryRegistry};
///
/// let metrics = Metrics::new();
/// let registry = Registry::builder(MemoryRegistry::new())
///     .lease_ttl(Duration::from_secs(3))
///     .balance(Balance::RoundRobin)
///     .metrics(&metrics)
///     .build()?;
/// # drop(registry);
/// # Ok::<(), msf_registry::InvalidRegistry>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct RegistryBuilder {
    backend: Arc<dyn ServiceRegistry>,
    settings: Settings,
    metrics: Option<Metrics>,
}

/// What the drivers need to know.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) lease_ttl: Duration,
    pub(super) load_balancing: LoadBalancing,
    /// Of services with a setting of their own.
    pub(super) load_balancing_of: BTreeMap<ServiceName, LoadBalancing>,
    pub(super) empty_hold: Duration,
    pub(super) backoff: Backoff,
    pub(super) runtime: Option<Handle>,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRegistry {
    /// The time to live is too short to be renewed in time.
    #[error("a lease of {0:?} cannot be renewed in time; use 100 ms or more")]
    LeaseTtl(Duration),
    /// The waits between tries.
    #[error("the back-off of the watch is not valid")]
    Backoff(#[from] InvalidBackoff),
    /// A setting of how calls are spread.
    #[error("the load balancing is not valid")]
    LoadBalancing(#[from] InvalidLoadBalancing),
    /// A metric of the same name and another shape exists.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] MetricsError),
}

impl RegistryBuilder {
    pub(super) fn new(backend: Arc<dyn ServiceRegistry>) -> Self {
        Self {
            backend,
            settings: Settings::default(),
            metrics: None,
        }
    }

    /// How long this process stays listed after it has died; 15 s unless set. It renews three times
    /// as often, so that two renewals may be lost.
    pub const fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.settings.lease_ttl = ttl;
        self
    }

    /// Which algorithm chooses instances; [`Balance::PeakEwma`] unless set. What
    /// [`load_balancing`](Self::load_balancing) set besides stays.
    pub const fn balance(mut self, balance: Balance) -> Self {
        self.settings.load_balancing.balance = balance;
        self
    }

    /// How calls are spread over the instances of a service; [`LoadBalancing::default`] unless set.
    pub fn load_balancing(mut self, load_balancing: LoadBalancing) -> Self {
        self.settings.load_balancing = load_balancing;
        self
    }

    /// As [`load_balancing`](Self::load_balancing), for one service.
    pub fn load_balancing_of(
        mut self,
        service: ServiceName,
        load_balancing: LoadBalancing,
    ) -> Self {
        self.settings
            .load_balancing_of
            .insert(service, load_balancing);
        self
    }

    /// For how long a service that suddenly has no instance keeps its last ones; 30 s unless set, zero
    /// to believe it at once. All instances going at once is more often a defect of the registry than
    /// the truth, and calling the dead costs a refused connection.
    pub const fn empty_hold(mut self, hold: Duration) -> Self {
        self.settings.empty_hold = hold;
        self
    }

    /// The waits between tries while the registry is away; 100 ms to 5 s with full jitter unless set.
    pub const fn watch_backoff(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// Where its tasks run; the runtime that is current when it is used unless set. A program with
    /// several runtimes names the one that lives longest.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.settings.runtime = Some(runtime);
        self
    }

    /// Where [its metrics](crate::catalogue) are registered; nowhere unless set.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The registry.
    ///
    /// # Errors
    ///
    /// [`InvalidRegistry`] with the first setting that cannot work.
    pub fn build(self) -> Result<Registry, InvalidRegistry> {
        if self.settings.lease_ttl < TTL_MIN {
            return Err(InvalidRegistry::LeaseTtl(self.settings.lease_ttl));
        }
        self.settings.load_balancing.validate()?;
        for load_balancing in self.settings.load_balancing_of.values() {
            load_balancing.validate()?;
        }
        let families = self.metrics.as_ref().map(Families::register).transpose()?;
        Ok(Registry::with(self.backend, self.settings, families))
    }
}

impl Settings {
    /// How calls to a service are spread.
    pub(super) fn load_balancing(&self, service: &ServiceName) -> &LoadBalancing {
        self.load_balancing_of
            .get(service)
            .unwrap_or(&self.load_balancing)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_ttl: Duration::from_secs(15),
            load_balancing: LoadBalancing::default(),
            load_balancing_of: BTreeMap::new(),
            empty_hold: Duration::from_secs(30),
            backoff: WATCH_BACKOFF,
            runtime: None,
        }
    }
}

impl std::fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

const TTL_MIN: Duration = Duration::from_millis(100);

const WATCH_BACKOFF: Backoff = {
    match Backoff::exponential(Duration::from_millis(100), Duration::from_secs(5)) {
        Ok(backoff) => backoff,
        Err(_) => panic!("100 ms is more than zero and less than 5 s"),
    }
};
