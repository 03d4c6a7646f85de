//! The layer that follows spans and hands over the finished ones.

use opentelemetry::{
    InstrumentationScope,
    trace::{SpanId, TraceId},
};
use tracing::{
    Event, Subscriber,
    span::{self, Id, Record},
};
use tracing_subscriber::{
    layer::{Context, Layer},
    registry::LookupSpan,
};

use super::{
    attributes::Attributes,
    pipeline::Spans,
    record::{self, OpenSpan, TracedSpan},
};
use crate::telemetry::quiet;

/// Exports spans with the ids in their fields.
///
/// Fields are always visited before a span's extensions are locked: a value may log while it is
/// printed, and that event looks at the same span.
#[derive(Debug)]
pub(super) struct OtlpLayer {
    spans: Spans,
    scope: InstrumentationScope,
    /// A trace is kept if the upper 63 bits of the second half of its id are below this.
    sample_below: u64,
    root_spans: bool,
}

impl OtlpLayer {
    pub(super) fn new(spans: Spans, sample_ratio: f64, root_spans: bool) -> Self {
        Self {
            spans,
            scope: InstrumentationScope::builder("msf")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
            sample_below: sample_bound(sample_ratio),
            root_spans,
        }
    }

    fn traced(&self, mut fields: Attributes, parent: Option<Parent>) -> Option<TracedSpan> {
        let trace_id = match (fields.trace_id, &parent) {
            (Some(id), _) => id,
            (None, Some(parent)) => parent.trace_id,
            (None, None) if self.root_spans => fresh_trace_id(),
            (None, None) => return None,
        };
        // A span of another trace inside this one is a root or has a remote parent: a job in its
        // own trace.
        let parent = parent.filter(|parent| parent.trace_id == trace_id);
        let span_id = fields.span_id.unwrap_or_else(fresh_span_id);
        let local = parent.as_ref().map(|parent| parent.span_id);
        let parent_span_id = fields.parent_span_id.or(local);
        let is_remote = parent_span_id.is_some() && parent_span_id != local;
        let sampled = match (fields.sampled.take(), &parent) {
            (Some(false), _) => false,
            (_, Some(parent)) => parent.sampled,
            (_, None) => low_half(trace_id) >> 1 < self.sample_below,
        };
        Some(TracedSpan {
            trace_id,
            span_id,
            open: sampled.then(|| OpenSpan::new(parent_span_id, is_remote, fields)),
        })
    }
}

impl<S> Layer<S> for OtlpLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if quiet::on_exporter_thread() {
            return;
        }
        let Some(span) = ctx.span(id) else { return };
        let parent = span.scope().skip(1).find_map(|outer| {
            let extensions = outer.extensions();
            extensions.get::<TracedSpan>().map(|traced| Parent {
                trace_id: traced.trace_id,
                span_id: traced.span_id,
                sampled: traced.open.is_some(),
            })
        });
        let mut fields = Attributes::with_capacity(attributes.metadata().fields().len());
        attributes.record(&mut fields);
        if let Some(traced) = self.traced(fields, parent) {
            span.extensions_mut().insert(traced);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let is_open = |span: &mut TracedSpan| span.open.is_some();
        if !span.extensions_mut().get_mut().is_some_and(is_open) {
            return;
        }
        let mut later = Attributes::default();
        values.record(&mut later);
        let mut extensions = span.extensions_mut();
        let traced = extensions.get_mut::<TracedSpan>();
        if let Some(open) = traced.and_then(|traced| traced.open.as_mut()) {
            open.record(later);
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        let (Some(span), Some(followed)) = (ctx.span(id), ctx.span(follows)) else {
            return;
        };
        let context = followed
            .extensions()
            .get::<TracedSpan>()
            .map(TracedSpan::context);
        let mut extensions = span.extensions_mut();
        let traced = extensions.get_mut::<TracedSpan>();
        if let (Some(context), Some(traced)) = (context, traced)
            && let Some(open) = &mut traced.open
        {
            open.add_link(context);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        // An access event says what its span says.
        if event.metadata().target() == ACCESS_TARGET {
            return;
        }
        let Some(span) = ctx.event_span(event) else {
            return;
        };
        let has_room = |traced: &mut TracedSpan| {
            let open = traced.open.as_mut();
            open.is_some_and(OpenSpan::has_room_for_event)
        };
        if !span.extensions_mut().get_mut().is_some_and(has_room) {
            return;
        }
        let mut fields = Attributes::with_capacity(event.metadata().fields().len() + 2);
        event.record(&mut fields);
        let event = record::event(event.metadata(), fields);
        let mut extensions = span.extensions_mut();
        let traced = extensions.get_mut::<TracedSpan>();
        if let Some(open) = traced.and_then(|traced| traced.open.as_mut()) {
            open.add_event(event);
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(&id) else { return };
        let traced = span.extensions_mut().remove::<TracedSpan>();
        let data = traced.and_then(|traced| traced.end(span.metadata().name(), &self.scope));
        if let Some(data) = data {
            self.spans.hand_over(data);
        }
    }
}

struct Parent {
    trace_id: TraceId,
    span_id: SpanId,
    sampled: bool,
}

/// The bound of OpenTelemetry's `TraceIdRatioBased` sampler, so that SDKs of other languages with
/// the same ratio keep the same traces.
fn sample_bound(ratio: f64) -> u64 {
    if ratio >= 1.0 {
        return u64::MAX;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the ratio is from 0 to 1, so the product fits; float casts saturate anyway"
    )]
    let bound = (ratio * (1_u64 << 63) as f64) as u64;
    bound
}

fn low_half(id: TraceId) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = id.to_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn fresh_trace_id() -> TraceId {
    TraceId::from_bytes(fastrand::u128(1..).to_be_bytes())
}

fn fresh_span_id() -> SpanId {
    SpanId::from_bytes(fastrand::u64(1..).to_be_bytes())
}

const ACCESS_TARGET: &str = "msf::access";
