//! What can go wrong when the store is built.

use std::time::Duration;

use msf_core::metrics::MetricsError;

use crate::circuit_breaker::InvalidCircuitBreaker;

/// A store that could not work as it was asked to.
///
/// ```
/// use msf_resilience::rate_limit::redis::{InvalidRedisStore, RedisStore};
///
/// let error = RedisStore::builder("http://localhost").build().unwrap_err();
/// assert!(matches!(error, InvalidRedisStore::Url(_)));
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRedisStore {
    /// The address is not a Redis URL, or needs TLS that is not built in. The address itself is not repeated: it may
    /// hold a password.
    #[error("the address must be a URL such as redis://host:6379/0: {0}")]
    Url(Box<str>),
    /// The name is not 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`.
    #[error("the name of a store must be 1 to 64 characters of a-z, A-Z, 0-9, '-', '_' and '.'")]
    Name,
    /// The prefix is not 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `-`, `_`, `.` and `:`.
    #[error("the prefix must be 1 to 64 characters of a-z, A-Z, 0-9, '-', '_', '.' and ':'")]
    Prefix,
    /// The timeout is not 1 ms to 10 s.
    #[error("the timeout must be 1 ms to 10 s, not {0:?}")]
    Timeout(Duration),
    /// The connect timeout is not 1 ms to 60 s.
    #[error("the connect timeout must be 1 ms to 60 s, not {0:?}")]
    ConnectTimeout(Duration),
    /// Refusals would be remembered for longer than a minute.
    #[error("a refusal must be remembered for at most 60 s, not {0:?}")]
    DenyFor(Duration),
    /// More refusals would be remembered than there is reason for.
    #[error("at most 1048576 refusals can be remembered, not {0}")]
    DenyPlaces(usize),
    /// The breaker before Redis could not be made.
    #[error("the breaker before redis could not be made")]
    Breaker(#[from] InvalidCircuitBreaker),
    /// The metrics could not be registered.
    #[error("the metrics of the store could not be registered")]
    Metrics(#[from] MetricsError),
}
