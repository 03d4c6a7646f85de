//! Every metric of this crate, as data.

use msf_core::metrics::MetricInfo;

use crate::{client::metrics as client, transport::metrics as transport};

/// Every metric that msf-client can register, sorted by name.
///
/// ```
/// let names: Vec<_> = msf_client::catalogue().iter().map(|row| row.name).collect();
/// assert!(names.contains(&"msf_client_request_duration_seconds"));
/// ```
#[must_use]
pub fn catalogue() -> &'static [MetricInfo] {
    &CATALOGUE
}

static CATALOGUE: [MetricInfo; 8] = [
    client::ACTIVE.info(),
    transport::OPEN.info(),
    transport::OPENED.info(),
    transport::REUSED.info(),
    transport::STALE.info(),
    transport::QUEUE.info(),
    transport::REFUSALS.info(),
    client::DURATION.info(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sorted_and_without_duplicates() {
        assert!(catalogue().is_sorted_by(|one, next| one.name < next.name));
    }
}
