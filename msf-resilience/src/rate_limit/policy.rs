//! A quota with its name, and what is the same in every answer.

use std::{io::Write, time::Duration};

use http::{HeaderMap, HeaderValue};

use super::{
    decision::{RATE_LIMIT, RATE_LIMIT_POLICY},
    error::InvalidRateLimiter,
    quota::{Gcra, Quota},
};

#[derive(Debug)]
pub(super) struct Policy {
    name: Box<str>,
    quota: Quota,
    gcra: Gcra,
    header: HeaderValue,
}

impl Policy {
    pub(super) fn new(name: &str, quota: Quota) -> Result<Self, InvalidRateLimiter> {
        quota.check()?;
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if !(1..=NAME_LEN_MAX).contains(&name.len()) || !name.bytes().all(is_allowed) {
            return Err(InvalidRateLimiter::Name);
        }
        let (q, w) = advertised(&quota);
        Ok(Self {
            name: name.into(),
            quota,
            gcra: Gcra::new(&quota),
            header: HeaderValue::try_from(format!("\"{name}\";q={q};w={w}"))
                .map_err(|_| InvalidRateLimiter::Name)?,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn quota(&self) -> &Quota {
        &self.quota
    }

    pub(super) const fn gcra(&self) -> &Gcra {
        &self.gcra
    }

    pub(super) fn write_to(&self, headers: &mut HeaderMap, remaining: u32, reset: Duration) {
        // On the stack, since the value copies it anyway: name 64, numbers 10 and 20, text 9.
        let mut text = [0; NAME_LEN_MAX + 48];
        let mut rest = text.as_mut_slice();
        let (name, reset) = (&self.name, whole_seconds(reset));
        let written = write!(rest, "\"{name}\";r={remaining};t={reset}");
        let left = rest.len();
        let length = text.len() - left;
        if let (Ok(()), Ok(value)) = (written, HeaderValue::from_bytes(&text[..length])) {
            headers.append(RATE_LIMIT, value);
            headers.append(RATE_LIMIT_POLICY, self.header.clone());
        }
    }
}

/// Rounded up: a client that comes back early is refused.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
}

/// Quota and window as a client can read them: the rate in whole seconds, with room for the burst.
fn advertised(quota: &Quota) -> (u32, u64) {
    let q = quota.requests().max(quota.burst_size());
    let window_ns = quota.period().as_nanos() * u128::from(q);
    let window_ns = window_ns.div_ceil(u128::from(quota.requests()));
    let seconds = window_ns.div_ceil(NANOS_PER_SECOND).max(1);
    (q, u64::try_from(seconds).unwrap_or(u64::MAX))
}

const NAME_LEN_MAX: usize = 64;
const NANOS_PER_SECOND: u128 = 1_000_000_000;
