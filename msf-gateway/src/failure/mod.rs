//! How a request can fail here, in one table: what the client is told, what the log says, and who ended it.
//!
//! | failure | flag | HTTP | code | gRPC | ended by | may be sent again |
//! |---|---|---|---|---|---|---|
//! | [`BadRequest`](ProxyError::BadRequest) | `DP` | 400 | `bad_request` | 13 | client | no |
//! | [`Misdirected`](ProxyError::Misdirected) | `MD` | 421 | `misdirected_request` | 14 | client | no |
//! | [`Loop`](ProxyError::Loop) | `DP` | 508 | `loop_detected` | 13 | client | no |
//! | [`BodyBrokeOff`](ProxyError::BodyBrokeOff) | `DR` | 400 | `bad_request` | 13 | client | no |
//! | [`TooSlow`](ProxyError::TooSlow) | `DT` | 408 | `request_timeout` | 4 | client | no |
//! | [`TooLarge`](ProxyError::TooLarge) | `DL` | 413 | `payload_too_large` | 8 | client | no |
//! | [`NotImplemented`](ProxyError::NotImplemented) | `NI` | 501 | `not_implemented` | 12 | client | no |
//! | [`ClientGone`](ProxyError::ClientGone) | `DC` | 499, in the log only | `cancelled` | 1 | client | no |
//! | [`NoRoute`](ProxyError::NoRoute) | `NR` | 404 | `not_found` | 12 | gateway | no |
//! | [`MethodNotAllowed`](ProxyError::MethodNotAllowed) | `NM` | 405 | `method_not_allowed` | 12 | gateway | no |
//! | [`Unauthenticated`](ProxyError::Unauthenticated) | `UA` | 401 | `unauthenticated` | 16 | gateway | no |
//! | [`InvalidToken`](ProxyError::InvalidToken) | `UA` | 401 | `invalid_token` | 16 | gateway | no |
//! | [`Forbidden`](ProxyError::Forbidden) | `FB` | 403 | `forbidden` | 7 | gateway | no |
//! | [`AddressDenied`](ProxyError::AddressDenied) | `IP` | 403 | `forbidden` | 7 | gateway | no |
//! | [`RateLimited`](ProxyError::RateLimited) | `RL` | 429 | `rate_limited` | 8 | gateway | yes |
//! | [`Maintenance`](ProxyError::Maintenance) | `MT` | 503 | `unavailable` | 14 | gateway | yes |
//! | [`Undecided`](ProxyError::Undecided) | `GD` | 503 | `unavailable` | 14 | gateway | yes |
//! | [`BreakerOpen`](ProxyError::BreakerOpen) | `CB` | 503 | `breaker_open` | 14 | gateway | yes |
//! | [`TooManyCalls`](ProxyError::TooManyCalls) | `UO` | 503 | `bulkhead_full` | 14 | gateway | yes |
//! | [`Overloaded`](ProxyError::Overloaded) | `OM` | 503 | `overloaded` | 14 | gateway | yes |
//! | [`QueueFull`](ProxyError::QueueFull) | `UO` | 503 | `overloaded` | 14 | gateway | yes |
//! | [`NoRetriesLeft`](ProxyError::NoRetriesLeft) | `RX` | 503 | `retry_budget_exhausted` | 14 | gateway | if idempotent |
//! | [`Internal`](ProxyError::Internal) | `IE` | 500 | `internal` | 13 | gateway | no |
//! | [`NoHealthyUpstream`](ProxyError::NoHealthyUpstream) | `UH` | 503 | `no_healthy_endpoint` | 14 | upstream | yes |
//! | [`Refused`](ProxyError::Refused) | `UO` | 503 | `unavailable` | 14 | upstream | yes |
//! | [`ConnectFailed`](ProxyError::ConnectFailed) | `UF` | 502 | `connect_refused` | 14 | upstream | yes |
//! | [`ConnectTimeout`](ProxyError::ConnectTimeout) | `UF` | 504 | `connect_timeout` | 14 | upstream | yes |
//! | [`UpstreamTimeout`](ProxyError::UpstreamTimeout) | `UT` | 504 | `timeout` | 4 | upstream | if idempotent |
//! | [`DeadlineExceeded`](ProxyError::DeadlineExceeded) | `DE` | 504 | `deadline_exceeded` | 4 | upstream | if idempotent |
//! | [`UpstreamReset`](ProxyError::UpstreamReset) | `UR` | 502 | `upstream_reset` | 14 | upstream | if idempotent |
//! | [`BadAnswer`](ProxyError::BadAnswer) | `UP` | 502 | `bad_gateway` | 14 | upstream | if idempotent |
//!
//! The table is written once, in `table.rs`; a test holds these lines to it.
//!
//! # Flags
//!
//! A [`Flag`] is what the access log and `msf_gateway_failures_total` say: two letters for the line, and
//! words for people. An answer of a service has none, whatever its status: who reads `503` and no flag
//! knows that the service said so itself.
//!
//! # gRPC
//!
//! A gRPC client does not read problems: if the request was `application/grpc`, the gateway answers 200 with
//! `grpc-status` and `grpc-message` in the header and no body ("Trailers-Only" of the gRPC protocol). The
//! numbers differ in three places from the mapping that gRPC has for foreign HTTP statuses, because the
//! gateway knows more than a status: a timeout is 4 and not 14, a limit is 8 and not 14, a body too large is 8.
//!
//! ```
//! use msf_core::problem::Code;
//! use msf_gateway::failure::{ProxyError, Retry, Side};
//!
//! let failure = ProxyError::NoHealthyUpstream;
//! assert_eq!(failure.status(), 503);
//! assert_eq!(failure.code(), Code::NoHealthyEndpoint);
//! assert_eq!((failure.flag().as_str(), failure.flag().words()), ("UH", "no_healthy_upstream"));
//! assert_eq!((failure.side(), failure.retry()), (Side::Upstream, Retry::Safe));
//! assert_eq!(ProxyError::of(Code::RateLimited), ProxyError::RateLimited);
//! ```

mod cause;
mod flag;
pub(crate) mod grpc;
mod metrics;
mod table;

pub(crate) use self::metrics::Failures;
pub use self::{
    flag::Flag,
    table::{ProxyError, Retry, Side},
};
