//! Turns the fields of spans and events into entries, in buffers that are used again.

use std::cell::Cell;
use std::error::Error;
use std::fmt;

use tracing::field::{Field, Visit};

use super::encode::{self, push_display, push_escaped, push_float, push_number, push_text};
use crate::telemetry::chain::Chain;
use crate::telemetry::ids;

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
    /// How many fields had a value.
    pub(super) seen: usize,
    /// Union of the [`encode::key_bit`]s in `entries`.
    pub(super) keys: u64,
}

impl Fields {
    /// Lends the thread's buffers, empty, to `work`.
    ///
    /// They are taken out of their slot meanwhile, because a value may log while it is printed:
    /// that inner event then finds an empty slot and uses buffers of its own.
    pub(super) fn lend<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        let mut fields = SLOT.try_with(Cell::take).unwrap_or_default();
        let result = work(&mut fields);
        fields.clear();
        // Fails only while the thread is torn down.
        let _ = SLOT.try_with(|slot| slot.set(fields));
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

    fn clear(&mut self) {
        self.trace_id = None;
        self.span_id = None;
        self.seen = 0;
        self.keys = 0;
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
    fn entry(&mut self, name: &str) -> Option<&mut Vec<u8>> {
        let out = &mut self.fields.entries;
        let start = out.len();
        out.extend_from_slice(b",\"");
        if RESERVED.contains(&name) {
            out.extend_from_slice(b"field.");
        }
        push_escaped(out, name);
        let bit = encode::key_bit(&out[start + 2..]);
        if self.fields.keys & bit != 0 {
            let (before, key) = out.split_at(start);
            if encode::find(before, &key[2..]).is_some() {
                out.truncate(start);
                return None;
            }
        }
        self.fields.keys |= bit;
        out.extend_from_slice(b"\":");
        Some(out)
    }

    fn text(&mut self, field: &Field, push: impl FnOnce(&mut Vec<u8>)) {
        self.fields.seen += 1;
        if let Some(buffer) = self.special(field.name()) {
            if let Some(buffer) = buffer {
                buffer.clear();
                push(buffer);
            }
            return;
        }
        if let Some(out) = self.entry(field.name()) {
            out.push(b'"');
            push(out);
            out.push(b'"');
        }
    }

    fn display(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.text(field, |out| push_display(out, value));
    }

    fn number(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.special(field.name()).is_some() {
            return self.display(field, value);
        }
        self.fields.seen += 1;
        if let Some(out) = self.entry(field.name()) {
            push_number(out, value);
        }
    }

    /// Whether `name` is no ordinary field, and the buffer it goes to if it is kept at all.
    #[expect(
        clippy::option_option,
        reason = "private, and both levels are said above"
    )]
    fn special(&mut self, name: &str) -> Option<Option<&mut Vec<u8>>> {
        match (self.of_span, name) {
            (false, "message") | (true, "otel.name") => Some(Some(&mut self.fields.title)),
            (_, "request_id") => Some(Some(&mut self.fields.request_id)),
            // Said by the ids, or of use to an exporter only.
            (true, "parent_span_id" | "otel.kind" | "sampled" | "trace_flags" | "tracestate") => {
                Some(None)
            }
            _ => None,
        }
    }
}

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A value that looks like an id is taken as such; anything else stays an ordinary field.
        match field.name() {
            "trace_id" => {
                if let Some(id) = ids::parse_debug(value) {
                    self.fields.trace_id = Some(id);
                    self.fields.seen += 1;
                    return;
                }
            }
            "span_id" => {
                if let Some(id) = ids::parse_debug(value) {
                    self.fields.span_id = Some(id);
                    self.fields.seen += 1;
                    return;
                }
            }
            _ => {}
        }
        self.display(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if matches!(field.name(), "trace_id" | "span_id") {
            return self.record_debug(field, &format_args!("{value}"));
        }
        self.text(field, |out| push_text(out, value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, format_args!("{value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        // Readers take JSON numbers for doubles or 64-bit integers; a longer one would change
        // silently.
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.display(field, format_args!("{value}")),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.record_u64(field, value),
            Err(_) => self.display(field, format_args!("{value}")),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if self.special(field.name()).is_some() {
            return self.display(field, format_args!("{value}"));
        }
        self.fields.seen += 1;
        if let Some(out) = self.entry(field.name()) {
            push_float(out, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.display(field, format_args!("{}", Chain(value)));
    }
}

thread_local! {
    static SLOT: Cell<Fields> = const {
        Cell::new(Fields {
            trace_id: None,
            span_id: None,
            request_id: Vec::new(),
            title: Vec::new(),
            span: Vec::new(),
            entries: Vec::new(),
            seen: 0,
            keys: 0,
        })
    };
}

/// Keys of the line itself. A field of such a name is written as `field.<name>`.
const RESERVED: [&str; 7] = [
    "level", "message", "span", "span_id", "target", "trace_id", "ts",
];

/// How much memory a thread's buffer keeps between two lines.
const KEPT_BYTES: usize = 64 * 1024;
