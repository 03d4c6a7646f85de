//! Names and durations as they are written in a policy.

use std::fmt;

/// Whether a byte of a name needs no quotes. What a scope may have (RFC 6749 section 3.3) and a URL needs is here,
/// except what the grammar itself is made of.
pub(super) const fn is_bare(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7E) && !matches!(byte, b'(' | b')' | b',' | b'"' | b'\\')
}

/// A name, in quotes where it needs some.
pub(super) fn write(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if !name.is_empty() && name.bytes().all(is_bare) {
        f.write_str(name)
    } else {
        write_quoted(f, name)
    }
}

/// A name in quotes. What is not ASCII is escaped: a letter that looks like another one, or is written from right to
/// left, must not hide in a table that people read.
pub(super) fn write_quoted(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in name.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            ' ' => f.write_str(" ")?,
            c if c.is_ascii_graphic() => write!(f, "{c}")?,
            c => write!(f, "\\u{{{:x}}}", u32::from(c))?,
        }
    }
    f.write_str("\"")
}

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// `90s`, `5m`: in the largest unit that gives a whole number.
pub(super) fn write_seconds(f: &mut fmt::Formatter<'_>, seconds: u64) -> fmt::Result {
    let fits = |(_, unit): &(char, u64)| seconds >= *unit && seconds.is_multiple_of(*unit);
    let (letter, unit) = UNITS.into_iter().find(fits).unwrap_or(('s', 1));
    write!(f, "{}{letter}", seconds / unit)
}

/// The inverse of [`write_seconds`], which also takes other units than the largest.
pub(super) fn parse_seconds(text: &str) -> Option<u64> {
    let letter = text.chars().last()?;
    let (_, unit) = UNITS.into_iter().find(|(own, _)| *own == letter)?;
    let digits = &text[..text.len() - letter.len_utf8()];
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
