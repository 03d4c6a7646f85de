//! JSON text: escaping, and finding one's way in entries written here.
//!
//! Fields are kept as *entries*: `,"key":value` one after the other, each with its leading comma,
//! so that fields of events and spans are joined by copying bytes. A value is a string, a number,
//! `true`, `false` or `null`; nothing nests, which keeps [`entries`] a simple scan.

use std::fmt::{self, Write};
use std::ops::Range;

/// Longest text of one value in bytes; what is beyond is cut and marked with `…`.
///
/// A dumped body must not make a line that no log shipper takes: most cut at 16 KiB to 1 MiB.
pub(super) const MAX_VALUE_BYTES: usize = 16 * 1024;

/// Appends `text`, escaped for use inside a JSON string (RFC 8259 §7).
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Nearly all text is plain. Without an early exit the compiler looks at 16 bytes at once.
    if !bytes
        .iter()
        .fold(false, |any, byte| any | is_special(*byte))
    {
        return out.extend_from_slice(bytes);
    }
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ if is_special(byte) => b'u',
            _ => continue,
        };
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let hex = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            out.extend_from_slice(&[b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
        }
        copied = at + 1;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Appends a string, escaped and cut at [`MAX_VALUE_BYTES`].
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    let mut writer = Escaping {
        out,
        left: MAX_VALUE_BYTES,
    };
    // The only error comes from the cut.
    let _ = writer.write_str(text);
}

/// Appends what a value prints, escaped and cut at [`MAX_VALUE_BYTES`].
pub(super) fn push_display(out: &mut Vec<u8>, value: fmt::Arguments<'_>) {
    let mut writer = Escaping {
        out,
        left: MAX_VALUE_BYTES,
    };
    // The only error comes from the cut, or from a value whose `fmt` fails: what it printed stays.
    let _ = writer.write_fmt(value);
}

/// Appends `value`, or `null` if JSON cannot spell it.
pub(super) fn push_float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        // `Debug` keeps `1.0` a float and prints large numbers with an exponent.
        push_number(out, format_args!("{value:?}"));
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Appends a number as it prints.
pub(super) fn push_number(out: &mut Vec<u8>, value: fmt::Arguments<'_>) {
    // Writing to a `Vec` cannot fail.
    let _ = std::io::Write::write_fmt(out, value);
}

/// Where one entry lies in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// From the leading comma to the end of the value.
    pub(super) whole: Range<usize>,
    /// The key, without quotes.
    pub(super) key: Range<usize>,
    /// The value, with quotes if it is a string.
    pub(super) value: Range<usize>,
}

/// The entries in `text`, in order.
pub(super) fn entries(text: &[u8]) -> impl Iterator<Item = Entry> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= text.len() {
            return None;
        }
        let key = at + 2..string_end(text, at + 2);
        let start = key.end + 2;
        let end = if text[start] == b'"' {
            string_end(text, start + 1) + 1
        } else {
            let comma = text[start..].iter().position(|byte| *byte == b',');
            comma.map_or(text.len(), |offset| start + offset)
        };
        let entry = Entry {
            whole: at..end,
            key,
            value: start..end,
        };
        at = end;
        Some(entry)
    })
}

/// The entry of `key` in `text`; `key` must be escaped already.
pub(super) fn find(text: &[u8], key: &[u8]) -> Option<Entry> {
    entries(text).find(|entry| text[entry.key.clone()] == *key)
}

/// One bit for a key: two keys with different bits are different keys.
///
/// A union of these answers "surely no key in common" without looking at text.
pub(super) fn key_bit(key: &[u8]) -> u64 {
    let hash = key.iter().fold(0_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u32::from(*byte))
    });
    1 << ((hash ^ (hash >> 11)) & 63)
}

fn is_special(byte: u8) -> bool {
    // DEL needs no escape in JSON, but a terminal acts on it.
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

fn string_end(text: &[u8], mut at: usize) -> usize {
    while text[at] != b'"' {
        // A backslash takes the next byte with it, which may be a quote.
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at
}

struct Escaping<'a> {
    out: &'a mut Vec<u8>,
    left: usize,
}

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.left {
            self.left -= text.len();
            push_escaped(self.out, text);
            return Ok(());
        }
        push_escaped(self.out, &text[..floor_char_boundary(text, self.left)]);
        self.out.extend_from_slice("…".as_bytes());
        self.left = 0;
        Err(fmt::Error)
    }
}

/// `str::floor_char_boundary` is newer than our oldest compiler.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}
