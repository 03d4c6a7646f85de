//! The handle: a table with a name and counts.

use std::{
    fmt,
    future::{Future, poll_fn},
    hash::Hash,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use msf_core::metrics::{Metrics, MetricsError};

use super::{
    builder::CoalesceBuilder,
    error::InvalidCoalesce,
    metrics::CoalesceMetrics,
    seat::{Seat, Turn},
    settings::Settings,
    table::{Part, SHARDS, Table},
};
use crate::{
    policies::{self, Kind, Policy, Snapshot},
    stripe::Tally,
};

/// Calls with keys of `K` and outcomes of `T`, of which equal ones at one time are made once. Clones share it.
///
/// It needs no tower: see [`run`](Self::run).
pub struct Coalesce<K, T> {
    table: Arc<Table<K, T>>,
}

/// What does not depend on the types of key and outcome.
pub(super) struct Stats {
    name: Arc<str>,
    keys_per_shard: AtomicUsize,
    patience_ns: AtomicU64,
    max_body: AtomicUsize,
    led: Tally,
    joined: Tally,
    alone: Tally,
    taken_over: Tally,
    metrics: Option<CoalesceMetrics>,
}

impl<K, T> Coalesce<K, T> {
    /// Begins a coalescing. The name appears in snapshots and as a metric label.
    pub fn builder(name: impl Into<Arc<str>>) -> CoalesceBuilder<K, T> {
        CoalesceBuilder::new(name.into())
    }

    pub(super) fn new(
        name: Arc<str>,
        settings: &Settings,
        metrics: Option<&Metrics>,
    ) -> Result<Self, MetricsError> {
        let handles = metrics
            .map(|metrics| CoalesceMetrics::register(metrics, &name))
            .transpose()?;
        let stats = Arc::new(Stats {
            name,
            keys_per_shard: AtomicUsize::default(),
            patience_ns: AtomicU64::default(),
            max_body: AtomicUsize::default(),
            led: Tally::default(),
            joined: Tally::default(),
            alone: Tally::default(),
            taken_over: Tally::default(),
            metrics: handles,
        });
        stats.set(settings);
        policies::register(&stats);
        if let Some(metrics) = metrics {
            metrics.on_scrape_of(&stats, Stats::export);
        }
        let table = Arc::new(Table::new(stats));
        Ok(Self { table })
    }

    /// Makes a call, or waits for an equal one that is under way.
    ///
    /// If the caller who makes the call is dropped, one who waits makes it anew, with its own closure. So dropping the
    /// future is safe at any point.
    ///
    /// ```
    /// use std::{cell::Cell, time::Duration};
    /// use msf_resilience::coalesce::Coalesce;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let prices = Coalesce::builder("prices").build()?;
    /// let calls = Cell::new(0);
    /// let fetch = || async {
    ///     calls.set(calls.get() + 1);
    ///     tokio::time::sleep(Duration::from_millis(5)).await;
    ///     42
    /// };
    /// let (a, b) = tokio::join!(prices.run("apple", fetch), prices.run("apple", fetch));
    /// assert_eq!((a, b, calls.get()), (42, 42, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<F, Fut>(&self, key: K, call: F) -> T
    where
        K: Eq + Hash,
        T: Clone,
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        let mut seat = pin!(self.join(key));
        match poll_fn(|cx| seat.as_mut().poll_turn(cx)).await {
            Turn::Take(outcome) => outcome,
            Turn::Call => {
                let outcome = call().await;
                seat.land(|| outcome.clone());
                outcome
            }
        }
    }

    /// How many different calls are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.table.len()
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.table.stats.name
    }

    /// New numbers for the same flights. The name and the metrics of the builder are not used.
    ///
    /// # Errors
    ///
    /// [`InvalidCoalesce`]; then nothing has changed.
    #[expect(clippy::needless_pass_by_value, reason = "builders are made for this")]
    pub fn reconfigure(&self, builder: CoalesceBuilder<K, T>) -> Result<(), InvalidCoalesce> {
        self.table.stats.set(&builder.settings()?);
        Ok(())
    }

    pub(super) fn join(&self, key: K) -> Seat<K, T>
    where
        K: Eq + Hash,
    {
        let stats = &self.table.stats;
        let part = self.table.join(key);
        match part {
            Part::Lead(_) => stats.led.add(1),
            Part::Follow(_) => stats.joined.add(1),
            Part::Alone => stats.alone.add(1),
        }
        let patience = Duration::from_nanos(stats.patience_ns.load(Ordering::Relaxed));
        Seat::new(part, patience)
    }

    /// Seats that are kept for flights to come.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.table.room()
    }

    pub(super) fn max_body(&self) -> usize {
        self.table.stats.max_body.load(Ordering::Relaxed)
    }
}

impl Stats {
    fn set(&self, settings: &Settings) {
        let per_shard = settings.max_keys.div_ceil(SHARDS);
        self.keys_per_shard.store(per_shard, Ordering::Relaxed);
        let patience = u64::try_from(settings.patience.as_nanos()).unwrap_or(u64::MAX);
        self.patience_ns.store(patience, Ordering::Relaxed);
        self.max_body.store(settings.max_body, Ordering::Relaxed);
    }

    pub(super) fn keys_per_shard(&self) -> usize {
        self.keys_per_shard.load(Ordering::Relaxed)
    }

    /// A follower that has to make a call of its own.
    pub(super) fn went_alone(&self) {
        self.alone.add(1);
    }

    pub(super) fn taken_over(&self) {
        self.taken_over.add(1);
    }

    fn export(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.led.show(self.led.sum());
            metrics.joined.show(self.joined.sum());
            metrics.alone.show(self.alone.sum());
            metrics.taken_over.show(self.taken_over.sum());
        }
    }
}

impl Drop for Stats {
    fn drop(&mut self) {
        // What was counted since the last scrape.
        self.export();
    }
}

impl Policy for Stats {
    fn snapshot(&self) -> Snapshot {
        #[expect(clippy::cast_precision_loss, reason = "counts for people")]
        let figure = |tally: &Tally| tally.sum() as f64;
        Snapshot::new(Kind::Coalesce, &self.name)
            .with("led_total", figure(&self.led))
            .with("joined_total", figure(&self.joined))
            .with("alone_total", figure(&self.alone))
            .with("taken_over_total", figure(&self.taken_over))
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::Coalesce && *self.name == *name
    }
}

impl<K, T> Clone for Coalesce<K, T> {
    fn clone(&self) -> Self {
        Self {
            table: Arc::clone(&self.table),
        }
    }
}

impl<K, T> fmt::Debug for Coalesce<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce")
            .field("name", &self.name())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
