//! Calls of the last seconds, counted in steps.

use std::time::Duration;

use tokio::time::Instant;

/// Successes and failures of the last ten steps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    steps: [Calls; LEN],
    /// The latest step and when it began; none before the first count.
    latest: Option<(usize, Instant)>,
}

/// How many calls succeeded and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) successes: u64,
    pub(super) failures: u64,
}

impl Window {
    /// Adds calls to the step of `now`, and forgets what is older than ten `step`s.
    pub(super) fn add(&mut self, calls: Calls, now: Instant, step: Duration) {
        let (mut at, mut began) = self.latest.unwrap_or((0, now));
        for passed in 0.. {
            if passed == LEN {
                // Everything is forgotten; the steps begin anew.
                (at, began) = (0, now);
                break;
            }
            if now.saturating_duration_since(began) < step {
                break;
            }
            at = (at + 1) % LEN;
            began += step;
            self.steps[at] = Calls::default();
        }
        self.latest = Some((at, began));
        self.steps[at] = self.steps[at].plus(calls);
    }

    /// All that is remembered.
    pub(super) fn sum(&self) -> Calls {
        self.steps
            .iter()
            .copied()
            .fold(Calls::default(), Calls::plus)
    }
}

impl Calls {
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            successes: self.successes + other.successes,
            failures: self.failures + other.failures,
        }
    }

    pub(super) const fn minus(self, other: Self) -> Self {
        Self {
            successes: self.successes - other.successes,
            failures: self.failures - other.failures,
        }
    }

    pub(super) const fn all(self) -> u64 {
        self.successes + self.failures
    }

    /// The part that succeeded; 1 of no calls.
    pub(super) fn success_rate(self) -> f64 {
        match self.all() {
            0 => 1.0,
            all => self.successes as f64 / all as f64,
        }
    }
}

/// A window of ten steps: fine enough to forget smoothly, coarse enough to be cheap.
pub(super) const STEPS: u32 = 10;
const LEN: usize = STEPS as usize;

#[cfg(test)]
mod tests {
    use msf_core::clock;
    use proptest::prelude::*;

    use super::*;

    const STEP: Duration = Duration::from_secs(1);

    proptest! {
        /// Against a plain list: what is younger than nine steps counts, what is older than ten does not.
        #[test]
        fn the_last_ten_steps_count(pauses in proptest::collection::vec((0_u64..4_000, 0_u64..5, 0_u64..5), 1..80)) {
            let (mut window, mut seen) = (Window::default(), Vec::new());
            let mut now = clock::now();
            for (pause, successes, failures) in pauses {
                now += Duration::from_millis(pause);
                let calls = Calls { successes, failures };
                window.add(calls, now, STEP);
                seen.push((now, calls));
                let within = |age| seen.iter().filter(|(at, _)| now - *at < age).map(|(_, c)| c.all()).sum::<u64>();
                prop_assert!(window.sum().all() >= within(STEP * 9));
                prop_assert!(window.sum().all() <= within(STEP * 10));
            }
        }
    }
}
