//! Turns the fields of spans and events into entries, in buffers that are used again.

use std::{cell::Cell, error::Error, fmt};

use tracing::field::{Field, Visit};

use super::{
    encode::{push_display, push_float, push_number, push_text, push_unsigned},
    key::{Key, Role},
};
use crate::telemetry::{chain::Chain, ids};

/// What one visit of a span's or an event's fields found.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) trace_id: Option<[u8; 32]>,
    pub(super) span_id: Option<[u8; 16]>,
    /// Escaped; empty if absent.
    pub(super) request_id: Vec<u8>,
    /// The message of an event, the `otel.name` of a span; escaped; empty if absent.
    pub(super) title: Vec<u8>,
    /// The name of the innermost span of an event; escaped; empty if there is none.
    pub(super) span: Vec<u8>,
    pub(super) entries: Vec<u8>,
    /// Where each entry begins, in order.
    pub(super) marks: Vec<Mark>,
    /// How many fields had a value.
    pub(super) seen: usize,
    /// Union of the [`Key::bit`]s in `entries`.
    pub(super) keys: u64,
}

/// Where an entry begins, and whose it is; it ends where the next one begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) key: &'static Key,
    pub(super) start: usize,
}

impl Fields {
    /// Lends the thread's buffers, empty, to `work`.
    ///
    /// They are taken out of their slot meanwhile, because a value may log while it is printed:
    /// that inner event then finds an empty slot and uses buffers of its own.
    pub(super) fn lend<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        let lent = SLOT.try_with(Cell::take).unwrap_or_default();
        let mut fields = lent.unwrap_or_default();
        let result = work(&mut fields);
        fields.clear();
        // Fails only while the thread is torn down.
        let _ = SLOT.try_with(|slot| slot.set(Some(fields)));
        result
    }

    /// Visits fields of a span.
    pub(super) fn of_span(&mut self) -> impl Visit {
        Visitor {
            fields: self,
            of_span: true,
        }
    }

    /// Visits fields of an event.
    pub(super) fn of_event(&mut self) -> impl Visit {
        Visitor {
            fields: self,
            of_span: false,
        }
    }

    /// Whether there is an entry with this key.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.keys & key.bit() != 0 && self.marks.iter().any(|mark| mark.key.id == key.id)
    }

    /// The entries: each with its key and the text of its value.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'static Key, &[u8])> {
        let ends = self.marks.iter().skip(1).map(|mark| mark.start);
        self.marks
            .iter()
            .zip(ends.chain([self.entries.len()]))
            .map(|(mark, end)| {
                (
                    mark.key,
                    &self.entries[mark.start + mark.key.text.len()..end],
                )
            })
    }

    fn clear(&mut self) {
        self.trace_id = None;
        self.span_id = None;
        self.seen = 0;
        self.keys = 0;
        self.marks.clear();
        let Self {
            request_id,
            title,
            span,
            entries,
            ..
        } = self;
        for buffer in [request_id, title, span, entries] {
            buffer.clear();
            // One huge line must not be paid for by every thread for ever.
            buffer.shrink_to(KEPT_BYTES);
        }
    }
}

struct Visitor<'a> {
    fields: &'a mut Fields,
    of_span: bool,
}

impl Visitor<'_> {
    /// Starts an entry, unless the key has one already: JSON with a key twice has no agreed
    /// meaning.
    fn entry(&mut self, key: &'static Key) -> Option<&mut Vec<u8>> {
        if self.fields.has(key) {
            return None;
        }
        let start = self.fields.entries.len();
        self.fields.keys |= key.bit();
        self.fields.marks.push(Mark { key, start });
        self.fields.entries.extend_from_slice(&key.text);
        Some(&mut self.fields.entries)
    }

    fn text(&mut self, key: &'static Key, push: impl FnOnce(&mut Vec<u8>)) {
        self.fields.seen += 1;
        let buffer = match (key.role, self.of_span) {
            (Role::Message, false) | (Role::SpanName, true) => &mut self.fields.title,
            (Role::RequestId, _) => &mut self.fields.request_id,
            (Role::Unsaid, true) => return,
            _ => {
                if let Some(out) = self.entry(key) {
                    out.push(b'"');
                    push(out);
                    out.push(b'"');
                }
                return;
            }
        };
        buffer.clear();
        push(buffer);
    }

    fn display(&mut self, key: &'static Key, value: fmt::Arguments<'_>) {
        self.text(key, |out| push_display(out, value));
    }

    /// A value that JSON writes without quotes, where it becomes an entry.
    fn bare(&mut self, field: &Field, value: fmt::Arguments<'_>, push: impl FnOnce(&mut Vec<u8>)) {
        let key = Key::of(field.name());
        let is_entry = match key.role {
            Role::Plain | Role::TraceId | Role::SpanId => true,
            Role::RequestId => false,
            Role::Message => self.of_span,
            Role::SpanName | Role::Unsaid => !self.of_span,
        };
        if !is_entry {
            return self.display(key, value);
        }
        self.fields.seen += 1;
        if let Some(out) = self.entry(key) {
            push(out);
        }
    }

    /// Takes a value that looks like an id as such; anything else stays an ordinary field.
    fn id(
        &mut self,
        key: &Key,
        trace_id: impl FnOnce() -> Option<[u8; 32]>,
        span_id: impl FnOnce() -> Option<[u8; 16]>,
    ) -> bool {
        let is_id = match key.role {
            Role::TraceId => trace_id().is_some_and(|id| {
                self.fields.trace_id = Some(id);
                true
            }),
            Role::SpanId => span_id().is_some_and(|id| {
                self.fields.span_id = Some(id);
                true
            }),
            _ => false,
        };
        self.fields.seen += usize::from(is_id);
        is_id
    }
}

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let key = Key::of(field.name());
        if !self.id(key, || ids::parse_debug(value), || ids::parse_debug(value)) {
            self.display(key, format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let key = Key::of(field.name());
        if !self.id(key, || ids::parse(value), || ids::parse(value)) {
            self.text(key, |out| push_text(out, value));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        let text = if value { "true" } else { "false" };
        self.bare(field, format_args!("{value}"), |out| {
            out.extend_from_slice(text.as_bytes());
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.record_u64(field, value),
            Err(_) => self.bare(field, format_args!("{value}"), |out| {
                push_number(out, format_args!("{value}"));
            }),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, format_args!("{value}"), |out| {
            push_unsigned(out, value);
        });
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        // Readers take JSON numbers for doubles or 64-bit integers; a longer one would change
        // silently.
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.display(Key::of(field.name()), format_args!("{value}")),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.record_u64(field, value),
            Err(_) => self.display(Key::of(field.name()), format_args!("{value}")),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.bare(field, format_args!("{value}"), |out| push_float(out, value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.display(Key::of(field.name()), format_args!("{}", Chain(value)));
    }
}

thread_local! {
    // Boxed, because it is taken and put back for every span and event.
    static SLOT: Cell<Option<Box<Fields>>> = const { Cell::new(None) };
}

/// How much memory a thread's buffer keeps between two lines.
const KEPT_BYTES: usize = 64 * 1024;
