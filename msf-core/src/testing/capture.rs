//! What was logged.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tracing::{
    Dispatch, Event, Level, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::{DefaultGuard, NoSubscriber},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// Captures what this thread logs, until it is dropped.
///
/// ```
/// use msf_core::testing::LogCapture;
///
/// let logs = LogCapture::start();
/// tracing::info_span!("request", trace_id = "4bf9").in_scope(|| {
///     tracing::warn!(order = 42, "sold out");
/// });
///
/// let event = logs.find("sold out").unwrap();
/// assert_eq!(event.field("order"), Some("42"));
/// assert_eq!(event.field("trace_id"), Some("4bf9"));
/// ```
#[must_use = "dropping it ends the capture"]
pub struct LogCapture {
    events: Events,
    _guard: DefaultGuard,
}

/// One captured event, with the fields of the spans around it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CapturedEvent {
    /// How important it is.
    pub level: Level,
    /// Where it comes from.
    pub target: String,
    /// What it says.
    pub message: String,
    /// Names of the spans around it, outermost first.
    pub spans: Vec<&'static str>,
    fields: BTreeMap<&'static str, String>,
}

type Events = Arc<Mutex<Vec<CapturedEvent>>>;

impl LogCapture {
    /// At most this many events are kept; later ones are dropped.
    pub const EVENTS_MAX: usize = 10_000;

    /// Starts to capture on this thread, at every level.
    pub fn start() -> Self {
        // While tracing knows one subscriber only, it asks the current thread's whether a callsite is of
        // interest and remembers the answer for all threads. A thread of another test, which captures
        // nothing, would then switch spans off for us. A second subscriber makes it ask everybody.
        static SECOND: OnceLock<Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| Dispatch::new(NoSubscriber::new()));

        let events = Events::default();
        let layer = CaptureLayer(events.clone());
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        Self {
            events,
            _guard: guard,
        }
    }

    /// Everything so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<CapturedEvent> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The first event with this message.
    #[must_use]
    pub fn find(&self, message: &str) -> Option<CapturedEvent> {
        self.events()
            .into_iter()
            .find(|event| event.message == message)
    }
}

impl fmt::Debug for LogCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.events()).finish()
    }
}

impl CapturedEvent {
    /// A field of the event or of the nearest span that has it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

struct CaptureLayer(Events);

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl<S> Layer<S> for CaptureLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        attrs.record(&mut fields);
        if let Some(span) = ctx.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        let mut spans = Vec::new();
        for span in ctx
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            spans.push(span.name());
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields
                    .0
                    .extend(outer.0.iter().map(|(name, value)| (*name, value.clone())));
            }
        }
        event.record(&mut fields);
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() < LogCapture::EVENTS_MAX {
            events.push(CapturedEvent {
                level: *event.metadata().level(),
                target: event.metadata().target().to_owned(),
                message: fields.0.remove("message").unwrap_or_default(),
                spans,
                fields: fields.0,
            });
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
