//! When keys may be fetched: a pure function of the time.

use std::time::Duration;

use msf_core::backoff::{Backoff, Delays};
use tokio::time::Instant;

/// When to fetch next, and how many fetches unknown keys may still cause.
#[derive(Debug)]
pub(super) struct Schedule {
    refresh_every: Option<Duration>,
    unknown_every: Duration,
    stale_max: Duration,
    due_at: Instant,
    delays: Delays,
    unknown_left: u32,
    unknown_since: Instant,
    rng: fastrand::Rng,
}

/// When neither we nor the source say anything.
const REFRESH_EVERY: Duration = Duration::from_secs(300);
/// How many fetches unknown keys may cause at once: a rotation, and one that came right after it.
const UNKNOWN_BURST: u32 = 2;
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(365 * 86_400);

impl Schedule {
    /// The first fetch is due at once.
    ///
    /// Pauses are kept between a second, below which the source would be flooded, and a year, which stands
    /// for never and is no time that the clock cannot name. Whatever is said, a set is fetched again before half of
    /// `stale_max` is over: keys that nobody asks about again would end while their issuer is well.
    pub(super) fn new(
        refresh_every: Option<Duration>,
        unknown_every: Duration,
        stale_max: Duration,
        backoff: Backoff,
        now: Instant,
    ) -> Self {
        Self {
            refresh_every,
            unknown_every: unknown_every.clamp(PAUSE_MIN, PAUSE_MAX),
            stale_max,
            due_at: now,
            delays: backoff.delays(),
            unknown_left: UNKNOWN_BURST,
            unknown_since: now,
            rng: fastrand::Rng::new(),
        }
    }

    pub(super) const fn due_at(&self) -> Instant {
        self.due_at
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due_at
    }

    /// Takes one fetch of the budget for unknown keys; `false` when it is spent.
    pub(super) fn take_unknown(&mut self, now: Instant) -> bool {
        while self.unknown_left < UNKNOWN_BURST && now >= self.unknown_since + self.unknown_every {
            self.unknown_left += 1;
            self.unknown_since += self.unknown_every;
        }
        if self.unknown_left == UNKNOWN_BURST {
            self.unknown_since = now;
        }
        match self.unknown_left.checked_sub(1) {
            Some(left) => {
                self.unknown_left = left;
                true
            }
            None => false,
        }
    }

    /// What we were told goes before what the source says.
    pub(super) fn succeeded(&mut self, now: Instant, fresh_for: Option<Duration>) {
        self.delays.reset();
        let every = self.refresh_every.or(fresh_for).unwrap_or(REFRESH_EVERY);
        let every = every.min(self.stale_max / 2);
        let every = every.clamp(PAUSE_MIN, PAUSE_MAX);
        // A tenth earlier at most, so that replicas that started together drift apart.
        let jitter = every.mul_f64(self.rng.f64() / 10.0);
        self.due_at = now + every.saturating_sub(jitter);
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.due_at = now + self.delays.next_delay();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERY: Duration = Duration::from_secs(300);
    const UNKNOWN: Duration = Duration::from_secs(10);
    const STALE_MAX: Duration = Duration::from_secs(86_400);

    fn schedule(now: Instant) -> Schedule {
        let backoff =
            Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60)).unwrap();
        Schedule::new(
            None,
            UNKNOWN,
            STALE_MAX,
            backoff.jitter(msf_core::backoff::Jitter::None),
            now,
        )
    }

    #[test]
    fn the_first_fetch_is_due_and_the_next_one_in_five_minutes() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        assert!(schedule.is_due(start));
        schedule.succeeded(start, None);
        assert!(!schedule.is_due(start + Duration::from_secs(269)));
        assert!(schedule.is_due(start + EVERY));
    }

    #[test]
    fn the_source_says_when_to_come_again_unless_we_do() {
        let start = Instant::now();
        let due_s = |ours: Option<u64>, its: Option<u64>| {
            let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
            let ours = ours.map(Duration::from_secs);
            let mut schedule = Schedule::new(ours, UNKNOWN, STALE_MAX, backoff.unwrap(), start);
            schedule.succeeded(start, its.map(Duration::from_secs));
            (schedule.due_at() - start).as_secs()
        };
        assert!((54..=60).contains(&due_s(None, Some(60))));
        assert!((900..=1_000).contains(&due_s(Some(1_000), Some(60))));
        assert!((270..=300).contains(&due_s(None, None)));
        assert!(due_s(None, Some(0)) <= 1);
    }

    #[test]
    fn failures_wait_longer_each_time_and_a_success_forgets_them() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            schedule.failed(now);
            waits.push((schedule.due_at() - now).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        schedule.succeeded(now, None);
        schedule.failed(now);
        assert_eq!(schedule.due_at() - now, Duration::from_secs(1));
    }

    #[test]
    fn unknown_keys_have_a_burst_and_then_a_rate() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        assert!(schedule.take_unknown(start) && schedule.take_unknown(start));
        assert!(!schedule.take_unknown(start + Duration::from_secs(9)));
        assert!(schedule.take_unknown(start + UNKNOWN));
        assert!(!schedule.take_unknown(start + UNKNOWN));
        let rested = start + Duration::from_secs(3_600);
        assert!(schedule.take_unknown(rested) && schedule.take_unknown(rested));
        assert!(!schedule.take_unknown(rested));
    }

    #[test]
    fn a_set_is_fetched_again_before_it_is_too_old_to_be_used() {
        let start = Instant::now();
        let due = |ours_s: u64, stale_max: Duration| {
            let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
            let ours = Some(Duration::from_secs(ours_s));
            let mut schedule = Schedule::new(ours, UNKNOWN, stale_max, backoff.unwrap(), start);
            schedule.succeeded(start, None);
            schedule.due_at() - start
        };
        assert!(due(7 * 86_400, STALE_MAX) <= STALE_MAX / 2);
        assert!(due(300, Duration::from_secs(60)) <= Duration::from_secs(30));
        assert!(due(300, Duration::ZERO) <= PAUSE_MIN);
        assert!(due(300, STALE_MAX) >= Duration::from_secs(270));
    }

    #[test]
    fn never_and_always_are_long_and_short() {
        let start = Instant::now();
        let with = |every| {
            let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
            Schedule::new(Some(every), every, Duration::MAX, backoff.unwrap(), start)
        };
        let mut never = with(Duration::MAX);
        never.succeeded(start, None);
        assert!(!never.is_due(start + Duration::from_secs(86_400)));
        assert!(never.take_unknown(start) && never.take_unknown(start));
        assert!(!never.take_unknown(start + Duration::from_secs(86_400)));

        let mut always = with(Duration::ZERO);
        always.succeeded(start, None);
        assert!(!always.is_due(start));
        assert!(always.take_unknown(start) && always.take_unknown(start));
        assert!(!always.take_unknown(start));
    }

    proptest! {
        #[test]
        fn unknown_keys_never_cost_more_than_their_rate(
            gaps_ms in prop::collection::vec(0u64..8_000, 1..80),
        ) {
            let start = Instant::now();
            let (mut schedule, mut now, mut taken) = (schedule(start), start, 0);
            for gap_ms in gaps_ms {
                now += Duration::from_millis(gap_ms);
                taken += u64::from(schedule.take_unknown(now));
            }
            prop_assert!(taken <= 2 + (now - start).as_secs() / 10);
        }
    }
}
