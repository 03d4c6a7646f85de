//! What could not be set up.

use std::time::Duration;

use msf_core::metrics::MetricsError;

use crate::budget::InvalidBudget;

/// A hedging that could not work as it was asked to.
///
/// ```
/// use msf_resilience::hedge::{HedgePolicy, InvalidHedge};
///
/// let error = HedgePolicy::builder("search").after_quantile(95.0).build().unwrap_err();
/// assert_eq!(error, InvalidHedge::Quantile(95.0));
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHedge {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of a hedge must be 1 to 128 bytes without control characters")]
    Name,
    /// A hedge at once doubles the load; one after minutes helps nobody.
    #[error("the delay of a hedge must be from 1 ms to 5 min, not {0:?}")]
    Delay(Duration),
    /// Below the median most calls would be hedged.
    #[error("the quantile of a hedge must be from 0.5 to 0.9999, not {0}")]
    Quantile(f64),
    /// A quantile of a handful says nothing.
    #[error("the least number of samples must be from 10 to 1000000, not {0}")]
    MinSamples(u32),
    /// The least delay is longer than any delay may be.
    #[error("the least delay of a hedge must be at most 5 min, not {0:?}")]
    MinDelay(Duration),
    /// The window is too short to fill, or longer than what it shows is true.
    #[error("the window of latencies must be from 1 s to 1 h, not {0:?}")]
    Window(Duration),
    /// No hedge at all, or a herd.
    #[error("the hedges of one call must be 1 to 3, not {0}")]
    MaxHedges(u32),
    /// The budget that belongs to the hedge could not be made.
    #[error("the budget of the hedge is not valid")]
    Budget(#[from] InvalidBudget),
    /// The metrics could not be registered.
    #[error("the metrics of the hedge could not be registered")]
    Metrics(#[from] MetricsError),
}
