//! Who a rate limit counts.
//!
//! ```
//! use msf_gateway::{Key, RateKey, Route};
//! use msf_resilience::rate_limit::{Quota, RateLimiter};
//!
//! let per_client = RateLimiter::<RateKey>::builder(Quota::per_minute(20)).name("login").build()?;
//! let login = Route::exact("/api/users/login")
//!     .to("user")
//!     .public()
//!     .rate_limit(per_client, Key::Client);
//! # drop(login);
//! # Ok::<(), msf_resilience::rate_limit::InvalidRateLimiter>(())
//! ```

use std::{
    fmt::Write,
    net::{IpAddr, Ipv6Addr},
};

use msf_auth::Principal;
use msf_resilience::rate_limit::{
    Allowed, Limited, RateLimiter,
    shared::{OnFailure, SharedError, SharedRateLimiter},
};

/// What a route's rate limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Key {
    /// The client's address, before its token is looked at, so that guessing is limited too.
    Client,
    /// Who the token says the caller is, once that is verified; the address where the route is public.
    Subject,
}

/// The key under which a caller is counted: the `K` of a route's [`RateLimiter`].
///
/// ```
/// use msf_gateway::RateKey;
///
/// let of = |ip: &str| RateKey::client(ip.parse().ok());
/// assert_eq!(of("2001:db8::1"), of("2001:db8::2:7"));
/// assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RateKey(Caller);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Caller {
    /// Everybody whose address is not known shares one count: not to know must not be a way around.
    Unknown,
    Ip(IpAddr),
    Subject(Box<str>),
}

impl RateKey {
    /// A client by its address. Of IPv6 the first 64 bits count, for a single customer has all of the rest.
    #[must_use]
    pub fn client(ip: Option<IpAddr>) -> Self {
        Self(match ip.map(|ip| ip.to_canonical()) {
            None => Caller::Unknown,
            Some(IpAddr::V6(ip)) => {
                let network = Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX));
                Caller::Ip(network.into())
            }
            Some(ip) => Caller::Ip(ip),
        })
    }

    /// The key as a store of several gateways has it. What an issuer may have chosen freely is escaped: braces have a
    /// meaning in Redis, and a line feed has one in a log.
    pub(crate) fn to_text(&self) -> String {
        match &self.0 {
            Caller::Unknown => "unknown".to_owned(),
            Caller::Ip(ip) => format!("ip:{ip}"),
            Caller::Subject(subject) => {
                let mut text = "sub:".to_owned();
                for byte in subject.bytes() {
                    match byte {
                        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => text.push(char::from(byte)),
                        b'.' | b'_' | b'-' | b'~' | b':' | b'/' | b'@' | b'|' => {
                            text.push(char::from(byte));
                        }
                        // Writing to a String does not fail.
                        byte => drop(write!(text, "%{byte:02X}")),
                    }
                }
                text
            }
        }
    }

    /// A caller by its token. Subjects of two issuers are two callers.
    #[must_use]
    pub fn subject(principal: &Principal) -> Self {
        let text = format!("{}\0{}", principal.issuer(), principal.subject());
        Self(Caller::Subject(text.into()))
    }
}

/// The rate limit of one route.
#[derive(Clone, Debug)]
pub(crate) struct RouteLimit {
    pub(crate) limiter: RateLimiter<RateKey>,
    pub(crate) key: Key,
}

/// The rate limit of one route that several gateways share.
#[derive(Clone, Debug)]
pub(crate) struct SharedLimit {
    pub(crate) limiter: SharedRateLimiter,
    pub(crate) key: Key,
    pub(crate) on_failure: OnFailure,
}

impl SharedLimit {
    /// Counts a request; `None` where nobody counted and it passes all the same.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the request was counted or not.
    pub(crate) async fn check(&self, key: &RateKey) -> Result<Option<Allowed>, SharedError> {
        match self.limiter.check(&key.to_text()).await {
            Ok(allowed) => Ok(Some(allowed)),
            Err(SharedError::Store(_)) if self.on_failure != OnFailure::Refuse => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl RouteLimit {
    pub(crate) fn check(&self, key: &RateKey) -> Result<Allowed, Limited> {
        self.limiter.check(key)
    }
}
