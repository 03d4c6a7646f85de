//! `NumericDate` of RFC 7519 section 2.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// Whole seconds since 1970, up to the end of the year 9999; a fraction is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumericDate(pub(super) u64);

/// The last second of the year 9999.
const MAX_S: u64 = 253_402_300_799;

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumericDateVisitor)
    }
}

struct NumericDateVisitor;

impl Visitor<'_> for NumericDateVisitor {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970 before the year 10000")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Self::Value, E> {
        if seconds > MAX_S {
            return Err(E::invalid_value(Unexpected::Unsigned(seconds), &self));
        }
        Ok(NumericDate(seconds))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the range is checked, and the fraction is meant to go"
    )]
    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Self::Value, E> {
        // The comparison is false for NaN.
        if (0.0..=MAX_S as f64).contains(&seconds) {
            Ok(NumericDate(seconds as u64))
        } else {
            Err(E::invalid_value(Unexpected::Float(seconds), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Option<u64> {
        serde_json::from_str(json).ok().map(|NumericDate(s)| s)
    }

    #[test]
    fn a_date_is_a_number_in_range() {
        assert_eq!(parse("0"), Some(0));
        assert_eq!(parse("1700000000"), Some(1_700_000_000));
        assert_eq!(parse("1700000000.9"), Some(1_700_000_000));
        assert_eq!(parse("253402300799"), Some(MAX_S));
    }

    #[test]
    fn anything_else_is_refused() {
        for json in [
            "-1",
            "-0.5",
            "253402300800",
            "18446744073709551615",
            "1e12",
            "1e400",
            "\"1\"",
            "null",
            "true",
            "[1]",
            "{}",
        ] {
            assert_eq!(parse(json), None, "{json}");
        }
    }
}
