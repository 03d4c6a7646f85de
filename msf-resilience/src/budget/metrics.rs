//! What a budget exports.

use msf_core::metrics::{Counter, Gauge, MetricInfo, Metrics, MetricsError, Spec};

static AVAILABLE: Spec<Gauge, 1> = Spec::gauge(
    "msf_budget_available",
    "Additional calls after transient failures that a budget would allow now.",
    ["budget"],
);

static WITHDRAWALS: Spec<Counter, 2> = Spec::counter(
    "msf_budget_withdrawals_total",
    "Additional calls (retries, hedges) that a budget was asked for: granted or refused.",
    ["budget", "outcome"],
);

pub(crate) static CATALOGUE: [MetricInfo; 2] = [AVAILABLE.info(), WITHDRAWALS.info()];

/// The series of one budget, found when it is built.
#[derive(Debug)]
pub(super) struct BudgetMetrics {
    available: Gauge,
    pub(super) granted: Counter,
    pub(super) refused: Counter,
}

impl BudgetMetrics {
    pub(super) fn register(metrics: &Metrics, budget: &str) -> Result<Self, MetricsError> {
        let withdrawals = WITHDRAWALS.register(metrics)?;
        Ok(Self {
            available: AVAILABLE.register(metrics)?.with([budget]),
            granted: withdrawals.with([budget, "granted"]),
            refused: withdrawals.with([budget, "refused"]),
        })
    }

    pub(super) fn show(&self, available: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge for people")]
        self.available.set(available as f64);
    }
}
