//! Families: a name and its label names, from which handles are resolved.

use std::sync::Arc;

use super::{
    handle::{Counter, Gauge, Histogram},
    series::SeriesSet,
};

/// A counter with `N` labels.
///
/// A wrong number of label values does not compile:
///
/// ```compile_fail
/// # let metrics = msf_core::metrics::Metrics::new();
/// let calls = metrics.counter_family("calls_total", "Calls.", ["breaker", "outcome"]).unwrap();
/// calls.with(["payments"]).inc();
/// ```
///
/// ```
/// use msf_core::metrics::Metrics;
///
/// let metrics = Metrics::new();
/// let calls = metrics.counter_family("calls_total", "Calls.", ["breaker", "outcome"])?;
/// let success = calls.with(["payments", "success"]);
/// success.inc();
/// assert!(
///     metrics
///         .render()
///         .contains(r#"calls_total{breaker="payments",outcome="success"} 1"#)
/// );
/// # Ok::<(), msf_core::metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CounterFamily<const N: usize>(pub(super) Arc<SeriesSet<Counter>>);

impl<const N: usize> CounterFamily<N> {
    /// The series with these label values, made on first use.
    ///
    /// It takes a lock and an allocation: call it when a layer is built, keep the handle. Once the
    /// family is full (see [`Metrics::with_series_limit`](super::Metrics::with_series_limit)),
    /// unknown values give the series whose labels all are `other`.
    #[must_use]
    pub fn with(&self, values: [&str; N]) -> Counter {
        self.0.with(&values)
    }
}

/// A gauge with `N` labels.
///
/// ```
/// use msf_core::metrics::Metrics;
///
/// let metrics = Metrics::new();
/// let state = metrics.gauge_family("breaker_state", "1 for the state it is in.", ["state"])?;
/// state.with(["open"]).set(1.0);
/// assert!(metrics.render().contains(r#"breaker_state{state="open"} 1"#));
/// # Ok::<(), msf_core::metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaugeFamily<const N: usize>(pub(super) Arc<SeriesSet<Gauge>>);

impl<const N: usize> GaugeFamily<N> {
    /// The series with these label values; see [`CounterFamily::with`].
    #[must_use]
    pub fn with(&self, values: [&str; N]) -> Gauge {
        self.0.with(&values)
    }
}

/// A histogram with `N` labels.
///
/// ```
/// use std::time::Duration;
///
/// use msf_core::metrics::Metrics;
///
/// let metrics = Metrics::new();
/// let buckets = [0.01, 0.1, 1.0];
/// let waits = metrics.histogram_family_with("wait_seconds", "Waiting.", ["pool"], &buckets)?;
/// waits.with(["db"]).observe(Duration::from_millis(20));
/// assert!(metrics.render().contains(r#"wait_seconds_bucket{pool="db",le="0.1"} 1"#));
/// # Ok::<(), msf_core::metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HistogramFamily<const N: usize>(pub(super) Arc<SeriesSet<Histogram>>);

impl<const N: usize> HistogramFamily<N> {
    /// The series with these label values; see [`CounterFamily::with`].
    #[must_use]
    pub fn with(&self, values: [&str; N]) -> Histogram {
        self.0.with(&values)
    }

    /// For a caller that has a bound of its own and folds a label set into `other` itself.
    pub(super) fn count_overflow(&self) {
        self.0.count_overflow();
    }
}
