//! The knobs of a limiter and their checks.

use std::{borrow::Cow, fmt, sync::Arc};

use msf_core::metrics::Metrics;

use super::{
    core::Core,
    direct::DirectLimiter,
    error::InvalidRateLimiter,
    gcra::FINEST,
    label::Label,
    limiter::{Own, RateLimiter},
    limits::Limits,
    memory::Memory,
    quota::Quota,
    unit::QuotaUnit,
};

/// How many keys a limiter remembers unless told otherwise.
///
/// A key takes 32 to 64 bytes, so these are some 2 MiB: more callers than one instance serves at a time, little
/// enough that inventing keys does not exhaust its memory.
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
    name: Cow<'static, str>,
    quota: Quota,
    more: Vec<(Cow<'static, str>, Quota)>,
    unit: QuotaUnit,
    own: Option<Own<K>>,
    max_keys: usize,
    max_queue: u32,
    metrics: Option<Metrics>,
}

impl<K> RateLimiterBuilder<K> {
    pub(super) const fn new(quota: Quota) -> Self {
        Self {
            name: Cow::Borrowed("default"),
            quota,
            more: Vec::new(),
            unit: QuotaUnit::Requests,
            own: None,
            max_keys: DEFAULT_MAX_KEYS,
            max_queue: DEFAULT_MAX_QUEUE,
            metrics: None,
        }
    }

    /// The name of the limiter and of its first limit in headers, logs and metrics: 1 to 64 characters of `a-z`, `A-Z`,
    /// `0-9`, `-`, `_` and `.`. Default `default`.
    ///
    /// Each different name is kept for as long as the process runs: take it from the configuration, not from requests.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Another limit for the same keys, with a name of its own. A request passes all limits, or none of them counts it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use msf_resilience::rate_limit::{Quota, RateLimiter};
    ///
    /// let limiter = RateLimiter::builder(Quota::per_second(10)).name("second")
    ///     .limit("day", Quota::per(2, Duration::from_secs(86_400)))
    ///     .build()?;
    /// limiter.check(&"ada")?;
    /// limiter.check(&"ada")?;
    /// assert_eq!(limiter.check(&"ada").unwrap_err().name(), "day");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limit(mut self, name: impl Into<Cow<'static, str>>, quota: Quota) -> Self {
        self.more.push((name.into(), quota));
        self
    }

    /// What one unit of cost is. Default requests.
    pub const fn unit(mut self, unit: QuotaUnit) -> Self {
        self.unit = unit;
        self
    }

    /// Quotas of their own for some keys; `None` is the common ones.
    ///
    /// It is asked in every call, so a change counts at once: keep it to a look-up. A quota that cannot work, or
    /// another number of them than the limiter has, is replaced by the common ones and logged once.
    ///
    /// ```
    /// use msf_resilience::rate_limit::{Quota, RateLimiter};
    ///
    /// let limiter = RateLimiter::builder(Quota::per_hour(1))
    ///     .quota_for(|user: &&str| (*user == "ada").then_some(Quota::per_hour(100)))
    ///     .build()?;
    /// assert_eq!(limiter.check(&"ada")?.remaining(), 99);
    /// assert_eq!(limiter.check(&"grace")?.remaining(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn quota_for<Q: Into<Limits>>(
        mut self,
        own: impl Fn(&K) -> Option<Q> + Send + Sync + 'static,
    ) -> Self {
        self.own = Some(Arc::new(move |key| own(key).map(Into::into)));
        self
    }

    /// How many keys are remembered, 1 to 16 777 216. Default [`DEFAULT_MAX_KEYS`].
    pub const fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// How much of a key may wait at once, in units of cost, for those who [`reserve`](RateLimiter::reserve) or
    /// [`acquire`](RateLimiter::acquire). Default [`DEFAULT_MAX_QUEUE`]; 0 lets nobody wait.
    pub const fn max_queue(mut self, cost: u32) -> Self {
        self.max_queue = cost;
        self
    }

    /// Exports the limiter's metrics. Without it, what is allowed is not counted.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the limiter, which remembers nobody.
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimiter`] names the first knob that is out of its range, or the metrics that could not be
    /// registered.
    pub fn build(self) -> Result<RateLimiter<K>, InvalidRateLimiter> {
        if !(1..=MAX_KEYS_MAX).contains(&self.max_keys) {
            return Err(InvalidRateLimiter::MaxKeys(self.max_keys));
        }
        let max_keys = self.max_keys;
        let core = self.core(|limits| Memory::keyed(max_keys, limits))?;
        Ok(RateLimiter::new(core, self.own))
    }

    fn core(&self, memory: impl FnOnce(usize) -> Memory) -> Result<Arc<Core>, InvalidRateLimiter> {
        let quotas = self.more.iter().map(|&(_, quota)| quota);
        let limits = Limits::new(std::iter::once(self.quota).chain(quotas))?;
        let names = self.more.iter().map(|(name, _)| name);
        let label = Label::new(std::iter::once(&self.name).chain(names), self.unit, FINEST)?;
        let memory = memory(limits.quotas().len());
        Core::new(
            label,
            &limits,
            self.max_queue,
            memory,
            self.metrics.as_ref(),
        )
    }
}

impl RateLimiterBuilder<()> {
    /// Checks everything and makes a limiter for everyone together. What concerns keys is ignored.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_direct(self) -> Result<DirectLimiter, InvalidRateLimiter> {
        Ok(DirectLimiter::new(self.core(Memory::direct)?))
    }
}

impl<K> fmt::Debug for RateLimiterBuilder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiterBuilder")
            .field("name", &self.name)
            .field("quota", &self.quota)
            .field("more", &self.more)
            .field("max_keys", &self.max_keys)
            .field("max_queue", &self.max_queue)
            .finish_non_exhaustive()
    }
}

/// How much of one key may wait at once unless told otherwise.
///
/// More than a caller makes at a time that waits for the answers, and few enough that the last of them is not
/// forgotten by the time of its turn.
pub const DEFAULT_MAX_QUEUE: u32 = 1_000;

const MAX_KEYS_MAX: usize = 1 << 24;
