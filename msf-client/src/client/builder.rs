//! The settings of a [`Client`].

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use msf_auth::BearerSource;
use msf_core::metrics::{Metrics, MetricsError};
use msf_registry::Registry;
use msf_resilience::circuit_breaker::{
    CircuitBreaker, CircuitBreakerBuilder, InvalidCircuitBreaker,
};
use msf_resilience::retry::RetryPolicyBuilder;

use super::{
    handle::Client,
    metrics::Families,
    settings::{Change, ServiceSettings},
};
use crate::transport::{Connections, Upstream};

/// Sets up a [`Client`].
///
/// | setting | default | why |
/// |---|---|---|
/// | `timeout` | 5 s | until the head of the answer; people wait no longer |
/// | `attempts` | 3 | two dead instances at once are an accident, three are the registry's concern |
/// | `retry` | none | only who knows the services knows which layer is to ask again |
/// | `resolve_timeout` | 1 s | how long a process that has just started waits for the registry's first answer |
/// | `body_limit` | 2 MiB | of answers that are read whole; the server has the same for requests |
///
/// ```
/// use std::time::Duration;
/// use msf_client::Client;
/// use msf_registry::{Registry, backend::memory::MemoryRegistry};
///
/// let client = Client::builder(Registry::new(MemoryRegistry::new()))
///     .timeout(Duration::from_secs(2))
///     .breaker(|breaker| breaker.min_calls(50))
///     .build()?;
/// # drop(client);
/// # Ok::<(), msf_client::InvalidClient>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    pub(super) registry: Registry,
    pub(super) settings: Settings,
    pub(super) breaker: Change<CircuitBreakerBuilder>,
    pub(super) retry: Option<Change<RetryPolicyBuilder>>,
    pub(super) services: BTreeMap<Box<str>, ServiceSettings>,
    pub(super) metrics: Option<Metrics>,
    pub(super) bearer: Option<Arc<dyn BearerSource>>,
    pub(super) connections: Option<Connections>,
}

/// What every call needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) timeout: Duration,
    pub(super) attempts: usize,
    pub(super) resolve_timeout: Duration,
    pub(super) body_limit: usize,
    pub(super) upstream: Upstream,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidClient {
    /// A call must be tried at least once, and three times at most: more would hide a registry that
    /// lists the dead.
    #[error("a call takes 1 to {ATTEMPTS_MAX} attempts, not {0}")]
    Attempts(usize),
    /// A call that may take no time cannot be made.
    #[error("the timeout must be more than zero")]
    Timeout,
    /// The breaker's settings.
    #[error("the settings of the circuit breaker are not valid")]
    Breaker(#[from] InvalidCircuitBreaker),
    /// A metric of the same name and another shape exists.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] MetricsError),
}

impl Settings {
    /// The client's settings with those of one service.
    pub(super) fn of(self, service: &ServiceSettings) -> Result<Self, InvalidClient> {
        let service = &*service.inner;
        let settings = Self {
            timeout: service.timeout.unwrap_or(self.timeout),
            attempts: service.attempts.unwrap_or(self.attempts),
            resolve_timeout: service.resolve_timeout.unwrap_or(self.resolve_timeout),
            body_limit: service.body_limit.unwrap_or(self.body_limit),
            upstream: service.upstream,
        };
        settings.check()?;
        match service.attempt_timeout {
            Some(Duration::ZERO) => Err(InvalidClient::Timeout),
            _ => Ok(settings),
        }
    }

    const fn check(&self) -> Result<(), InvalidClient> {
        if self.attempts == 0 || self.attempts > ATTEMPTS_MAX {
            return Err(InvalidClient::Attempts(self.attempts));
        }
        if self.timeout.is_zero() {
            return Err(InvalidClient::Timeout);
        }
        Ok(())
    }
}

impl ClientBuilder {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            settings: Settings {
                timeout: Duration::from_secs(5),
                attempts: ATTEMPTS_MAX,
                resolve_timeout: Duration::from_secs(1),
                body_limit: 2 << 20,
                upstream: Upstream::new(),
            },
            breaker: Arc::new(|breaker| breaker),
            retry: None,
            services: BTreeMap::new(),
            metrics: None,
            bearer: None,
            connections: None,
        }
    }

    /// How long a call may take until the head of its answer, all attempts together.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// How many instances are tried at most, 1 to 3. The next one is tried only when certainly
    /// nothing was sent.
    pub const fn attempts(mut self, attempts: usize) -> Self {
        self.settings.attempts = attempts;
        self
    }

    /// How long a call waits for the registry's first answer about its service.
    pub const fn resolve_timeout(mut self, timeout: Duration) -> Self {
        self.settings.resolve_timeout = timeout;
        self
    }

    /// How many bytes of an answer [`Response`](crate::Response) reads.
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// Changes the settings of the breakers; each service has a breaker of its own.
    pub fn breaker(
        mut self,
        settings: impl Fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.breaker = Arc::new(settings);
        self
    }

    /// Makes failed calls of all services again that may be sent twice, but for those whose
    /// [settings](ServiceSettings::without_retry) say otherwise; the closure changes the policy, or nothing.
    /// Without it, and without settings of the service, only what was certainly not sent is sent again.
    ///
    /// Each service has a policy and a budget of its own. Set it in one place of a chain of calls: see the table
    /// of what is repeated in the [crate documentation](crate).
    ///
    /// ```
    /// use msf_client::{Client, ServiceSettings};
    /// use msf_registry::{Registry, backend::memory::MemoryRegistry};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// let client = Client::builder(Registry::new(MemoryRegistry::new()))
    ///     .retry(|retry| retry.max_attempts(2))
    ///     .service("payment", ServiceSettings::new().without_retry())
    ///     .build()?;
    /// assert!(client.service("search")?.retry().is_some());
    /// assert!(client.service("payment")?.retry().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry(
        mut self,
        change: impl Fn(RetryPolicyBuilder) -> RetryPolicyBuilder + Send + Sync + 'static,
    ) -> Self {
        self.retry = Some(Arc::new(change));
        self
    }

    /// How one service is called, where that differs from the rest. What cannot work there is said when
    /// the service is named.
    pub fn service(mut self, name: impl Into<Box<str>>, settings: ServiceSettings) -> Self {
        self.services.insert(name.into(), settings);
        self
    }

    /// Counts calls, breakers and connections there.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Sends its token with every call that has no `Authorization` header of its own.
    pub fn bearer(mut self, source: Arc<dyn BearerSource>) -> Self {
        self.bearer = Some(source);
        self
    }

    /// Uses these connections instead of its own.
    pub fn connections(mut self, connections: Connections) -> Self {
        self.connections = Some(connections);
        self
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// [`InvalidClient`] with the first setting that cannot work.
    pub fn build(mut self) -> Result<Client, InvalidClient> {
        self.settings.check()?;
        // Services come later, so a breaker that is thrown away is asked whether theirs can be built.
        (self.breaker)(CircuitBreaker::builder("check")).build()?;
        let families = self.metrics.as_ref().map(Families::register).transpose()?;
        let connections = match (self.connections.take(), &self.metrics) {
            (Some(connections), _) => connections,
            (None, Some(metrics)) => Connections::builder().metrics(metrics)?.build(),
            (None, None) => Connections::default(),
        };
        Ok(Client::new(self, families, connections))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

const ATTEMPTS_MAX: usize = 3;
