//! One series each: what a hot path holds.

use std::{fmt, time::Duration};

use prometheus::{HistogramOpts, Opts};

/// A count that only goes up. Cloning shares the series; every method is one atomic operation.
///
/// ```
/// use msf_core::metrics::Metrics;
///
/// let metrics = Metrics::new();
/// let retries = metrics.counter("retries_total", "Attempts after the first.")?;
/// retries.inc();
/// retries.inc_by(2);
/// assert_eq!(retries.get(), 3);
/// # Ok::<(), msf_core::metrics::MetricsError>(())
/// ```
#[derive(Clone)]
pub struct Counter(pub(super) prometheus::IntCounter);

impl Counter {
    /// A counter that counts but is exported nowhere, for code that runs without metrics.
    #[must_use]
    pub fn noop() -> Self {
        Self(unregistered(prometheus::IntCounter::with_opts))
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.0.inc();
    }

    /// Adds `n`.
    #[inline]
    pub fn inc_by(&self, n: u64) {
        self.0.inc_by(n);
    }

    /// The count so far.
    #[must_use]
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.get()).finish()
    }
}

/// A value that goes up and down. Cloning shares the series; every method is lock-free.
///
/// ```
/// use msf_core::metrics::Metrics;
///
/// let metrics = Metrics::new();
/// let in_flight = metrics.gauge("jobs_in_flight", "Jobs being worked on.")?;
/// {
///     let _one_more = in_flight.track();
///     assert_eq!(in_flight.get(), 1.0);
/// }
/// assert_eq!(in_flight.get(), 0.0);
/// # Ok::<(), msf_core::metrics::MetricsError>(())
/// ```
#[derive(Clone)]
pub struct Gauge(pub(super) prometheus::Gauge);

impl Gauge {
    /// A gauge that is exported nowhere, for code that runs without metrics.
    #[must_use]
    pub fn noop() -> Self {
        Self(unregistered(prometheus::Gauge::with_opts))
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.0.inc();
    }

    /// Takes one away.
    #[inline]
    pub fn dec(&self) {
        self.0.dec();
    }

    /// Adds `delta`, which may be negative.
    #[inline]
    pub fn add(&self, delta: f64) {
        self.0.add(delta);
    }

    /// The value now.
    #[must_use]
    #[inline]
    pub fn get(&self) -> f64 {
        self.0.get()
    }

    /// Adds one now and takes it away when the guard is dropped, whatever path leads there.
    #[inline]
    pub fn track(&self) -> GaugeGuard {
        self.inc();
        GaugeGuard(self.clone())
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gauge").field(&self.get()).finish()
    }
}

/// One unit of a [`Gauge`], given back on drop. Made by [`Gauge::track`].
#[derive(Debug)]
#[must_use = "the unit is given back as soon as the guard is dropped"]
pub struct GaugeGuard(Gauge);

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A distribution over fixed buckets. Cloning shares the series; observing is lock-free.
///
/// ```
/// use std::time::Duration;
///
/// use msf_core::metrics::Metrics;
///
/// let metrics = Metrics::new();
/// let waits = metrics.histogram("queue_wait_seconds", "Time spent queued.")?;
/// waits.observe(Duration::from_millis(30));
/// assert_eq!(waits.count(), 1);
/// assert!(metrics.render().contains(r#"queue_wait_seconds_bucket{le="0.05"} 1"#));
/// # Ok::<(), msf_core::metrics::MetricsError>(())
/// ```
#[derive(Clone)]
pub struct Histogram(pub(super) prometheus::Histogram);

impl Histogram {
    /// A histogram that is exported nowhere, for code that runs without metrics.
    #[must_use]
    pub fn noop() -> Self {
        Self(unregistered(|opts| {
            prometheus::Histogram::with_opts(HistogramOpts::from(opts))
        }))
    }

    /// Records a duration, in seconds.
    #[inline]
    pub fn observe(&self, duration: Duration) {
        self.0.observe(duration.as_secs_f64());
    }

    /// Records a value in the unit that the metric's name ends with.
    ///
    /// A NaN is ignored: it would turn the sum into NaN for the life of the process.
    #[inline]
    pub fn observe_value(&self, value: f64) {
        if !value.is_nan() {
            self.0.observe(value);
        }
    }

    /// How many values were recorded.
    #[must_use]
    #[inline]
    pub fn count(&self) -> u64 {
        self.0.get_sample_count()
    }

    /// The sum of the values recorded; waits for a scrape that is under way.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.0.get_sample_sum()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Histogram").field(&self.count()).finish()
    }
}

/// Seconds that only go up, for `_seconds_total` counters that copy an outside clock.
#[derive(Clone)]
pub(crate) struct SecondsCounter(pub(super) prometheus::Counter);

impl SecondsCounter {
    /// Moves the counter up to `total`; a smaller total is ignored. Callers must not race.
    pub(crate) fn raise_to(&self, total: Duration) {
        let missing = total.as_secs_f64() - self.0.get();
        if missing > 0.0 {
            self.0.inc_by(missing);
        }
    }
}

fn unregistered<M>(make: impl FnOnce(Opts) -> prometheus::Result<M>) -> M {
    make(Opts::new("noop", "Exported nowhere.")).expect("`noop` is a valid metric name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_leaves_the_histogram_alone() {
        let histogram = Histogram::noop();
        histogram.observe_value(f64::NAN);
        histogram.observe_value(2.0);
        assert_eq!(histogram.count(), 1);
        assert!((histogram.sum() - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn clones_share_the_series() {
        let counter = Counter::noop();
        let shared = counter.clone();
        shared.inc();
        assert_eq!(format!("{counter:?}"), "Counter(1)");
    }

    #[test]
    fn a_tracked_unit_comes_back_on_unwinding() {
        let gauge = Gauge::noop();
        let caught = std::panic::catch_unwind(|| {
            let _unit = gauge.track();
            panic!("on purpose");
        });
        assert!(caught.is_err());
        assert!(gauge.get().abs() < f64::EPSILON);
    }
}
