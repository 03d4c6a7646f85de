//! The state machine of an order, over all states and outcomes.

use proptest::prelude::*;

use super::*;

const OUTCOMES: [Outcome; 8] = [
    Outcome::Held(Money::ZERO),
    Outcome::Refused,
    Outcome::Charged,
    Outcome::Declined,
    Outcome::Done,
    Outcome::Contradiction,
    Outcome::Unknown { too_long: false },
    Outcome::Unknown { too_long: true },
];

fn states() -> impl Iterator<Item = State> {
    WORDS.into_iter().map(|(state, _)| state)
}

#[test]
fn every_state_has_a_word_of_its_own() {
    for state in states() {
        assert_eq!(State::from_word(state.word()), Some(state));
    }
    assert_eq!(State::from_word("nonsense"), None);
}

#[test]
fn a_final_state_is_final_whatever_happens() {
    for state in states().filter(|state| state.is_final()) {
        for outcome in &OUTCOMES {
            assert_eq!(next(state, outcome), Step::Again, "{state:?} {outcome:?}");
        }
        assert_eq!(cancel(state), None, "{state:?}");
    }
}

#[test]
fn an_unknown_outcome_is_never_taken_for_success_or_failure() {
    let unknown = Outcome::Unknown { too_long: false };
    for state in states() {
        assert_eq!(next(state, &unknown), Step::Again, "{state:?}");
    }
}

#[test]
fn what_may_have_been_done_is_undone_before_the_order_ends() {
    for (state, outcome) in states().flat_map(|s| OUTCOMES.iter().map(move |o| (s, o))) {
        let Step::To(to) = next(state, outcome) else {
            continue;
        };
        match (state, to) {
            // Leaving Charge without `charged` or `declined` goes through a refund.
            (State::Charge, State::Commit | State::Refund(_)) => {}
            (State::Charge, to) => {
                assert_eq!(*outcome, Outcome::Declined);
                assert_eq!(to, State::Release(Cause::Declined));
            }
            // Leaving Reserve without an answer goes through a release.
            (State::Reserve, State::Charge) => {
                assert!(matches!(outcome, Outcome::Held(_)));
            }
            (State::Reserve, State::OutOfStock) => assert_eq!(*outcome, Outcome::Refused),
            (State::Reserve, to) => assert_eq!(to, State::Release(Cause::GivenUp)),
            (State::Commit, to) => {
                assert!(matches!(to, State::Confirmed | State::Refund(_)), "{to:?}");
            }
            (State::Refund(cause), to) => assert_eq!(to, State::Release(cause)),
            (State::Release(cause), to) => assert_eq!(to, State::Undone(cause)),
            (state, to) => panic!("{state:?} leads to {to:?}"),
        }
    }
}

#[test]
fn paid_orders_go_forward_only() {
    assert_eq!(cancel(State::Commit), None);
    for too_long in [false, true] {
        let step = next(State::Commit, &Outcome::Unknown { too_long });
        assert_eq!(step, Step::Again);
    }
}

#[test]
fn undoing_is_never_given_up() {
    for cause in [Cause::Cancelled, Cause::Declined, Cause::GivenUp] {
        for state in [State::Refund(cause), State::Release(cause)] {
            for outcome in OUTCOMES.iter().filter(|outcome| **outcome != Outcome::Done) {
                assert_eq!(next(state, outcome), Step::Again, "{state:?} {outcome:?}");
            }
        }
    }
}

#[test]
fn staff_may_ship_and_deliver_and_nothing_else() {
    let allowed: Vec<_> = states()
        .flat_map(|from| states().map(move |to| (from, to)))
        .filter(|(from, to)| may_set(*from, *to))
        .collect();
    assert_eq!(
        allowed,
        [
            (State::Confirmed, State::Shipped),
            (State::Shipped, State::Delivered)
        ]
    );
}

proptest! {
    /// Whatever happens on the way, an order whose calls are answered in the end comes to its end, and soon.
    #[test]
    fn every_course_ends(noise in prop::collection::vec((0..OUTCOMES.len(), any::<bool>()), 0..40)) {
        let mut state = State::Reserve;
        for (outcome, cancelled) in noise {
            if let Some(to) = cancelled.then(|| cancel(state)).flatten() {
                state = to;
            }
            if let Step::To(to) = next(state, &OUTCOMES[outcome]) {
                state = to;
            }
        }
        let mut steps = 0;
        while !state.is_final() {
            let outcome = match state {
                State::Reserve => Outcome::Held(Money::ZERO),
                State::Charge => Outcome::Charged,
                _ => Outcome::Done,
            };
            match next(state, &outcome) {
                Step::To(to) => state = to,
                Step::Again => prop_assert!(false, "{state:?} does not go on"),
            }
            steps += 1;
            prop_assert!(steps <= 3);
        }
    }
}
