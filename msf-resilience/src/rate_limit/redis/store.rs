//! The handle.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use ::redis::{ErrorKind, RedisError, ServerErrorKind};
use async_trait::async_trait;
use msf_core::classify::Classification;

use super::{
    super::store::{Demand, LimitStore, StoreError, Verdict},
    builder::RedisStoreBuilder,
    deny::DenyCache,
    fallback::{Fallback, share},
    link::{Line, Link},
    metrics::StoreMetrics,
    script::{self, Action, Script},
};
use crate::circuit_breaker::CircuitBreaker;

/// Limits that are counted in Redis, for all instances together. Clones share connection, breaker and memory.
///
/// The [module documentation](super) has the rules. See [`RedisStoreBuilder`] for an example.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) name: Box<str>,
    pub(super) prefix: Box<str>,
    pub(super) fallback: Fallback,
    pub(super) timeout: Duration,
    pub(super) link: Arc<Link>,
    pub(super) script: Script,
    pub(super) denied: DenyCache,
    pub(super) breaker: CircuitBreaker,
    pub(super) metrics: Option<StoreMetrics>,
    /// Where [`Fallback::Share`] counts.
    pub(super) local: Option<Box<dyn LimitStore>>,
}

impl RedisStore {
    /// Begins a store at this URL: `redis://[user:password@]host:port/database`.
    pub fn builder(url: impl Into<Cow<'static, str>>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url.into())
    }

    pub(super) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The breaker before Redis: its state tells whether limits are shared now.
    #[must_use]
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.shared.breaker
    }
}

#[async_trait]
impl LimitStore for RedisStore {
    async fn decide(&self, demands: &[Demand<'_>]) -> Result<Verdict, StoreError> {
        let shared = &*self.shared;
        let asked_at = shared.link.now();
        if let Some(refusal) = shared.denied.refusal(demands, asked_at) {
            shared.count(|metrics| &metrics.remembered);
            return Ok(refusal);
        }
        match shared.ask(Action::Charge, demands).await {
            Ok(verdict) => {
                if !verdict.allowed {
                    shared.denied.refused(demands, &verdict, asked_at);
                }
                Ok(verdict)
            }
            Err(error) => shared.without_redis(error, demands).await,
        }
    }

    async fn refund(&self, demands: &[Demand<'_>]) -> Result<(), StoreError> {
        let shared = &*self.shared;
        let outcome = shared.ask(Action::Refund, demands).await.map(drop);
        // Only now: a refusal that came meanwhile may be from before.
        shared.denied.forget(demands);
        if let (Err(_), Some((local, demands))) = (&outcome, shared.local(demands)) {
            // What was charged while Redis was away was charged there. If Redis charged it, the share gets back what
            // it never lent, up to a whole burst.
            local.refund(&demands).await?;
        }
        outcome
    }
}

impl Shared {
    /// One round trip under breaker and timeout.
    async fn ask(&self, action: Action, demands: &[Demand<'_>]) -> Result<Verdict, StoreError> {
        if demands.is_empty() {
            return Ok(Verdict::new(true, Vec::new()));
        }
        // Dropped at an await, the permit counts as cancelled, which says nothing about Redis.
        let permit = self.breaker.try_acquire().map_err(|open| {
            self.count(|metrics| &metrics.suspended);
            StoreError::Suspended(open.retry_after())
        })?;
        let began = self.link.now();
        let mut used = None;
        let asking = self.round_trip(action, demands, &mut used);
        let outcome = tokio::time::timeout(self.timeout, asking).await;
        let (classification, outcome) = match outcome {
            Ok(Ok(reply)) => {
                let took = self.link.now().saturating_sub(began);
                self.count(|metrics| &metrics.answered);
                if let Some(metrics) = &self.metrics {
                    metrics.seconds.observe(Duration::from_nanos(took));
                }
                (Classification::SUCCESS, script::verdict(&reply, demands))
            }
            Ok(Err(error)) => {
                self.count(|metrics| &metrics.failed);
                if let Some(line) = used.filter(|_| is_fatal_to_connection(&error)) {
                    self.link.give_up(&line);
                }
                (blame(&error), Err(StoreError::Unavailable(error.into())))
            }
            Err(_) => {
                self.count(|metrics| &metrics.timeout);
                // Slow is no reason to connect again, silent is.
                if let Some(line) = used.filter(|_| self.link.is_silent_since(began)) {
                    self.link.give_up(&line);
                }
                (
                    Classification::FAILURE,
                    Err(StoreError::Timeout(self.timeout)),
                )
            }
        };
        permit.complete(&classification);
        outcome
    }

    async fn round_trip(
        &self,
        action: Action,
        demands: &[Demand<'_>],
        used: &mut Option<Line>,
    ) -> Result<Vec<i64>, RedisError> {
        let line = used.insert(self.link.line().await?);
        let by_hash = self.script.by_hash(&self.prefix, action, demands);
        let mut answer = by_hash.query_async(&mut line.connection).await;
        if let Err(error) = &answer
            && error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
        {
            // A new server, or somebody flushed its scripts. Nothing was charged.
            self.link.heard();
            let by_text = self.script.by_text(&self.prefix, action, demands);
            answer = by_text.query_async(&mut line.connection).await;
        }
        if !matches!(&answer, Err(error) if error.is_io_error()) {
            self.link.heard();
        }
        answer
    }

    /// What counts while Redis does not.
    async fn without_redis(
        &self,
        error: StoreError,
        demands: &[Demand<'_>],
    ) -> Result<Verdict, StoreError> {
        tracing::debug!(store = &*self.name, %error, "a limit is decided without redis");
        if let Some((local, demands)) = self.local(demands) {
            return local.decide(&demands).await;
        }
        Err(error)
    }

    /// The local store and this instance's share of what is demanded, if that is the choice.
    fn local<'a>(&self, demands: &[Demand<'a>]) -> Option<(&dyn LimitStore, Vec<Demand<'a>>)> {
        let Fallback::Share { instances } = self.fallback else {
            return None;
        };
        let shares = demands.iter().map(|demand| share(demand, instances));
        Some((&**self.local.as_ref()?, shares.collect()))
    }

    fn count(&self, of: impl FnOnce(&StoreMetrics) -> &msf_core::metrics::Counter) {
        if let Some(metrics) = &self.metrics {
            of(metrics).inc();
        }
    }
}

/// Whether an error speaks against Redis, or only against this call.
fn blame(error: &RedisError) -> Classification {
    // A key of somebody else's in the place of ours: one caller's trouble must not stop the limits of all.
    if matches!(error.code(), Some("WRONGTYPE" | "FOREIGN" | "CROSSSLOT")) {
        return Classification::IGNORE;
    }
    Classification::FAILURE
}

/// Whether another connection may do better: this one is broken, or leads to a server that is no primary any more.
fn is_fatal_to_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("name", &self.shared.name)
            .field("link", &self.shared.link)
            .field("fallback", &self.shared.fallback)
            .finish_non_exhaustive()
    }
}
