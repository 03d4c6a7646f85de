//! The two header forms of a deadline.

use std::{cell::RefCell, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Deadline;

/// The header that carries the milliseconds left.
pub const TIMEOUT_MS: HeaderName = HeaderName::from_static("x-msf-timeout-ms");

/// The header of gRPC (gRPC over HTTP/2, "Timeout").
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let ms = headers.get(TIMEOUT_MS).and_then(parse_ms);
    let grpc = headers.get(GRPC_TIMEOUT).and_then(parse_grpc);
    match (ms, grpc) {
        (Some(ms), Some(grpc)) => Some(ms.min(grpc)),
        (one, other) => one.or(other),
    }
}

pub(super) fn write_ms(left: Duration, headers: &mut HeaderMap) {
    let ms = whole(left.as_millis());
    // The thread may be ending.
    let last = LAST_MS.try_with(|last| {
        let mut last = last.borrow_mut();
        match &*last {
            Some((known, value)) if *known == ms => value.clone(),
            _ => last.insert((ms, digits_value(ms))).1.clone(),
        }
    });
    headers.insert(TIMEOUT_MS, last.unwrap_or_else(|_ending| digits_value(ms)));
}

thread_local! {
    /// What was written last: a request that is sent at once has the whole timeout left, as all have.
    static LAST_MS: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

fn digits_value(number: u64) -> HeaderValue {
    // Of an owner, so that the clones allocate nothing.
    HeaderValue::from_maybe_shared(Bytes::from_owner(number.to_string()))
        .expect("digits are a valid header value")
}

/// Writes the finest unit that fits into the eight digits that the protocol allows.
pub(super) fn write_grpc(left: Duration, headers: &mut HeaderMap) {
    let (amount, unit) = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
    ]
    .into_iter()
    .find(|(amount, _)| *amount < GRPC_AMOUNT_END)
    .unwrap_or_else(|| (u128::from(left.as_secs().min(Deadline::MAX.as_secs())), 'S'));
    let value = HeaderValue::try_from(format!("{amount}{unit}"))
        .expect("digits and a letter are a valid header value");
    headers.insert(GRPC_TIMEOUT, value);
}

fn parse_ms(value: &HeaderValue) -> Option<Duration> {
    digits(value.as_bytes()).map(Duration::from_millis)
}

fn parse_grpc(value: &HeaderValue) -> Option<Duration> {
    let (unit, amount) = value.as_bytes().split_last()?;
    if amount.len() > GRPC_DIGITS_MAX {
        return None;
    }
    let amount = digits(amount)?;
    match unit {
        b'H' => Some(Duration::from_secs(amount * 3_600)),
        b'M' => Some(Duration::from_secs(amount * 60)),
        b'S' => Some(Duration::from_secs(amount)),
        b'm' => Some(Duration::from_millis(amount)),
        b'u' => Some(Duration::from_micros(amount)),
        b'n' => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// One or more ASCII digits; what does not fit into 64 bits saturates.
fn digits(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u64, |sum, byte| {
        byte.is_ascii_digit().then(|| {
            sum.saturating_mul(10)
                .saturating_add(u64::from(byte - b'0'))
        })
    })
}

fn whole(amount: u128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

const GRPC_DIGITS_MAX: usize = 8;
const GRPC_AMOUNT_END: u128 = 100_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn grpc(text: &str) -> Option<Duration> {
        read(&headers(&[(GRPC_TIMEOUT, text)]))
    }

    #[test]
    fn grpc_units() {
        assert_eq!(grpc("2H"), Some(Duration::from_secs(7_200)));
        assert_eq!(grpc("3M"), Some(Duration::from_secs(180)));
        assert_eq!(grpc("4S"), Some(Duration::from_secs(4)));
        assert_eq!(grpc("5m"), Some(Duration::from_millis(5)));
        assert_eq!(grpc("6u"), Some(Duration::from_micros(6)));
        assert_eq!(grpc("7n"), Some(Duration::from_nanos(7)));
        assert_eq!(
            grpc("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3_600))
        );
    }

    #[test]
    fn what_is_malformed_is_as_good_as_absent() {
        for bad in [
            "",
            "S",
            "1",
            "1s",
            "123456789m",
            "-1S",
            "1.5S",
            " 1S",
            "1 S",
            "∞S",
        ] {
            assert_eq!(grpc(bad), None, "{bad}");
            assert!(
                read(&headers(&[(TIMEOUT_MS, bad), (GRPC_TIMEOUT, "4S")])).is_some(),
                "{bad}"
            );
        }
        for bad in ["", "x", "-5", "1.5", "5ms", "+5", "0x10"] {
            assert_eq!(read(&headers(&[(TIMEOUT_MS, bad)])), None, "{bad}");
        }
    }

    #[test]
    fn absurd_milliseconds_saturate() {
        let read = read(&headers(&[(TIMEOUT_MS, &"9".repeat(400))]));
        assert_eq!(read, Some(Duration::from_millis(u64::MAX)));
    }

    #[test]
    fn the_shorter_one_holds() {
        let both = headers(&[(TIMEOUT_MS, "100"), (GRPC_TIMEOUT, "1S")]);
        assert_eq!(read(&both), Some(Duration::from_millis(100)));
    }

    proptest! {
        #[test]
        fn a_written_deadline_reads_back_and_never_grows(left_ns in 0_u64..=86_400_000_000_000) {
            let left = Duration::from_nanos(left_ns);
            let mut written = HeaderMap::new();
            write_ms(left, &mut written);
            let ms = read(&written).unwrap();
            prop_assert!(ms <= left && left - ms < Duration::from_millis(1));

            let mut written = HeaderMap::new();
            write_grpc(left, &mut written);
            let grpc = read(&written).unwrap();
            prop_assert!(grpc <= left && left - grpc < Duration::from_secs(1));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(TIMEOUT_MS, value.clone());
                headers.insert(GRPC_TIMEOUT, value);
                let _ = read(&headers);
            }
        }
    }
}
