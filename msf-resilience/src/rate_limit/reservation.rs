//! A place in the queue of a key.

use std::{fmt, sync::Arc, time::Duration};

use msf_core::clock;
use tokio::time::{Instant, sleep_until};

use super::{
    core::{Core, Queued},
    decision::Allowed,
    level::Address,
    limits::Limits,
};

/// A request that has been counted and may be made at a known time.
///
/// Reservations of a key come one after the other, in the order in which they were made: each has a theoretical arrival
/// time of its own. Nobody is woken to find that another was faster.
///
/// # Dropping it
///
/// Dropped before [`keep`](Self::keep) or the end of [`ready`](Self::ready), it gives back what it took **if nothing of its key was
/// charged after it**. Otherwise others have been promised later times than its own: these promises stay as they are,
/// and what it took is lost.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::rate_limit::{Quota, RateLimiter};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder(Quota::per_second(10).burst(1)).build()?;
/// let first = limiter.reserve(&"ada", 1, Duration::from_secs(1))?;
/// let second = limiter.reserve(&"ada", 1, Duration::from_secs(1))?;
/// assert_eq!((first.wait(), second.wait()), (Duration::ZERO, Duration::from_millis(100)));
///
/// drop(second);
/// first.keep();
/// let third = limiter.reserve(&"ada", 1, Duration::from_secs(1))?;
/// assert_eq!(third.wait(), Duration::from_millis(100));
/// third.ready().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a reservation gives it back"]
pub struct Reservation {
    claim: Option<Claim>,
    ready_at: Instant,
    allowed: Allowed,
}

struct Claim {
    core: Arc<Core>,
    address: Address,
    own: Option<Limits>,
    cost: u32,
    times: [u64; super::limits::LIMITS_MAX],
}

impl Reservation {
    pub(super) fn new(
        core: &Arc<Core>,
        address: Address,
        own: Option<Limits>,
        cost: u32,
        queued: &Queued,
    ) -> Self {
        Self {
            claim: Some(Claim {
                core: Arc::clone(core),
                address,
                own,
                cost,
                times: queued.times,
            }),
            ready_at: queued.ready_at,
            allowed: Allowed::new(queued.seen),
        }
    }

    /// When the request may be made.
    #[must_use]
    pub const fn ready_at(&self) -> Instant {
        self.ready_at
    }

    /// How long until then.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.ready_at.saturating_duration_since(clock::now())
    }

    /// Waits until the request may be made.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the reservation.
    pub async fn ready(self) -> Allowed {
        if !self.wait().is_zero() {
            sleep_until(self.ready_at).await;
        }
        self.keep()
    }

    /// Uses it: the caller waits until [`ready_at`](Self::ready_at) by its own means.
    pub fn keep(mut self) -> Allowed {
        self.claim = None;
        self.allowed.clone()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            let Claim {
                core,
                address,
                own,
                cost,
                times,
            } = &claim;
            core.give_back(*address, *own, *cost, times);
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("ready_at", &self.ready_at)
            .finish_non_exhaustive()
    }
}
