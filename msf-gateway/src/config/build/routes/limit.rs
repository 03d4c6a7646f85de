//! How many requests a route takes.

use std::time::Duration;

use msf_resilience::rate_limit::{Quota, RateLimiter};

use super::super::{
    parts::{LimiterKey, Parts},
    report::Report,
};
use crate::{
    config::{RateLimitConfig, RateLimitKey, Time},
    limit::{Key, RateKey},
};

pub(super) fn rate_limit(
    config: &RateLimitConfig,
    route: LimiterKey,
    label: &str,
    at: &str,
    parts: &mut Parts<'_>,
    report: &mut Report,
) -> Option<(RateLimiter<RateKey>, Key)> {
    let quota = quota(config.requests, config.per, config.burst, at, report)?;
    let key = match config.by {
        RateLimitKey::Client => Key::Client,
        RateLimitKey::Subject => Key::Subject,
    };
    let limiter = report.check(at, parts.limiter(route, label, config, quota))?;
    Some((limiter, key))
}

/// What limits of one gateway and of several have in common.
pub(in crate::config::build) fn quota(
    requests: Option<u32>,
    per: Option<Time>,
    burst: Option<u32>,
    at: &str,
    report: &mut Report,
) -> Option<Quota> {
    let Some(requests) = requests else {
        report.hint(format!("{at}.requests"), "must be set", "as 50");
        return None;
    };
    let quota = Quota::per(requests, per.map_or(SECOND, |per| per.get()));
    Some(match burst {
        Some(burst) => quota.burst(burst),
        None => quota,
    })
}

const SECOND: Duration = Duration::from_secs(1);
