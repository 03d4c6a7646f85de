//! What is kept of a span until it is exported.

use std::{borrow::Cow, time::SystemTime};

use opentelemetry::{
    InstrumentationScope, KeyValue, Value,
    trace::{Event, Link, SpanContext, SpanId, SpanKind, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::{attributes::Attributes, status};

/// A span that belongs to a trace.
#[derive(Debug)]
pub(super) struct TracedSpan {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    /// None if the span is not sampled: then only the ids matter, for the spans inside it.
    pub(super) open: Option<OpenSpan>,
}

/// A sampled span that has not ended.
#[derive(Debug)]
pub(super) struct OpenSpan {
    parent: SpanId,
    parent_is_remote: bool,
    start: SystemTime,
    fields: Attributes,
    events: SpanEvents,
    links: SpanLinks,
}

impl TracedSpan {
    pub(super) fn context(&self) -> SpanContext {
        let flags = TraceFlags::default().with_sampled(self.open.is_some());
        SpanContext::new(self.trace_id, self.span_id, flags, false, TraceState::NONE)
    }

    /// Ends the span now; none if it is not sampled.
    pub(super) fn end(self, name: &'static str, scope: &InstrumentationScope) -> Option<SpanData> {
        let span_context = self.context();
        let mut open = self.open?;
        let kind = open.fields.kind.take().unwrap_or(SpanKind::Internal);
        let status = status::of(&kind, &mut open.fields);
        let fields = open.fields;
        Some(SpanData {
            span_context,
            parent_span_id: open.parent,
            parent_span_is_remote: open.parent_is_remote,
            span_kind: kind,
            name: fields.name.map_or(Cow::Borrowed(name), Cow::Owned),
            start_time: open.start,
            // The wall clock may have been set back meanwhile.
            end_time: SystemTime::now().max(open.start),
            attributes: fields.list,
            dropped_attributes_count: fields.dropped,
            events: open.events,
            links: open.links,
            status,
            instrumentation_scope: scope.clone(),
        })
    }
}

impl OpenSpan {
    pub(super) fn new(parent: Option<SpanId>, parent_is_remote: bool, fields: Attributes) -> Self {
        Self {
            parent: parent.unwrap_or(SpanId::INVALID),
            parent_is_remote,
            start: SystemTime::now(),
            fields,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
        }
    }

    pub(super) fn record(&mut self, later: Attributes) {
        self.fields.merge(later);
    }

    /// Whether another event is kept; counts it as dropped if not.
    pub(super) fn has_room_for_event(&mut self) -> bool {
        let room = self.events.events.len() < MAX_EVENTS;
        if !room {
            self.events.dropped_count += 1;
        }
        room
    }

    pub(super) fn add_event(&mut self, event: Event) {
        self.events.events.push(event);
    }

    pub(super) fn add_link(&mut self, context: SpanContext) {
        if self.links.links.len() < MAX_LINKS {
            self.links.links.push(Link::with_context(context));
        } else {
            self.links.dropped_count += 1;
        }
    }
}

/// The span event of a log event.
pub(super) fn event(
    metadata: &'static tracing::Metadata<'static>,
    mut fields: Attributes,
) -> Event {
    let name = fields.name.take();
    let level = Value::from(metadata.level().as_str());
    fields.push(KeyValue::new("level", level));
    fields.push(KeyValue::new("target", metadata.target()));
    Event::new(
        name.map_or_else(|| Cow::Borrowed(metadata.name()), Cow::Owned),
        SystemTime::now(),
        fields.list,
        fields.dropped,
    )
}

/// The OpenTelemetry SDK's own default limit.
const MAX_EVENTS: usize = 128;

/// Links are rare: a batch of messages, a retried job.
const MAX_LINKS: usize = 32;
