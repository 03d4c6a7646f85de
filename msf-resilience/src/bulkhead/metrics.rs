//! What a bulkhead exports.

use msf_core::metrics::{Counter, Gauge, MetricInfo, Metrics, MetricsError, Spec};

use super::{error::Cause, handle::Shared};
use crate::stripe::Exported;

static CALLS: Spec<Counter, 1> = Spec::counter(
    "msf_bulkhead_calls_total",
    "Calls that a bulkhead let in and that have ended.",
    ["bulkhead"],
);

static IN_FLIGHT: Spec<Gauge, 1> = Spec::gauge(
    "msf_bulkhead_in_flight",
    "Permits of a bulkhead that are taken.",
    ["bulkhead"],
);

static LIMIT: Spec<Gauge, 1> = Spec::gauge(
    "msf_bulkhead_limit",
    "Calls that a bulkhead lets in at once.",
    ["bulkhead"],
);

static QUEUED: Spec<Gauge, 1> = Spec::gauge(
    "msf_bulkhead_queued",
    "Calls that wait for a permit of a bulkhead.",
    ["bulkhead"],
);

static REFUSED: Spec<Counter, 2> = Spec::counter(
    "msf_bulkhead_refused_total",
    "Calls that a bulkhead refused, by cause: full, queue_full or waited_too_long.",
    ["bulkhead", "cause"],
);

pub(crate) static CATALOGUE: [MetricInfo; 5] = [
    CALLS.info(),
    IN_FLIGHT.info(),
    LIMIT.info(),
    QUEUED.info(),
    REFUSED.info(),
];

/// The series of one bulkhead, found when it is built.
#[derive(Debug)]
pub(super) struct BulkheadMetrics {
    calls: Exported,
    in_flight: Gauge,
    limit: Gauge,
    queued: Gauge,
    full: Counter,
    queue_full: Counter,
    waited_too_long: Counter,
}

impl BulkheadMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let refused = REFUSED.register(metrics)?;
        let refused = |cause: Cause| refused.with([name, cause.as_str()]);
        Ok(Self {
            calls: Exported::since(CALLS.register(metrics)?.with([name]), 0),
            in_flight: IN_FLIGHT.register(metrics)?.with([name]),
            limit: LIMIT.register(metrics)?.with([name]),
            queued: QUEUED.register(metrics)?.with([name]),
            full: refused(Cause::Full),
            queue_full: refused(Cause::QueueFull),
            waited_too_long: refused(Cause::WaitedTooLong),
        })
    }

    pub(super) const fn refused(&self, cause: Cause) -> &Counter {
        match cause {
            Cause::Full => &self.full,
            Cause::QueueFull => &self.queue_full,
            Cause::WaitedTooLong => &self.waited_too_long,
        }
    }

    pub(super) fn show(&self, shared: &Shared) {
        self.calls.show(shared.calls());
        let now = shared.now();
        self.in_flight.set(now.in_flight().into());
        self.limit.set(now.limit().into());
        self.queued.set(now.queued().into());
    }
}
