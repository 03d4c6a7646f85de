//! What is kept of a span for the lines written inside it.

use super::encode::{self, entries, key_bit};
use super::fields::Fields;

/// A span as its lines will say it: nothing is formatted again when an event happens.
///
/// Two allocations: this record (in the span's extensions) and its one text.
#[derive(Debug)]
pub(super) struct SpanRecord {
    trace_id: Option<[u8; 32]>,
    span_id: Option<[u8; 16]>,
    /// The escaped request id, the escaped `otel.name`, then the entries.
    text: Vec<u8>,
    request_id_end: usize,
    name_end: usize,
    keys: u64,
}

impl SpanRecord {
    /// Copies what a visit found; the rest of the `declared` fields may be recorded later.
    pub(super) fn new(fields: &Fields, declared: usize) -> Self {
        let Fields {
            request_id,
            title,
            entries,
            ..
        } = fields;
        let unset = declared.saturating_sub(fields.seen);
        let used = request_id.len() + title.len() + entries.len();
        let mut text = Vec::with_capacity(used + unset * BYTES_PER_UNSET_FIELD);
        text.extend_from_slice(request_id);
        text.extend_from_slice(title);
        text.extend_from_slice(entries);
        Self {
            trace_id: fields.trace_id,
            span_id: fields.span_id,
            text,
            request_id_end: request_id.len(),
            name_end: request_id.len() + title.len(),
            keys: fields.keys,
        }
    }

    /// Adds fields recorded after the span was made; a newer value replaces an older one.
    pub(super) fn record(&mut self, later: &Fields) {
        self.trace_id = later.trace_id.or(self.trace_id);
        self.span_id = later.span_id.or(self.span_id);
        if !later.title.is_empty() {
            let old = self.request_id_end..self.name_end;
            self.text.splice(old, later.title.iter().copied());
            self.name_end = self.request_id_end + later.title.len();
        }
        if !later.request_id.is_empty() {
            let name_len = self.name_end - self.request_id_end;
            let old = 0..self.request_id_end;
            self.text.splice(old, later.request_id.iter().copied());
            self.request_id_end = later.request_id.len();
            self.name_end = self.request_id_end + name_len;
        }
        if self.keys & later.keys != 0 {
            for new in entries(&later.entries) {
                let key = &later.entries[new.key];
                if let Some(old) = encode::find(self.entries(), key) {
                    let at = self.name_end;
                    self.text.drain(at + old.whole.start..at + old.whole.end);
                }
            }
        }
        self.text.extend_from_slice(&later.entries);
        self.keys |= later.keys;
    }

    /// Appends the entries to `out`, leaving out keys that are there already.
    pub(super) fn append_entries(&self, out: &mut Vec<u8>, keys: &mut u64) {
        let mine = self.entries();
        if *keys & self.keys == 0 {
            out.extend_from_slice(mine);
        } else {
            let inner = out.len();
            for entry in entries(mine) {
                let key = &mine[entry.key];
                if *keys & key_bit(key) == 0 || encode::find(&out[..inner], key).is_none() {
                    out.extend_from_slice(&mine[entry.whole]);
                }
            }
        }
        *keys |= self.keys;
    }

    pub(super) fn trace_id(&self) -> Option<[u8; 32]> {
        self.trace_id
    }

    pub(super) fn span_id(&self) -> Option<[u8; 16]> {
        self.span_id
    }

    /// Escaped; empty if absent.
    pub(super) fn request_id(&self) -> &[u8] {
        &self.text[..self.request_id_end]
    }

    /// The escaped `otel.name`; empty if absent.
    pub(super) fn name(&self) -> &[u8] {
        &self.text[self.request_id_end..self.name_end]
    }

    fn entries(&self) -> &[u8] {
        &self.text[self.name_end..]
    }
}

/// Room for `,"http.response.status_code":200`, so that recording the outcome does not allocate.
const BYTES_PER_UNSET_FIELD: usize = 40;
