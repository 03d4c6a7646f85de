//! What is kept from one configuration to the next.

use std::collections::HashMap;

use msf_auth::{InternalTokens, Verifier};
use msf_core::metrics::Metrics;
use msf_resilience::rate_limit::{InvalidRateLimiter, Quota, RateLimiter};

use crate::{
    config::{AuthConfig, InternalIdentityConfig, RateLimitConfig, RouteConfig},
    headers::forwarded::Forwarding,
    limit::RateKey,
};

/// Which route a limiter is of: one of an id, or all that a route without one matches, since paths alone are not one's
/// own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::config) enum LimiterKey {
    Id(String),
    Match(String),
}

impl LimiterKey {
    pub(super) fn of(route: &RouteConfig) -> Self {
        match &route.id {
            Some(id) => Self::Id(id.clone()),
            None => Self::Match(format!("{:?}", route.r#match)),
        }
    }
}

/// The parts of a gateway that have a memory: who was counted, whose keys were fetched.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Kept {
    pub(super) limiters: HashMap<LimiterKey, (RateLimitConfig, RateLimiter<RateKey>)>,
    /// Of the listeners that run: whose word they believe, and the ports of their redirects.
    pub(super) rules: Vec<(Forwarding, Option<u16>)>,
    pub(super) verifier: Option<(AuthConfig, Verifier)>,
    pub(super) tokens: Option<(InternalIdentityConfig, InternalTokens)>,
    /// With their connections, and what they count while Redis is away.
    #[cfg(feature = "redis")]
    pub(super) stores: super::shared_limit::Stores,
}

/// The parts of the next gateway; what did not change is that of the one before.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) metrics: Option<&'a Metrics>,
    pub(super) before: &'a Kept,
    pub(super) next: Kept,
}

impl<'a> Parts<'a> {
    pub(super) fn new(metrics: Option<&'a Metrics>, before: &'a Kept) -> Self {
        Self {
            metrics,
            before,
            next: Kept::default(),
        }
    }

    /// The limiter of a route: the same for as long as its limit is, so that a reload forgives nobody.
    pub(super) fn limiter(
        &mut self,
        key: LimiterKey,
        label: &str,
        config: &RateLimitConfig,
        quota: Quota,
    ) -> Result<RateLimiter<RateKey>, InvalidRateLimiter> {
        let limiter = match self.before.limiters.get(&key) {
            Some((before, limiter)) if before == config => limiter.clone(),
            _ => {
                let mut builder = RateLimiter::builder(quota).name(limiter_name(label));
                if let Some(keys) = config.max_keys {
                    builder = builder.max_keys(keys);
                }
                if let Some(metrics) = self.metrics {
                    builder = builder.metrics(metrics);
                }
                builder.build()?
            }
        };
        let kept = (config.clone(), limiter.clone());
        self.next.limiters.insert(key, kept);
        Ok(limiter)
    }
}

/// A route that has no id is called by its path, and limiters are called by words.
fn limiter_name(route: &str) -> String {
    let mut name: String = route
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => c,
            _ => '_',
        })
        .take(NAME_LEN_MAX)
        .collect();
    if name.is_empty() {
        name.push('_');
    }
    name
}

const NAME_LEN_MAX: usize = 64;
