//! One rule of the circuit each.

use fastrand::Rng;

use super::{
    super::{
        circuit::Completion,
        machine::{Admission, Change, Outcome},
        settings::Settings,
        state::State,
    },
    SECOND, settings,
};

const FAILURE: Outcome = Outcome::Failure { not_before: None };

type Circuit = super::super::circuit::Circuit<2>;

fn circuit(settings: Settings) -> Circuit {
    Circuit::new(settings, Rng::with_seed(7))
}

fn admit(circuit: &Circuit, now: u64) -> Option<u64> {
    match circuit.admit(|| now).0 {
        Admission::Admitted { generation } => Some(generation),
        Admission::Rejected { .. } => None,
    }
}

fn wait(circuit: &Circuit, now: u64) -> u64 {
    match circuit.admit(|| now).0 {
        Admission::Admitted { .. } => panic!("was let in"),
        Admission::Rejected { wait_ns, .. } => wait_ns,
    }
}

fn state(circuit: &Circuit, now: u64) -> State {
    circuit.state(now).0
}

/// Lets calls in and completes them at once.
fn calls(circuit: &Circuit, number: u32, outcome: Outcome, now: u64) {
    for _ in 0..number {
        let generation = admit(circuit, now).expect("a call is let in");
        circuit.complete(generation, outcome, false, now);
    }
}

/// Fails until the circuit is open.
fn opened(settings: Settings) -> Circuit {
    let circuit = circuit(settings);
    calls(&circuit, 20, FAILURE, 0);
    assert_eq!(state(&circuit, 0), State::Open);
    circuit
}

#[test]
fn it_opens_at_the_rate_and_not_before_the_minimum_of_calls() {
    let one_less = circuit(settings());
    calls(&one_less, 19, FAILURE, 0);
    assert_eq!(state(&one_less, 0), State::Closed);
    calls(&one_less, 1, FAILURE, 0);
    assert_eq!(state(&one_less, 0), State::Open);

    let below = circuit(settings());
    calls(&below, 101, Outcome::Success, 0);
    calls(&below, 100, FAILURE, 0);
    assert_eq!(state(&below, 0), State::Closed);
    calls(&below, 1, FAILURE, 0);
    assert_eq!(state(&below, 0), State::Open);
}

#[test]
fn a_success_opens_it_when_it_makes_up_the_minimum() {
    let circuit = circuit(settings());
    calls(&circuit, 10, FAILURE, 0);
    calls(&circuit, 9, Outcome::Success, 0);
    assert_eq!(state(&circuit, 0), State::Closed);
    calls(&circuit, 1, Outcome::Success, 0);
    assert_eq!(state(&circuit, 0), State::Open);
}

#[test]
fn a_success_opens_it_when_older_successes_have_left() {
    let circuit = circuit(settings());
    calls(&circuit, 100, Outcome::Success, 0);
    calls(&circuit, 50, FAILURE, 9 * SECOND);
    assert_eq!(state(&circuit, 9 * SECOND), State::Closed);
    calls(&circuit, 1, Outcome::Success, 10 * SECOND);
    assert_eq!(state(&circuit, 10 * SECOND), State::Open);
}

#[test]
fn what_is_older_than_the_window_does_not_count() {
    let circuit = circuit(settings());
    calls(&circuit, 19, FAILURE, SECOND - 1);
    calls(&circuit, 19, FAILURE, 10 * SECOND);
    assert_eq!(state(&circuit, 10 * SECOND), State::Closed);
    calls(&circuit, 1, FAILURE, 10 * SECOND);
    assert_eq!(state(&circuit, 10 * SECOND), State::Open);
}

#[test]
fn ignored_calls_leave_no_trace() {
    let circuit = circuit(settings());
    calls(&circuit, 1_000, Outcome::Ignored, 0);
    calls(&circuit, 19, FAILURE, 0);
    assert_eq!(state(&circuit, 0), State::Closed);
}

#[test]
fn cancellations_count_only_when_nothing_else_happened() {
    let mixed = circuit(settings());
    calls(&mixed, 1, Outcome::Success, 0);
    calls(&mixed, 1_000, Outcome::Cancelled, 0);
    assert_eq!(state(&mixed, 0), State::Closed);
    // The one success has left the window.
    calls(&mixed, 1, Outcome::Cancelled, 9 * SECOND);
    assert_eq!(state(&mixed, 9 * SECOND), State::Closed);
    calls(&mixed, 19, Outcome::Cancelled, 10 * SECOND);
    assert_eq!(state(&mixed, 10 * SECOND), State::Open);

    let only = circuit(settings());
    calls(&only, 19, Outcome::Cancelled, 0);
    assert_eq!(state(&only, 0), State::Closed);
    calls(&only, 1, Outcome::Cancelled, 0);
    assert_eq!(state(&only, 0), State::Open);
}

#[test]
fn the_open_wait_doubles_to_its_maximum_and_starts_over_after_recovery() {
    let circuit = opened(settings());
    let mut now = 0;
    for seconds in [5, 10, 20, 40, 60, 60] {
        assert_eq!(wait(&circuit, now), seconds * SECOND);
        assert_eq!(wait(&circuit, now + seconds * SECOND - 1), 1);
        now += seconds * SECOND;
        calls(&circuit, 3, FAILURE, now);
        assert_eq!(state(&circuit, now), State::Open);
    }
    now += 60 * SECOND;
    calls(&circuit, 3, Outcome::Success, now);
    assert_eq!(state(&circuit, now), State::Closed);
    calls(&circuit, 20, FAILURE, now);
    assert_eq!(wait(&circuit, now), 5 * SECOND);
}

#[test]
fn jitter_only_shortens_and_never_by_more_than_its_share() {
    let jittered = Settings {
        jitter: 2_000,
        ..settings()
    };
    let waits: Vec<_> = (0..200)
        .map(|seed| {
            let circuit = Circuit::new(jittered, Rng::with_seed(seed));
            calls(&circuit, 20, FAILURE, 0);
            wait(&circuit, 0)
        })
        .collect();
    assert!(
        waits
            .iter()
            .all(|wait| (4 * SECOND..=5 * SECOND).contains(wait))
    );
    assert!(waits.iter().any(|wait| *wait < 4 * SECOND + SECOND / 4));
    assert!(waits.iter().any(|wait| *wait > 5 * SECOND - SECOND / 4));
}

#[test]
fn retry_after_is_the_least_open_wait_within_the_maximum() {
    for (asked, expected) in [(2, 5), (30, 30), (86_400, 60)] {
        let circuit = circuit(settings());
        let hinted = Outcome::Failure {
            not_before: Some(asked * SECOND),
        };
        calls(&circuit, 1, hinted, 0);
        calls(&circuit, 19, FAILURE, 0);
        assert_eq!(wait(&circuit, 0), expected * SECOND, "asked for {asked}");
    }
}

#[test]
fn retry_after_loses_the_time_that_has_passed() {
    let circuit = circuit(settings());
    let hinted = Outcome::Failure {
        not_before: Some(12 * SECOND),
    };
    calls(&circuit, 1, hinted, 0);
    calls(&circuit, 19, FAILURE, 4 * SECOND);
    assert_eq!(wait(&circuit, 4 * SECOND), 8 * SECOND);
}

#[test]
fn half_open_admits_as_many_probes_as_there_are_permits() {
    let circuit = opened(settings());
    let now = 5 * SECOND;
    for _ in 0..5 {
        assert!(admit(&circuit, now).is_some());
    }
    assert_eq!(wait(&circuit, now), 5 * SECOND);
    assert_eq!(state(&circuit, now), State::HalfOpen);
}

#[test]
fn the_verdict_falls_as_soon_as_it_is_certain() {
    let now = 5 * SECOND;
    let recovering = opened(settings());
    calls(&recovering, 2, FAILURE, now);
    calls(&recovering, 2, Outcome::Success, now);
    assert_eq!(state(&recovering, now), State::HalfOpen);
    calls(&recovering, 1, Outcome::Success, now);
    assert_eq!(state(&recovering, now), State::Closed);

    let failing = opened(settings());
    calls(&failing, 2, Outcome::Success, now);
    calls(&failing, 2, FAILURE, now);
    assert_eq!(state(&failing, now), State::HalfOpen);
    calls(&failing, 1, FAILURE, now);
    assert_eq!(state(&failing, now), State::Open);
}

#[test]
fn a_cancelled_or_ignored_probe_gives_its_permit_back_and_decides_nothing() {
    let circuit = opened(settings());
    let now = 5 * SECOND;
    calls(&circuit, 4, Outcome::Cancelled, now);
    calls(&circuit, 100, Outcome::Ignored, now);
    assert_eq!(state(&circuit, now), State::HalfOpen);
    let permits: Vec<_> = (0..5).map(|_| admit(&circuit, now)).collect();
    assert!(permits.iter().all(Option::is_some));
    assert!(admit(&circuit, now).is_none());
}

#[test]
fn probes_that_never_come_back_end_the_half_open_period() {
    let circuit = opened(settings());
    let now = 5 * SECOND;
    for _ in 0..5 {
        admit(&circuit, now).expect("a probe");
    }
    assert_eq!(wait(&circuit, now + 30 * SECOND - 1), 1);
    // The second opening lasts twice as long.
    assert_eq!(wait(&circuit, now + 30 * SECOND), 10 * SECOND);
    assert_eq!(state(&circuit, now + 30 * SECOND), State::Open);
}

#[test]
fn a_look_at_the_state_ends_the_half_open_period_as_well() {
    let circuit = opened(settings());
    admit(&circuit, 5 * SECOND).expect("a probe");
    assert_eq!(state(&circuit, 35 * SECOND - 1), State::HalfOpen);
    let opened = Change {
        from: State::HalfOpen,
        to: State::Open,
        wait_ns: 10 * SECOND,
        generation: 3,
    };
    assert_eq!(circuit.state(35 * SECOND), (State::Open, Some(opened)));
}

#[test]
fn few_but_good_probes_close_it_when_the_period_ends() {
    let circuit = opened(settings());
    calls(&circuit, 1, Outcome::Success, 5 * SECOND);
    assert_eq!(state(&circuit, 34 * SECOND), State::HalfOpen);
    calls(&circuit, 1, Outcome::Success, 35 * SECOND);
    assert_eq!(state(&circuit, 35 * SECOND), State::Closed);
}

#[test]
fn a_period_without_any_result_starts_again() {
    let circuit = opened(settings());
    calls(&circuit, 1, Outcome::Cancelled, 5 * SECOND);
    assert!(admit(&circuit, 36 * SECOND).is_some());
    assert_eq!(state(&circuit, 65 * SECOND), State::HalfOpen);
}

#[test]
fn a_period_of_nothing_but_cancelled_probes_opens_it_again() {
    let circuit = opened(settings());
    calls(&circuit, 5, Outcome::Cancelled, 5 * SECOND);
    assert_eq!(state(&circuit, 34 * SECOND), State::HalfOpen);
    assert_eq!(state(&circuit, 35 * SECOND), State::Open);
}

#[test]
fn a_result_from_before_a_transition_has_no_effect() {
    let circuit = circuit(settings());
    let early: Vec<_> = (0..10).filter_map(|_| admit(&circuit, 0)).collect();
    calls(&circuit, 20, FAILURE, 0);
    let now = 5 * SECOND;
    let probe = admit(&circuit, now).expect("a probe");

    let hint = Outcome::Failure {
        not_before: Some(50 * SECOND),
    };
    for (&generation, outcome) in early
        .iter()
        .zip([hint, Outcome::Success, FAILURE].repeat(3))
    {
        assert_eq!(
            circuit.complete(generation, outcome, false, now),
            Completion::Stale
        );
    }
    assert_eq!(state(&circuit, now), State::HalfOpen);

    // A probe of this half-open period does not count in the next.
    calls(&circuit, 3, FAILURE, now);
    let later = now + 10 * SECOND;
    let second = admit(&circuit, later).expect("a probe of the second period");
    assert_ne!(probe, second);
    assert_eq!(
        circuit.complete(probe, Outcome::Success, false, later),
        Completion::Stale
    );

    // Nor does anything from before in the closed state after it.
    calls(&circuit, 3, Outcome::Success, later);
    assert_eq!(state(&circuit, later), State::Closed);
    for generation in [early[0], probe, second] {
        for _ in 0..40 {
            let completion = circuit.complete(generation, FAILURE, false, later);
            assert_eq!(completion, Completion::Stale);
        }
    }
    assert_eq!(state(&circuit, later), State::Closed);
}

#[test]
fn the_counts_start_at_zero_after_recovery() {
    let circuit = opened(settings());
    calls(&circuit, 3, Outcome::Success, 5 * SECOND);
    // The 20 failures at 0 s are still within 10 s.
    calls(&circuit, 19, FAILURE, 5 * SECOND);
    assert_eq!(state(&circuit, 5 * SECOND), State::Closed);
}

#[test]
fn an_open_circuit_whose_wait_is_over_stays_open_until_it_is_probed() {
    let circuit = opened(settings());
    assert_eq!(state(&circuit, 500 * SECOND), State::Open);
    assert!(admit(&circuit, 500 * SECOND).is_some());
    assert_eq!(state(&circuit, 500 * SECOND), State::HalfOpen);
}
