//! Turns fields of spans and events into OpenTelemetry attributes.

use std::{
    error::Error,
    fmt::{self, Write},
};

use opentelemetry::{
    Key, KeyValue, Value,
    trace::{SpanId, SpanKind, Status, TraceId},
};
use tracing::field::{Field, Visit};

use crate::telemetry::{chain::Chain, ids};

/// What one visit of a span's or an event's fields found.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) trace_id: Option<TraceId>,
    pub(super) span_id: Option<SpanId>,
    pub(super) parent_span_id: Option<SpanId>,
    pub(super) sampled: Option<bool>,
    pub(super) kind: Option<SpanKind>,
    /// `otel.name` of a span, the message of an event.
    pub(super) name: Option<String>,
    pub(super) http_status: Option<i64>,
    pub(super) error_type: Option<String>,
    pub(super) status: Option<Status>,
    pub(super) status_description: Option<String>,
    pub(super) list: Vec<KeyValue>,
    pub(super) dropped: u32,
}

impl Attributes {
    /// With room for `fields` attributes.
    pub(super) fn with_capacity(fields: usize) -> Self {
        Self {
            list: Vec::with_capacity(fields.min(MAX_ATTRIBUTES)),
            ..Self::default()
        }
    }

    /// Adds what was recorded later; a newer value replaces an older one.
    pub(super) fn merge(&mut self, later: Self) {
        fn replace<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        replace(&mut self.kind, later.kind);
        replace(&mut self.name, later.name);
        replace(&mut self.http_status, later.http_status);
        replace(&mut self.error_type, later.error_type);
        replace(&mut self.status, later.status);
        replace(&mut self.status_description, later.status_description);
        self.dropped += later.dropped;
        for attribute in later.list {
            match self.list.iter_mut().find(|old| old.key == attribute.key) {
                Some(old) => old.value = attribute.value,
                None => self.push(attribute),
            }
        }
    }

    pub(super) fn push(&mut self, attribute: KeyValue) {
        if self.list.len() < MAX_ATTRIBUTES {
            self.list.push(attribute);
        } else {
            self.dropped += 1;
        }
    }

    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.push(KeyValue::new(Key::from_static_str(field.name()), value));
    }

    fn text(&mut self, field: &Field, text: String) {
        match field.name() {
            "otel.name" | "message" => self.name = Some(text),
            "otel.kind" => self.kind = kind(&text),
            "otel.status_code" => self.status = status(&text),
            "otel.status_description" => self.status_description = Some(text),
            // W3C Trace Context §3.2.2.5: two hex digits, of which the last bit says sampled.
            "trace_flags" => {
                self.sampled = u8::from_str_radix(&text, 16)
                    .ok()
                    .map(|flags| flags & 1 == 1);
            }
            "tracestate" => {}
            name => {
                if name == "error.type" {
                    self.error_type = Some(text.clone());
                }
                self.add(field, text);
            }
        }
    }

    fn integer(&mut self, field: &Field, value: i64) {
        match field.name() {
            "trace_flags" => self.sampled = Some(value & 1 == 1),
            name => {
                if name == "http.response.status_code" {
                    self.http_status = Some(value);
                }
                self.add(field, value);
            }
        }
    }

    /// Takes an id from a field of an id's name; a value that is no id stays an ordinary attribute.
    fn id(&mut self, field: &Field, value: &dyn fmt::Debug) -> bool {
        match field.name() {
            "trace_id" => {
                let id = ids::parse_debug::<32>(value).and_then(trace_id);
                self.trace_id = id.or(self.trace_id);
                id.is_some()
            }
            "span_id" => {
                let id = ids::parse_debug::<16>(value).and_then(span_id);
                self.span_id = id.or(self.span_id);
                id.is_some()
            }
            "parent_span_id" => {
                let id = ids::parse_debug::<16>(value).and_then(span_id);
                self.parent_span_id = id.or(self.parent_span_id);
                id.is_some()
            }
            _ => false,
        }
    }
}

impl Visit for Attributes {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.id(field, value) {
            self.text(field, cut(format_args!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.id(field, &format_args!("{value}")) {
            self.text(field, cut(format_args!("{value}")));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "sampled" {
            self.sampled = Some(value);
        } else {
            self.add(field, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.integer(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        // OTLP has signed integers only.
        match i64::try_from(value) {
            Ok(value) => self.integer(field, value),
            Err(_) => self.add(field, value.to_string()),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, cut(format_args!("{}", Chain(value))));
    }
}

fn trace_id(digits: [u8; 32]) -> Option<TraceId> {
    TraceId::from_hex(std::str::from_utf8(&digits).ok()?).ok()
}

fn span_id(digits: [u8; 16]) -> Option<SpanId> {
    SpanId::from_hex(std::str::from_utf8(&digits).ok()?).ok()
}

fn kind(text: &str) -> Option<SpanKind> {
    let kinds = [
        ("client", SpanKind::Client),
        ("consumer", SpanKind::Consumer),
        ("internal", SpanKind::Internal),
        ("producer", SpanKind::Producer),
        ("server", SpanKind::Server),
    ];
    kinds
        .into_iter()
        .find_map(|(name, kind)| name.eq_ignore_ascii_case(text).then_some(kind))
}

fn status(text: &str) -> Option<Status> {
    if text.eq_ignore_ascii_case("ok") {
        Some(Status::Ok)
    } else if text.eq_ignore_ascii_case("error") {
        Some(Status::error(""))
    } else {
        None
    }
}

/// What a value prints, at most [`MAX_TEXT_BYTES`] of it.
fn cut(value: fmt::Arguments<'_>) -> String {
    let mut text = Cut(String::new());
    // The only error comes from the cut, or from a value whose `fmt` fails: what it printed stays.
    let _ = text.write_fmt(value);
    text.0
}

struct Cut(String);

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = MAX_TEXT_BYTES - self.0.len();
        if text.len() <= left {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=left).rev().find(|at| text.is_char_boundary(*at));
        self.0.push_str(&text[..end.unwrap_or(0)]);
        Err(fmt::Error)
    }
}

/// The OpenTelemetry SDK's own default limit.
const MAX_ATTRIBUTES: usize = 128;

/// Longest attribute text: trace stores index attributes, and refuse or cut longer ones.
const MAX_TEXT_BYTES: usize = 4 * 1024;
