//! The knobs of the store and their checks.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use ::redis::Client;
use msf_core::metrics::Metrics;

use super::{
    deny::DenyCache,
    error::InvalidRedisStore,
    fallback::Fallback,
    link::Link,
    metrics::StoreMetrics,
    script::{Clock, Script},
    store::{RedisStore, Shared},
};
use crate::circuit_breaker::{CircuitBreaker, Ramp, Trip};

/// Sets up a [`RedisStore`]; the defaults and their reasons are in the [module documentation](super).
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::rate_limit::redis::{Fallback, RedisStore};
///
/// // Nothing connects before the first decision.
/// let store = RedisStore::builder("redis://127.0.0.1:6379/0")
///     .name("shared")
///     .fallback(Fallback::share_of(4))
///     .timeout(Duration::from_millis(10))
///     .build()?;
/// assert_eq!(store.name(), "shared");
/// # Ok::<(), msf_resilience::rate_limit::redis::InvalidRedisStore>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct RedisStoreBuilder {
    url: Cow<'static, str>,
    name: Cow<'static, str>,
    prefix: Cow<'static, str>,
    fallback: Fallback,
    timeout: Duration,
    connect_timeout: Duration,
    deny_for: Duration,
    deny_places: usize,
    breaker: Option<CircuitBreaker>,
    metrics: Option<Metrics>,
    clock: Clock,
}

impl RedisStoreBuilder {
    pub(super) fn new(url: Cow<'static, str>) -> Self {
        Self {
            url,
            name: Cow::Borrowed("redis"),
            prefix: Cow::Borrowed("msf:limit"),
            fallback: Fallback::share_of(1),
            timeout: Duration::from_millis(20),
            connect_timeout: Duration::from_secs(1),
            deny_for: Duration::from_secs(1),
            deny_places: 4096,
            breaker: None,
            metrics: None,
            clock: Clock::default(),
        }
    }

    /// The name in logs and metrics: 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`. Default `redis`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// What the name of every key in Redis begins with: 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `-`, `_`, `.` and
    /// `:`. Default `msf:limit`.
    pub fn prefix(mut self, prefix: impl Into<Cow<'static, str>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// What counts while Redis does not. Default: the whole quota in memory, as if this were the only instance.
    pub const fn fallback(mut self, choice: Fallback) -> Self {
        self.fallback = choice;
        self
    }

    /// How long a decision may take, 1 ms to 10 s. Default 20 ms.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long an attempt to connect may take, 1 ms to 60 s; decisions wait for it no longer than their own timeout.
    /// Default 1 s.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// For how long at most a refusal is repeated without asking Redis, up to 60 s; zero asks every time. Default 1 s.
    pub const fn deny_for(mut self, at_most: Duration) -> Self {
        self.deny_for = at_most;
        self
    }

    /// How many refusals are remembered, at most 1 048 576, each in some 80 bytes. Default 4096.
    pub const fn deny_places(mut self, places: usize) -> Self {
        self.deny_places = places;
        self
    }

    /// The breaker before Redis. Default: one by the store's name with the settings in the
    /// [module documentation](super).
    pub fn breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Exports the metrics of the store and of its own breaker. Without it nothing is counted.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    #[cfg(test)]
    pub(super) fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Checks everything and makes the store. It connects when it is first asked.
    ///
    /// # Errors
    ///
    /// [`InvalidRedisStore`] names the first knob that is out of its range.
    pub fn build(self) -> Result<RedisStore, InvalidRedisStore> {
        let is_word = |text: &str, others: &[u8]| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
            (1..=NAME_LEN_MAX).contains(&text.len()) && text.bytes().all(is_allowed)
        };
        if !is_word(&self.name, b"-_.") {
            return Err(InvalidRedisStore::Name);
        }
        if !is_word(&self.prefix, b"-_.:") {
            return Err(InvalidRedisStore::Prefix);
        }
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&self.timeout) {
            return Err(InvalidRedisStore::Timeout(self.timeout));
        }
        if !(TIMEOUT_MIN..=CONNECT_TIMEOUT_MAX).contains(&self.connect_timeout) {
            return Err(InvalidRedisStore::ConnectTimeout(self.connect_timeout));
        }
        if self.deny_for > DENY_FOR_MAX {
            return Err(InvalidRedisStore::DenyFor(self.deny_for));
        }
        if self.deny_places > DENY_PLACES_MAX {
            return Err(InvalidRedisStore::DenyPlaces(self.deny_places));
        }
        let client = Client::open(&*self.url)
            .map_err(|error| InvalidRedisStore::Url(error.category().into()))?;
        let metrics = self.metrics.as_ref();
        let breaker = match self.breaker {
            Some(breaker) => breaker,
            None => default_breaker(&self.name, metrics)?,
        };
        let handles = metrics
            .map(|metrics| StoreMetrics::register(metrics, &self.name))
            .transpose()?;
        Ok(RedisStore::new(Shared {
            name: self.name.into(),
            prefix: self.prefix.into(),
            fallback: self.fallback,
            timeout: self.timeout,
            link: Arc::new(Link::new(client, self.connect_timeout)),
            script: Script::new(self.clock),
            denied: DenyCache::new(self.deny_places, self.deny_for),
            breaker,
            metrics: handles,
            local: self.fallback.local_store(),
        }))
    }
}

/// Trips at once when Redis hangs, and asks again soon: what it costs to be wrong is one timeout. No ramp: for Redis a
/// decision is little work, and half of them counted there and half here would be another limit.
fn default_breaker(
    name: &str,
    metrics: Option<&Metrics>,
) -> Result<CircuitBreaker, InvalidRedisStore> {
    let mut builder = CircuitBreaker::builder(format!("redis:{name}"))
        .trip(Trip::rate(0.5).or(Trip::consecutive(5)))
        .window(Duration::from_secs(1))
        .min_calls(10)
        .open_for(Duration::from_millis(500))
        .open_max(Duration::from_secs(5))
        .half_open_permits(3)
        .ramp(Ramp::none());
    if let Some(metrics) = metrics {
        builder = builder.metrics(metrics);
    }
    Ok(builder.build()?)
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URL, which may have a password.
        f.debug_struct("RedisStoreBuilder")
            .field("name", &self.name)
            .field("prefix", &self.prefix)
            .field("fallback", &self.fallback)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

const NAME_LEN_MAX: usize = 64;
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(60);
const DENY_FOR_MAX: Duration = Duration::from_secs(60);
const DENY_PLACES_MAX: usize = 1 << 20;
