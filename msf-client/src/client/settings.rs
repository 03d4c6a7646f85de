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
/// | `timeout`, `attempts`, `resolve_timeout`, `body_limit`, `bearer`, `retry` | the client's | |
/// | `breaker` | the client's | what is set here is set after it |
/// | `upstream` | what the [`Connections`](crate::transport::Connections) have | |
/// | `attempt_timeout` | none | an attempt may take what is left of the call |
/// | `hedge` | none | it pays where the slowest calls are slow by chance |
/// | `budget` | a fifth of the calls and 10 a second | what retries and hedges add together, see [`Rule`] |
/// | `resend_budget` | 1000 at once, then one per five answers | what goes to another instance unsent; free if that answers |
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

#[derive(Clone)]
pub(super) struct Inner {
    pub(super) timeout: Option<Duration>,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) attempts: Option<usize>,
    pub(super) resolve_timeout: Option<Duration>,
    pub(super) body_limit: Option<usize>,
    pub(super) upstream: Upstream,
    pub(super) budget: Rule,
    pub(super) resends: Rule,
    pub(super) breaker: Option<Change<CircuitBreakerBuilder>>,
    pub(super) retry: Own<RetryPolicyBuilder>,
    pub(super) hedge: Option<Change<HedgeBuilder>>,
    pub(super) bearer: Option<Arc<dyn BearerSource>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            timeout: None,
            attempt_timeout: None,
            attempts: None,
            resolve_timeout: None,
            body_limit: None,
            upstream: Upstream::default(),
            budget: Rule::default(),
            resends: RESENDS,
            breaker: None,
            retry: Own::default(),
            hedge: None,
            bearer: None,
        }
    }
}

/// What a service has of its own, or of the client's.
#[derive(Clone, Default)]
pub(super) enum Own<B> {
    #[default]
    Clients,
    Nothing,
    Changed(Change<B>),
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
        self.with(|inner| inner.retry = Own::Changed(Arc::new(change)))
    }

    /// Makes no failed call again, where the client does.
    pub fn without_retry(self) -> Self {
        self.with(|inner| inner.retry = Own::Nothing)
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

    /// How often a request of which certainly nothing was sent may go to another instance, for all calls of the service
    /// together; each call goes to [`attempts`](Self::attempts) instances at most.
    ///
    /// By default a [quota](Rule::quota) of 1000: an instance that answers gives back what going to it took, and every answer
    /// a fifth of one. So a dead instance among others costs no call, however many calls there are, and where most are dead
    /// callers do not make it three connections for each call.
    pub fn resend_budget(self, rule: Rule) -> Self {
        self.with(|inner| inner.resends = rule)
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
            .field("retries", &matches!(self.inner.retry, Own::Changed(_)))
            .field("hedges", &self.inner.hedge.is_some())
            .field("budget", &self.inner.budget)
            .finish_non_exhaustive()
    }
}

/// A quota and no share of the calls: it is counted only where something fails, and what succeeds is free.
const RESENDS: Rule = Rule::quota(5_000, 5, 5);
