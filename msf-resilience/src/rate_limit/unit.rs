//! What a limit counts.

/// What one unit of cost is: the parameter `qu` of `RateLimit-Policy`.
///
/// ```
/// use http::HeaderMap;
/// use msf_resilience::rate_limit::{Quota, QuotaUnit, RateLimiter};
///
/// let limiter = RateLimiter::builder(Quota::per_minute(1_000_000))
///     .name("upload")
///     .unit(QuotaUnit::ContentBytes)
///     .build()?;
/// let mut headers = HeaderMap::new();
/// limiter.check_n(&"ada", 4_096)?.write_to(&mut headers);
/// assert_eq!(headers["ratelimit-policy"], r#""upload";q=1000000;w=60;qu="content-bytes""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuotaUnit {
    /// Requests. It is what clients assume, so it is not written.
    #[default]
    Requests,
    /// Bytes of content.
    ContentBytes,
}

impl QuotaUnit {
    pub(super) const fn parameter(self) -> &'static str {
        match self {
            Self::Requests => "",
            Self::ContentBytes => ";qu=\"content-bytes\"",
        }
    }
}
