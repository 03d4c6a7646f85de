//! From finished spans to the collector: the queue, the exporter's thread, and the end of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::Duration,
};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor},
};

use super::{
    config::{OtlpConfig, ServiceIdentity, traces_url},
    exporter::Counting,
    layer::OtlpLayer,
};
use crate::telemetry::{
    TelemetryError, TelemetrySetup,
    guard::{SpanCounters, SpanFlush},
    setup::SpanExport,
};

impl TelemetrySetup {
    /// Exports spans as `config` says; nothing changes if it names no endpoint.
    ///
    /// Starts the exporter's threads, but sends nothing yet: a collector that is away is no error.
    ///
    /// # Errors
    ///
    /// [`TelemetryError::InvalidEndpoint`] and [`TelemetryError::InvalidSetting`] name what is
    /// wrong in `config`; [`TelemetryError::Exporter`] if the exporter cannot be built.
    pub fn otlp(
        mut self,
        config: &OtlpConfig,
        service: &ServiceIdentity,
    ) -> Result<Self, TelemetryError> {
        config.check()?;
        let Some(endpoint) = &config.endpoint else {
            return Ok(self);
        };
        let url = traces_url(endpoint)?;
        self.exporter = Some(start(exporter(&url, config, service)?, config));
        Ok(self)
    }
}

/// Where finished spans are handed in.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    processor: Arc<BatchSpanProcessor>,
    counters: Arc<SpanCounters>,
    /// Spans handed in and not yet dealt with. The processor has a bound too, but does not say
    /// what it drops.
    pending: Arc<AtomicUsize>,
    capacity: usize,
    closed: Arc<AtomicBool>,
}

impl Spans {
    /// Hands in a finished span, never waiting.
    pub(super) fn hand_over(&self, span: SpanData) {
        let room = self.pending.fetch_add(1, Ordering::AcqRel) < self.capacity;
        if room && !self.closed.load(Ordering::Acquire) {
            self.processor.on_end(span);
        } else {
            self.pending.fetch_sub(1, Ordering::AcqRel);
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl SpanFlush for Spans {
    fn start_shutdown(self: Box<Self>, timeout: Duration) -> Receiver<bool> {
        let (report, reported) = sync_channel(1);
        self.closed.store(true, Ordering::Release);
        // The processor waits with a bound, but then joins a thread without one.
        let thread = thread::Builder::new()
            .name("msf-otlp-shutdown".to_owned())
            .spawn(move || {
                let ended = self.processor.shutdown_with_timeout(timeout).is_ok();
                // Nobody listens any more if the bound has passed.
                let _ = report.send(ended && self.pending.load(Ordering::Acquire) == 0);
            });
        // Without a thread the sender is gone, which the receiver takes for "not done".
        drop(thread);
        reported
    }
}

fn exporter(
    url: &str,
    config: &OtlpConfig,
    service: &ServiceIdentity,
) -> Result<opentelemetry_otlp::SpanExporter, TelemetryError> {
    // The default client is the blocking one, built on a plain thread; it is used on the
    // processor's thread only. An async client would need a runtime there, and hang or panic
    // without.
    let mut exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(url)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(config.timeout)
        .build()
        .map_err(|error| TelemetryError::Exporter(error.into()))?;
    exporter.set_resource(&resource(service));
    Ok(exporter)
}

/// Starts the processor's thread.
pub(super) fn start(exporter: impl SpanExporter + 'static, config: &OtlpConfig) -> SpanExport {
    let counters = Arc::new(SpanCounters::default());
    let pending = Arc::new(AtomicUsize::new(0));
    let exporter = Counting::new(exporter, Arc::clone(&counters), Arc::clone(&pending));
    let batch = BatchConfigBuilder::default()
        .with_max_queue_size(config.queue_spans)
        .with_max_export_batch_size(MAX_BATCH.min(config.queue_spans))
        .with_scheduled_delay(config.interval)
        .build();
    let spans = Spans {
        processor: Arc::new(BatchSpanProcessor::new(exporter, batch)),
        counters: Arc::clone(&counters),
        pending,
        capacity: config.queue_spans,
        closed: Arc::default(),
    };
    let layer = OtlpLayer::new(spans.clone(), config.sample_ratio, config.root_spans);
    SpanExport {
        layer: Box::new(layer),
        flush: Box::new(spans),
        counters,
    }
}

fn resource(service: &ServiceIdentity) -> Resource {
    let optional = [
        ("service.version", &service.version),
        ("service.instance.id", &service.instance),
    ];
    // The builder starts from OTEL_RESOURCE_ATTRIBUTES; what the service says of itself wins.
    Resource::builder()
        .with_service_name(service.name.clone())
        .with_attributes(optional.into_iter().filter_map(|(key, value)| {
            let value = value.as_ref()?;
            Some(KeyValue::new(key, value.clone()))
        }))
        .build()
}

/// Spans in one request; the SDK's default.
const MAX_BATCH: usize = 512;
