//! Every interleaving of a few threads over the breaker's atomics, by loom.
//!
//! The circuit is compiled here a second time, from its own files, with loom's atomics and mutex in the place
//! of the standard library's. loom knows sequential consistency for fences only and treats our accesses as
//! acquire and release, so what passes here needs less than the code asks for.

#[expect(dead_code, reason = "the model does not call all of it")]
#[path = "../../src/circuit_breaker/circuit.rs"]
mod circuit;
#[expect(dead_code, reason = "the model does not use all of it")]
#[path = "../../src/circuit_breaker/machine.rs"]
mod machine;
#[expect(dead_code, reason = "the model does not use all of it")]
#[path = "../../src/circuit_breaker/ring.rs"]
mod ring;
#[path = "../../src/circuit_breaker/runs.rs"]
mod runs;
#[expect(dead_code, reason = "the model does not use all of it")]
#[path = "../../src/circuit_breaker/settings.rs"]
mod settings;
#[path = "../../src/circuit_breaker/slope.rs"]
mod slope;
#[path = "../../src/circuit_breaker/window.rs"]
mod window;

mod cause {
    pub(super) use msf_resilience::circuit_breaker::Cause;
}

mod state {
    pub(super) use msf_resilience::circuit_breaker::State;
}

mod sync {
    pub(super) use loom::sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    };

    loom::thread_local! {
        static STRIPE: usize = super::NEXT.with(|next| next.replace(next.get() + 1));
    }

    /// Threads take the stripes in turn.
    pub(super) fn own_stripe() -> usize {
        STRIPE.with(|stripe| *stripe)
    }
}

std::thread_local! {
    /// loom runs its threads on one thread of the system.
    static NEXT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Two stripes are as good as eight for two or three threads, and there are fewer interleavings to look at.
type Circuit = circuit::Circuit<2>;

use loom::{sync::Arc, thread};

use self::{
    circuit::Completion,
    machine::{Admission, Outcome},
    settings::{Cancel, Length, Settings},
    slope::Slope,
    state::State,
};

const FAILURE: Outcome = Outcome::Failure { not_before: None };

const SETTINGS: Settings = Settings {
    failure_rate: 10_000,
    slow_rate: 0,
    slow_ns: 0,
    consecutive: 0,
    min_calls: 2,
    window: Length::Time { bucket_ns: 10 },
    cancel: Cancel::Share(10_000),
    counts_cancelled_slow: false,
    open_for_ns: 100,
    open_max_ns: 100,
    jitter: 0,
    half_open_permits: 1,
    half_open_max_wait_ns: 1_000,
    ramp: Slope::NONE,
};

/// Every interleaving with up to two preemptions: the histories here are too long for all of them.
fn bounded(test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(test);
}

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
        circuit.complete(generation, FAILURE, false, 0);
    }
    assert_eq!(circuit.state(0).0, State::Open);
}

fn opened_it(completion: Completion) -> usize {
    match completion {
        Completion::Taken(Some(change)) => usize::from(change.to == State::Open),
        Completion::Taken(None) | Completion::Stale | Completion::Uncounted => 0,
    }
}

#[test]
fn the_last_of_the_failures_opens_the_circuit_and_only_one_does() {
    bounded(|| {
        let circuit = circuit(SETTINGS);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let circuit = Arc::clone(&circuit);
                thread::spawn(move || {
                    let generation = admit(&circuit, 5).unwrap();
                    opened_it(circuit.complete(generation, FAILURE, false, 5))
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
    bounded(|| {
        let settings = Settings {
            min_calls: 3,
            ..SETTINGS
        };
        let circuit = circuit(settings);
        // The same bucket, one turn of the ring ago.
        circuit.complete(0, FAILURE, false, 5);
        circuit.complete(0, FAILURE, false, 5);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let circuit = Arc::clone(&circuit);
                thread::spawn(move || opened_it(circuit.complete(0, FAILURE, false, 105)))
            })
            .collect();
        let openings: usize = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert_eq!(openings, 0, "what has left the window counted");
        assert_eq!(opened_it(circuit.complete(0, FAILURE, false, 105)), 1);
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
    bounded(|| {
        let settings = Settings {
            failure_rate: 5_000,
            min_calls: 1,
            // The whole history lies in one bucket: only its period tells the late result apart.
            window: Length::Time { bucket_ns: 1_000 },
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
            other.complete(first, FAILURE, false, 0);
            let Some(probe) = admit(&other, 100) else {
                return;
            };
            other.complete(probe, Outcome::Success, false, 100);
            if let Some(next) = admit(&other, 100) {
                let completion = other.complete(next, Outcome::Success, false, 100);
                assert_eq!(opened_it(completion), 0, "the late failure counted");
            }
        });
        circuit.complete(late, FAILURE, false, 0);
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
        circuit.complete(probe, Outcome::Success, false, 100);
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
            circuit.complete(probe, outcome, false, 100);
            let mine = admit(&circuit, 100).is_some();
            assert!(mine ^ thread.join().unwrap());
        });
    }
}

#[test]
fn failures_in_a_row_open_the_circuit_once_however_they_meet() {
    loom::model(|| {
        let settings = Settings {
            failure_rate: 0,
            consecutive: 2,
            ..SETTINGS
        };
        let circuit = circuit(settings);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let circuit = Arc::clone(&circuit);
                thread::spawn(move || opened_it(circuit.complete(0, FAILURE, false, 5)))
            })
            .collect();
        let openings: usize = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert_eq!(openings, 1);
    });
}

#[test]
fn an_order_and_a_trip_leave_the_order() {
    loom::model(|| {
        let circuit = circuit(Settings {
            min_calls: 1,
            ..SETTINGS
        });
        let other = Arc::clone(&circuit);
        let thread = thread::spawn(move || other.complete(0, FAILURE, false, 5));
        circuit.order(|machine| machine.force(machine::Phase::ForcedOpen));
        thread.join().unwrap();
        assert_eq!(circuit.state(5).0, State::ForcedOpen);
        assert!(admit(&circuit, 1_000).is_none());
    });
}
