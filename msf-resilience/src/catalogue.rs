//! Every metric that this crate registers, as data.

use msf_core::metrics::MetricInfo;

use crate::{adaptive, bulkhead, circuit_breaker, load_shed, rate_limit};

/// Every metric that msf-resilience can register, sorted by name.
///
/// ```
/// let rows: Vec<_> = msf_resilience::catalogue().collect();
/// assert!(rows.iter().any(|row| row.name == "msf_breaker_state"));
/// assert!(rows.is_sorted_by(|a, b| a.name < b.name));
/// ```
pub fn catalogue() -> impl Iterator<Item = &'static MetricInfo> {
    let adaptive = adaptive::metrics::CATALOGUE.iter();
    adaptive
        .chain(&circuit_breaker::metrics::CATALOGUE)
        .chain(&bulkhead::metrics::CATALOGUE)
        .chain(&load_shed::metrics::CATALOGUE)
        .chain(&rate_limit::metrics::CATALOGUE)
}
