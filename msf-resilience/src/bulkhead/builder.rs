//! The knobs of a bulkhead and their checks.

use std::{sync::Arc, time::Duration};

use msf_core::metrics::Metrics;

use super::{error::InvalidBulkhead, handle::Bulkhead};
use crate::{name, permits::check_limit};

/// How many calls a bulkhead lets through at once unless told otherwise.
pub const DEFAULT_MAX_CONCURRENT: u32 = 25;

/// Sets up a [`Bulkhead`]. The defaults and their reasons are in the [module documentation](super).
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::bulkhead::Bulkhead;
///
/// let bulkhead = Bulkhead::builder("reports")
///     .max_concurrent(8)
///     .max_wait(Some(Duration::from_millis(50)))
///     .max_queue(16)
///     .build()?;
/// assert_eq!(bulkhead.snapshot().limit(), 8);
/// # Ok::<(), msf_resilience::bulkhead::InvalidBulkhead>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct BulkheadBuilder {
    name: Arc<str>,
    max_concurrent: u32,
    max_wait: Option<Duration>,
    max_queue: Option<u32>,
    metrics: Option<Metrics>,
}

/// What [`BulkheadBuilder::build`] has checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) limit: u32,
    pub(super) max_wait: Option<Duration>,
    pub(super) max_queue: usize,
}

impl BulkheadBuilder {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            max_concurrent: DEFAULT_MAX_CONCURRENT,
            max_wait: None,
            max_queue: None,
            metrics: None,
        }
    }

    /// How many calls may be in flight at once, 1 to 1 000 000. Default [`DEFAULT_MAX_CONCURRENT`].
    pub const fn max_concurrent(mut self, calls: u32) -> Self {
        self.max_concurrent = calls;
        self
    }

    /// How long [`acquire`](Bulkhead::acquire) and a [`waiting`](super::BulkheadLayer::waiting) layer wait for a
    /// permit, at most an hour. Default `None`: not at all.
    pub const fn max_wait(mut self, wait: Option<Duration>) -> Self {
        self.max_wait = wait;
        self
    }

    /// How many calls may wait at once, 1 to 1 000 000. Default: [`max_concurrent`](Self::max_concurrent).
    pub const fn max_queue(mut self, calls: u32) -> Self {
        self.max_queue = Some(calls);
        self
    }

    /// Exports the bulkhead's metrics. Bulkheads of one name share their series.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the bulkhead, empty.
    ///
    /// # Errors
    ///
    /// [`InvalidBulkhead`] names the first knob that is out of its range, or the metrics that could not be registered.
    pub fn build(self) -> Result<Bulkhead, InvalidBulkhead> {
        let settings = self.settings()?;
        Ok(Bulkhead::new(self.name, settings, self.metrics.as_ref())?)
    }

    /// Checks everything without making anything.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), but for the metrics.
    pub fn check(&self) -> Result<(), InvalidBulkhead> {
        self.settings().map(drop)
    }

    pub(super) fn settings(&self) -> Result<Settings, InvalidBulkhead> {
        if !name::is_name(&self.name) {
            return Err(InvalidBulkhead::Name);
        }
        check_limit(self.max_concurrent).map_err(InvalidBulkhead::MaxConcurrent)?;
        if let Some(wait) = self.max_wait
            && (wait.is_zero() || wait > WAIT_MAX)
        {
            return Err(InvalidBulkhead::MaxWait(wait));
        }
        let max_queue = self.max_queue.unwrap_or(self.max_concurrent);
        check_limit(max_queue).map_err(InvalidBulkhead::MaxQueue)?;
        Ok(Settings {
            limit: self.max_concurrent,
            max_wait: self.max_wait,
            max_queue: usize::try_from(max_queue).unwrap_or(usize::MAX),
        })
    }
}

const WAIT_MAX: Duration = Duration::from_secs(3600);
