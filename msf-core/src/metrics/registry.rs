//! The registry: families by name, and the text a scrape gets.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus::{
    TextEncoder,
    core::{Collector, Desc},
};

use super::{
    catalogue::OVERFLOW,
    error::MetricsError,
    families::{Families, Registered, histogram_clash},
    family::{CounterFamily, GaugeFamily, HistogramFamily},
    handle::{Counter, Gauge, Histogram},
    scrape::Hooks,
    series::{Collected, Series, SeriesSet},
    shape::Shape,
};

/// Upper bounds in seconds that the OpenTelemetry HTTP conventions ask for; the default of every
/// histogram of durations.
pub const DURATION_BUCKETS_SECONDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// How many series a family may have unless told otherwise.
///
/// A histogram series costs about 1.5 KiB of memory and 17 lines per scrape, so a thousand of them
/// are some 1.5 MiB: enough for a large service, little enough to survive a mistake.
pub const DEFAULT_SERIES_LIMIT: usize = 1000;

/// The `content-type` of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A registry of metrics. Clones share it.
///
/// Asking for a family that exists gives the same family, so a layer may be built any number of
/// times. The first help text stays.
///
/// ```
/// use msf_core::metrics::Metrics;
///
/// let metrics = Metrics::new();
/// metrics.counter("jobs_total", "Jobs taken from the queue.")?.inc();
/// metrics.counter("jobs_total", "Jobs taken from the queue.")?.inc();
/// assert!(metrics.render().contains("jobs_total 2"));
/// # Ok::<(), msf_core::metrics::MetricsError>(())
/// ```
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

impl Metrics {
    /// An empty registry that allows [`DEFAULT_SERIES_LIMIT`] series per family.
    #[must_use]
    pub fn new() -> Self {
        Self::with_series_limit(DEFAULT_SERIES_LIMIT)
    }

    /// An empty registry that allows `limit` series per family.
    ///
    /// Beyond it `with` gives the series whose labels all are `other`, and
    /// `msf_metrics_overflow_total{family}` goes up. The number of families has no limit of its
    /// own: names are written in code.
    #[must_use]
    pub fn with_series_limit(limit: usize) -> Self {
        Self {
            inner: Arc::new(Inner::new(limit)),
        }
    }

    /// A counter without labels.
    ///
    /// # Errors
    ///
    /// As [`counter_family`](Self::counter_family).
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter, MetricsError> {
        Ok(self.counter_family(name, help, [])?.with([]))
    }

    /// A gauge without labels.
    ///
    /// # Errors
    ///
    /// As [`counter_family`](Self::counter_family).
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        Ok(self.gauge_family(name, help, [])?.with([]))
    }

    /// A histogram without labels over [`DURATION_BUCKETS_SECONDS`].
    ///
    /// # Errors
    ///
    /// As [`histogram_family_with`](Self::histogram_family_with).
    pub fn histogram(&self, name: &str, help: &str) -> Result<Histogram, MetricsError> {
        Ok(self.histogram_family(name, help, [])?.with([]))
    }

    /// A counter with labels.
    ///
    /// # Errors
    ///
    /// A name or label that is not allowed, an empty help text, or a name that another shape or
    /// collector has: see [`MetricsError`].
    pub fn counter_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<CounterFamily<N>, MetricsError> {
        self.family(name, help, &labels, &[]).map(CounterFamily)
    }

    /// A gauge with labels.
    ///
    /// # Errors
    ///
    /// As [`counter_family`](Self::counter_family).
    pub fn gauge_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<GaugeFamily<N>, MetricsError> {
        self.family(name, help, &labels, &[]).map(GaugeFamily)
    }

    /// A histogram with labels over [`DURATION_BUCKETS_SECONDS`].
    ///
    /// # Errors
    ///
    /// As [`histogram_family_with`](Self::histogram_family_with).
    pub fn histogram_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<HistogramFamily<N>, MetricsError> {
        self.histogram_family_with(name, help, labels, &DURATION_BUCKETS_SECONDS)
    }

    /// A histogram with labels over `buckets`: upper bounds, increasing, without the last `+Inf`.
    ///
    /// # Errors
    ///
    /// As [`counter_family`](Self::counter_family), and [`MetricsError::InvalidBuckets`].
    pub fn histogram_family_with<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        buckets: &[f64],
    ) -> Result<HistogramFamily<N>, MetricsError> {
        self.family(name, help, &labels, buckets)
            .map(HistogramFamily)
    }

    /// Runs `refresh` before every scrape, for gauges that are cheaper to read than to keep.
    ///
    /// It stays for the life of the registry, so it must not hold a [`Metrics`] (a cycle); let it
    /// hold handles. What lives shorter than the process uses [`on_scrape_of`](Self::on_scrape_of).
    /// It runs on the scraping task: read, do not block. A panic is logged and the scrape goes on.
    pub fn on_scrape(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.inner.hooks.add(None, move || {
            refresh();
            true
        });
    }

    /// Runs `refresh` with `source` before every scrape for as long as somebody else owns it.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use msf_core::metrics::Metrics;
    ///
    /// let metrics = Metrics::new();
    /// let size = metrics.gauge("pool_connections", "Connections in the pool.")?;
    /// let pool = Arc::new(vec!["a", "b"]);
    /// metrics.on_scrape_of(&pool, move |pool| size.set(pool.len() as f64));
    /// assert!(metrics.render().contains("pool_connections 2"));
    /// # Ok::<(), msf_core::metrics::MetricsError>(())
    /// ```
    pub fn on_scrape_of<T: Send + Sync + 'static>(
        &self,
        source: &Arc<T>,
        refresh: impl Fn(&T) + Send + Sync + 'static,
    ) {
        let source = Arc::downgrade(source);
        self.inner.hooks.add(None, move || {
            source.upgrade().map(|source| refresh(&source)).is_some()
        });
    }

    /// Everything registered, in the Prometheus text format 0.0.4; serve it as [`CONTENT_TYPE`].
    #[must_use]
    pub fn render(&self) -> String {
        self.inner.hooks.run();
        let families = self.inner.registry.gather();
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&families, &mut text) {
            // The registry leaves out empty families, the one thing that the encoder refuses.
            tracing::error!(%error, "metrics could not be written in full");
        }
        text
    }

    /// Like [`on_scrape`](Self::on_scrape), but takes the place of what had the same `key`.
    pub(super) fn on_scrape_keyed(&self, key: String, refresh: impl Fn() + Send + Sync + 'static) {
        self.inner.hooks.add(Some(key), move || {
            refresh();
            true
        });
    }

    /// Registers a collector that is not a family; one that is there already stays.
    pub(super) fn collect_from(
        &self,
        collector: Box<dyn Collector>,
    ) -> Result<(), prometheus::Error> {
        match self.inner.registry.register(collector) {
            Ok(()) | Err(prometheus::Error::AlreadyReg) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn family<M: Series>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<Arc<SeriesSet<M>>, MetricsError> {
        let wanted = Shape::new(M::KIND, labels, buckets);
        wanted.validate(name, help)?;
        let mut families = self.inner.families();
        if let Some(known) = families.get(name) {
            return known.downcast(name, &wanted);
        }
        let set = SeriesSet::new(
            describe(name, help, &wanted),
            buckets,
            self.inner.limit,
            Some(Arc::clone(&self.inner.overflow)),
        );
        self.inner
            .insert(&mut families, name, wanted, Arc::new(set))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("families", &self.inner.families().len())
            .field("series_limit", &self.inner.limit)
            .finish_non_exhaustive()
    }
}

struct Inner {
    registry: prometheus::Registry,
    families: Mutex<Families>,
    overflow: Arc<SeriesSet<Counter>>,
    hooks: Hooks,
    limit: usize,
}

impl Inner {
    fn new(limit: usize) -> Self {
        let info = OVERFLOW.info();
        let shape = Shape::new(info.kind, info.labels, &[]);
        let desc = describe(info.name, info.help, &shape);
        let overflow = Arc::new(SeriesSet::new(desc, &[], limit, None));
        let inner = Self {
            registry: prometheus::Registry::new(),
            families: Mutex::default(),
            overflow: Arc::clone(&overflow),
            hooks: Hooks::default(),
            limit,
        };
        let mut families = inner.families();
        inner
            .insert(&mut families, info.name, shape, overflow)
            .expect("the registry is empty");
        drop(families);
        inner
    }

    fn families(&self) -> MutexGuard<'_, Families> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert<M: Series>(
        &self,
        families: &mut Families,
        name: &str,
        shape: Shape,
        set: Arc<SeriesSet<M>>,
    ) -> Result<Arc<SeriesSet<M>>, MetricsError> {
        let taken = |owner: &str| MetricsError::Taken {
            metric: name.to_owned(),
            owner: owner.to_owned(),
        };
        if let Some(owner) = histogram_clash(families, name, shape.kind) {
            return Err(taken(owner));
        }
        self.registry
            .register(Box::new(Collected(Arc::clone(&set))))
            .map_err(|_| taken("another collector"))?;
        families.insert(name.to_owned(), Registered::new(shape, Arc::clone(&set)));
        Ok(set)
    }
}

fn describe(name: &str, help: &str, shape: &Shape) -> Desc {
    Desc::new(
        name.to_owned(),
        help.to_owned(),
        shape.labels.clone(),
        HashMap::new(),
    )
    .expect("name, help and labels were validated")
}
