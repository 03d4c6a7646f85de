//! The three ways to bound additional calls, and their checks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::InvalidBudget;

/// How a [`Budget`](super::Budget) decides; the [module documentation](super) compares the three.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::budget::Rule;
///
/// let rule: Rule = serde_json::from_str(r#"{"kind": "deposits", "ratio": 0.1, "ttl": "10s"}"#)?;
/// assert_eq!(rule, Rule::deposits(0.1, 10, Duration::from_secs(10)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Rule {
    /// See [`Rule::deposits`].
    #[non_exhaustive]
    Deposits {
        /// Additional calls per call of the last `ttl`, 0 to 10.
        #[serde(default = "default_ratio")]
        ratio: f64,
        /// Additional calls per second that are always allowed, on average over `ttl` and rounded down to whole calls.
        #[serde(default = "default_min_per_second")]
        min_per_second: u32,
        /// How long a call, and an additional call, counts: 100 ms to 10 min.
        #[serde(default = "default_ttl", with = "msf_core::config::duration")]
        ttl: Duration,
    },
    /// See [`Rule::concurrency`].
    #[non_exhaustive]
    Concurrency {
        /// Additional calls in flight per call in flight, 0 to 10.
        #[serde(default = "default_ratio")]
        ratio: f64,
        /// Additional calls in flight that are always allowed.
        #[serde(default = "default_min")]
        min: u32,
    },
    /// See [`Rule::quota`].
    #[non_exhaustive]
    Quota {
        /// Tokens at the beginning, and the most there ever are.
        #[serde(default = "default_capacity")]
        capacity: u32,
        /// What an additional call after a transient failure takes.
        #[serde(default = "default_transient_cost")]
        transient_cost: u32,
        /// What an additional call after a throttled one takes.
        #[serde(default = "default_throttled_cost")]
        throttled_cost: u32,
    },
}

impl Rule {
    /// In every window of `ttl`, at most `ratio` additional calls per call, and `min_per_second` beside them
    /// (Finagle's retry budget). Defaults 0.2, 10 and 10 s.
    #[must_use]
    pub const fn deposits(ratio: f64, min_per_second: u32, ttl: Duration) -> Self {
        Self::Deposits {
            ratio,
            min_per_second,
            ttl,
        }
    }

    /// At any time, at most `ratio` additional calls in flight per call in flight, or `min` if that is more
    /// (Envoy's retry budget). Defaults 0.2 and 3.
    #[must_use]
    pub const fn concurrency(ratio: f64, min: u32) -> Self {
        Self::Concurrency { ratio, min }
    }

    /// Additional calls take tokens by the class of failure; a successful one gives its tokens back, and a
    /// successful first call gives one (the retry quota of the AWS SDKs). Defaults 500, 14 and 5.
    #[must_use]
    pub const fn quota(capacity: u32, transient_cost: u32, throttled_cost: u32) -> Self {
        Self::Quota {
            capacity,
            transient_cost,
            throttled_cost,
        }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidBudget> {
        match *self {
            Self::Deposits {
                ratio,
                min_per_second,
                ttl,
            } => {
                check_ratio(ratio)?;
                if min_per_second > MIN_MAX {
                    return Err(InvalidBudget::Min(min_per_second));
                }
                if !(TTL_MIN..=TTL_MAX).contains(&ttl) {
                    return Err(InvalidBudget::Ttl(ttl));
                }
                check_something(ratio, reserve(min_per_second, ttl))?;
            }
            Self::Concurrency { ratio, min } => {
                check_ratio(ratio)?;
                if min > MIN_MAX {
                    return Err(InvalidBudget::Min(min));
                }
                check_something(ratio, min.into())?;
            }
            Self::Quota {
                capacity,
                transient_cost,
                throttled_cost,
            } => {
                if !(1..=CAPACITY_MAX).contains(&capacity) {
                    return Err(InvalidBudget::Capacity(capacity));
                }
                for cost in [transient_cost, throttled_cost] {
                    if !(1..=capacity).contains(&cost) {
                        return Err(InvalidBudget::Cost { cost, capacity });
                    }
                }
            }
        }
        Ok(())
    }
}

impl Default for Rule {
    /// [`Rule::deposits`] with its defaults.
    fn default() -> Self {
        Self::deposits(default_ratio(), default_min_per_second(), default_ttl())
    }
}

/// A share in ten-thousandths, in which comparisons are exact: 0.6 is 0.6.
pub(super) fn parts(ratio: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "the ratio was checked to be from 0 to 10"
    )]
    let parts = (ratio * PARTS as f64).round() as u64;
    parts
}

/// The whole additional calls that a rate allows in a time.
pub(super) fn reserve(per_second: u32, ttl: Duration) -> u64 {
    let thousandths = ttl.as_millis() * u128::from(per_second);
    u64::try_from(thousandths / 1000).unwrap_or(u64::MAX)
}

fn check_ratio(ratio: f64) -> Result<(), InvalidBudget> {
    if !(0.0..=RATIO_MAX).contains(&ratio) {
        return Err(InvalidBudget::Ratio(ratio));
    }
    Ok(())
}

fn check_something(ratio: f64, always: u64) -> Result<(), InvalidBudget> {
    if parts(ratio) == 0 && always == 0 {
        return Err(InvalidBudget::Nothing);
    }
    Ok(())
}

const fn default_ratio() -> f64 {
    0.2
}

const fn default_min_per_second() -> u32 {
    10
}

const fn default_ttl() -> Duration {
    Duration::from_secs(10)
}

const fn default_min() -> u32 {
    3
}

const fn default_capacity() -> u32 {
    500
}

const fn default_transient_cost() -> u32 {
    14
}

const fn default_throttled_cost() -> u32 {
    5
}

/// The parts that a ratio is counted in.
pub(super) const PARTS: u64 = 10_000;

const RATIO_MAX: f64 = 10.0;
const MIN_MAX: u32 = 1_000_000;
const TTL_MIN: Duration = Duration::from_millis(100);
const TTL_MAX: Duration = Duration::from_secs(600);
const CAPACITY_MAX: u32 = 1_000_000_000;
