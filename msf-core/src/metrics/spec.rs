//! A metric written down as data, so that registration and documentation cannot differ.

use std::{fmt, marker::PhantomData, sync::Arc};

use super::{
    catalogue::{MetricInfo, MetricKind},
    error::MetricsError,
    family::{CounterFamily, GaugeFamily, HistogramFamily},
    handle::{Counter, Gauge, Histogram, SecondsCounter},
    registry::{DURATION_BUCKETS_SECONDS, Metrics},
    series::SeriesSet,
};

/// Name, help and labels of a family of `M` ([`Counter`], [`Gauge`] or [`Histogram`]).
///
/// A crate keeps its specs in statics, registers from them and lists them in a table of
/// [`MetricInfo`].
///
/// ```
/// use msf_core::metrics::{Counter, MetricInfo, Metrics, Spec};
///
/// static CALLS: Spec<Counter, 1> = Spec::counter("calls_total", "Calls made.", ["outcome"]);
/// static CATALOGUE: [MetricInfo; 1] = [CALLS.info()];
///
/// let metrics = Metrics::new();
/// CALLS.register(&metrics)?.with(["success"]).inc();
/// assert_eq!(CATALOGUE[0].labels, ["outcome"]);
/// # Ok::<(), msf_core::metrics::MetricsError>(())
/// ```
pub struct Spec<M, const N: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    kind: MetricKind,
    handle: PhantomData<fn() -> M>,
}

impl<M, const N: usize> Spec<M, N> {
    /// The metric's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The row of a catalogue.
    #[must_use]
    pub const fn info(&'static self) -> MetricInfo {
        MetricInfo {
            name: self.name,
            kind: self.kind,
            labels: &self.labels,
            help: self.help,
        }
    }

    const fn new(
        kind: MetricKind,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Self {
        Self {
            name,
            help,
            labels,
            kind,
            handle: PhantomData,
        }
    }
}

impl<const N: usize> Spec<Counter, N> {
    /// A counter.
    #[must_use]
    pub const fn counter(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Self {
        Self::new(MetricKind::Counter, name, help, labels)
    }

    /// The family in `metrics`, registered on first use.
    ///
    /// # Errors
    ///
    /// As [`Metrics::counter_family`].
    pub fn register(&self, metrics: &Metrics) -> Result<CounterFamily<N>, MetricsError> {
        metrics.counter_family(self.name, self.help, self.labels)
    }
}

impl<const N: usize> Spec<Gauge, N> {
    /// A gauge.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self::new(MetricKind::Gauge, name, help, labels)
    }

    /// The family in `metrics`, registered on first use.
    ///
    /// # Errors
    ///
    /// As [`Metrics::gauge_family`].
    pub fn register(&self, metrics: &Metrics) -> Result<GaugeFamily<N>, MetricsError> {
        metrics.gauge_family(self.name, self.help, self.labels)
    }
}

impl<const N: usize> Spec<Histogram, N> {
    /// A histogram of durations; [`register_with`](Self::register_with) takes other buckets.
    #[must_use]
    pub const fn histogram(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Self {
        Self::new(MetricKind::Histogram, name, help, labels)
    }

    /// The family in `metrics` over [`DURATION_BUCKETS_SECONDS`], registered on first use.
    ///
    /// # Errors
    ///
    /// As [`Metrics::histogram_family`].
    pub fn register(&self, metrics: &Metrics) -> Result<HistogramFamily<N>, MetricsError> {
        self.register_with(metrics, &DURATION_BUCKETS_SECONDS)
    }

    /// The family in `metrics` over `buckets`, registered on first use.
    ///
    /// # Errors
    ///
    /// As [`Metrics::histogram_family_with`].
    pub fn register_with(
        &self,
        metrics: &Metrics,
        buckets: &[f64],
    ) -> Result<HistogramFamily<N>, MetricsError> {
        metrics.histogram_family_with(self.name, self.help, self.labels, buckets)
    }
}

impl<const N: usize> Spec<SecondsCounter, N> {
    pub(super) const fn seconds(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Self {
        Self::new(MetricKind::Counter, name, help, labels)
    }

    pub(super) fn register(
        &self,
        metrics: &Metrics,
    ) -> Result<Arc<SeriesSet<SecondsCounter>>, MetricsError> {
        metrics.family(self.name, self.help, &self.labels, &[])
    }
}

impl<M, const N: usize> fmt::Debug for Spec<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}
