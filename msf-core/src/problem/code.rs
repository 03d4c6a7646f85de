//! The closed list of error codes.

use std::fmt;

use http::StatusCode;
use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal, $status:literal, $title:literal;)+) => {
        /// What went wrong, in one word that is the same everywhere.
        ///
        /// The word stands in the body of the problem (`code`) and in the log field `code`. The list is
        /// closed: callers can rely on it. An application that has more to say uses
        /// [`Problem::with_type`](super::Problem::with_type) and
        /// [`Problem::with_member`](super::Problem::with_member).
        ///
        /// ```
        /// use msf_core::problem::Code;
        ///
        /// assert_eq!(Code::RateLimited.as_str(), "rate_limited");
        /// assert_eq!(Code::RateLimited.status(), 429);
        /// assert_eq!("rate_limited".parse(), Ok(Code::RateLimited));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ #[doc = concat!("\n\nStatus ", $status, ".")] $variant,)+
        }

        impl Code {
            /// Every code, in the order of their statuses.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word itself.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// A short, fixed summary for people.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                }
            }

            /// What the code says, in a sentence or two; the text of its documentation.
            ///
            /// ```
            /// use msf_core::problem::Code;
            ///
            /// assert_eq!(Code::PayloadTooLarge.meaning(), "The request body is above the limit.");
            /// ```
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// The problem type: an address that explains the code to people (RFC 9457 section 3.1.1).
            #[must_use]
            pub const fn type_uri(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!(
                        "https://docs.rs/msf-core/latest/msf_core/problem/enum.Code.html#variant.",
                        stringify!($variant),
                    ),)+
                }
            }

            const fn status_number(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)+
                }
            }
        }
    };
}

codes! {
    /// The request breaks the protocol or cannot be read.
    BadRequest = "bad_request", 400, "The request is malformed";
    /// The operation needs an `Idempotency-Key` header.
    IdempotencyKeyRequired = "idempotency_key_required", 400, "An Idempotency-Key is required";
    /// The request carries no credentials.
    Unauthenticated = "unauthenticated", 401, "Authentication is required";
    /// The credentials are not valid; why is not told to the caller.
    InvalidToken = "invalid_token", 401, "The credentials are not valid";
    /// A payment is needed or was declined.
    PaymentRequired = "payment_required", 402, "The payment was not made";
    /// The caller is known and may not do this.
    Forbidden = "forbidden", 403, "Not allowed";
    /// There is no such resource, or the caller may not know of it.
    NotFound = "not_found", 404, "Not found";
    /// The resource does not take this method; `Allow` lists those it takes.
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed";
    /// No representation fits the `Accept` headers.
    NotAcceptable = "not_acceptable", 406, "Not acceptable";
    /// The request did not arrive in time.
    RequestTimeout = "request_timeout", 408, "The request took too long to arrive";
    /// The request contradicts the state of the resource.
    Conflict = "conflict", 409, "Conflict";
    /// A request with the same `Idempotency-Key` is still being worked on.
    IdempotencyInProgress = "idempotency_in_progress", 409, "The same request is in progress";
    /// The resource is gone for good.
    Gone = "gone", 410, "Gone";
    /// The request needs a `Content-Length`.
    LengthRequired = "length_required", 411, "Length required";
    /// An `If-Match` or similar condition does not hold.
    PreconditionFailed = "precondition_failed", 412, "Precondition failed";
    /// The request body is above the limit.
    PayloadTooLarge = "payload_too_large", 413, "The request body is too large";
    /// The request target is above the limit.
    UriTooLong = "uri_too_long", 414, "The request target is too long";
    /// The body is of a media type that is not taken here.
    UnsupportedMediaType = "unsupported_media_type", 415, "Unsupported media type";
    /// The request expects what nobody here promises, or was refused for an expectation.
    ExpectationFailed = "expectation_failed", 417, "The expectation cannot be met";
    /// The request was meant for another server.
    MisdirectedRequest = "misdirected_request", 421, "Misdirected request";
    /// The request is well-formed and its content is not acceptable; `errors` says where.
    ValidationFailed = "validation_failed", 422, "The content is not valid";
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused = "idempotency_key_reused", 422, "The Idempotency-Key was used before";
    /// A condition such as `If-Match` is required.
    PreconditionRequired = "precondition_required", 428, "Precondition required";
    /// The caller sent more than its limit; `Retry-After` says when to return.
    RateLimited = "rate_limited", 429, "Too many requests";
    /// The request's header is above the limit.
    HeaderTooLarge = "header_too_large", 431, "The request header is too large";
    /// The caller went away before the answer was ready.
    Cancelled = "cancelled", 499, "Cancelled by the caller";
    /// The service failed in a way that is not the caller's concern.
    Internal = "internal", 500, "Internal error";
    /// The service does not have this function.
    NotImplemented = "not_implemented", 501, "Not implemented";
    /// The upstream answered with something that is not a valid response.
    BadGateway = "bad_gateway", 502, "Bad gateway";
    /// The upstream refused the connection.
    ConnectRefused = "connect_refused", 502, "The upstream cannot be reached";
    /// The upstream closed the connection before it had answered.
    UpstreamReset = "upstream_reset", 502, "The upstream broke off";
    /// The service cannot answer now.
    Unavailable = "unavailable", 503, "Temporarily unavailable";
    /// The circuit breaker of the upstream is open.
    BreakerOpen = "breaker_open", 503, "The upstream is failing";
    /// All permits of the bulkhead are taken.
    BulkheadFull = "bulkhead_full", 503, "Too many calls at once";
    /// The service sheds load.
    Overloaded = "overloaded", 503, "Overloaded";
    /// No instance of the upstream is healthy.
    NoHealthyEndpoint = "no_healthy_endpoint", 503, "No healthy instance";
    /// The retry budget is spent.
    RetryBudgetExhausted = "retry_budget_exhausted", 503, "No retries are left";
    /// Connecting to the upstream took too long.
    ConnectTimeout = "connect_timeout", 504, "The upstream cannot be reached in time";
    /// The upstream, or the work itself, took too long.
    Timeout = "timeout", 504, "Timed out";
    /// The deadline of the request has passed.
    DeadlineExceeded = "deadline_exceeded", 504, "The deadline has passed";
    /// The request has passed the same gateways too often: it goes round.
    LoopDetected = "loop_detected", 508, "The request goes round in a loop";
}

impl Code {
    /// The HTTP status that goes with the code.
    ///
    /// # Panics
    ///
    /// Never: every status in the list is within 100 to 999.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.status_number()).expect("the table holds valid statuses")
    }

    /// Whether the service works as it should and refused by design, to protect itself or its upstream.
    ///
    /// ```
    /// use msf_core::problem::Code;
    ///
    /// assert!(Code::BulkheadFull.is_refusal());
    /// assert!(!Code::Timeout.is_refusal());
    /// ```
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::BreakerOpen | Self::BulkheadFull | Self::Overloaded | Self::RetryBudgetExhausted
        )
    }

    /// The general code of a status, for an error response that came without one.
    ///
    /// `None` for statuses that are not errors and for those that the list does not know.
    #[must_use]
    pub fn from_status(status: StatusCode) -> Option<Self> {
        match status.as_u16() {
            // Several codes share these statuses; the first is not always the general one.
            502 => Some(Self::BadGateway),
            503 => Some(Self::Unavailable),
            504 => Some(Self::Timeout),
            number => Self::ALL
                .iter()
                .copied()
                .find(|code| code.status_number() == number),
        }
    }
}

/// A word that is not in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an error code of msf")]
#[non_exhaustive]
pub struct UnknownCode;

impl std::str::FromStr for Code {
    type Err = UnknownCode;

    fn from_str(word: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == word)
            .ok_or(UnknownCode)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn words_are_unique_snake_case_and_parse_back() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{code}"
            );
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        assert_eq!("nonsense".parse::<Code>(), Err(UnknownCode));
    }

    #[test]
    fn every_code_is_an_error_and_the_list_is_in_order() {
        let statuses: Vec<u16> = Code::ALL
            .iter()
            .map(|code| code.status().as_u16())
            .collect();
        assert!(statuses.is_sorted());
        assert!(statuses.iter().all(|status| (400..600).contains(status)));
    }

    #[test]
    fn a_status_gives_its_general_code() {
        assert_eq!(
            Code::from_status(StatusCode::NOT_FOUND),
            Some(Code::NotFound)
        );
        assert_eq!(
            Code::from_status(StatusCode::UNAUTHORIZED),
            Some(Code::Unauthenticated)
        );
        assert_eq!(
            Code::from_status(StatusCode::GATEWAY_TIMEOUT),
            Some(Code::Timeout)
        );
        assert_eq!(Code::from_status(StatusCode::OK), None);
        assert_eq!(Code::from_status(StatusCode::IM_A_TEAPOT), None);
    }
}
