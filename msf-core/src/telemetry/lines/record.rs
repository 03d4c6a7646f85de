//! What is kept of a span for the lines written inside it.

use smallvec::SmallVec;

use super::fields::{Fields, Mark};

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
    /// The entries, counted from `name_end`.
    marks: SmallVec<[Mark; USUAL_ENTRIES]>,
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
            marks: SmallVec::from_slice(&fields.marks),
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
            for new in &later.marks {
                self.remove(new.key.id);
            }
        }
        let start = self.entries().len();
        self.marks.extend(later.marks.iter().map(|mark| Mark {
            start: start + mark.start,
            ..*mark
        }));
        self.text.extend_from_slice(&later.entries);
        self.keys |= later.keys;
    }

    /// Appends the entries to `inner`, leaving out keys that are there already.
    pub(super) fn append_entries(&self, inner: &mut Fields) {
        let mine = self.entries();
        if inner.keys & self.keys == 0 {
            let start = inner.entries.len();
            inner.marks.extend(self.marks.iter().map(|mark| Mark {
                start: start + mark.start,
                ..*mark
            }));
            inner.entries.extend_from_slice(mine);
        } else {
            let ends = self.marks.iter().skip(1).map(|next| next.start);
            for (mark, end) in self.marks.iter().zip(ends.chain([mine.len()])) {
                if !inner.has(mark.key) {
                    let start = inner.entries.len();
                    inner.marks.push(Mark { start, ..*mark });
                    inner.entries.extend_from_slice(&mine[mark.start..end]);
                }
            }
        }
        inner.keys |= self.keys;
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

    fn remove(&mut self, key: u32) {
        let Some(at) = self.marks.iter().position(|mark| mark.key.id == key) else {
            return;
        };
        let start = self.marks.remove(at).start;
        let end = self
            .marks
            .get(at)
            .map_or_else(|| self.entries().len(), |next| next.start);
        self.text.drain(self.name_end + start..self.name_end + end);
        for mark in &mut self.marks[at..] {
            mark.start -= end - start;
        }
    }
}

/// Room for `,"http.response.status_code":200`, so that recording the outcome does not allocate.
const BYTES_PER_UNSET_FIELD: usize = 40;

/// Entries of a span that need no allocation of their own; the span of a request has nine.
const USUAL_ENTRIES: usize = 12;
