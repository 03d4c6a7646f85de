//! A limit as it is written in a file.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    builder::{DEFAULT_MAX_KEYS, RateLimiterBuilder},
    error::InvalidRateLimiter,
    limits::Limits,
    quota::Quota,
};

/// The knobs of a [`RateLimiter`](super::RateLimiter) as serde reads them. There is no default limit.
///
/// ```
/// use msf_resilience::rate_limit::{Config, RateLimiter};
///
/// let config: Config = serde_json::from_str(
///     r#"{"limits": [{"requests": 10, "per": "1s", "burst": 20}, {"requests": 5000, "per": "1h"}]}"#,
/// )?;
/// let limiter = RateLimiter::<u64>::from_config("users", &config)?.build()?;
/// assert_eq!(limiter.limits().quotas().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The limits, all of which a request must pass: 1 to 4.
    pub limits: Vec<QuotaConfig>,
    /// How many keys are remembered. It is read when the limiter is built: a table that is in use keeps its bound.
    pub max_keys: usize,
}

/// One limit: so many requests per so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct QuotaConfig {
    /// How many requests.
    pub requests: u32,
    /// Per which time.
    #[serde(with = "msf_core::config::duration")]
    pub per: Duration,
    /// How many at once; as many as `requests` if it is left out.
    #[serde(default)]
    pub burst: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Vec::new(),
            max_keys: DEFAULT_MAX_KEYS,
        }
    }
}

impl Config {
    /// The quotas, checked.
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimiter`] when there is no limit, when there are too many, or for one that cannot work.
    pub fn quotas(&self) -> Result<Limits, InvalidRateLimiter> {
        Limits::new(self.limits.iter().map(QuotaConfig::quota))
    }
}

impl QuotaConfig {
    /// So many requests per so long.
    #[must_use]
    pub const fn new(requests: u32, per: Duration) -> Self {
        Self {
            requests,
            per,
            burst: None,
        }
    }

    fn quota(&self) -> Quota {
        let quota = Quota::per(self.requests, self.per);
        match self.burst {
            Some(requests) => quota.burst(requests),
            None => quota,
        }
    }
}

impl<K> super::limiter::RateLimiter<K> {
    /// Begins a limiter with the limits of a configuration; the second and later ones are named after their place, as
    /// `users-2`.
    ///
    /// # Errors
    ///
    /// As [`Config::quotas`].
    pub fn from_config(
        name: impl Into<Cow<'static, str>>,
        config: &Config,
    ) -> Result<RateLimiterBuilder<K>, InvalidRateLimiter> {
        let name = name.into();
        let limits = config.quotas()?;
        let mut quotas = limits.quotas().iter();
        let first = *quotas.next().ok_or(InvalidRateLimiter::Limits(0))?;
        let builder = Self::builder(first)
            .name(name.clone())
            .max_keys(config.max_keys);
        Ok((2..).zip(quotas).fold(builder, |builder, (place, quota)| {
            builder.limit(format!("{name}-{place}"), *quota)
        }))
    }
}
