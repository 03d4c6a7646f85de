//! The handle: a name with counts.

use std::{fmt, sync::Arc};

use msf_core::metrics::{Metrics, MetricsError};

use super::{decide::Cause, error::InvalidFallback, metrics::FallbackMetrics};
use crate::{
    late::{Found, Late, Pool},
    name::is_name,
    policies::{self, Kind, Policy, Snapshot},
};

/// A fallback: what layers give other answers under. Clones share it.
///
/// ```
/// use msf_resilience::fallback::Fallback;
///
/// let fallback = Fallback::builder("recommendations").build()?;
/// assert_eq!(fallback.name(), "recommendations");
/// # Ok::<(), msf_resilience::fallback::InvalidFallback>(())
/// ```
#[derive(Clone)]
pub struct Fallback {
    policy: Arc<Live>,
}

/// Lives as long as a handle does.
struct Live {
    shared: Found<Shared>,
}

/// Sets up a [`Fallback`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct FallbackBuilder {
    name: Arc<str>,
    metrics: Option<Metrics>,
}

/// What a call that falls back has to know.
pub(super) struct Shared {
    name: Arc<str>,
    metrics: FallbackMetrics,
}

static POOL: Pool<Shared> = Pool::new();

impl Fallback {
    /// Begins a fallback. The name appears in marks, snapshots and as a metric label.
    pub fn builder(name: impl Into<Arc<str>>) -> FallbackBuilder {
        FallbackBuilder {
            name: name.into(),
            metrics: None,
        }
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.policy.shared.name
    }

    #[inline]
    pub(super) fn late(&self) -> Late<Shared> {
        self.policy.shared.late()
    }
}

impl FallbackBuilder {
    /// Exports how often it is used; see the [module documentation](super).
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Sets it up.
    ///
    /// # Errors
    ///
    /// [`InvalidFallback`] names the knob and its range.
    pub fn build(self) -> Result<Fallback, InvalidFallback> {
        if !is_name(&self.name) {
            return Err(InvalidFallback::Name);
        }
        let metrics = self.handles()?;
        let shared = Shared {
            name: self.name,
            metrics,
        };
        let policy = Arc::new(Live {
            shared: Found::new(&POOL, shared),
        });
        policies::register(&policy);
        Ok(Fallback { policy })
    }

    fn handles(&self) -> Result<FallbackMetrics, MetricsError> {
        match &self.metrics {
            Some(metrics) => FallbackMetrics::register(metrics, &self.name),
            None => Ok(FallbackMetrics::unregistered()),
        }
    }
}

impl Shared {
    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn count(&self, cause: Cause) {
        match cause {
            Cause::Failure => self.metrics.failure.inc(),
            Cause::Refused => self.metrics.refused.inc(),
            Cause::Chosen => self.metrics.chosen.inc(),
        }
    }

    pub(super) fn count_failed(&self) {
        self.metrics.failed.inc();
    }
}

impl Policy for Live {
    fn snapshot(&self) -> Snapshot {
        let metrics = &self.shared.metrics;
        let answers = metrics.failure.get() + metrics.refused.get() + metrics.chosen.get();
        #[expect(clippy::cast_precision_loss, reason = "counts for people")]
        let (answers, failed) = (answers as f64, metrics.failed.get() as f64);
        Snapshot::new(Kind::Fallback, &self.shared.name)
            .with("answers_total", answers)
            .with("failed_total", failed)
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::Fallback && *self.shared.name == *name
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.shared.fmt(f)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
