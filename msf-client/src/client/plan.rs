//! What is done beyond one attempt.

use std::time::Duration;

use msf_resilience::{hedge::HedgePolicy, retry::RetryPolicy};

/// Retries, hedges and the time of an attempt. A call without them has no plan, and does not pay for one.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) retry: Option<RetryPolicy>,
    pub(super) hedge: Option<HedgePolicy>,
    pub(super) attempt_timeout: Option<Duration>,
}

impl Plan {
    pub(super) const fn is_empty(&self) -> bool {
        self.retry.is_none() && self.hedge.is_none() && self.attempt_timeout.is_none()
    }
}
