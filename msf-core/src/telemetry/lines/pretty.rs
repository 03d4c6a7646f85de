//! Lines for people: compact, and coloured if the terminal wants it.

use tracing::{Level, Metadata};

use super::{fields::Fields, queue::DROPPED_MESSAGE, stamp};

/// `23:15:04.123  INFO orders::pay  paid amount=12  POST /pay 4bf92f35`
pub(super) fn line(metadata: &Metadata<'_>, fields: &Fields, colour: bool) -> Vec<u8> {
    let paint = Paint { colour };
    let mut line = Vec::with_capacity(256);
    paint.put(&mut line, DIM, &stamp::now()[11..23]);
    line.push(b' ');
    let (word, style) = level(*metadata.level());
    paint.put(&mut line, style, word);
    line.push(b' ');
    paint.put(&mut line, DIM, metadata.target().as_bytes());
    line.extend_from_slice(b"  ");
    push_unescaped(&mut line, &fields.title);
    for (key, value) in fields.values() {
        line.push(b' ');
        paint.put(&mut line, DIM, key.escaped_name());
        line.push(b'=');
        line.extend_from_slice(bare(value));
    }
    if !fields.span.is_empty() {
        line.extend_from_slice(b"  ");
        paint.put(&mut line, CYAN, &fields.span);
    }
    if let Some(id) = &fields.trace_id {
        line.push(b' ');
        paint.put(&mut line, DIM, &id[..8]);
    }
    line.push(b'\n');
    line
}

/// The line that says how many lines are missing.
pub(super) fn dropped_notice(dropped: u64) -> Vec<u8> {
    format!(" WARN {DROPPED_MESSAGE} ({dropped})\n").into_bytes()
}

struct Paint {
    colour: bool,
}

impl Paint {
    fn put(&self, line: &mut Vec<u8>, style: &str, text: &[u8]) {
        if self.colour {
            line.extend_from_slice(style.as_bytes());
        }
        line.extend_from_slice(text);
        if self.colour {
            line.extend_from_slice(RESET.as_bytes());
        }
    }
}

fn level(level: Level) -> (&'static [u8], &'static str) {
    match level {
        Level::ERROR => (b"ERROR", "\x1b[31m"),
        Level::WARN => (b" WARN", "\x1b[33m"),
        Level::INFO => (b" INFO", "\x1b[32m"),
        Level::DEBUG => (b"DEBUG", "\x1b[34m"),
        Level::TRACE => (b"TRACE", "\x1b[35m"),
    }
}

/// A string without its quotes, if nothing in it needs them.
fn bare(value: &[u8]) -> &[u8] {
    match value {
        [b'"', text @ .., b'"']
            if !text.is_empty() && !text.iter().any(|b| matches!(b, b' ' | b'\\' | b'=')) =>
        {
            text
        }
        _ => value,
    }
}

/// Undoes the escapes that a person does not want to read. Control characters other than line
/// feed and tab stay escaped: a request must not be able to move the cursor of whoever reads the
/// log.
fn push_unescaped(line: &mut Vec<u8>, escaped: &[u8]) {
    let mut bytes = escaped.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            line.push(byte);
            continue;
        }
        match bytes.next() {
            // Indented, so that the second line of a message cannot pass for a line of its own.
            Some(b'n') => line.extend_from_slice(b"\n    "),
            Some(b't') => line.push(b'\t'),
            Some(quoted @ (b'"' | b'\\')) => line.push(quoted),
            Some(other) => line.extend_from_slice(&[b'\\', other]),
            None => {}
        }
    }
}

const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";
