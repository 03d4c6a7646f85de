//! What a field's name becomes in a line, worked out once for each name.

use std::{
    cell::Cell,
    ptr,
    sync::{Mutex, PoisonError},
};

use super::encode::push_escaped;

/// A field's name as lines spell it.
#[derive(Debug)]
pub(super) struct Key {
    name: &'static str,
    /// Equal for two names exactly if they are spelled alike. Counted from 0.
    pub(super) id: u32,
    pub(super) role: Role,
    /// `,"name":`, escaped.
    pub(super) text: Box<[u8]>,
}

/// What a field's name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    TraceId,
    SpanId,
    RequestId,
    /// The message, if it is a field of an event.
    Message,
    /// The name, if it is a field of a span.
    SpanName,
    /// Said by the ids, or of use to an exporter only, if it is a field of a span.
    Unsaid,
    Plain,
}

impl Key {
    /// The key of a name.
    ///
    /// A name is found by its address, without looking at its text: it is a literal of the program,
    /// which also bounds the number of keys, kept for ever.
    pub(super) fn of(name: &'static str) -> &'static Self {
        let slot = (name.as_ptr().addr() ^ (name.len() << 3)) % SLOTS;
        let known = KNOWN
            .try_with(|known| known[slot].get())
            .unwrap_or_default();
        match known {
            Some((known, key)) if ptr::eq(known, name) => key,
            _ => first_sight(name, slot),
        }
    }

    /// One bit for a key: two keys with different bits are different keys.
    ///
    /// A union of these answers "surely no key in common" at once, and as names are counted, it says so
    /// of the first 64 names of a program whenever it is true.
    pub(super) fn bit(&self) -> u64 {
        1 << (self.id % 64)
    }

    /// The name alone, as it stands between the quotes.
    pub(super) fn escaped_name(&self) -> &[u8] {
        &self.text[2..self.text.len() - 2]
    }
}

#[cold]
fn first_sight(name: &'static str, slot: usize) -> &'static Key {
    let key = intern(name);
    // Fails only while the thread is torn down.
    let _ = KNOWN.try_with(|known| known[slot].set(Some((name, key))));
    key
}

fn intern(name: &'static str) -> &'static Key {
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = keys.iter().find(|key| key.name == name) {
        return key;
    }
    let mut text = b",\"".to_vec();
    if RESERVED.contains(&name) {
        text.extend_from_slice(b"field.");
    }
    push_escaped(&mut text, name);
    text.extend_from_slice(b"\":");
    // `ts` and `field.ts` are two names, but one key of a line.
    let alike = keys.iter().find(|key| *key.text == *text);
    let next = || u32::try_from(keys.len()).unwrap_or(u32::MAX);
    let key = Key {
        name,
        id: alike.map_or_else(next, |key| key.id),
        role: role(name),
        text: text.into(),
    };
    let key: &'static Key = Box::leak(Box::new(key));
    keys.push(key);
    key
}

fn role(name: &str) -> Role {
    match name {
        "trace_id" => Role::TraceId,
        "span_id" => Role::SpanId,
        "request_id" => Role::RequestId,
        "message" => Role::Message,
        "otel.name" => Role::SpanName,
        "parent_span_id" | "otel.kind" | "sampled" | "trace_flags" | "tracestate" => Role::Unsaid,
        _ => Role::Plain,
    }
}

/// Every key of the process. Locked only when a thread meets a name for the first time, or when two
/// names in use share a slot.
static KEYS: Mutex<Vec<&'static Key>> = Mutex::new(Vec::new());

thread_local! {
    static KNOWN: [Cell<Option<(&'static str, &'static Key)>>; SLOTS] =
        const { [const { Cell::new(None) }; SLOTS] };
}

/// Names that a thread remembers, at 24 bytes each: a service logs a few dozen.
const SLOTS: usize = 256;

/// Keys of the line itself. A field of such a name is written as `field.<name>`.
const RESERVED: [&str; 7] = [
    "level", "message", "span", "span_id", "target", "trace_id", "ts",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_key_wherever_its_text_lies() {
        let copy: &'static str = String::from("key.one").leak();
        assert!(!ptr::eq(copy, "key.one"));
        assert!(ptr::eq(Key::of("key.one"), Key::of(copy)));
        assert!(ptr::eq(Key::of("key.one"), Key::of("key.one")));
        assert_ne!(Key::of("key.one").id, Key::of("key.two").id);
    }

    #[test]
    fn a_reserved_name_shares_the_key_that_it_is_written_as() {
        assert_eq!(Key::of("ts").escaped_name(), b"field.ts");
        assert_eq!(Key::of("ts").id, Key::of("field.ts").id);
        assert_eq!(*Key::of("a\"b").text, *b",\"a\\\"b\":");
    }
}
