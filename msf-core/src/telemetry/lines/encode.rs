//! JSON text: values and escapes.
//!
//! Fields are kept as *entries*: `,"key":value` one after the other, each with its leading comma,
//! so that fields of events and spans are joined by copying bytes. A value is a string, a number,
//! `true`, `false` or `null`.

use std::fmt::{self, Write};

/// Longest text of one value in bytes; what is beyond is cut and marked with `…`.
///
/// A dumped body must not make a line that no log shipper takes: most cut at 16 KiB to 1 MiB.
pub(super) const MAX_VALUE_BYTES: usize = 16 * 1024;

/// Appends `text`, escaped for use inside a JSON string (RFC 8259 §7).
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Nearly all text is plain.
    if !any_special(bytes) {
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
    if text.len() <= MAX_VALUE_BYTES {
        return push_escaped(out, text);
    }
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
    // Durations have three decimals, and `fmt` takes long to find that out. A number of at most 15
    // digits has no shorter spelling that reads back as the same double.
    let thousandths = (value * 1000.0).round();
    if value > 0.0 && thousandths < 1e15 && thousandths / 1000.0 == value {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number above zero and below 1e15"
        )]
        push_thousandths(out, thousandths as u64);
    } else if value.is_finite() {
        // `Debug` keeps `1.0` a float and prints large numbers with an exponent.
        push_number(out, format_args!("{value:?}"));
    } else {
        out.extend_from_slice(b"null");
    }
}

fn push_thousandths(out: &mut Vec<u8>, value: u64) {
    push_unsigned(out, value / 1000);
    let digit = |unit: u64| b"0123456789"[(value / unit % 10) as usize];
    let decimals = [b'.', digit(100), digit(10), digit(1)];
    let zeros = decimals[2..].iter().rev().take_while(|d| **d == b'0');
    out.extend_from_slice(&decimals[..decimals.len() - zeros.count()]);
}

/// Appends a number as it prints.
pub(super) fn push_number(out: &mut Vec<u8>, value: fmt::Arguments<'_>) {
    // Writing to a `Vec` cannot fail.
    let _ = std::io::Write::write_fmt(out, value);
}

/// Appends a whole number, without the detour over `fmt`: statuses and sizes are in every access line.
pub(super) fn push_unsigned(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789"[(value % 10) as usize];
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn is_special(byte: u8) -> bool {
    // DEL needs no escape in JSON, but a terminal acts on it.
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

/// Whether [`is_special`] holds of any byte; eight bytes at once, the last ones filled up with spaces.
fn any_special(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of some byte is set exactly if some byte of `word` is below `limit`, up to 0x80.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let special = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        below(word, 0x20) | equal(word, b'"') | equal(word, b'\\') | equal(word, 0x7f)
    };
    let (words, rest) = bytes.as_chunks();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    words
        .iter()
        .fold(special(&last), |any, word| any | special(word))
        != 0
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spelled(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_float_stays_a_float() {
        for (value, text) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.05, "0.05"),
            (1500.12, "1500.12"),
            (0.0004, "0.0004"),
            (1e300, "1e300"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(spelled(|out| push_float(out, value)), text);
        }
    }

    proptest! {
        #[test]
        fn durations_are_spelled_as_debug_spells_them(micros: u64, shift in 0..64_u32) {
            let value = (micros >> shift) as f64 / 1000.0;
            prop_assert_eq!(spelled(|out| push_float(out, value)), format!("{value:?}"));
        }

        #[test]
        fn any_float_is_spelled_as_debug_spells_it(value in proptest::num::f64::NORMAL) {
            prop_assert_eq!(spelled(|out| push_float(out, value)), format!("{value:?}"));
        }

        #[test]
        fn a_special_byte_is_found_wherever_it_is(bytes in proptest::collection::vec(0x1e..=0x80_u8, 0..40)) {
            prop_assert_eq!(any_special(&bytes), bytes.iter().any(|byte| is_special(*byte)));
        }

        #[test]
        fn whole_numbers_are_spelled_as_they_print(value: u64, shift in 0..64_u32) {
            let value = value >> shift;
            prop_assert_eq!(spelled(|out| push_unsigned(out, value)), value.to_string());
        }
    }
}
