//! How one service is called, where that differs from the rest.

use std::{fmt, sync::Arc, time::Duration};

use msf_auth::BearerSource;
use msf_resilience::{
    budget::Rule, circuit_breaker::CircuitBreakerBuilder, hedge::HedgeBuilder,
    retry::RetryPolicyBuilder,
};

use crate::transport::Upstream;

/// How one service is called, where that differs from what the [`Client`](crate::Client) does for all.
///
/// | setting | default | why |
/// |---|---|---|
/// | `timeout`, `attempts`, `resolve_timeout`, `body_limit`, `bearer` | the client's | |
/// | `breaker` | the client's | what is set here is set after it |
/// | `upstream` | what the [`Connections`](crate::transport::Connections) have | |
/// | `attempt_timeout` | none | an attempt may take what is left of the call |
/// | `retry` | none | only who knows a service knows whether it is worth it to ask again |
/// | `hedge` | none | it pays where the slowest calls are slow by chance |
/// | `budget` | a fifth of the calls and 10 a second | what retries and hedges add together, see [`Rule`] |
///
/// How instances are chosen is the registry's, for all callers of a process alike:
/// [`RegistryBuilder::load_balancing_of`](msf_registry::RegistryBuilder::load_balancing_of).
///
/// ```
/// use std::time::Duration;
/// use msf_client::{Client, ServiceSettings};
/// use msf_registry::{Registry, backend::memory::MemoryRegistry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let search = ServiceSettings::new()
///     .timeout(Duration::from_millis(800))
///     .attempt_timeout(Duration::from_millis(300))
///     .retry(|retry| retry.max_attempts(2))
///     .hedge(|hedge| hedge.after(Duration::from_millis(50)));
/// let client = Client::builder(Registry::new(MemoryRegistry::new()))
///     .service("search", search)
///     .build()?;
/// assert_eq!(client.service("search")?.retry().map(|it| it.max_attempts()), Some(2));
/// assert!(client.service("payment")?.retry().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "settings do nothing until a client is given them"]
pub struct ServiceSettings {
    // A clone is the same settings: who names a service with them again finds the same breaker.
    pub(super) inner: Arc<Inner>,
}

#[derive(Clone, Default)]
pub(super) struct Inner {
    pub(super) timeout: Option<Duration>,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) attempts: Option<usize>,
    pub(super) resolve_timeout: Option<Duration>,
    pub(super) body_limit: Option<usize>,
    pub(super) upstream: Upstream,
    pub(super) budget: Rule,
    pub(super) breaker: Option<Change<CircuitBreakerBuilder>>,
    pub(super) retry: Option<Change<RetryPolicyBuilder>>,
    pub(super) hedge: Option<Change<HedgeBuilder>>,
    pub(super) bearer: Option<Arc<dyn BearerSource>>,
}

/// What is changed of a builder that the client begins.
pub(super) type Change<B> = Arc<dyn Fn(B) -> B + Send + Sync>;

impl ServiceSettings {
    /// The client's settings, nothing changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a call may take until the head of its answer, all attempts together.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|inner| inner.timeout = Some(timeout))
    }

    /// How long one of several attempts may take, within the timeout of the call.
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.with(|inner| inner.attempt_timeout = Some(timeout))
    }

    /// How many instances are tried at most while certainly nothing was sent, 1 to 3.
    pub fn attempts(self, attempts: usize) -> Self {
        self.with(|inner| inner.attempts = Some(attempts))
    }

    /// How long a call waits for the registry's first answer about the service.
    pub fn resolve_timeout(self, timeout: Duration) -> Self {
        self.with(|inner| inner.resolve_timeout = Some(timeout))
    }

    /// How many bytes of an answer [`Response`](crate::Response) reads.
    pub fn body_limit(self, bytes: usize) -> Self {
        self.with(|inner| inner.body_limit = Some(bytes))
    }

    /// The protocol of its connections, how many there are, and how many requests wait for one.
    pub fn upstream(self, upstream: Upstream) -> Self {
        self.with(|inner| inner.upstream = upstream)
    }

    /// Changes the settings of the breaker, after those of the client.
    pub fn breaker(
        self,
        change: impl Fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.with(|inner| inner.breaker = Some(Arc::new(change)))
    }

    /// Makes failed calls again. The policy has the service's name, metrics and budget; the closure
    /// changes the rest, or nothing.
    pub fn retry(
        self,
        change: impl Fn(RetryPolicyBuilder) -> RetryPolicyBuilder + Send + Sync + 'static,
    ) -> Self {
        self.with(|inner| inner.retry = Some(Arc::new(change)))
    }

    /// Makes slow calls a second time beside the first. The policy has the service's name, metrics and
    /// budget; the closure changes the rest, or nothing.
    pub fn hedge(
        self,
        change: impl Fn(HedgeBuilder) -> HedgeBuilder + Send + Sync + 'static,
    ) -> Self {
        self.with(|inner| inner.hedge = Some(Arc::new(change)))
    }

    /// How much retries and hedges may add to the calls of the service.
    pub fn budget(self, rule: Rule) -> Self {
        self.with(|inner| inner.budget = rule)
    }

    /// Sends its token with every call that has no `Authorization` of its own, instead of the client's:
    /// for a service that takes only tokens that were made for it.
    pub fn bearer(self, source: Arc<dyn BearerSource>) -> Self {
        self.with(|inner| inner.bearer = Some(source))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl fmt::Debug for ServiceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSettings")
            .field("timeout", &self.inner.timeout)
            .field("attempt_timeout", &self.inner.attempt_timeout)
            .field("attempts", &self.inner.attempts)
            .field("retries", &self.inner.retry.is_some())
            .field("hedges", &self.inner.hedge.is_some())
            .field("budget", &self.inner.budget)
            .finish_non_exhaustive()
    }
}
