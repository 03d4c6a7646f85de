//! `NumericDate` of RFC 7519 section 2.

/// The last second of the year 9999.
pub(crate) const MAX_S: u64 = 253_402_300_799;

/// As many as every `u64` has room for, and more than the last second has.
const PLAIN_DIGITS_MAX: usize = 19;

/// Whole seconds since 1970 of a JSON number, up to the end of the year 9999; a fraction is cut off.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the range is checked, and the fraction is meant to go"
)]
pub(super) fn numeric_date(number: &str) -> Option<u64> {
    if (1..=PLAIN_DIGITS_MAX).contains(&number.len())
        && let Some(seconds) = number.bytes().try_fold(0, |seconds: u64, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit < 10).then(|| seconds * 10 + u64::from(digit))
        })
    {
        return Some(seconds).filter(|seconds| *seconds <= MAX_S);
    }
    let seconds: f64 = serde_json::from_str(number).ok()?;
    // The comparison is false for NaN.
    (0.0..=MAX_S as f64)
        .contains(&seconds)
        .then_some(seconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Option<u64> {
        numeric_date(json)
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
