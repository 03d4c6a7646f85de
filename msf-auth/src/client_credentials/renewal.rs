//! When a token is fetched, and until when one is used: pure functions of the time.

use std::time::Duration;

use msf_core::backoff::{Backoff, Delays};
use tokio::time::Instant;

/// When to ask next.
#[derive(Debug)]
pub(super) struct Renewal {
    due_at: Instant,
    /// When to ask at the earliest, should there be no token in spite of all.
    earliest: Instant,
    delays: Delays,
    rng: fastrand::Rng,
}

/// A token is not sent in its last moments: the call has to arrive, and clocks differ.
const MARGIN_MAX: Duration = Duration::from_secs(10);
/// Between two requests, however short the lives are.
const PAUSE_MIN: Duration = Duration::from_secs(1);

impl Renewal {
    /// The first request is due at once.
    pub(super) fn new(backoff: Backoff, now: Instant) -> Self {
        Self {
            due_at: now,
            earliest: now,
            delays: backoff.delays(),
            rng: fastrand::Rng::new(),
        }
    }

    /// When to ask next. A token can end before its time, when the wall clock jumps or the machine slept; then the next
    /// request does not wait for the time that was meant for its renewal.
    pub(super) const fn due_at(&self, is_ready: bool) -> Instant {
        if is_ready { self.due_at } else { self.earliest }
    }

    /// A token of this life came in answer to a request that began at `asked_at`.
    ///
    /// Due after four fifths of the life, up to a tenth of it earlier so that replicas drift apart.
    pub(super) fn succeeded(&mut self, asked_at: Instant, life: Duration, now: Instant) {
        self.delays.reset();
        let share = 0.8 - self.rng.f64() / 10.0;
        self.earliest = now + PAUSE_MIN;
        self.due_at = (asked_at + life.mul_f64(share)).max(self.earliest);
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.earliest = now + self.delays.next_delay();
        self.due_at = self.earliest;
    }
}

/// For how long a token is used of a life: the whole but a tenth, and at most 10 s less.
pub(super) fn usable_for(life: Duration) -> Duration {
    life.saturating_sub((life / 10).min(MARGIN_MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn renewal(now: Instant) -> Renewal {
        let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
        let backoff = backoff.unwrap().jitter(msf_core::backoff::Jitter::None);
        Renewal::new(backoff, now)
    }

    #[test]
    fn a_failure_waits_longer_each_time_and_a_token_forgets_them() {
        let now = Instant::now();
        let mut renewal = renewal(now);
        assert_eq!(renewal.due_at(false), now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            renewal.failed(now);
            assert_eq!(renewal.due_at(true), renewal.due_at(false));
            waits.push((renewal.due_at(true) - now).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        renewal.succeeded(now, Duration::from_secs(300), now);
        renewal.failed(now);
        assert_eq!((renewal.due_at(true) - now).as_secs(), 1);
    }

    #[test]
    fn the_end_of_a_life_is_not_used() {
        let usable_s = |life_s| usable_for(Duration::from_secs(life_s)).as_secs_f64();
        assert_eq!(
            [usable_s(3_600), usable_s(100), usable_s(10)],
            [3_590.0, 90.0, 9.0]
        );
    }

    proptest! {
        #[test]
        fn a_token_is_renewed_in_its_last_third_and_before_it_ends(
            life_s in 5u64..86_400,
            took_ms in 0u64..1_000,
        ) {
            let asked_at = Instant::now();
            let (life, now) = (Duration::from_secs(life_s), asked_at + Duration::from_millis(took_ms));
            let mut renewal = renewal(asked_at);
            renewal.succeeded(asked_at, life, now);
            let after = renewal.due_at(true) - asked_at;
            prop_assert!(after >= life.mul_f64(0.69) && after < usable_for(life));
            prop_assert!(renewal.due_at(true) - now >= PAUSE_MIN);
            prop_assert_eq!(renewal.due_at(false) - now, PAUSE_MIN);
        }
    }
}
