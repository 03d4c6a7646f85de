//! What a limiter is called, and its header fields.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue};

use super::{
    decision::{RATE_LIMIT, RATE_LIMIT_POLICY},
    error::InvalidRateLimiter,
    gcra::Ticks,
    quota::Quota,
    unit::QuotaUnit,
};

/// The names of a limiter's limits, what they count, and in which grain of time.
///
/// Kept for ever, and once for all limiters that say the same: so a decision can point to it without counting references.
/// There are as many as there are different names in the program's configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Label {
    names: Box<[Box<str>]>,
    unit: QuotaUnit,
    grain: Ticks,
}

static LABELS: Mutex<Vec<&'static Label>> = Mutex::new(Vec::new());

impl Label {
    pub(super) fn new(
        names: impl IntoIterator<Item = impl AsRef<str>>,
        unit: QuotaUnit,
        grain: Ticks,
    ) -> Result<&'static Self, InvalidRateLimiter> {
        let mut checked: Vec<Box<str>> = Vec::new();
        for name in names {
            let name = name.as_ref();
            if !is_name(name) {
                return Err(InvalidRateLimiter::Name);
            }
            if checked.iter().any(|other| **other == *name) {
                return Err(InvalidRateLimiter::SameName(name.into()));
            }
            checked.push(name.into());
        }
        let label = Self {
            names: checked.into(),
            unit,
            grain,
        };
        let mut labels = LABELS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = labels.iter().find(|known| ***known == label) {
            return Ok(*known);
        }
        let label: &'static Self = Box::leak(Box::new(label));
        labels.push(label);
        Ok(label)
    }

    pub(super) fn name(&self, limit: usize) -> &str {
        &self.names[limit]
    }

    /// The unit of time of who decides.
    pub(super) const fn grain(&self) -> Ticks {
        self.grain
    }

    /// Adds both fields for one limit.
    pub(super) fn write(
        &self,
        limit: usize,
        quota: &Quota,
        state: (u32, u64),
        partition: Option<&[u8]>,
        headers: &mut HeaderMap,
    ) {
        let name = self.name(limit);
        let (remaining, seconds) = state;
        let (q, w) = advertised(quota);
        let unit = self.unit.parameter();
        let policy = field(format_args!("\"{name}\";q={q};w={w}{unit}"), partition);
        let state = field(
            format_args!("\"{name}\";r={remaining};t={seconds}"),
            partition,
        );
        if let (Some(policy), Some(state)) = (policy, state) {
            headers.append(RATE_LIMIT, state);
            headers.append(RATE_LIMIT_POLICY, policy);
        }
    }
}

/// A value with the partition key, a byte sequence of RFC 9651, if there is one.
fn field(text: std::fmt::Arguments<'_>, partition: Option<&[u8]>) -> Option<HeaderValue> {
    // On the stack, since the value copies it anyway: name 64, numbers 10 and 20, text and unit 36.
    let mut space = [0; NAME_LEN_MAX + 80];
    let mut rest = space.as_mut_slice();
    rest.write_fmt(text).ok()?;
    let left = rest.len();
    let text = &space[..space.len() - left];
    match partition {
        None => HeaderValue::from_bytes(text).ok(),
        Some(partition) => {
            let mut value = text.to_vec();
            value.extend_from_slice(b";pk=:");
            value.extend_from_slice(STANDARD.encode(partition).as_bytes());
            value.push(b':');
            HeaderValue::from_bytes(&value).ok()
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// Quota and window as a client can read them: the rate in whole seconds, with room for the burst.
fn advertised(quota: &Quota) -> (u32, u64) {
    let q = quota.requests().max(quota.burst_size());
    let window_ns = u128::from(quota.period_ns()) * u128::from(q);
    let window_ns = window_ns.div_ceil(quota.requests().into());
    let seconds = window_ns.div_ceil(NANOS_PER_SECOND).max(1);
    (q, u64::try_from(seconds).unwrap_or(u64::MAX))
}

const NAME_LEN_MAX: usize = 64;
const NANOS_PER_SECOND: u128 = 1_000_000_000;
