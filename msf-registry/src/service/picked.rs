//! One picked instance, for one call.

use std::{fmt, mem, net::SocketAddr, sync::Arc, time::Duration};

use msf_core::{
    classify::{Classification, Verdict},
    clock,
};
use tokio::time::Instant;

use super::{host::millis, stripe::Stripe};
use crate::{balance::Outcome, model::Instance};

/// An instance that was picked for one call, which counts as in flight until this is dropped.
///
/// Keep it until the response body has ended, and [`record`](Self::record) what happened when the
/// head of the response is there. It may end on another thread than the one that picked.
///
/// # Cancel safety
///
/// Dropping it at any time takes the call out of those in flight. Without a record the call counts
/// as abandoned: it can raise the estimate of the instance's latency but never lower it.
#[must_use = "the call counts as ended as soon as this is dropped"]
pub struct Picked {
    stripe: Arc<Stripe>,
    started: Started,
}

/// When the call began.
#[derive(Clone, Copy, Debug)]
pub(super) enum Started {
    /// By the clock of the estimates, in nanoseconds.
    At(u64),
    /// By the caller's clock, which is not compared with ours: they drift apart.
    Read(Instant),
    /// The policy does not look at latency.
    Unmeasured,
    /// The outcome is recorded.
    Recorded,
}

impl Picked {
    #[inline]
    pub(super) fn new(stripe: &Arc<Stripe>, started: Started) -> Self {
        Self {
            stripe: Arc::clone(stripe),
            started,
        }
    }

    /// Where to connect to.
    #[must_use]
    #[inline]
    pub fn addr(&self) -> SocketAddr {
        self.stripe.host.addr
    }

    /// The instance.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.stripe.host.instance
    }

    /// Says how the call went, at the head of its response. The first record counts.
    ///
    /// A success tells the latency since the pick. A failure keeps callers away as an answer after 5 s would,
    /// or after as long as the callee asked to be left alone, at most 300 s. So does an instance that says
    /// that it is called too much, from 1 s on: its quick refusals must not make it the favourite. Any
    /// other [`Verdict::Ignore`] tells nothing.
    #[inline]
    pub fn record(&mut self, outcome: &Classification) {
        self.tell(outcome, None);
    }

    /// As [`record`](Self::record), for a caller that has read the clock when the head of the response came: the
    /// latency is from the time that the [context](crate::PickContext::at) told until `now`.
    #[inline]
    pub fn record_at(&mut self, outcome: &Classification, now: Instant) {
        self.tell(outcome, Some(now));
    }

    #[inline]
    fn tell(&mut self, outcome: &Classification, read: Option<Instant>) {
        let started = mem::replace(&mut self.started, Started::Recorded);
        if matches!(started, Started::Recorded) {
            return;
        }
        let host = &*self.stripe.host;
        host.outlier.record(outcome.verdict, &self.stripe.successes);
        let Some((elapsed, now)) = started.elapsed(&self.stripe, read) else {
            return;
        };
        let told = match outcome.verdict {
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
        host.cost.observe(told, millis(now));
    }
}

impl Started {
    /// How long ago, and what the clock of the estimates says now; `None` if nobody wants to know.
    #[inline]
    fn elapsed(self, stripe: &Stripe, read: Option<Instant>) -> Option<(Duration, u64)> {
        match self {
            Self::At(begun) => {
                let now = stripe.host.nanos();
                Some((Duration::from_nanos(now.saturating_sub(begun)), now))
            }
            Self::Read(begun) => {
                let ended = read.unwrap_or_else(clock::now);
                Some((ended.saturating_duration_since(begun), stripe.host.nanos()))
            }
            Self::Unmeasured | Self::Recorded => None,
        }
    }
}

impl Drop for Picked {
    #[inline]
    fn drop(&mut self) {
        if let Some((elapsed, now)) = self.started.elapsed(&self.stripe, None) {
            let cost = &self.stripe.host.cost;
            cost.observe(Outcome::Abandoned(elapsed), millis(now));
        }
    }
}

impl fmt::Debug for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &*self.stripe.host;
        f.debug_struct("Picked")
            .field("service", &host.instance.service)
            .field("id", &host.instance.id)
            .field("addr", &host.addr)
            .finish_non_exhaustive()
    }
}

/// What linkerd's proxy takes: far above any healthy latency, and gone within a minute.
const FAILURE_PENALTY: Duration = Duration::from_secs(5);
/// A limit is usually per second, and a limited instance is not a broken one.
const THROTTLED_PENALTY: Duration = Duration::from_secs(1);
const PENALTY_MAX: Duration = Duration::from_secs(300);
