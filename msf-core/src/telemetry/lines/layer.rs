//! The layer that turns events into lines.

use tracing::{
    Event, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    layer::{Context, Layer},
    registry::LookupSpan,
};

use super::{
    encode::push_escaped, fields::Fields, json, pretty, queue::LineQueue, record::SpanRecord,
};

/// Writes one line per event.
///
/// Instead of tracing-subscriber's fmt layer: that one formats every span of the scope again for
/// every event, has no ids at the top of the line, and can emit a key twice.
#[derive(Debug)]
pub(in crate::telemetry) struct LineLayer {
    queue: LineQueue,
    style: LineStyle,
}

/// How lines look, decided once at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::telemetry) enum LineStyle {
    Json,
    Pretty { colour: bool },
}

impl LineLayer {
    pub(in crate::telemetry) fn new(queue: LineQueue, style: LineStyle) -> Self {
        Self { queue, style }
    }
}

impl LineStyle {
    /// What makes the line that reports dropped lines.
    pub(in crate::telemetry) fn dropped_notice(self) -> fn(u64) -> Vec<u8> {
        match self {
            Self::Json => json::dropped_notice,
            Self::Pretty { .. } => pretty::dropped_notice,
        }
    }
}

impl<S> Layer<S> for LineLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let record = Fields::lend(|fields| {
            attributes.record(&mut fields.of_span());
            SpanRecord::new(fields, attributes.metadata().fields().len())
        });
        span.extensions_mut().insert(record);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        Fields::lend(|fields| {
            // Visited before the lock is taken: a value may log while it is printed.
            values.record(&mut fields.of_span());
            if let Some(record) = span.extensions_mut().get_mut::<SpanRecord>() {
                record.record(fields);
            }
        });
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let line = Fields::lend(|fields| {
            event.record(&mut fields.of_event());
            inherit(fields, event, &ctx, self.style);
            match self.style {
                LineStyle::Json => json::line(event.metadata(), fields),
                LineStyle::Pretty { colour } => pretty::line(event.metadata(), fields, colour),
            }
        });
        self.queue.push(line);
    }
}

/// Adds what the event has from its spans: ids from the nearest span that has them unless the
/// event brings its own, and the fields of every enclosing span, of which an inner one hides an
/// outer one.
fn inherit<S>(fields: &mut Fields, event: &Event<'_>, ctx: &Context<'_, S>, style: LineStyle)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    for (depth, span) in ctx.event_scope(event).into_iter().flatten().enumerate() {
        let extensions = span.extensions();
        let Some(record) = extensions.get::<SpanRecord>() else {
            continue;
        };
        if depth == 0 {
            match record.name() {
                [] => push_escaped(&mut fields.span, span.name()),
                name => fields.span.extend_from_slice(name),
            }
        }
        fields.trace_id = fields.trace_id.or_else(|| record.trace_id());
        fields.span_id = fields.span_id.or_else(|| record.span_id());
        if fields.request_id.is_empty() {
            fields.request_id.extend_from_slice(record.request_id());
        }
        // A person at a terminal knows the request from its name; its attributes would bury the
        // message.
        if style == LineStyle::Json || record.trace_id().is_none() {
            record.append_entries(fields);
        }
    }
}
