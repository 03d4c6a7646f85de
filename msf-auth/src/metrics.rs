//! Every metric of this crate, as data.

use std::sync::LazyLock;

use msf_core::metrics::MetricInfo;

use crate::{api_key, cache, internal, issue, layer, login, refresh, remote, revocation, verify};

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

static CATALOGUE: LazyLock<Vec<MetricInfo>> = LazyLock::new(|| {
    let mut rows = vec![
        api_key::API_KEYS.info(),
        cache::BYTES.info(),
        cache::EVICTIONS.info(),
        cache::LOOKUPS.info(),
        internal::TOKENS.info(),
        issue::CHANGES.info(),
        issue::FAILURES.info(),
        issue::KEYS.info(),
        layer::DECISIONS.info(),
        login::LOGINS.info(),
        refresh::TOKENS.info(),
        remote::AGE.info(),
        remote::KEYS.info(),
        remote::REFRESHES.info(),
        revocation::APPLIED.info(),
        revocation::BEHIND.info(),
        revocation::MARKS.info(),
        verify::VERIFICATIONS.info(),
    ];
    #[cfg(feature = "oauth")]
    rows.push(crate::oauth::REQUESTS.info());
    #[cfg(feature = "oauth-client")]
    rows.extend([
        crate::client_credentials::REQUESTS.info(),
        crate::introspect::INTROSPECTIONS.info(),
    ]);
    #[cfg(feature = "password")]
    rows.extend([
        crate::password::OPERATIONS.info(),
        crate::password::SECONDS.info(),
        crate::password::WAITING.info(),
    ]);
    rows.sort_by_key(|row| row.name);
    rows
});
