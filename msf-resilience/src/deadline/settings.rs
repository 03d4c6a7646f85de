//! What all services of a layer share, and what they make of a request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Request;
use msf_core::deadline::{Deadline, DeadlineExceeded, GRPC_TIMEOUT};

use super::metrics::DeadlineMetrics;
use crate::late::{Found, Late, Pool};

static POOL: Pool<DeadlineMetrics> = Pool::new();

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) knobs: Knobs,
    metrics: Option<Found<DeadlineMetrics>>,
}

/// Durations in nanoseconds, [`NONE`] for one that is not set.
#[derive(Debug)]
pub(super) struct Knobs {
    pub(super) default: Knob,
    pub(super) max: Knob,
    pub(super) margin: Knob,
}

#[derive(Debug)]
pub(super) struct Knob(AtomicU64);

impl Knobs {
    pub(super) const fn new() -> Self {
        Self {
            default: Knob::new(),
            max: Knob::new(),
            margin: Knob::new(),
        }
    }

    pub(super) fn copy(&self) -> Self {
        let copy = Self::new();
        copy.default.set(self.default.value());
        copy.max.set(self.max.value());
        copy.margin.set(self.margin.value());
        copy
    }
}

impl Knob {
    const fn new() -> Self {
        Self(AtomicU64::new(NONE))
    }

    pub(super) fn set(&self, value: Option<Duration>) {
        let nanos = value.map_or(NONE, |value| {
            u64::try_from(value.as_nanos()).map_or(NONE - 1, |nanos| nanos.min(NONE - 1))
        });
        self.0.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> Option<Duration> {
        let nanos = self.0.load(Ordering::Relaxed);
        (nanos != NONE).then(|| Duration::from_nanos(nanos))
    }
}

impl Settings {
    pub(super) fn new(knobs: Knobs, metrics: Option<DeadlineMetrics>) -> Arc<Self> {
        Arc::new(Self {
            knobs,
            metrics: metrics.map(|metrics| Found::new(&POOL, metrics)),
        })
    }

    /// A copy that shares nothing but the metrics, with one knob set.
    pub(super) fn with(&self, knob: impl FnOnce(&Knobs) -> &Knob, value: Duration) -> Arc<Self> {
        let knobs = self.knobs.copy();
        knob(&knobs).set(Some(value));
        let metrics = self.metrics.as_deref().cloned();
        Self::new(knobs, metrics)
    }

    pub(super) fn late(&self) -> Option<Late<DeadlineMetrics>> {
        self.metrics.as_ref().map(Found::late)
    }

    /// The deadline that holds for a request, written where the service inside looks for it.
    pub(super) fn apply<B>(
        &self,
        request: &mut Request<B>,
    ) -> Result<Option<Deadline>, DeadlineExceeded> {
        let deadline = self.enter(request);
        let Some(deadline) = deadline else {
            return Ok(None);
        };
        let margin = self.knobs.margin.value();
        let left = deadline.remaining();
        let is_over = match margin {
            None => left.is_zero(),
            // Less than a millisecond would be sent as 0, with which the callee does nothing.
            Some(margin) => left.saturating_sub(margin) < Duration::from_millis(1),
        };
        if is_over {
            if let Some(metrics) = &self.metrics {
                metrics.before.inc();
            }
            return Err(DeadlineExceeded);
        }
        if let Some(margin) = margin {
            let reduced = deadline.minus(margin);
            let headers = request.headers_mut();
            if headers.contains_key(GRPC_TIMEOUT) {
                reduced.write_grpc_to(headers);
            }
            reduced.write_to(headers);
        }
        Ok(Some(deadline))
    }

    fn enter<B>(&self, request: &mut Request<B>) -> Option<Deadline> {
        let present = Deadline::of(request.extensions());
        let received = Deadline::from_headers(request.headers());
        let mut holds = match (present, received) {
            (Some(present), Some(received)) => Some(present.min(received)),
            (one, other) => one.or(other),
        };
        holds = holds.or_else(|| self.knobs.default.value().map(Deadline::after));
        if let Some(max) = self.knobs.max.value() {
            holds = Some(holds.map_or_else(|| Deadline::after(max), |own| own.shortened_to(max)));
        }
        if let Some(holds) = holds
            && present != Some(holds)
        {
            request.extensions_mut().insert(holds);
        }
        holds
    }
}

const NONE: u64 = u64::MAX;
