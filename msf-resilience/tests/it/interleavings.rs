//! Every interleaving of a few threads over the breaker's atomics, by loom.
//!
//! The circuit is compiled here a second time, from its own files, with loom's atomics and mutex in the place
//! of the standard library's. loom knows sequential consistency for fences only and treats our accesses as
//! acquire and release, so what passes here needs less than the code asks for.

#[expect(dead_code, reason = "the model does not call all of it")]
#[path = "../../src/circuit_breaker/circuit.rs"]
mod circuit;
#[path = "../../src/circuit_breaker/machine.rs"]
mod machine;
#[path = "../../src/circuit_breaker/settings.rs"]
mod settings;
#[path = "../../src/circuit_breaker/window.rs"]
mod window;

/// The public type, which the model needs without its documentation and labels.
mod state {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum State {
        Closed,
        Open,
        HalfOpen,
    }
}

mod sync {
    pub(super) use loom::sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    };
}

use loom::{sync::Arc, thread};

use self::{
    circuit::{Circuit, Completion},
    machine::{Admission, Outcome},
    settings::Settings,
    state::State,
};

const FAILURE: Outcome = Outcome::Failure { not_before: None };

const SETTINGS: Settings = Settings {
    failure_rate: 10_000,
    min_calls: 2,
    bucket_ns: 10,
    open_for_ns: 100,
    open_max_ns: 100,
    jitter: 0,
    half_open_permits: 1,
    half_open_max_wait_ns: 1_000,
};

fn circuit(settings: Settings) -> Arc<Circuit> {
    Arc::new(Circuit::new(settings, fastrand::Rng::with_seed(1)))
}

fn admit(circuit: &Circuit, now: u64) -> Option<u64> {
    match circuit.admit(|| now).0 {
        Admission::Admitted { generation } => Some(generation),
        Admission::Rejected { .. } => None,
    }
}

/// Fails as often as it takes, with one thread.
fn open(circuit: &Circuit) {
    for _ in 0..SETTINGS.min_calls {
        let generation = admit(circuit, 0).unwrap();
        circuit.complete(generation, FAILURE, 0);
    }
    assert_eq!(circuit.state(0).0, State::Open);
}

fn opened_it(completion: Completion) -> usize {
    match completion {
        Completion::Taken(Some(transition)) => usize::from(transition.to == State::Open),
        Completion::Taken(None) | Completion::Stale => 0,
    }
}

#[test]
fn the_last_of_the_failures_opens_the_circuit_and_only_one_does() {
    loom::model(|| {
        let circuit = circuit(SETTINGS);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let circuit = Arc::clone(&circuit);
                thread::spawn(move || {
                    let generation = admit(&circuit, 5).unwrap();
                    opened_it(circuit.complete(generation, FAILURE, 5))
                })
            })
            .collect();
        let openings: usize = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert_eq!(openings, 1);
        assert_eq!(circuit.state(5).0, State::Open);
    });
}

#[test]
fn two_threads_that_reuse_a_bucket_lose_no_count() {
    loom::model(|| {
        let settings = Settings {
            min_calls: 3,
            ..SETTINGS
        };
        let circuit = circuit(settings);
        // The same bucket, one turn of the ring ago.
        circuit.complete(0, FAILURE, 5);
        circuit.complete(0, FAILURE, 5);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let circuit = Arc::clone(&circuit);
                thread::spawn(move || opened_it(circuit.complete(0, FAILURE, 105)))
            })
            .collect();
        let openings: usize = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert_eq!(openings, 0, "what has left the window counted");
        assert_eq!(opened_it(circuit.complete(0, FAILURE, 105)), 1);
    });
}

#[test]
fn one_permit_goes_to_one_of_two_probes() {
    loom::model(|| {
        let circuit = circuit(SETTINGS);
        open(&circuit);
        let other = Arc::clone(&circuit);
        let thread = thread::spawn(move || admit(&other, 100).is_some());
        let mine = admit(&circuit, 100).is_some();
        assert!(mine ^ thread.join().unwrap());
        assert_eq!(circuit.state(100).0, State::HalfOpen);
    });
}

#[test]
fn a_late_result_never_counts_after_the_circuit_has_closed_again() {
    loom::model(|| {
        let settings = Settings {
            failure_rate: 5_000,
            min_calls: 1,
            // The whole history lies in one bucket: only its period tells the late result apart.
            bucket_ns: 1_000,
            ..SETTINGS
        };
        let circuit = circuit(settings);
        let late = admit(&circuit, 0).unwrap();
        let other = Arc::clone(&circuit);
        let thread = thread::spawn(move || {
            // Opens, is probed, and closes while the late result is on its way.
            let Some(first) = admit(&other, 0) else {
                return;
            };
            other.complete(first, FAILURE, 0);
            let Some(probe) = admit(&other, 100) else {
                return;
            };
            other.complete(probe, Outcome::Success, 100);
            if let Some(next) = admit(&other, 100) {
                let completion = other.complete(next, Outcome::Success, 100);
                assert_eq!(opened_it(completion), 0, "the late failure counted");
            }
        });
        circuit.complete(late, FAILURE, 0);
        thread.join().unwrap();
    });
}

#[test]
fn a_circuit_that_closes_lets_the_next_call_in() {
    loom::model(|| {
        let circuit = circuit(SETTINGS);
        open(&circuit);
        let probe = admit(&circuit, 100).unwrap();
        let other = Arc::clone(&circuit);
        let thread = thread::spawn(move || admit(&other, 100));
        circuit.complete(probe, Outcome::Success, 100);
        thread.join().unwrap();
        assert!(admit(&circuit, 100).is_some());
    });
}

#[test]
fn a_permit_that_is_given_back_goes_to_exactly_one() {
    for outcome in [Outcome::Ignored, Outcome::Cancelled] {
        loom::model(move || {
            let circuit = circuit(SETTINGS);
            open(&circuit);
            let probe = admit(&circuit, 100).unwrap();
            let other = Arc::clone(&circuit);
            let thread = thread::spawn(move || admit(&other, 100).is_some());
            circuit.complete(probe, outcome, 100);
            let mine = admit(&circuit, 100).is_some();
            assert!(mine ^ thread.join().unwrap());
        });
    }
}
