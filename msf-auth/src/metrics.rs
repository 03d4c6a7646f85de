//! Every metric of this crate, as data.

use msf_core::metrics::MetricInfo;

#[cfg(feature = "oauth")]
use crate::oauth::REQUESTS;
use crate::{
    cache::{BYTES, EVICTIONS, LOOKUPS},
    issue::{CHANGES, FAILURES, KEYS},
    refresh::TOKENS,
    remote::REFRESHES,
    revocation::{APPLIED, BEHIND, MARKS},
    verify::VERIFICATIONS,
};

#[cfg(feature = "password")]
use crate::password::{OPERATIONS, SECONDS, WAITING};

/// Every metric that this crate can register, sorted by name.
///
/// ```
/// let names: Vec<&str> = msf_auth::catalogue().iter().map(|row| row.name).collect();
/// assert!(names.contains(&"msf_auth_verifications_total"));
/// assert!(names.is_sorted());
/// ```
#[must_use]
pub fn catalogue() -> &'static [MetricInfo] {
    CATALOGUE
}

static CATALOGUE: &[MetricInfo] = &[
    REFRESHES.info(),
    #[cfg(feature = "oauth")]
    REQUESTS.info(),
    #[cfg(feature = "password")]
    SECONDS.info(),
    #[cfg(feature = "password")]
    WAITING.info(),
    #[cfg(feature = "password")]
    OPERATIONS.info(),
    TOKENS.info(),
    BEHIND.info(),
    MARKS.info(),
    APPLIED.info(),
    CHANGES.info(),
    FAILURES.info(),
    KEYS.info(),
    BYTES.info(),
    EVICTIONS.info(),
    LOOKUPS.info(),
    VERIFICATIONS.info(),
];
