//! The knobs of a limiter and their checks.

use std::{borrow::Cow, fmt, hash::Hash, marker::PhantomData};

use msf_core::metrics::Metrics;

use super::{error::InvalidRateLimiter, limiter::RateLimiter, policy::Policy, quota::Quota};

/// How many keys a limiter remembers unless told otherwise.
///
/// A key costs about 80 bytes and what it holds itself, so these are some 6 MiB: more callers than one instance
/// serves at a time, little enough that inventing keys does not exhaust its memory.
pub const DEFAULT_MAX_KEYS: usize = 65_536;

/// Sets up a [`RateLimiter`].
///
/// ```
/// use std::net::IpAddr;
/// use msf_resilience::rate_limit::{Quota, RateLimiter};
///
/// let limiter = RateLimiter::<IpAddr>::builder(Quota::per_second(50))
///     .name("per-client")
///     .max_keys(10_000)
///     .build()?;
/// assert_eq!(limiter.keys(), 0);
/// # Ok::<(), msf_resilience::rate_limit::InvalidRateLimiter>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct RateLimiterBuilder<K> {
    quota: Quota,
    name: Cow<'static, str>,
    max_keys: usize,
    metrics: Option<Metrics>,
    key: PhantomData<fn(K)>,
}

impl<K> RateLimiterBuilder<K> {
    pub(super) const fn new(quota: Quota) -> Self {
        Self {
            quota,
            name: Cow::Borrowed("default"),
            max_keys: DEFAULT_MAX_KEYS,
            metrics: None,
            key: PhantomData,
        }
    }

    /// The name in headers, logs and metrics: 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`.
    /// Default `default`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// How many keys are remembered, 1 to 16 777 216. Default [`DEFAULT_MAX_KEYS`].
    pub const fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// Exports the limiter's metrics. Without it nothing is counted.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> RateLimiterBuilder<K> {
    /// Checks everything and makes the limiter, which remembers nobody.
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimiter`] names the first knob that is out of its range, or the metrics that could not be
    /// registered.
    pub fn build(self) -> Result<RateLimiter<K>, InvalidRateLimiter> {
        let policy = Policy::new(&self.name, self.quota)?;
        if !(1..=MAX_KEYS_MAX).contains(&self.max_keys) {
            return Err(InvalidRateLimiter::MaxKeys(self.max_keys));
        }
        RateLimiter::new(policy, self.max_keys, self.metrics.as_ref())
    }
}

impl<K> fmt::Debug for RateLimiterBuilder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiterBuilder")
            .field("quota", &self.quota)
            .field("name", &self.name)
            .field("max_keys", &self.max_keys)
            .finish_non_exhaustive()
    }
}

const MAX_KEYS_MAX: usize = 1 << 24;
