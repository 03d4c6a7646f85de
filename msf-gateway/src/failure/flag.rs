//! [`Flag`].

use std::fmt;

macro_rules! flags {
    ($($variant:ident = $short:literal, $words:literal;)+) => {
        /// Why a request failed, in two letters and in words; see the [module](super) for the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Flag {
            $(#[doc = concat!("`", $short, "`, `", $words, "`.")] $variant,)+
        }

        impl Flag {
            /// Every flag.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The two letters of an access line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $short,)+
                }
            }

            /// The same in words, as metrics have it.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)+
                }
            }
        }
    };
}

flags! {
    AddressDenied = "IP", "address_denied";
    BadAnswer = "UP", "invalid_upstream_answer";
    BreakerOpen = "CB", "circuit_breaker_open";
    ClientGone = "DC", "client_gone";
    ClientReset = "DR", "client_body_broke_off";
    ClientTooLarge = "DL", "client_body_too_large";
    ClientTooSlow = "DT", "client_too_slow";
    ConnectFailure = "UF", "upstream_connect_failure";
    DeadlineExceeded = "DE", "deadline_exceeded";
    Dependency = "GD", "gateway_dependency_unavailable";
    Forbidden = "FB", "forbidden";
    Internal = "IE", "internal_error";
    Maintenance = "MT", "maintenance";
    MethodNotAllowed = "NM", "method_not_allowed";
    Misdirected = "MD", "misdirected_request";
    NoHealthyUpstream = "UH", "no_healthy_upstream";
    NoRoute = "NR", "no_route";
    NotImplemented = "NI", "not_implemented";
    Overflow = "UO", "upstream_overflow";
    Overloaded = "OM", "overloaded";
    Protocol = "DP", "malformed_request";
    RateLimited = "RL", "rate_limited";
    RetriesExhausted = "RX", "retry_budget_exhausted";
    Unauthenticated = "UA", "unauthenticated";
    UpstreamReset = "UR", "upstream_reset";
    UpstreamTimeout = "UT", "upstream_timeout";
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
