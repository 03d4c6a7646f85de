//! What was taken back, and whether the feed is heard.

use msf_core::metrics::{Counter, Gauge, Metrics, MetricsError, Spec};

pub(crate) static APPLIED: Spec<Counter, 2> = Spec::counter(
    "msf_auth_revocations_total",
    "Revocations by kind and by whether they were recorded as they are or, for want of room, widened.",
    ["kind", "result"],
);

pub(crate) static BEHIND: Spec<Gauge, 0> = Spec::gauge(
    "msf_auth_revocation_feed_behind",
    "1 while the feed of revocations is silent for too long, else 0.",
    [],
);

pub(crate) static MARKS: Spec<Gauge, 1> = Spec::gauge(
    "msf_auth_revocation_marks",
    "Revocations that are remembered, by kind.",
    ["kind"],
);

/// The words for what is taken back, the narrowest first.
pub(super) const KINDS: [&str; 5] = ["token", "session", "subject", "issuer", "all"];

#[derive(Debug)]
pub(super) struct RevocationMetrics {
    recorded: [Counter; 5],
    widened: [Counter; 5],
}

impl RevocationMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let family = APPLIED.register(metrics)?;
        Ok(Self {
            recorded: KINDS.map(|kind| family.with([kind, "recorded"])),
            widened: KINDS.map(|kind| family.with([kind, "widened"])),
        })
    }

    pub(super) fn noop() -> Self {
        Self {
            recorded: KINDS.map(|_| Counter::noop()),
            widened: KINDS.map(|_| Counter::noop()),
        }
    }

    pub(super) fn applied(&self, kind: usize, is_widened: bool) {
        let counters = if is_widened {
            &self.widened
        } else {
            &self.recorded
        };
        counters[kind].inc();
    }
}
