//! [`ProxyError`] and its table.

use http::StatusCode;
use msf_core::problem::Code;

use super::Flag;

/// Whose end of the exchange a request ended at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an exchange through a gateway has these three parties"
)]
pub enum Side {
    /// The client's: it sent what cannot be served, or went away.
    Client,
    /// The gateway's own decision, or its own fault.
    Gateway,
    /// The service's, or the way to it.
    Upstream,
}

/// Whether the client may send the request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth case")]
pub enum Retry {
    /// The same request fails the same way.
    No,
    /// Nothing of it reached a service.
    Safe,
    /// A service may have done the work.
    IfIdempotent,
}

macro_rules! failures {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:ident, $flag:ident, $side:ident, $retry:ident, $grpc:literal;)+) => {
        /// How a request can fail here; see the [module](super) for the table.
        ///
        /// The gateway leaves one in the extensions of each answer of its own, for the layers around it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ProxyError {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ProxyError {
            /// Every failure, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code of the problem that the client gets.
            #[must_use]
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$variant => Code::$code,)+
                }
            }

            /// What the access log and the metrics say.
            #[must_use]
            pub const fn flag(self) -> Flag {
                match self {
                    $(Self::$variant => Flag::$flag,)+
                }
            }

            /// Who ended the request.
            #[must_use]
            pub const fn side(self) -> Side {
                match self {
                    $(Self::$variant => Side::$side,)+
                }
            }

            /// Whether the client may send it again.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self {
                    $(Self::$variant => Retry::$retry,)+
                }
            }

            /// The gRPC status of the answer to a gRPC request.
            #[must_use]
            pub const fn grpc_status(self) -> u8 {
                match self {
                    $(Self::$variant => $grpc,)+
                }
            }
        }
    };
}

failures! {
    /// The request is malformed: its path, its host, its framing.
    BadRequest = BadRequest, Protocol, Client, No, 13;
    /// The host is none of those that the TLS connection was let in for; over a connection of its own it may be served.
    Misdirected = MisdirectedRequest, Misdirected, Client, No, 14;
    /// The request has passed gateways like this one too often.
    Loop = LoopDetected, Protocol, Client, No, 13;
    /// The client's body broke off.
    BodyBrokeOff = BadRequest, ClientReset, Client, No, 13;
    /// The client's body did not arrive in time.
    TooSlow = RequestTimeout, ClientTooSlow, Client, No, 4;
    /// The client's body is above the limit of its route.
    TooLarge = PayloadTooLarge, ClientTooLarge, Client, No, 8;
    /// The request needs what the gateway does not do, such as another transfer coding.
    NotImplemented = NotImplemented, NotImplemented, Client, No, 12;
    /// The client went away before its answer was complete.
    ClientGone = Cancelled, ClientGone, Client, No, 1;
    /// No route takes the request.
    NoRoute = NotFound, NoRoute, Gateway, No, 12;
    /// The path has a route, the method has none.
    MethodNotAllowed = MethodNotAllowed, MethodNotAllowed, Gateway, No, 12;
    /// The route needs credentials and none came.
    Unauthenticated = Unauthenticated, Unauthenticated, Gateway, No, 16;
    /// The credentials are not valid.
    InvalidToken = InvalidToken, Unauthenticated, Gateway, No, 16;
    /// The caller is known and may not.
    Forbidden = Forbidden, Forbidden, Gateway, No, 7;
    /// The client's address may not.
    AddressDenied = Forbidden, AddressDenied, Gateway, No, 7;
    /// The client is above its limit.
    RateLimited = RateLimited, RateLimited, Gateway, Safe, 8;
    /// The route is closed for maintenance.
    Maintenance = Unavailable, Maintenance, Gateway, Safe, 14;
    /// The gateway could not have what it needs to decide, such as the keys of an issuer.
    Undecided = Unavailable, Dependency, Gateway, Safe, 14;
    /// The circuit breaker of the service is open.
    BreakerOpen = BreakerOpen, BreakerOpen, Gateway, Safe, 14;
    /// As many calls of the service as may be are in flight or wait.
    TooManyCalls = BulkheadFull, Overflow, Gateway, Safe, 14;
    /// The gateway sheds load.
    Overloaded = Overloaded, Overloaded, Gateway, Safe, 14;
    /// The line for connections to the service is full, or none became free in time.
    QueueFull = Overloaded, Overflow, Gateway, Safe, 14;
    /// The call failed, and there is no budget for another try.
    NoRetriesLeft = RetryBudgetExhausted, RetriesExhausted, Gateway, IfIdempotent, 14;
    /// The gateway failed.
    Internal = Internal, Internal, Gateway, No, 13;
    /// The service has no instance that can be called.
    NoHealthyUpstream = NoHealthyEndpoint, NoHealthyUpstream, Upstream, Safe, 14;
    /// The service refused the request before it did anything, as HTTP/2 lets it.
    Refused = Unavailable, Overflow, Upstream, Safe, 14;
    /// No instance took the connection.
    ConnectFailed = ConnectRefused, ConnectFailure, Upstream, Safe, 14;
    /// No instance took the connection in time.
    ConnectTimeout = ConnectTimeout, ConnectFailure, Upstream, Safe, 14;
    /// The service did not answer in time, or its answer stalled.
    UpstreamTimeout = Timeout, UpstreamTimeout, Upstream, IfIdempotent, 4;
    /// The deadline of the request passed first.
    DeadlineExceeded = DeadlineExceeded, DeadlineExceeded, Upstream, IfIdempotent, 4;
    /// The service broke off, before its answer or amid it.
    UpstreamReset = UpstreamReset, UpstreamReset, Upstream, IfIdempotent, 14;
    /// What the service answered is no answer.
    BadAnswer = BadGateway, BadAnswer, Upstream, IfIdempotent, 14;
}

impl ProxyError {
    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.code().status()
    }

    /// The failure that a code stands for, where nothing more is known than the code.
    #[must_use]
    pub fn of(code: Code) -> Self {
        if code == Code::Unavailable {
            return Self::Undecided;
        }
        let mut all = Self::ALL.iter().copied();
        match all.find(|failure| failure.code() == code) {
            Some(failure) => failure,
            // Of a plugin, or of what comes later.
            None if code.status().is_server_error() => Self::Internal,
            None => Self::BadRequest,
        }
    }
}

impl Side {
    /// `client`, `gateway` or `upstream`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Upstream => "upstream",
        }
    }
}

impl Retry {
    /// `no`, `yes` or `if idempotent`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Safe => "yes",
            Self::IfIdempotent => "if idempotent",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_documentation_says_what_the_table_says() {
        let lines: Vec<&str> = include_str!("mod.rs")
            .lines()
            .filter(|line| line.starts_with("//! | [`"))
            .collect();
        assert_eq!(lines.len(), ProxyError::ALL.len());
        for (line, failure) in lines.into_iter().zip(ProxyError::ALL) {
            let status = match failure {
                ProxyError::ClientGone => "499, in the log only".to_owned(),
                _ => failure.status().as_str().to_owned(),
            };
            let expected = format!(
                "//! | [`{failure:?}`](ProxyError::{failure:?}) | `{}` | {status} | `{}` | {} | {} | {} |",
                failure.flag(),
                failure.code(),
                failure.grpc_status(),
                failure.side().as_str(),
                failure.retry().as_str(),
            );
            assert_eq!(line, expected);
        }
    }

    #[test]
    fn every_flag_is_used_and_no_two_look_alike() {
        let used: HashSet<Flag> = ProxyError::ALL.iter().map(|it| it.flag()).collect();
        assert_eq!(used, Flag::ALL.iter().copied().collect());
        let short: HashSet<&str> = Flag::ALL.iter().map(|flag| flag.as_str()).collect();
        let words: HashSet<&str> = Flag::ALL.iter().map(|flag| flag.words()).collect();
        assert_eq!(
            (short.len(), words.len()),
            (Flag::ALL.len(), Flag::ALL.len())
        );
        assert!(short.iter().all(|flag| flag.len() == 2));
    }

    #[test]
    fn every_code_has_a_failure_of_its_class() {
        for code in Code::ALL {
            let failure = ProxyError::of(*code);
            assert_eq!(
                failure.status().is_server_error(),
                code.status().is_server_error(),
                "{code}: {failure:?}"
            );
        }
        for failure in ProxyError::ALL {
            assert_eq!(ProxyError::of(failure.code()).code(), failure.code());
        }
    }

    #[test]
    fn what_may_be_sent_again_did_no_work() {
        for failure in ProxyError::ALL {
            if failure.side() == Side::Client {
                assert_eq!(failure.retry(), Retry::No, "{failure:?}");
            }
        }
    }
}
