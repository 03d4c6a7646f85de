//! One picked instance, for one call.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use msf_core::{
    classify::{Classification, Verdict},
    clock,
};
use tokio::time::Instant;

use super::table::Host;
use crate::{balance::Outcome, model::Instance};

/// An instance that was picked for one call, which counts as in flight until this is dropped.
///
/// Keep it until the response body has ended, and [`record`](Self::record) what happened when the
/// head of the response is there.
///
/// # Cancel safety
///
/// Dropping it at any time takes the call out of those in flight. Without a record the call counts
/// as abandoned: it can raise the estimate of the instance's latency but never lower it.
#[must_use = "the call counts as ended as soon as this is dropped"]
pub struct Picked {
    endpoint: Arc<Host>,
    /// Absent under a policy that does not look at latency, and once the outcome is recorded.
    started: Option<Instant>,
}

impl Picked {
    #[inline]
    pub(super) fn new(endpoint: &Arc<Host>, started: Option<Instant>) -> Self {
        Self {
            endpoint: Arc::clone(endpoint),
            started,
        }
    }

    /// Where to connect to.
    #[must_use]
    #[inline]
    pub fn addr(&self) -> SocketAddr {
        self.endpoint.addr
    }

    /// The instance.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.endpoint.instance
    }

    /// Says how the call went, at the head of its response. The first record counts.
    ///
    /// A success tells the latency since the pick. A failure keeps callers away as an answer after 5 s would,
    /// or after as long as the callee asked to be left alone, at most 300 s. So does an instance that says
    /// that it is called too much, from 1 s on: its quick refusals must not make it the favourite. Any
    /// other [`Verdict::Ignore`] tells nothing.
    pub fn record(&mut self, outcome: &Classification) {
        if self.started.is_some() {
            self.record_at(outcome, clock::now());
        }
    }

    /// As [`record`](Self::record), for a caller that has just read the clock.
    pub fn record_at(&mut self, outcome: &Classification, now: Instant) {
        let Some(started) = self.started.take() else {
            return;
        };
        let elapsed = now.saturating_duration_since(started);
        let outcome = match outcome.verdict {
            Verdict::Success => Outcome::Answered(elapsed),
            Verdict::Failure => {
                let asked = outcome.hint.retry_after.unwrap_or(FAILURE_PENALTY);
                Outcome::Failed(asked.clamp(FAILURE_PENALTY, PENALTY_MAX).max(elapsed))
            }
            Verdict::Ignore if outcome.hint.throttled => {
                let asked = outcome.hint.retry_after.unwrap_or(THROTTLED_PENALTY);
                Outcome::Failed(asked.clamp(THROTTLED_PENALTY, PENALTY_MAX).max(elapsed))
            }
            Verdict::Ignore => return,
        };
        self.observe(outcome, now);
    }

    fn observe(&self, outcome: Outcome, now: Instant) {
        self.endpoint
            .cost
            .observe(outcome, self.endpoint.millis(now));
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        if let Some(started) = self.started.take() {
            let now = clock::now();
            let elapsed = now.saturating_duration_since(started);
            self.observe(Outcome::Abandoned(elapsed), now);
        }
    }
}

impl fmt::Debug for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picked")
            .field("service", &self.endpoint.instance.service)
            .field("id", &self.endpoint.instance.id)
            .field("addr", &self.endpoint.addr)
            .finish_non_exhaustive()
    }
}

/// What linkerd's proxy takes: far above any healthy latency, and gone within a minute.
const FAILURE_PENALTY: Duration = Duration::from_secs(5);
/// A limit is usually per second, and a limited instance is not a broken one.
const THROTTLED_PENALTY: Duration = Duration::from_secs(1);
const PENALTY_MAX: Duration = Duration::from_secs(300);
