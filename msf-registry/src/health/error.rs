//! Settings that cannot work.

use std::time::Duration;

use msf_core::metrics::MetricsError;

use super::probe::ProbeFailed;
use crate::model::InvalidHealthCheck;

/// Settings that cannot work.
///
/// ```
/// use std::time::Duration;
/// use msf_registry::{backend::memory::MemoryRegistry, health::HealthChecker};
///
/// let error = HealthChecker::new()
///     .interval(Duration::ZERO)
///     .start(&MemoryRegistry::new())
///     .unwrap_err();
/// assert_eq!(error.to_string(), "interval: 0ns is not within 10ms and 86400s");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHealthChecker {
    /// A time that is too short or too long.
    #[error("{field}: {value:?} is not within {min:?} and {max:?}")]
    Duration {
        /// Which setting.
        field: &'static str,
        /// What was set.
        value: Duration,
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// A number that is too small or too large.
    #[error("{field}: {value} is not within 1 and {max}")]
    Count {
        /// Which setting.
        field: &'static str,
        /// What was set.
        value: usize,
        /// The largest.
        max: usize,
    },
    /// A share that would make waits negative.
    #[error("jitter: {0} is not within 0 and 0.5")]
    Jitter(f64),
    /// A check that nobody could make.
    #[error("check: {0}")]
    Check(InvalidHealthCheck),
    /// The HTTP client could not be made.
    #[error("the probe could not be made")]
    Probe(#[from] ProbeFailed),
    /// The registry's instances are checked already: two checkers would overrule each other.
    #[error("the instances of this registry are checked already")]
    AlreadyChecked,
    /// A metric of the same name and another shape exists.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] MetricsError),
}
