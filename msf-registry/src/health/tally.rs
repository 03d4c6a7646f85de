//! Rise and fall: when results become a verdict.

use crate::model::Health;

/// How many results in a row it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    pub(super) rise: u32,
    pub(super) fall: u32,
}

/// What one check showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// A failure that needs no second opinion.
    Refused,
    /// Nothing: it could not be made.
    Impeded,
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

    pub(super) const fn health(&self) -> Health {
        self.health
    }

    /// Whether the last result agreed with the verdict.
    pub(super) const fn is_settled(&self) -> bool {
        self.against == 0
    }

    /// Counts a result; gives the verdict when it is another one.
    pub(super) fn count(&mut self, outcome: Outcome, thresholds: Thresholds) -> Option<Health> {
        let (verdict, needed) = match (self.health, outcome) {
            (_, Outcome::Impeded) => return None,
            (Health::Unknown, Outcome::Passed) => (Health::Healthy, 1),
            (Health::Unhealthy, Outcome::Passed) => (Health::Healthy, thresholds.rise),
            (Health::Healthy | Health::Unknown, Outcome::Refused) => (Health::Unhealthy, 1),
            (Health::Healthy | Health::Unknown, Outcome::Failed) => {
                (Health::Unhealthy, thresholds.fall)
            }
            (Health::Healthy, Outcome::Passed)
            | (Health::Unhealthy, Outcome::Failed | Outcome::Refused) => {
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
    use Outcome::{Failed, Impeded, Passed, Refused};
    use proptest::{prelude::*, sample::select};

    use super::*;

    const TWO_THREE: Thresholds = Thresholds { rise: 2, fall: 3 };

    fn verdicts(start: Health, outcomes: &[Outcome]) -> Vec<Option<Health>> {
        let mut tally = Tally::new(start);
        outcomes
            .iter()
            .map(|outcome| tally.count(*outcome, TWO_THREE))
            .collect()
    }

    #[test]
    fn the_first_pass_is_enough() {
        assert_eq!(
            verdicts(Health::Unknown, &[Passed]),
            [Some(Health::Healthy)]
        );
    }

    #[test]
    fn it_takes_failures_in_a_row_to_fall() {
        let (ok, no) = (Passed, Failed);
        let seen = verdicts(Health::Healthy, &[no, no, ok, no, no, no, no]);
        assert_eq!(
            seen,
            [None, None, None, None, None, Some(Health::Unhealthy), None]
        );
    }

    #[test]
    fn it_takes_passes_in_a_row_to_rise() {
        let (ok, no) = (Passed, Failed);
        let seen = verdicts(Health::Unhealthy, &[ok, no, ok, ok]);
        assert_eq!(seen, [None, None, None, Some(Health::Healthy)]);
    }

    #[test]
    fn a_refusal_is_enough() {
        for start in [Health::Healthy, Health::Unknown] {
            let seen = verdicts(start, &[Refused, Refused]);
            assert_eq!(seen, [Some(Health::Unhealthy), None]);
        }
        let seen = verdicts(Health::Unhealthy, &[Passed, Refused, Passed, Passed]);
        assert_eq!(seen, [None, None, None, Some(Health::Healthy)]);
    }

    #[test]
    fn what_could_not_be_made_counts_for_nothing() {
        let (no, none) = (Failed, Impeded);
        let seen = verdicts(Health::Healthy, &[no, none, none, no, none, no]);
        assert_eq!(
            seen,
            [None, None, None, None, None, Some(Health::Unhealthy)]
        );
        assert_eq!(verdicts(Health::Unknown, &[none; 9]), [None; 9]);
    }

    /// The rule as a person would say it, over the whole history.
    fn naive(history: &[Outcome]) -> Health {
        let mut health = Health::Unknown;
        let mut since = 0;
        for end in 1..=history.len() {
            let run = |is: fn(&Outcome) -> bool| {
                history[since..end]
                    .iter()
                    .rev()
                    .take_while(|o| is(o))
                    .count()
            };
            let passes = run(|o| *o == Passed);
            let failures = run(|o| *o != Passed);
            let is_refused = history[end - 1] == Refused;
            let next = match health {
                Health::Unknown if passes >= 1 => Health::Healthy,
                Health::Unhealthy if passes >= 2 => Health::Healthy,
                Health::Healthy | Health::Unknown if failures >= 3 || is_refused => {
                    Health::Unhealthy
                }
                health => health,
            };
            if next != health {
                (health, since) = (next, end);
            }
        }
        health
    }

    proptest! {
        #[test]
        fn it_says_what_the_whole_history_says(
            history in proptest::collection::vec(select(vec![Passed, Failed, Failed, Refused]), 0..60)
        ) {
            let mut tally = Tally::new(Health::Unknown);
            for outcome in &history {
                let before = tally.health();
                let verdict = tally.count(*outcome, TWO_THREE);
                prop_assert_eq!(verdict.is_some(), tally.health() != before);
            }
            prop_assert_eq!(tally.health(), naive(&history));
        }
    }
}
