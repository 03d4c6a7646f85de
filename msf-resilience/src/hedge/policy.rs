//! The handle.

use std::{fmt, sync::Arc, time::Duration};

use msf_core::metrics::{Metrics, MetricsError};

use super::{
    builder::HedgeBuilder,
    error::InvalidHedge,
    hot::{self, Hot},
    metrics::HedgeMetrics,
    settings::Settings,
};
use crate::{
    budget::{Budget, Deposit},
    policies::{self, Kind, Policy, Snapshot},
    slot::Owner,
};

/// When to make a second attempt beside the first. Clones share latencies and counts.
///
/// ```
/// use msf_resilience::hedge::HedgePolicy;
///
/// let hedge = HedgePolicy::builder("search").build()?;
/// assert_eq!(hedge.delay(), None, "nothing is known of the callee yet");
/// # Ok::<(), msf_resilience::hedge::InvalidHedge>(())
/// ```
#[derive(Clone)]
pub struct HedgePolicy {
    shared: Arc<Shared>,
    takes_deposits: bool,
}

/// What the handles of a policy share.
struct Shared {
    name: Arc<str>,
    budget: Budget,
    hot: Owner<Hot>,
    metrics: Option<HedgeMetrics>,
    /// What the slot had counted for those who owned it before.
    before: [u64; 4],
}

impl HedgePolicy {
    /// Begins a policy. The name appears in snapshots and as a metric label: use the callee's.
    pub fn builder(name: impl Into<Arc<str>>) -> HedgeBuilder {
        HedgeBuilder::new(name.into())
    }

    pub(super) fn new(
        name: Arc<str>,
        settings: &Settings,
        budget: Budget,
        metrics: Option<&Metrics>,
    ) -> Result<Self, MetricsError> {
        let hot = hot::POOL.take(|| Hot::new(settings), |hot| hot.reset(settings));
        let before = hot.counts();
        let handles = metrics
            .map(|metrics| HedgeMetrics::register(metrics, &name, &hot))
            .transpose()?;
        let shared = Arc::new(Shared {
            name,
            budget,
            hot,
            metrics: handles,
            before,
        });
        policies::register(&shared);
        if let Some(metrics) = metrics {
            metrics.on_scrape_of(&shared, Shared::export);
        }
        Ok(Self {
            shared,
            takes_deposits: true,
        })
    }

    /// After how long a call is hedged now; `None` until enough latencies were observed.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.shared.hot.delay()
    }

    /// The budget that hedges are taken from.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.shared.budget
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The same policy inside of a retry, which may have counted the call in the same budget already.
    pub(crate) fn inside(mut self, retry: &Budget) -> Self {
        self.takes_deposits = !self.shared.budget.is_same(retry);
        self
    }

    pub(super) fn deposit(&self) -> Deposit {
        if self.takes_deposits {
            self.shared.budget.deposit()
        } else {
            Deposit::none()
        }
    }

    /// New numbers with the same latencies. The name, the budget and the metrics of the builder are not used.
    ///
    /// # Errors
    ///
    /// [`InvalidHedge`]; then nothing has changed.
    #[expect(clippy::needless_pass_by_value, reason = "builders are made for this")]
    pub fn reconfigure(&self, builder: HedgeBuilder) -> Result<(), InvalidHedge> {
        self.shared.hot.set(&builder.settings()?);
        Ok(())
    }

    pub(super) fn hot(&self) -> &'static Hot {
        self.shared.hot.slot()
    }
}

impl Shared {
    fn export(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.show(&self.hot);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // What was counted since the last scrape.
        self.export();
    }
}

impl Policy for Shared {
    fn snapshot(&self) -> Snapshot {
        let mut counts = self.hot.counts();
        for (count, before) in counts.iter_mut().zip(self.before) {
            *count = count.saturating_sub(before);
        }
        #[expect(clippy::cast_precision_loss, reason = "counts for people")]
        let [calls, hedges, won, refused] = counts.map(|count| count as f64);
        Snapshot::new(Kind::Hedge, &self.name)
            .with("calls_total", calls)
            .with("attempts_total", hedges)
            .with("won_total", won)
            .with("refused_total", refused)
            .with("hedge_rate", if calls > 0.0 { hedges / calls } else { 0.0 })
            .with(
                "delay_seconds",
                self.hot.delay().unwrap_or_default().as_secs_f64(),
            )
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::Hedge && *self.name == *name
    }
}

impl fmt::Debug for HedgePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgePolicy")
            .field("name", &self.name())
            .field("delay", &self.delay())
            .finish_non_exhaustive()
    }
}
