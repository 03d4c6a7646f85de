//! The generic cell rate algorithm (ITU-T I.371) on one number.
//!
//! That number is the theoretical arrival time (TAT): when the next request would come if all of them came evenly. How
//! far it is ahead of now is what the key owes.

use std::time::Duration;

use super::quota::Quota;

/// A point in time, or a span, in twelfths of a nanosecond.
///
/// One unit for all quotas, so that a key's number means the same under another quota. Twelfths, because
/// the distances of most rates per second and per minute are whole in them; a `u64` of them lasts for 48
/// years, of which [`MOMENT_MAX`] uses half.
pub(super) type Ticks = u64;

pub(super) const TICKS_PER_NANOSECOND: u64 = 12;

/// The unit itself.
pub(super) const FINEST: Ticks = 1;

/// Where time stops, 24 years after the limiter was made: sums stay far from overflow.
const MOMENT_MAX: Ticks = u64::MAX / 2;

/// A quota as the algorithm needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gcra {
    /// The distance between two requests, rounded up: never more than the quota, and less by no more than a
    /// twelfth of a nanosecond per request.
    pub(super) distance: Ticks,
    /// How far a request may push the TAT ahead of now.
    pub(super) capacity: Ticks,
    /// How far a waiting request may, beyond [`capacity`](Self::capacity).
    pub(super) queue: Ticks,
}

impl Gcra {
    /// `quota` has been checked; `max_queue` requests may wait.
    pub(super) fn new(quota: &Quota, max_queue: u32) -> Self {
        Self::with_grain(quota, max_queue, FINEST)
    }

    /// The distance rounded up to a multiple of `grain`, for a store that keeps time in coarser units.
    pub(super) fn with_grain(quota: &Quota, max_queue: u32, grain: Ticks) -> Self {
        let period = quota.period_ns().saturating_mul(TICKS_PER_NANOSECOND);
        let distance = period.div_ceil(u64::from(quota.requests()).max(1));
        let distance = distance.next_multiple_of(grain);
        let queue = distance.saturating_mul(max_queue.into()).min(QUEUE_MAX);
        Self {
            distance,
            capacity: distance.saturating_mul(quota.burst_size().into()),
            queue,
        }
    }

    /// What a key owes.
    ///
    /// Never more than a burst and a full queue: after a change of quota nobody pays back longer than the new
    /// one can make them owe.
    #[inline]
    pub(super) fn ahead(&self, tat: Ticks, now: Ticks) -> Ticks {
        tat.saturating_sub(now).min(self.capacity + self.queue)
    }

    #[inline]
    pub(super) const fn has_room(&self, ahead: Ticks, cost: u32) -> bool {
        // Costs are at most the burst, so the product is at most the capacity.
        ahead + self.distance * cost as u64 <= self.capacity
    }

    /// Whether a request has room, and what the key owes then.
    #[inline]
    pub(super) fn charge(&self, tat: Ticks, now: Ticks, cost: u32) -> (bool, Ticks) {
        let ahead = self.ahead(tat, now);
        let charged = ahead + self.distance * u64::from(cost);
        if charged <= self.capacity {
            (true, charged)
        } else {
            (false, ahead)
        }
    }

    /// How many requests more are allowed at once.
    pub(super) fn remaining(&self, ahead: Ticks) -> u32 {
        let requests = self.capacity.saturating_sub(ahead) / self.distance;
        u32::try_from(requests).unwrap_or(u32::MAX)
    }

    /// How long until there is room.
    #[inline]
    pub(super) const fn wait(&self, ahead: Ticks, cost: u32) -> Ticks {
        (ahead + self.distance * cost as u64).saturating_sub(self.capacity)
    }
}

/// Nanoseconds as ticks.
#[inline]
pub(super) fn moment(ns: u64) -> Ticks {
    ns.saturating_mul(TICKS_PER_NANOSECOND).min(MOMENT_MAX)
}

/// Rounded up: a wait that is a nanosecond too short is a refusal.
pub(super) const fn duration(span: Ticks) -> Duration {
    Duration::from_nanos(span.div_ceil(TICKS_PER_NANOSECOND))
}

/// Rounded down, saturating.
pub(super) fn ticks(span: Duration) -> Ticks {
    moment(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

/// A year: nobody waits longer.
const QUEUE_MAX: Ticks = 366 * 86_400 * 1_000_000_000 * TICKS_PER_NANOSECOND;
