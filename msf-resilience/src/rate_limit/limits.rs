//! Up to four quotas that are charged together or not at all.

use super::{
    error::InvalidRateLimiter,
    gcra::{Gcra, Ticks},
    quota::Quota,
};

/// How many limits one limiter can decide at once.
pub const LIMITS_MAX: usize = 4;

/// One quota or several, each for a limit of its own: so many per second and so many per day.
///
/// The order is that in which the builder was given the limits.
///
/// ```
/// use msf_resilience::rate_limit::{Limits, Quota};
///
/// let limits = Limits::new([Quota::per_second(10), Quota::per_hour(5_000)])?;
/// assert_eq!(limits.quotas().len(), 2);
/// assert_eq!(Limits::from(Quota::per_second(10)).quotas().len(), 1);
/// # Ok::<(), msf_resilience::rate_limit::InvalidRateLimiter>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    quotas: [Quota; LIMITS_MAX],
    len: usize,
}

impl Limits {
    /// So many limits.
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimiter`] when there is none, when there are more than [`LIMITS_MAX`], or for a quota that cannot work.
    pub fn new(quotas: impl IntoIterator<Item = Quota>) -> Result<Self, InvalidRateLimiter> {
        let mut limits = Self {
            quotas: [Quota::per_second(1); LIMITS_MAX],
            len: 0,
        };
        for quota in quotas {
            quota.check()?;
            if let Some(place) = limits.quotas.get_mut(limits.len) {
                *place = quota;
            }
            limits.len += 1;
        }
        if (1..=LIMITS_MAX).contains(&limits.len) {
            Ok(limits)
        } else {
            Err(InvalidRateLimiter::Limits(limits.len))
        }
    }

    /// The quotas.
    #[must_use]
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas[..self.len]
    }

    pub(super) fn check(&self) -> Result<(), InvalidRateLimiter> {
        self.quotas().iter().try_for_each(Quota::check)
    }
}

impl From<Quota> for Limits {
    /// It is checked where it is used.
    fn from(quota: Quota) -> Self {
        Self {
            quotas: [quota; LIMITS_MAX],
            len: 1,
        }
    }
}

/// A quota with its arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) quota: Quota,
    pub(super) gcra: Gcra,
}

impl Limit {
    pub(super) fn new(quota: Quota, max_queue: u32) -> Self {
        let gcra = Gcra::new(&quota, max_queue);
        Self { quota, gcra }
    }
}

/// Charges every limit or none.
#[inline]
pub(super) fn charge(limits: &[Limit], tats: &mut [Ticks], now: Ticks, cost: u32) -> bool {
    settle(limits, tats, now);
    let pairs = limits.iter().zip(tats.iter());
    let mut pairs = pairs.map(|(limit, &tat)| (limit.gcra, limit.gcra.ahead(tat, now)));
    if !pairs.all(|(gcra, ahead)| gcra.has_room(ahead, cost)) {
        return false;
    }
    advance(limits, tats, now, cost);
    true
}

/// Charges every limit for a request that waits until all of them have room, if that is soon enough; says how long it waits.
#[inline]
pub(super) fn queue(
    limits: &[Limit],
    tats: &mut [Ticks],
    now: Ticks,
    cost: u32,
    max_wait: Ticks,
) -> Result<Ticks, Full> {
    settle(limits, tats, now);
    let mut wait = 0;
    for (limit, &tat) in limits.iter().zip(tats.iter()) {
        let gcra = limit.gcra;
        let needed = gcra.wait(gcra.ahead(tat, now), cost);
        if needed > gcra.queue {
            return Err(Full::Queue);
        }
        wait = wait.max(needed);
    }
    if wait > max_wait {
        return Err(Full::Wait);
    }
    advance(limits, tats, now, cost);
    Ok(wait)
}

/// Why a request may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// So many wait already.
    Queue,
    /// It would take too long.
    Wait,
}

/// Lets go of what was owed under an earlier quota and is more than anyone can owe under this one.
///
/// It has to be written down: what is only left out of account would still be owed at the next call.
#[inline]
pub(super) fn settle(limits: &[Limit], tats: &mut [Ticks], now: Ticks) {
    for (limit, tat) in limits.iter().zip(tats) {
        *tat = settled(limit, *tat, now);
    }
}

#[inline]
pub(super) fn settled(limit: &Limit, tat: Ticks, now: Ticks) -> Ticks {
    tat.min(now + limit.gcra.capacity + limit.gcra.queue)
}

#[inline]
fn advance(limits: &[Limit], tats: &mut [Ticks], now: Ticks, cost: u32) {
    for (limit, tat) in limits.iter().zip(tats) {
        let gcra = limit.gcra;
        *tat = now + gcra.ahead(*tat, now) + gcra.distance * u64::from(cost);
    }
}

/// Takes back a charge, no further than to a whole burst.
pub(super) fn refund(limits: &[Limit], tats: &mut [Ticks], now: Ticks, cost: u32) {
    for (limit, tat) in limits.iter().zip(tats) {
        let gcra = limit.gcra;
        let back = gcra.distance.saturating_mul(cost.into());
        *tat = now + gcra.ahead(*tat, now).saturating_sub(back);
    }
}
