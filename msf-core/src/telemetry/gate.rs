//! Decides which spans and events exist at all.

use tracing::{
    Event, Level, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::layer::{Context, Layer};

use super::{level::LevelHandle, quiet};

/// The level filter of the whole subscriber.
///
/// tracing-subscriber's own reload layer takes a read lock in every callback; this one loads an
/// `ArcSwap`, and with plain directives it is not asked at all: the answer is cached per callsite.
#[derive(Debug)]
pub(super) struct Gate {
    level: LevelHandle,
    /// Whether spans are exported, so that the exporter's own threads must be kept quiet.
    exporting: bool,
}

impl Gate {
    pub(super) fn new(level: LevelHandle, exporting: bool) -> Self {
        Self { level, exporting }
    }
}

impl<S: Subscriber> Layer<S> for Gate {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let directives = self.level.load();
        // Asked first in any case: the filter notes the callsites of span directives here.
        let interest = Layer::<S>::register_callsite(&directives.filter, metadata);
        if identifies_a_trace(metadata) {
            return Interest::always();
        }
        interest
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        identifies_a_trace(metadata) || self.level.load().filter.enabled(metadata, ctx)
    }

    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        !self.exporting || event.metadata().target() == TARGET || !quiet::on_exporter_thread()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let hint = self.level.load().filter.max_level_hint();
        hint.map(|hint| hint.max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(directives) = self.level.load_following() {
            directives.filter.on_new_span(attributes, id, ctx);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(directives) = self.level.load_following() {
            directives.filter.on_record(id, values, ctx);
        }
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        if let Some(directives) = self.level.load_following() {
            directives.filter.on_enter(id, ctx);
        }
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        if let Some(directives) = self.level.load_following() {
            directives.filter.on_exit(id, ctx);
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        if let Some(directives) = self.level.load_following() {
            directives.filter.on_close(id, ctx);
        }
    }
}

/// Spans of requests exist at every log level: with `level = "warn"` a warning must still carry its
/// trace id, and traces are exported no matter what is logged.
fn identifies_a_trace(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && *metadata.level() <= Level::INFO
        && metadata.fields().field("trace_id").is_some()
}

/// The target of what this module tree itself says.
pub(super) const TARGET: &str = "msf_core::telemetry";
