//! Every metric that this crate registers, as data.

use msf_core::metrics::MetricInfo;

use crate::{
    adaptive, budget, bulkhead, circuit_breaker, coalesce, deadline, fallback, fault, hedge,
    load_shed, rate_limit, retry, timeout,
};

/// Every metric that msf-resilience can register, sorted by name.
///
/// ```
/// let rows: Vec<_> = msf_resilience::catalogue().collect();
/// assert!(rows.iter().any(|row| row.name == "msf_breaker_state"));
/// assert!(rows.is_sorted_by(|a, b| a.name < b.name));
/// ```
pub fn catalogue() -> impl Iterator<Item = &'static MetricInfo> {
    static CATALOGUES: &[&[MetricInfo]] = &[
        &adaptive::metrics::CATALOGUE,
        &circuit_breaker::metrics::CATALOGUE,
        &budget::metrics::CATALOGUE,
        &bulkhead::metrics::CATALOGUE,
        &coalesce::metrics::CATALOGUE,
        &deadline::metrics::CATALOGUE,
        &fallback::metrics::CATALOGUE,
        &fault::metrics::CATALOGUE,
        &hedge::metrics::CATALOGUE,
        &load_shed::metrics::CATALOGUE,
        &rate_limit::metrics::CATALOGUE,
        &retry::metrics::CATALOGUE,
        &timeout::metrics::CATALOGUE,
    ];
    CATALOGUES.iter().copied().flatten()
}
