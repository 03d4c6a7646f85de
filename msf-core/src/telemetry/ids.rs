//! Trace and span ids as they appear in span fields: lower-case hex of fixed length.

use std::fmt::{self, Write};

/// The id in `text`, if it is `N` lower-case hex digits and not all zero.
pub(super) fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: [u8; N] = text.as_bytes().try_into().ok()?;
    // Without an early exit the compiler looks at 16 digits at once.
    let is_hex = digits.iter().fold(true, |all, digit| {
        all & (digit.is_ascii_digit() | (b'a'..=b'f').contains(digit))
    });
    // W3C Trace Context §3.2.2: an id of zeroes is invalid.
    let is_zero = digits == [b'0'; N];
    (is_hex && !is_zero).then_some(digits)
}

/// The id that `value` prints, without allocating.
pub(super) fn parse_debug<const N: usize>(value: &dyn fmt::Debug) -> Option<[u8; N]> {
    let mut digits = Digits::<N> {
        bytes: [0; N],
        len: 0,
    };
    // An error means more than N bytes, hence no id.
    write!(digits, "{value:?}").ok()?;
    parse(std::str::from_utf8(&digits.bytes[..digits.len]).ok()?)
}

struct Digits<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Write for Digits<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let free = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        free.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_hex_of_the_right_length_is_an_id() {
        assert_eq!(parse::<16>("00f067aa0ba902b7"), Some(*b"00f067aa0ba902b7"));
        assert_eq!(parse::<16>("00F067AA0BA902B7"), None);
        assert_eq!(parse::<16>("0000000000000000"), None);
        assert_eq!(parse::<16>("00f067aa0ba902b"), None);
        assert_eq!(
            parse_debug::<4>(&format_args!("{}{}", "ab", "cd")),
            Some(*b"abcd")
        );
        assert_eq!(parse_debug::<4>(&format_args!("{}{}", "ab", "cde")), None);
    }
}
