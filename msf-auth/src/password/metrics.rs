//! How busy the hashing is.

use msf_core::metrics::{Counter, Gauge, Histogram, Metrics, MetricsError, Spec};

use super::PasswordError;

pub(crate) static OPERATIONS: Spec<Counter, 2> = Spec::counter(
    "msf_auth_passwords_total",
    "Passwords hashed or compared, by what became of them (done, busy, refused, failed).",
    ["operation", "result"],
);

pub(crate) static WAITING: Spec<Gauge, 0> = Spec::gauge(
    "msf_auth_password_waiting",
    "Passwords that wait for their turn to be hashed.",
    [],
);

pub(crate) static SECONDS: Spec<Histogram, 0> = Spec::histogram(
    "msf_auth_password_seconds",
    "Time that a hash took on its thread.",
    [],
);

#[derive(Debug)]
pub(super) struct PasswordMetrics {
    pub(super) hash: Results,
    pub(super) verify: Results,
    pub(super) waiting: Gauge,
    pub(super) seconds: Histogram,
}

#[derive(Debug)]
pub(super) struct Results {
    done: Counter,
    busy: Counter,
    refused: Counter,
    failed: Counter,
}

impl PasswordMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let family = OPERATIONS.register(metrics)?;
        let results = |operation: &str| Results {
            done: family.with([operation, "done"]),
            busy: family.with([operation, "busy"]),
            refused: family.with([operation, "refused"]),
            failed: family.with([operation, "failed"]),
        };
        Ok(Self {
            hash: results("hash"),
            verify: results("verify"),
            waiting: WAITING.register(metrics)?.with([]),
            seconds: SECONDS.register(metrics)?.with([]),
        })
    }

    pub(super) fn noop() -> Self {
        let results = || Results {
            done: Counter::noop(),
            busy: Counter::noop(),
            refused: Counter::noop(),
            failed: Counter::noop(),
        };
        Self {
            hash: results(),
            verify: results(),
            waiting: Gauge::noop(),
            seconds: Histogram::noop(),
        }
    }
}

impl Results {
    pub(super) fn count<T>(&self, outcome: &Result<T, PasswordError>) {
        match outcome {
            Ok(_) => &self.done,
            Err(PasswordError::Busy) => &self.busy,
            Err(PasswordError::TooLong) => &self.refused,
            Err(PasswordError::StoredHash | PasswordError::Failed) => &self.failed,
        }
        .inc();
    }
}
