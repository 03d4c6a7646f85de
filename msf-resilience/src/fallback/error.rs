//! What could not be set up.

use msf_core::metrics::MetricsError;

/// A fallback that could not be set up.
///
/// ```
/// use msf_resilience::fallback::{Fallback, InvalidFallback};
///
/// assert!(matches!(Fallback::builder("").build(), Err(InvalidFallback::Name)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFallback {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of a fallback must be 1 to 128 bytes without control characters")]
    Name,
    /// The metrics could not be registered.
    #[error("the metrics of the fallback could not be registered")]
    Metrics(#[from] MetricsError),
}
