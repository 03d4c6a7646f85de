//! One picked instance, for one call.

use std::{fmt, mem, net::SocketAddr, sync::Arc, time::Duration};

use msf_core::classify::{Classification, Verdict};

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
    /// When the call began, by the clock of the estimates in nanoseconds, the lowest bit being set for the one call that
    /// finds out whether an ejected instance works again; or one of the constants.
    started: u64,
}

impl Picked {
    #[inline]
    pub(super) fn new(stripe: &Arc<Stripe>, started: u64) -> Self {
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
        &self.stripe.instance
    }

    /// Says how the call went, at the head of its response. The first record counts.
    ///
    /// A success tells the latency since the pick. A failure keeps callers away as an answer after 5 s would,
    /// or after as long as the callee asked to be left alone, at most 300 s. So does an instance that says
    /// that it is called too much, from 1 s on: its quick refusals must not make it the favourite. Any
    /// other [`Verdict::Ignore`] tells as little as a call that was dropped: it can raise the estimate and not lower it.
    #[inline]
    pub fn record(&mut self, outcome: &Classification) {
        let started = mem::replace(&mut self.started, RECORDED);
        if started == RECORDED {
            return;
        }
        let host = &*self.stripe.host;
        let is_probe = is_probe(started);
        host.outlier
            .record(outcome.verdict, &self.stripe.successes, is_probe);
        if started >= UNMEASURED_PROBE {
            return;
        }
        let now = host.nanos();
        let elapsed = seconds(now.saturating_sub(started));
        let told = match outcome.verdict {
            Verdict::Success => Outcome::Answered(elapsed),
            _ => match kept_away(outcome) {
                Some(wait) => Outcome::Failed(wait.as_secs_f32().max(elapsed)),
                // The caller's time was over, for one: the instance may hang.
                None => Outcome::Abandoned(elapsed),
            },
        };
        host.cost.observe(told, millis(now));
    }
}

fn seconds(nanos: u64) -> f32 {
    nanos as f32 * 1e-9
}

/// For how long callers keep away, as if the answer had taken so long.
#[cold]
fn kept_away(outcome: &Classification) -> Option<Duration> {
    let least = match outcome.verdict {
        Verdict::Failure => FAILURE_PENALTY,
        Verdict::Ignore if outcome.hint.throttled => THROTTLED_PENALTY,
        Verdict::Ignore | Verdict::Success => return None,
    };
    let asked = outcome.hint.retry_after.unwrap_or(least);
    Some(asked.clamp(least, PENALTY_MAX))
}

impl Picked {
    #[cold]
    fn abandoned(&self) {
        let host = &*self.stripe.host;
        // Had it been the one call that finds out whether the instance is well again, another one is to.
        host.outlier.release(is_probe(self.started));
        if self.started >= UNMEASURED_PROBE {
            return;
        }
        let now = host.nanos();
        let elapsed = seconds(now.saturating_sub(self.started));
        host.cost.observe(Outcome::Abandoned(elapsed), millis(now));
    }
}

impl Drop for Picked {
    #[inline]
    fn drop(&mut self) {
        if self.started != RECORDED {
            self.abandoned();
        }
    }
}

impl fmt::Debug for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instance = self.instance();
        f.debug_struct("Picked")
            .field("service", &instance.service)
            .field("id", &instance.id)
            .field("addr", &self.addr())
            .finish_non_exhaustive()
    }
}

/// The moment as of the one call that finds out whether an ejected instance works again.
pub(super) const fn of_probe(started: u64) -> u64 {
    if started == UNMEASURED {
        UNMEASURED_PROBE
    } else {
        started | 1
    }
}

/// The moment as of any other call.
#[inline]
pub(super) const fn of_call(started: u64) -> u64 {
    started & !1
}

pub(super) const fn is_probe(started: u64) -> bool {
    started & 1 == 1
}

/// The policy does not look at latency.
pub(super) const UNMEASURED: u64 = u64::MAX - 1;
const UNMEASURED_PROBE: u64 = u64::MAX - 2;
/// The outcome is recorded.
const RECORDED: u64 = u64::MAX;
/// What linkerd's proxy takes: far above any healthy latency, and gone within a minute.
const FAILURE_PENALTY: Duration = Duration::from_secs(5);
/// A limit is usually per second, and a limited instance is not a broken one.
const THROTTLED_PENALTY: Duration = Duration::from_secs(1);
const PENALTY_MAX: Duration = Duration::from_secs(300);
