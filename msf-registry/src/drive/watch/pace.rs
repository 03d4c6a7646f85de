//! How often a registry is asked: a plain state machine.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket: some questions at once, then one per interval.
///
/// A backend that answers at once and for ever (a storm of changes, a proxy that cuts long polls short, a lost
/// position that stays lost) must keep neither side busy. It is the virtual scheduling form of the generic cell rate
/// algorithm (ITU-T I.371): one moment instead of a count that has to be refilled.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    /// How far the schedule may run ahead of the clock.
    ahead: Duration,
    /// When the bucket is full again.
    full_at: Instant,
}

impl Pace {
    pub(super) fn new(every: Duration, burst: u32, now: Instant) -> Self {
        Self {
            every,
            ahead: every * burst.saturating_sub(1),
            full_at: now,
        }
    }

    /// Takes a token; when it may be used.
    pub(super) fn take(&mut self, now: Instant) -> Instant {
        let at = self.full_at.checked_sub(self.ahead).unwrap_or(now).max(now);
        self.full_at = self.full_at.max(now) + self.every;
        at
    }
}

#[cfg(test)]
mod tests {
    use msf_core::clock;
    use proptest::prelude::*;

    use super::*;

    const EVERY: Duration = Duration::from_millis(100);

    #[test]
    fn a_burst_is_free_and_then_one_per_interval() {
        let start = clock::now() + Duration::from_secs(1);
        let mut pace = Pace::new(EVERY, 3, start);
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..6 {
            let at = pace.take(now);
            waits.push((at - now).as_millis());
            now = at;
        }
        assert_eq!(waits, [0, 0, 0, 100, 100, 100]);
        now += EVERY * 2;
        assert_eq!(pace.take(now), now);
        assert_eq!(pace.take(now), now, "it has refilled while nobody asked");
        assert!(pace.take(now) > now);
    }

    proptest! {
        /// In no span of time are there more than the burst and one per interval.
        #[test]
        fn the_rate_is_kept(waits in proptest::collection::vec(0_u64..300, 1..80)) {
            let start = clock::now() + Duration::from_secs(1);
            let mut pace = Pace::new(EVERY, 3, start);
            let (mut now, mut asked) = (start, Vec::new());
            for wait in waits {
                now = pace.take(now + Duration::from_millis(wait));
                asked.push(now);
            }
            for (first, from) in asked.iter().enumerate() {
                for (last, to) in asked.iter().enumerate().skip(first) {
                    let most = 3 + (*to - *from).as_millis() / EVERY.as_millis();
                    prop_assert!(((last - first) as u128) < most);
                }
            }
        }
    }
}
