//! Every metric of this crate, as data.

use std::sync::LazyLock;

use msf_core::metrics::MetricInfo;

use crate::{
    remote::{AGE, KEYS, REFRESHES},
    verify::VERIFICATIONS,
};

#[cfg(feature = "password")]
use crate::password::{OPERATIONS, SECONDS, WAITING};
#[cfg(feature = "oauth-client")]
use crate::{client_credentials::REQUESTS, introspect::INTROSPECTIONS};

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
        AGE.info(),
        KEYS.info(),
        REFRESHES.info(),
        VERIFICATIONS.info(),
    ];
    #[cfg(feature = "oauth-client")]
    rows.extend([INTROSPECTIONS.info(), REQUESTS.info()]);
    #[cfg(feature = "password")]
    rows.extend([SECONDS.info(), WAITING.info(), OPERATIONS.info()]);
    rows.sort_by_key(|row| row.name);
    rows
});
