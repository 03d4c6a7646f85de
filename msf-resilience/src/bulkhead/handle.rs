//! The handle: a gate with a name, a waiting time, metrics and a place in the list of policies.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use msf_core::metrics::{Metrics, MetricsError};

use super::{
    builder::{BulkheadBuilder, Settings},
    error::{BulkheadFull, Cause, InvalidBulkhead},
    metrics::BulkheadMetrics,
    permit::{POOL, Permit, Slot},
    waiting::Acquire,
};
use crate::{
    permits::{Gate, check_limit, ordered_limit},
    policies::{self, Control, ControlError, Kind, Policy},
    slot::Owner,
    stripe::Tally,
};

/// A bulkhead. Clones share its permits.
///
/// It needs no tower, and no runtime unless somebody waits: take a [`Permit`], make the call, drop the permit. The
/// [module documentation](super) has the rules and the layers.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::bulkhead::Bulkhead;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bulkhead = Bulkhead::builder("reports")
///     .max_concurrent(1)
///     .max_wait(Some(Duration::from_millis(50)))
///     .build()?;
/// let permit = bulkhead.acquire().await?;
/// assert!(bulkhead.acquire().await.is_err()); // after 50 ms
/// # drop(permit);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Bulkhead {
    shared: Arc<Shared>,
}

/// What a bulkhead is doing now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    in_flight: u32,
    queued: u32,
    limit: u32,
    refused: u64,
}

impl Bulkhead {
    /// Begins a bulkhead. The name appears in errors, logs and as a metric label: use the callee's.
    pub fn builder(name: impl Into<Arc<str>>) -> BulkheadBuilder {
        BulkheadBuilder::new(name.into())
    }

    pub(super) fn new(
        name: Arc<str>,
        settings: Settings,
        metrics: Option<&Metrics>,
    ) -> Result<Self, MetricsError> {
        let handles = metrics
            .map(|metrics| BulkheadMetrics::register(metrics, &name))
            .transpose()?;
        let slot = POOL.take(
            || Slot { gate: Gate::new() },
            |slot| slot.gate.open(settings.limit),
        );
        let shared = Arc::new(Shared {
            name,
            slot,
            max_wait_ns: AtomicU64::new(0),
            max_queue: AtomicUsize::new(0),
            refused: Tally::default(),
            metrics: handles,
        });
        shared.set_waiting(&settings);
        policies::register(&shared);
        if let Some(metrics) = metrics {
            metrics.on_scrape_of(&shared, |shared| {
                if let Some(metrics) = &shared.metrics {
                    metrics.show(shared);
                }
            });
        }
        Ok(Self { shared })
    }

    /// Takes a permit if one is free and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`BulkheadFull`] when the call must not be made.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, BulkheadFull> {
        match self.try_permit() {
            Some(permit) => Ok(permit),
            None => Err(self.refuse(Cause::Full)),
        }
    }

    /// Takes a permit, waiting for it as long as [`max_wait`](BulkheadBuilder::max_wait) says.
    ///
    /// Who waits first is served first; a place in the line is taken when the future is first polled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line. A permit that was handed to it already goes to the next one.
    pub fn acquire(&self) -> Acquire {
        Acquire::new(self.clone())
    }

    /// Lets so many calls in at once from now on, 1 to 1 000 000.
    ///
    /// Calls above a lower limit go on; their permits are not given out again when they end. How many may wait does not
    /// change with it.
    ///
    /// # Errors
    ///
    /// [`InvalidBulkhead::MaxConcurrent`] for a number out of this range.
    pub fn set_limit(&self, limit: u32) -> Result<(), InvalidBulkhead> {
        check_limit(limit).map_err(InvalidBulkhead::MaxConcurrent)?;
        self.slot().gate.set_limit(limit);
        Ok(())
    }

    /// Takes the numbers of another builder over, whose name and metrics do not matter. Calls in flight and in the line
    /// stay; who waits already waits for as long as it was told.
    ///
    /// # Errors
    ///
    /// [`InvalidBulkhead`] names the first knob that is out of its range; nothing is changed then.
    #[expect(clippy::needless_pass_by_value, reason = "builders are made for this")]
    pub fn reconfigure(&self, builder: BulkheadBuilder) -> Result<(), InvalidBulkhead> {
        let settings = builder.settings()?;
        self.shared.set_waiting(&settings);
        self.slot().gate.set_limit(settings.limit);
        Ok(())
    }

    /// What it is doing now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.now()
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    #[inline]
    pub(super) fn try_permit(&self) -> Option<Permit> {
        let slot = self.slot();
        slot.gate.try_acquire().then(|| Permit::of(slot))
    }

    #[inline]
    pub(super) fn slot(&self) -> &'static Slot {
        self.shared.slot.slot()
    }

    pub(super) fn max_wait(&self) -> Option<Duration> {
        match self.shared.max_wait_ns.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    pub(super) fn max_queue(&self) -> usize {
        self.shared.max_queue.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn refuse(&self, cause: Cause) -> BulkheadFull {
        self.shared.refused.add(1);
        if let Some(metrics) = &self.shared.metrics {
            metrics.refused(cause).inc();
        }
        BulkheadFull::new(Arc::clone(&self.shared.name), cause)
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("name", &self.name())
            .field("now", &self.snapshot())
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Permits that are taken. Above the limit while calls from before a lower one go on.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Calls that wait for a permit.
    #[must_use]
    pub const fn queued(&self) -> u32 {
        self.queued
    }

    /// How many calls are let in at once.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Calls that were refused since the bulkhead was built.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

/// What all clones of a bulkhead share.
pub(super) struct Shared {
    name: Arc<str>,
    slot: Owner<Slot>,
    /// 0 for no waiting.
    max_wait_ns: AtomicU64,
    max_queue: AtomicUsize,
    refused: Tally,
    metrics: Option<BulkheadMetrics>,
}

impl Shared {
    pub(super) fn now(&self) -> Snapshot {
        let gate = &self.slot.gate;
        Snapshot {
            in_flight: gate.in_flight(),
            queued: u32::try_from(gate.waiting()).unwrap_or(u32::MAX),
            limit: gate.limit(),
            refused: self.refused.sum(),
        }
    }

    /// How many calls have ended.
    pub(super) fn calls(&self) -> u64 {
        self.slot.gate.returned()
    }

    fn set_waiting(&self, settings: &Settings) {
        let wait = settings.max_wait.unwrap_or(Duration::ZERO).as_nanos();
        let wait = u64::try_from(wait).unwrap_or(u64::MAX);
        self.max_wait_ns.store(wait, Ordering::Relaxed);
        self.max_queue.store(settings.max_queue, Ordering::Relaxed);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(metrics) = &self.metrics {
            metrics.end(self);
        }
    }
}

impl Policy for Shared {
    fn snapshot(&self) -> policies::Snapshot {
        let now = self.now();
        let state = if now.in_flight < now.limit {
            "free"
        } else {
            "full"
        };
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let refused = now.refused as f64;
        policies::Snapshot::new(Kind::Bulkhead, &self.name)
            .in_state(state)
            .with("in_flight", now.in_flight.into())
            .with("queued", now.queued.into())
            .with("limit", now.limit.into())
            .with("refused_total", refused)
    }

    fn control(&self, control: Control) -> Result<(), ControlError> {
        self.slot.gate.set_limit(ordered_limit(control)?);
        Ok(())
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::Bulkhead && *self.name == *name
    }
}
