//! What all services of a layer share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::metrics::TimeoutMetrics;
use crate::late::{Found, Late, Pool};

static POOL: Pool<TimeoutMetrics> = Pool::new();

#[derive(Debug)]
pub(super) struct Settings {
    after_ns: AtomicU64,
    metrics: Option<Found<TimeoutMetrics>>,
}

impl Settings {
    pub(super) fn new(after: Duration, metrics: Option<TimeoutMetrics>) -> Arc<Self> {
        Arc::new(Self {
            after_ns: AtomicU64::new(nanos(after)),
            metrics: metrics.map(|metrics| Found::new(&POOL, metrics)),
        })
    }

    #[inline]
    pub(super) fn after(&self) -> Duration {
        Duration::from_nanos(self.after_ns.load(Ordering::Relaxed))
    }

    pub(super) fn set_after(&self, after: Duration) {
        self.after_ns.store(nanos(after), Ordering::Relaxed);
    }

    /// Nothing for a layer without metrics, whose calls have nothing to report.
    #[inline]
    pub(super) fn late(&self) -> Option<Late<TimeoutMetrics>> {
        self.metrics.as_ref().map(Found::late)
    }
}

/// At most a year, so that adding it to an instant cannot overflow.
fn nanos(after: Duration) -> u64 {
    u64::try_from(after.min(AFTER_MAX).as_nanos()).unwrap_or(u64::MAX)
}

const AFTER_MAX: Duration = Duration::from_secs(365 * 86_400);
