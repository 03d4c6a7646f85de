//! When a service that died is started again.
//!
//! The first death costs [`FIRST`], so that a kill is seen and survived. A service that dies again before it
//! has worked for [`STABLE`] waits twice as long each time, up to [`MAX`]: a crash loop must not eat the
//! machine, and must not be given up either, since what it waits for may come back.

use std::time::Duration;

use tokio::time::Instant;

/// The deaths of one service.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Restarts {
    /// Deaths in a row without having worked in between.
    quick: u32,
    since: Option<Instant>,
}

/// What follows a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Restart {
    pub(super) after: Duration,
    /// How often it died in a row and for how long that has been going on, when this looks like a loop.
    pub(super) crash_loop: Option<(u32, Duration)>,
}

impl Restarts {
    /// Takes note of a death at `now` of a process that had been ready since `ready`.
    pub(super) fn died(&mut self, now: Instant, ready: Option<Instant>) -> Restart {
        let worked = ready.is_some_and(|ready| now.saturating_duration_since(ready) >= STABLE);
        if worked {
            *self = Self::default();
        }
        let since = *self.since.get_or_insert(now);
        let doublings = self.quick.min(DOUBLINGS_MAX);
        self.quick = self.quick.saturating_add(1);
        Restart {
            after: FIRST.saturating_mul(1 << doublings).min(MAX),
            crash_loop: (self.quick >= LOOP_DEATHS)
                .then(|| (self.quick, now.saturating_duration_since(since))),
        }
    }
}

const FIRST: Duration = Duration::from_millis(500);
const MAX: Duration = Duration::from_secs(10);
const STABLE: Duration = Duration::from_secs(2);
const LOOP_DEATHS: u32 = 4;
/// More than enough to pass `MAX`.
const DOUBLINGS_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(restart: Restart) -> u128 {
        restart.after.as_millis()
    }

    #[test]
    fn a_death_after_good_work_costs_half_a_second_every_time() {
        let mut restarts = Restarts::default();
        let mut now = Instant::now();
        for _ in 0..20 {
            let ready = now;
            now += STABLE;
            let restart = restarts.died(now, Some(ready));
            assert_eq!((millis(restart), restart.crash_loop), (500, None));
        }
    }

    #[test]
    fn quick_deaths_wait_twice_as_long_up_to_a_cap() {
        let mut restarts = Restarts::default();
        let now = Instant::now();
        let waits: Vec<_> = (0..8).map(|_| millis(restarts.died(now, None))).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
    }

    #[test]
    fn the_fourth_quick_death_is_called_a_loop() {
        let mut restarts = Restarts::default();
        let start = Instant::now();
        let later = start + Duration::from_secs(7);
        for _ in 0..3 {
            assert_eq!(restarts.died(start, None).crash_loop, None);
        }
        let restart = restarts.died(later, Some(later));
        assert_eq!(restart.crash_loop, Some((4, Duration::from_secs(7))));
    }
}
