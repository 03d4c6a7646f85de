//! Rise and fall: when results become a verdict.

use crate::model::Health;

/// How many results in a row it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    pub(super) rise: u32,
    pub(super) fall: u32,
}

/// The results of one instance so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    health: Health,
    /// Results in a row that speak against `health`.
    against: u32,
}

impl Tally {
    pub(super) const fn new(health: Health) -> Self {
        Self { health, against: 0 }
    }

    /// Counts a result; gives the verdict when it is another one.
    pub(super) fn count(&mut self, passed: bool, thresholds: Thresholds) -> Option<Health> {
        let (verdict, needed) = match (self.health, passed) {
            (Health::Unknown, true) => (Health::Healthy, 1),
            (Health::Unhealthy, true) => (Health::Healthy, thresholds.rise),
            (Health::Healthy | Health::Unknown, false) => (Health::Unhealthy, thresholds.fall),
            (Health::Healthy, true) | (Health::Unhealthy, false) => {
                self.against = 0;
                return None;
            }
        };
        self.against += 1;
        if self.against < needed {
            return None;
        }
        *self = Self::new(verdict);
        Some(verdict)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO_THREE: Thresholds = Thresholds { rise: 2, fall: 3 };

    fn verdicts(start: Health, results: &[bool]) -> Vec<Option<Health>> {
        let mut tally = Tally::new(start);
        results
            .iter()
            .map(|ok| tally.count(*ok, TWO_THREE))
            .collect()
    }

    #[test]
    fn the_first_pass_is_enough() {
        assert_eq!(verdicts(Health::Unknown, &[true]), [Some(Health::Healthy)]);
    }

    #[test]
    fn it_takes_failures_in_a_row_to_fall() {
        let (ok, no) = (true, false);
        let seen = verdicts(Health::Healthy, &[no, no, ok, no, no, no, no]);
        assert_eq!(
            seen,
            [None, None, None, None, None, Some(Health::Unhealthy), None]
        );
    }

    #[test]
    fn it_takes_passes_in_a_row_to_rise() {
        let (ok, no) = (true, false);
        let seen = verdicts(Health::Unhealthy, &[ok, no, ok, ok]);
        assert_eq!(seen, [None, None, None, Some(Health::Healthy)]);
    }

    proptest! {
        #[test]
        fn a_verdict_always_follows_enough_of_the_same(results in proptest::collection::vec(any::<bool>(), 0..50), last: bool) {
            let mut tally = Tally::new(Health::Unknown);
            for result in results {
                let _verdict = tally.count(result, TWO_THREE);
            }
            for _ in 0..3 {
                let _verdict = tally.count(last, TWO_THREE);
            }
            prop_assert_eq!(tally.health, if last { Health::Healthy } else { Health::Unhealthy });
        }
    }
}
