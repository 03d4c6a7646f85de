//! Every metric that this crate registers, as data.

use msf_core::metrics::MetricInfo;

use crate::{
    budget, circuit_breaker, coalesce, deadline, fallback, fault, hedge, rate_limit, retry, timeout,
};

/// Every metric that msf-resilience can register, sorted by name.
///
/// ```
/// let rows: Vec<_> = msf_resilience::catalogue().collect();
/// assert!(rows.iter().any(|row| row.name == "msf_breaker_state"));
/// assert!(rows.is_sorted_by(|a, b| a.name < b.name));
/// ```
pub fn catalogue() -> impl Iterator<Item = &'static MetricInfo> {
    let breaker = circuit_breaker::metrics::CATALOGUE.iter();
    breaker
        .chain(&budget::metrics::CATALOGUE)
        .chain(&coalesce::metrics::CATALOGUE)
        .chain(&deadline::metrics::CATALOGUE)
        .chain(&fallback::metrics::CATALOGUE)
        .chain(&fault::metrics::CATALOGUE)
        .chain(&hedge::metrics::CATALOGUE)
        .chain(&rate_limit::metrics::CATALOGUE)
        .chain(&retry::metrics::CATALOGUE)
        .chain(&timeout::metrics::CATALOGUE)
}
