//! The handle: a gate that an algorithm sets, with a name, metrics and a place in the list of policies.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use msf_core::metrics::{Metrics, MetricsError};

use super::{
    builder::{AdaptiveLimitBuilder, Settings},
    error::{InvalidAdaptiveLimit, LimitReached},
    metrics::AdaptiveMetrics,
    permit::{POOL, Permit, Slot},
};
use crate::{
    permits::ordered_limit,
    policies::{self, Control, ControlError, Kind, Policy},
    slot::Owner,
    stripe::Tally,
};

/// A limit of concurrency that sets itself. Clones share it.
///
/// It needs no tower: take a [`Permit`], make the call, complete the permit. The [module documentation](super) has the
/// rules and the layers.
///
/// ```
/// use msf_core::classify::Classification;
/// use msf_resilience::adaptive::AdaptiveLimit;
///
/// let limit = AdaptiveLimit::builder("search").build()?;
/// let permit = limit.try_acquire()?;
/// permit.complete(&Classification::SUCCESS);
/// assert_eq!(limit.snapshot().limit(), 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AdaptiveLimit {
    shared: Arc<Shared>,
}

/// What an adaptive limit is doing now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    in_flight: u32,
    limit: u32,
    refused: u64,
    latency: Duration,
}

impl AdaptiveLimit {
    /// Begins a limit. The name appears in errors, logs and as a metric label: use the callee's.
    pub fn builder(name: impl Into<Arc<str>>) -> AdaptiveLimitBuilder {
        AdaptiveLimitBuilder::new(name.into())
    }

    pub(super) fn new(
        name: Arc<str>,
        settings: Settings,
        metrics: Option<&Metrics>,
    ) -> Result<Self, MetricsError> {
        let handles = metrics
            .map(|metrics| AdaptiveMetrics::register(metrics, &name))
            .transpose()?;
        let slot = POOL.take(Slot::new, |slot| {
            slot.open(settings.algorithm, settings.window_ns, settings.min_calls);
        });
        let shared = Arc::new(Shared {
            name,
            slot,
            refused: Tally::default(),
            metrics: handles,
        });
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

    /// Takes a permit if fewer calls than the limit are in flight.
    ///
    /// # Errors
    ///
    /// [`LimitReached`] when the call must not be made.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, LimitReached> {
        let slot = self.shared.slot.slot();
        if slot.gate.try_acquire() {
            return Ok(Permit::of(slot));
        }
        Err(self.refuse())
    }

    /// Goes on from another limit, or from the nearest that the algorithm allows; it adapts from there.
    ///
    /// # Errors
    ///
    /// [`ControlError::Invalid`] for 0 or a number above 1 000 000.
    pub fn set_limit(&self, limit: u32) -> Result<(), ControlError> {
        self.shared.control(Control::SetLimit(limit))
    }

    /// Takes algorithm, window and least calls of another builder over, whose name and metrics do not matter. The limit of
    /// now is where the algorithm goes on, unless it is [`Fixed`](super::Fixed); calls in flight stay.
    ///
    /// # Errors
    ///
    /// [`InvalidAdaptiveLimit`] names the first knob that is out of its range; nothing is changed then.
    pub fn reconfigure(&self, builder: AdaptiveLimitBuilder) -> Result<(), InvalidAdaptiveLimit> {
        let settings = builder.settings()?;
        let slot = self.shared.slot.slot();
        slot.set_window(settings.window_ns, settings.min_calls);
        slot.exchange(settings.algorithm);
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

    #[cold]
    fn refuse(&self) -> LimitReached {
        self.shared.refused.add(1);
        if let Some(metrics) = &self.shared.metrics {
            metrics.refused.inc();
        }
        let limit = self.shared.slot.gate.limit();
        LimitReached::new(Arc::clone(&self.shared.name), limit)
    }
}

impl fmt::Debug for AdaptiveLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveLimit")
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

    /// How many calls are let in at once now.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Calls that were refused since the limit was built.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The mean latency of the last window that was judged; zero before the first.
    #[must_use]
    pub const fn latency(&self) -> Duration {
        self.latency
    }
}

/// What all clones of a limit share.
pub(super) struct Shared {
    name: Arc<str>,
    slot: Owner<Slot>,
    refused: Tally,
    metrics: Option<AdaptiveMetrics>,
}

impl Shared {
    pub(super) fn now(&self) -> Snapshot {
        Snapshot {
            in_flight: self.slot.gate.in_flight(),
            limit: self.slot.gate.limit(),
            refused: self.refused.sum(),
            latency: Duration::from_nanos(self.slot.front.0.latency_ns.load(Ordering::Relaxed)),
        }
    }

    /// How many calls have ended.
    pub(super) fn calls(&self) -> u64 {
        self.slot.gate.returned()
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
        policies::Snapshot::new(Kind::Adaptive, &self.name)
            .in_state(state)
            .with("in_flight", now.in_flight.into())
            .with("limit", now.limit.into())
            .with("latency_seconds", now.latency.as_secs_f64())
            .with("refused_total", refused)
    }

    fn control(&self, control: Control) -> Result<(), ControlError> {
        self.slot.restart(ordered_limit(control)?);
        Ok(())
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::Adaptive && *self.name == *name
    }
}
