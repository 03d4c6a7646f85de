//! What a hedge exports.

use msf_core::metrics::{Counter, Gauge, MetricInfo, Metrics, MetricsError, Spec};

use super::hot::Hot;
use crate::stripe::Exported;

static ATTEMPTS: Spec<Counter, 1> = Spec::counter(
    "msf_hedge_attempts_total",
    "Additional attempts that a hedge began; over the calls it is the load that hedging adds.",
    ["hedge"],
);

static CALLS: Spec<Counter, 1> = Spec::counter(
    "msf_hedge_calls_total",
    "Calls, also those that may not be made twice.",
    ["hedge"],
);

static DELAY: Spec<Gauge, 1> = Spec::gauge(
    "msf_hedge_delay_seconds",
    "After how long a call is hedged now; 0 until enough latencies were observed.",
    ["hedge"],
);

static REFUSED: Spec<Counter, 1> = Spec::counter(
    "msf_hedge_refused_total",
    "Hedges that the budget did not allow.",
    ["hedge"],
);

static WON: Spec<Counter, 1> = Spec::counter(
    "msf_hedge_won_total",
    "Calls that were answered by an additional attempt.",
    ["hedge"],
);

pub(crate) static CATALOGUE: [MetricInfo; 5] = [
    ATTEMPTS.info(),
    CALLS.info(),
    DELAY.info(),
    REFUSED.info(),
    WON.info(),
];

/// The series of one hedge, found when it is built.
#[derive(Debug)]
pub(super) struct HedgeMetrics {
    attempts: Exported,
    calls: Exported,
    refused: Exported,
    won: Exported,
    delay: Gauge,
}

impl HedgeMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str, hot: &Hot) -> Result<Self, MetricsError> {
        let attempts = ATTEMPTS.register(metrics)?.with([name]);
        let calls = CALLS.register(metrics)?.with([name]);
        let refused = REFUSED.register(metrics)?.with([name]);
        let won = WON.register(metrics)?.with([name]);
        Ok(Self {
            attempts: Exported::since(attempts, hot.hedges.sum()),
            calls: Exported::since(calls, hot.calls.sum()),
            refused: Exported::since(refused, hot.refused.sum()),
            won: Exported::since(won, hot.won.sum()),
            delay: DELAY.register(metrics)?.with([name]),
        })
    }

    pub(super) fn show(&self, hot: &Hot) {
        self.attempts.show(hot.hedges.sum());
        self.calls.show(hot.calls.sum());
        self.refused.show(hot.refused.sum());
        self.won.show(hot.won.sum());
        self.delay
            .set(hot.delay().unwrap_or_default().as_secs_f64());
    }
}
