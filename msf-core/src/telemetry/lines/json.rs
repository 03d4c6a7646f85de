//! Lines for machines: one JSON object each.

use tracing::Metadata;

use super::{encode::push_escaped, fields::Fields, queue::DROPPED_MESSAGE, stamp};

/// The line of an event, in one allocation of the right size.
pub(super) fn line(metadata: &Metadata<'_>, fields: &Fields) -> Vec<u8> {
    let target = metadata.target();
    let size = FRAME_BYTES
        + target.len()
        + fields.title.len()
        + fields.request_id.len()
        + fields.entries.len()
        + fields.span.len();
    let mut line = Vec::with_capacity(size);
    line.extend_from_slice(b"{\"ts\":\"");
    line.extend_from_slice(&stamp::now());
    member(&mut line, b"level", metadata.level().as_str().as_bytes());
    line.extend_from_slice(b"\",\"target\":\"");
    // A target is a module path or a literal, so the escape adds nothing but safety.
    push_escaped(&mut line, target);
    if !fields.title.is_empty() {
        member(&mut line, b"message", &fields.title);
    }
    if let Some(id) = &fields.trace_id {
        member(&mut line, b"trace_id", id);
    }
    if let Some(id) = &fields.span_id {
        member(&mut line, b"span_id", id);
    }
    if !fields.request_id.is_empty() {
        member(&mut line, b"request_id", &fields.request_id);
    }
    line.push(b'"');
    line.extend_from_slice(&fields.entries);
    if !fields.span.is_empty() {
        line.extend_from_slice(b",\"span\":\"");
        line.extend_from_slice(&fields.span);
        line.push(b'"');
    }
    line.extend_from_slice(b"}\n");
    line
}

/// The line that says how many lines are missing.
pub(super) fn dropped_notice(dropped: u64) -> Vec<u8> {
    let mut line = Vec::with_capacity(FRAME_BYTES);
    line.extend_from_slice(b"{\"ts\":\"");
    line.extend_from_slice(&stamp::now());
    member(&mut line, b"level", b"WARN");
    member(&mut line, b"target", crate::telemetry::TARGET.as_bytes());
    member(&mut line, b"message", DROPPED_MESSAGE.as_bytes());
    line.extend_from_slice(format!("\",\"dropped\":{dropped}}}\n").as_bytes());
    line
}

/// Ends the string before, and begins a string member without ending it.
fn member(line: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    line.extend_from_slice(b"\",\"");
    line.extend_from_slice(key);
    line.extend_from_slice(b"\":\"");
    line.extend_from_slice(value);
}

/// Keys, quotes, the time stamp and both ids, rounded up.
const FRAME_BYTES: usize = 224;
