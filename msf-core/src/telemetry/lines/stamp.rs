//! Time stamps of lines: RFC 3339, UTC, microseconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-11-22T23:15:04.123456Z`.
pub(super) type Stamp = [u8; 27];

/// The time stamp of now.
pub(super) fn now() -> Stamp {
    // A clock before 1970 is a broken clock; the epoch says so as well as anything.
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    stamp(since_epoch.as_secs(), since_epoch.subsec_micros())
}

fn stamp(seconds: u64, micros: u32) -> Stamp {
    let (year, month, day) = civil(seconds / 86_400);
    let of_day = seconds % 86_400;
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], of_day / 3600);
    digits(&mut text[14..16], of_day / 60 % 60);
    digits(&mut text[17..19], of_day % 60);
    digits(&mut text[20..26], u64::from(micros));
    text
}

fn digits(text: &mut [u8], mut number: u64) {
    for digit in text.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Year, month and day of a day since 1970-01-01.
///
/// Counts in eras of 400 years whose years begin on 1 March, so that the leap day is the last one.
fn civil(days_since_epoch: u64) -> (u64, u64, u64) {
    let days = days_since_epoch + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    fn text(seconds: u64, micros: u32) -> String {
        String::from_utf8(stamp(seconds, micros).to_vec()).unwrap()
    }

    #[test]
    fn known_instants() {
        assert_eq!(text(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(951_782_399, 999_999), "2000-02-28T23:59:59.999999Z");
        assert_eq!(text(951_782_400, 1), "2000-02-29T00:00:00.000001Z");
        assert_eq!(text(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
    }

    proptest! {
        #[test]
        fn agrees_with_humantime(seconds in 0_u64..253_402_300_800, micros in 0_u32..1_000_000) {
            let at = UNIX_EPOCH + Duration::new(seconds, micros * 1000);
            prop_assert_eq!(text(seconds, micros), humantime::format_rfc3339_micros(at).to_string());
        }
    }
}
