//! A subscriber that remembers spans and events, for one thread.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::{DefaultGuard, set_default},
};

pub(super) type Fields = BTreeMap<String, String>;

#[derive(Clone, Debug)]
pub(super) struct SeenSpan {
    pub(super) target: String,
    pub(super) fields: Fields,
    pub(super) handles: usize,
    pub(super) closed: usize,
}

#[derive(Clone, Debug)]
pub(super) struct SeenEvent {
    pub(super) target: String,
    pub(super) level: Level,
    pub(super) fields: Fields,
    /// Index of the span it happened in.
    pub(super) span: Option<usize>,
}

#[derive(Debug, Default)]
struct Seen {
    spans: Vec<SeenSpan>,
    events: Vec<SeenEvent>,
    entered: Vec<usize>,
}

/// Captures until dropped.
pub(super) struct Capture {
    seen: Arc<Mutex<Seen>>,
    _default: DefaultGuard,
}

impl Capture {
    pub(super) fn start() -> Self {
        Self::without_target("")
    }

    /// As if a filter turned one target off.
    pub(super) fn without_target(target: &'static str) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let default = set_default(Recorder {
            seen: seen.clone(),
            hidden: target,
        });
        Self {
            seen,
            _default: default,
        }
    }

    pub(super) fn spans(&self) -> Vec<SeenSpan> {
        lock(&self.seen).spans.clone()
    }

    pub(super) fn span(&self) -> SeenSpan {
        let [span] = <[_; 1]>::try_from(self.spans()).expect("exactly one span");
        span
    }

    pub(super) fn events(&self, target: &str) -> Vec<SeenEvent> {
        lock(&self.seen)
            .events
            .iter()
            .filter(|event| event.target == target)
            .cloned()
            .collect()
    }

    /// The one line of the access log.
    pub(super) fn access(&self) -> SeenEvent {
        let [event] = <[_; 1]>::try_from(self.events("msf::access")).expect("exactly one line");
        event
    }
}

struct Recorder {
    seen: Arc<Mutex<Seen>>,
    hidden: &'static str,
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() != self.hidden
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        attributes.record(&mut Texts(&mut fields));
        let target = attributes.metadata().target().to_owned();
        let mut seen = lock(&self.seen);
        seen.spans.push(SeenSpan {
            target,
            fields,
            handles: 1,
            closed: 0,
        });
        Id::from_u64(seen.spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        values.record(&mut Texts(&mut lock(&self.seen).spans[at(id)].fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Texts(&mut fields));
        let mut seen = lock(&self.seen);
        let span = match event.parent() {
            Some(named) => Some(at(named)),
            None if event.is_contextual() => seen.entered.last().copied(),
            None => None,
        };
        let target = event.metadata().target().to_owned();
        seen.events.push(SeenEvent {
            target,
            level: *event.metadata().level(),
            fields,
            span,
        });
    }

    fn enter(&self, id: &Id) {
        lock(&self.seen).entered.push(at(id));
    }

    fn exit(&self, id: &Id) {
        assert_eq!(
            lock(&self.seen).entered.pop(),
            Some(at(id)),
            "spans are left in order"
        );
    }

    fn clone_span(&self, id: &Id) -> Id {
        lock(&self.seen).spans[at(id)].handles += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut seen = lock(&self.seen);
        let span = &mut seen.spans[at(&id)];
        span.handles -= 1;
        span.closed += usize::from(span.handles == 0);
        span.handles == 0
    }
}

struct Texts<'a>(&'a mut Fields);

impl Visit for Texts<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

fn at(id: &Id) -> usize {
    usize::try_from(id.into_u64()).unwrap() - 1
}

/// A test that panics on purpose must still be able to look.
fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
