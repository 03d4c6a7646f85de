//! Every metric of this crate, as data.

use msf_core::metrics::MetricInfo;

use crate::{
    api_key::API_KEYS,
    cache::{BYTES, EVICTIONS, LOOKUPS},
    layer::DECISIONS,
    login::LOGINS,
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
    &CATALOGUE
}

#[cfg(not(feature = "password"))]
static CATALOGUE: [MetricInfo; 12] = [
    API_KEYS.info(),
    DECISIONS.info(),
    REFRESHES.info(),
    LOGINS.info(),
    TOKENS.info(),
    BEHIND.info(),
    MARKS.info(),
    APPLIED.info(),
    BYTES.info(),
    EVICTIONS.info(),
    LOOKUPS.info(),
    VERIFICATIONS.info(),
];

#[cfg(feature = "password")]
static CATALOGUE: [MetricInfo; 15] = [
    API_KEYS.info(),
    DECISIONS.info(),
    REFRESHES.info(),
    LOGINS.info(),
    SECONDS.info(),
    WAITING.info(),
    OPERATIONS.info(),
    TOKENS.info(),
    BEHIND.info(),
    MARKS.info(),
    APPLIED.info(),
    BYTES.info(),
    EVICTIONS.info(),
    LOOKUPS.info(),
    VERIFICATIONS.info(),
];
