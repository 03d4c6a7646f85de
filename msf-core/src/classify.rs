//! What counts as a failure: one definition for breaker, retry, outlier ejection and metrics.
//!
//! A call has three outcomes, not two. A [`Verdict::Failure`] speaks against the callee; a
//! [`Verdict::Success`] speaks for it; [`Verdict::Ignore`] says nothing about its health - the
//! caller sent nonsense, or was asked to slow down. Beside the verdict stands a [`Hint`]: how long the
//! callee asked to be left alone.
//!
//! [`Http`] is the rule that fits most services:
//!
//! | outcome | verdict | hint |
//! |---|---|---|
//! | 1xx, 2xx, 3xx, 4xx but 429 | `Success` | |
//! | 429 | `Ignore` | throttled, `Retry-After` |
//! | 501 | `Success` | the callee works; it lacks the method |
//! | other 5xx | `Failure` | `Retry-After`; throttled for 503 that has one |
//! | a problem made in this process whose code [is a refusal](Code::is_refusal) | `Ignore` | refused, `Retry-After` |
//! | a problem made in this process with [`Code::DeadlineExceeded`]: the caller's time was over | `Ignore` | |
//! | error | `Failure` | |
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use msf_core::classify::{Classify, Http, Verdict};
//!
//! let response = http::Response::builder()
//!     .status(503)
//!     .header("retry-after", "7")
//!     .body(())?;
//! let seen = Http::default().classify(Ok::<_, &Infallible>(&response));
//!
//! assert_eq!(seen.verdict, Verdict::Failure);
//! assert_eq!(seen.hint.retry_after, Some(Duration::from_secs(7)));
//! # Ok::<(), http::Error>(())
//! ```
//!
//! Any closure of the same shape is a classifier too:
//!
//! ```
//! use msf_core::classify::{Classification, Classify};
//!
//! let strict = |outcome: Result<&u16, &std::io::Error>| match outcome {
//!     Ok(code) if *code < 400 => Classification::SUCCESS,
//!     _ => Classification::FAILURE,
//! };
//! assert_eq!(strict.classify(Ok(&404)), Classification::FAILURE);
//! ```

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::{clock::WallClock, problem::Code};

/// What an outcome says about the callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the three cases are the concept; callers match them all"
)]
pub enum Verdict {
    /// The callee did its work.
    Success,
    /// The callee did not do its work, or nobody reached it.
    Failure,
    /// The outcome says nothing about the callee's health.
    Ignore,
}

/// What the callee asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Hint {
    /// How long the callee asked not to be called again.
    pub retry_after: Option<Duration>,
    /// Whether the callee said that it is called too much.
    pub throttled: bool,
    /// Whether the call was refused before it was made, by a layer between the caller and the callee.
    ///
    /// Such a refusal is worth neither a retry nor a count: see [`Code::is_refusal`].
    pub refused: bool,
}

/// A verdict with its hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Classification {
    /// What the outcome says about the callee.
    pub verdict: Verdict,
    /// What the callee asked for.
    pub hint: Hint,
}

/// Judges outcomes of calls that give `Res` or fail with `Err`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot judge outcomes `Result<&{Res}, &{Err}>`",
    note = "use `msf_core::classify::Http` for `http::Response<_>`, or a closure \
            `Fn(Result<&{Res}, &{Err}>) -> Classification`"
)]
pub trait Classify<Res, Err> {
    /// Judges one outcome. Runs for every call, so it must neither block nor allocate.
    fn classify(&self, outcome: Result<&Res, &Err>) -> Classification;
}

/// The usual rule for HTTP; the table is in the [module documentation](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Http {
    clock: WallClock,
}

impl Classification {
    /// A success without a hint.
    pub const SUCCESS: Self = Self::new(Verdict::Success);
    /// A failure without a hint.
    pub const FAILURE: Self = Self::new(Verdict::Failure);
    /// Says nothing, without a hint.
    pub const IGNORE: Self = Self::new(Verdict::Ignore);

    /// A verdict without a hint.
    #[must_use]
    pub const fn new(verdict: Verdict) -> Self {
        Self {
            verdict,
            hint: Hint {
                retry_after: None,
                throttled: false,
                refused: false,
            },
        }
    }

    /// Adds how long the callee asked to be left alone.
    #[must_use]
    pub const fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.hint.retry_after = wait;
        self
    }

    /// Says whether the callee complained of too many calls.
    #[must_use]
    pub const fn throttled(mut self, throttled: bool) -> Self {
        self.hint.throttled = throttled;
        self
    }

    /// Says whether the call was refused before it was made.
    #[must_use]
    pub const fn refused(mut self, refused: bool) -> Self {
        self.hint.refused = refused;
        self
    }
}

impl<F, Res, Err> Classify<Res, Err> for F
where
    F: Fn(Result<&Res, &Err>) -> Classification,
{
    #[inline]
    fn classify(&self, outcome: Result<&Res, &Err>) -> Classification {
        self(outcome)
    }
}

impl Http {
    /// Reads `Retry-After` dates against another clock than the system's.
    #[must_use]
    pub const fn with_clock(clock: WallClock) -> Self {
        Self { clock }
    }

    /// Judges a response by its head alone.
    #[must_use]
    pub fn classify_head(&self, status: StatusCode, headers: &HeaderMap) -> Classification {
        if status == StatusCode::TOO_MANY_REQUESTS {
            Classification::IGNORE
                .retry_after(self.retry_after(headers))
                .throttled(true)
        } else if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
            let wait = self.retry_after(headers);
            Classification::FAILURE
                .retry_after(wait)
                .throttled(status == StatusCode::SERVICE_UNAVAILABLE && wait.is_some())
        } else {
            Classification::SUCCESS
        }
    }

    #[cold]
    fn classify_problem<B>(&self, response: &Response<B>) -> Classification {
        match response.extensions().get::<Code>() {
            Some(code) if code.is_refusal() => Classification::IGNORE
                .retry_after(self.retry_after(response.headers()))
                .refused(true),
            // Of this process: a caller that gives little time must not make its callee look ill.
            Some(Code::DeadlineExceeded) => Classification::IGNORE,
            _ => self.classify_head(response.status(), response.headers()),
        }
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        parse_retry_after(headers.get(header::RETRY_AFTER)?, self.clock.now())
    }
}

impl<B, Err> Classify<Response<B>, Err> for Http {
    #[inline]
    fn classify(&self, outcome: Result<&Response<B>, &Err>) -> Classification {
        match outcome {
            // Every refusal has the status of an error, so what has none need not be searched for one.
            Ok(response) if response.status().as_u16() < 400 => Classification::SUCCESS,
            Ok(response) => self.classify_problem(response),
            Err(_) => Classification::FAILURE,
        }
    }
}

/// Reads a `Retry-After` value: seconds or an HTTP date (RFC 9110 section 10.2.3).
///
/// The result is capped at one day, since a callee must not be able to switch its callers off for
/// ever. A date in the past gives zero; anything else gives `None`.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use http::HeaderValue;
/// use msf_core::classify::parse_retry_after;
///
/// let now = SystemTime::UNIX_EPOCH;
/// let seconds = HeaderValue::from_static("120");
/// assert_eq!(parse_retry_after(&seconds, now), Some(Duration::from_secs(120)));
///
/// let date = HeaderValue::from_static("Thu, 01 Jan 1970 00:00:30 GMT");
/// assert_eq!(parse_retry_after(&date, now), Some(Duration::from_secs(30)));
/// ```
#[must_use]
pub fn parse_retry_after(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // Only overflow is left as a reason to fail, and then the cap holds.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, io};

    use proptest::prelude::*;

    use super::*;

    fn http(status: u16, retry_after: Option<&'static str>) -> Classification {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(value) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        }
        Http::default().classify(Ok::<_, &Infallible>(&response))
    }

    #[test]
    fn the_table_holds() {
        for status in [100, 200, 204, 304, 400, 401, 404, 408, 409, 422, 501] {
            assert_eq!(http(status, None), Classification::SUCCESS, "{status}");
        }
        for status in [500, 502, 503, 504, 599] {
            assert_eq!(http(status, None), Classification::FAILURE, "{status}");
        }
        let throttled = Classification::IGNORE
            .throttled(true)
            .retry_after(Some(Duration::from_secs(3)));
        assert_eq!(http(429, Some("3")), throttled);
        assert!(http(503, Some("3")).hint.throttled);
        assert!(!http(503, None).hint.throttled);
    }

    #[test]
    fn a_callers_deadline_says_nothing_about_the_callee() {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        let sent = Http::default().classify(Ok::<_, &Infallible>(&response));
        assert_eq!(sent, Classification::FAILURE, "the callee's own answer");
        response.extensions_mut().insert(Code::DeadlineExceeded);
        let made = Http::default().classify(Ok::<_, &Infallible>(&response));
        assert_eq!(made, Classification::IGNORE);
    }

    #[test]
    fn an_error_is_a_failure() {
        let error = io::Error::other("reset");
        let outcome: Result<&Response<()>, &io::Error> = Err(&error);
        assert_eq!(Http::default().classify(outcome), Classification::FAILURE);
    }

    #[test]
    fn retry_after_is_capped_and_forgiving() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let parse = |text| parse_retry_after(&HeaderValue::from_static(text), now);
        assert_eq!(parse("99999999999999999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(
            parse("Fri, 31 Dec 9999 23:59:59 GMT"),
            Some(RETRY_AFTER_MAX)
        );
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:30 GMT"), Some(Duration::ZERO));
        for nonsense in ["", "-1", "1.5", "soon", "+3"] {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let wait = parse_retry_after(&value, SystemTime::UNIX_EPOCH);
                prop_assert!(wait.is_none_or(|wait| wait <= RETRY_AFTER_MAX));
            }
        }
    }
}
