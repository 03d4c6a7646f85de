//! Why a family could not be registered.

use thiserror::Error;

/// A family was refused at registration; every variant names the metric.
///
/// These are mistakes of a program, found when it starts. Nothing here can happen on a request.
///
/// ```
/// use msf_core::metrics::{Metrics, MetricsError};
///
/// let metrics = Metrics::new();
/// metrics.counter("jobs_total", "Jobs taken from the queue.")?;
///
/// let error = metrics.gauge("jobs_total", "Jobs in the queue.").unwrap_err();
/// assert!(matches!(error, MetricsError::Mismatch { .. }));
/// assert!(error.to_string().contains("`jobs_total`"));
/// # Ok::<(), MetricsError>(())
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricsError {
    /// The name is not `[a-zA-Z_][a-zA-Z0-9_]*`.
    #[error("metric name `{metric}` is not of the form [a-zA-Z_][a-zA-Z0-9_]*")]
    InvalidName {
        /// The name as it was given.
        metric: String,
    },
    /// A label name has the wrong form, is reserved (`le`, `__*`) or appears twice.
    #[error("label `{label}` of metric `{metric}` is malformed, reserved or repeated")]
    InvalidLabel {
        /// The metric that has the label.
        metric: String,
        /// The label as it was given.
        label: String,
    },
    /// The help text is empty.
    #[error("metric `{metric}` has no help text")]
    EmptyHelp {
        /// The metric without help.
        metric: String,
    },
    /// The buckets are empty, not finite or not strictly increasing.
    #[error("buckets of histogram `{metric}` are empty, not finite or not strictly increasing")]
    InvalidBuckets {
        /// The histogram.
        metric: String,
    },
    /// The name belongs to a family of another kind, with other labels or other buckets.
    #[error("metric `{metric}` is registered as {registered}, not as {wanted}")]
    Mismatch {
        /// The name both families want.
        metric: String,
        /// The shape it has.
        registered: String,
        /// The shape that was asked for.
        wanted: String,
    },
    /// The name is produced by another collector: a process metric, or `_bucket`, `_sum` or
    /// `_count` of a histogram.
    #[error("metric name `{metric}` is taken by `{owner}`")]
    Taken {
        /// The name that was asked for.
        metric: String,
        /// What produces it.
        owner: String,
    },
}
