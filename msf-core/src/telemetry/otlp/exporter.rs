//! Counts what the collector takes, and complains sparingly when it does not.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use tokio::time::Instant;

use crate::telemetry::guard::SpanCounters;

/// The OTLP exporter with books kept.
#[derive(Debug)]
pub(super) struct Counting<E> {
    inner: E,
    counters: Arc<SpanCounters>,
    /// Spans handed over and not yet dealt with; shared with [`Spans`](super::pipeline::Spans).
    pending: Arc<AtomicUsize>,
    warned: Mutex<Option<Instant>>,
    failed_since_warning: AtomicU64,
}

impl<E> Counting<E> {
    pub(super) fn new(inner: E, counters: Arc<SpanCounters>, pending: Arc<AtomicUsize>) -> Self {
        Self {
            inner,
            counters,
            pending,
            warned: Mutex::new(None),
            failed_since_warning: AtomicU64::new(0),
        }
    }

    fn warn(&self, error: &(dyn std::error::Error + 'static), spans: u64) {
        let failed = self
            .failed_since_warning
            .fetch_add(spans, Ordering::Relaxed)
            + spans;
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_some_and(|at| at.elapsed() < WARN_EVERY) {
            return;
        }
        *warned = Some(Instant::now());
        drop(warned);
        self.failed_since_warning.store(0, Ordering::Relaxed);
        tracing::warn!(
            target: crate::telemetry::TARGET,
            error,
            spans = failed,
            "spans lost: the collector did not take them"
        );
    }
}

impl<E: SpanExporter> SpanExporter for Counting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.inner.export(batch).await;
        self.pending.fetch_sub(spans, Ordering::AcqRel);
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        match &result {
            Ok(()) => self.counters.exported.fetch_add(spans, Ordering::Relaxed),
            Err(error) => {
                self.warn(error, spans);
                self.counters.failed.fetch_add(spans, Ordering::Relaxed)
            }
        };
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// A collector that is away is one fact, not one per batch.
const WARN_EVERY: Duration = Duration::from_secs(60);
