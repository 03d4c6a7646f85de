//! Any history of calls gives the same decisions as the naive model.

use fastrand::Rng;
use proptest::prelude::*;

use super::{
    super::{
        circuit::{Circuit, Success},
        machine::{Admission, Outcome},
        settings::{Cancel, Length, Settings},
        slope::Slope,
    },
    model::Model,
};

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Call,
    /// Ends one of the calls under way.
    End(prop::sample::Index, Outcome, bool),
    Look,
    /// Other numbers, but for the window.
    Set(Settings),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let hint = prop_oneof![3 => Just(None), 1 => (0_u64..400).prop_map(Some)];
    prop_oneof![
        4 => Just(Outcome::Success),
        4 => hint.prop_map(|not_before| Outcome::Failure { not_before }),
        1 => Just(Outcome::Ignored),
        2 => Just(Outcome::Cancelled),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_u64..60).prop_map(Step::Wait),
        8 => Just(Step::Call),
        8 => (any::<prop::sample::Index>(), outcome(), prop::bool::weighted(0.2))
            .prop_map(|(at, outcome, is_slow)| Step::End(at, outcome, is_slow)),
        1 => Just(Step::Look),
        1 => small_settings().prop_map(Step::Set),
    ]
}

/// No rule, or one that takes a share of the calls.
fn rate() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0_u64), 3 => 1_u64..=10_000]
}

fn window() -> impl Strategy<Value = Length> {
    prop_oneof![
        (1_u64..15).prop_map(|bucket_ns| Length::Time { bucket_ns }),
        (1_u64..30).prop_map(Length::Calls),
    ]
}

fn cancel() -> impl Strategy<Value = Cancel> {
    prop_oneof![
        (1_u64..=10_000).prop_map(Cancel::Share),
        Just(Cancel::Share(10_000)),
        Just(Cancel::Ignore),
        Just(Cancel::Failure),
    ]
}

fn small_settings() -> impl Strategy<Value = Settings> {
    let trip = (rate(), rate(), prop_oneof![Just(0_u64), 1_u64..6]);
    let waits = (1_u64..40, 1_u32..6, 1_u64..90);
    let cancelled = (cancel(), any::<bool>());
    (trip, 1_u64..8, window(), cancelled, waits).prop_map(
        |(trip, min_calls, window, (cancel, counts_cancelled_slow), waits)| {
            let (failure_rate, slow_rate, consecutive) = trip;
            let (open_for_ns, half_open_permits, half_open_max_wait_ns) = waits;
            let has_rule = failure_rate + slow_rate + consecutive > 0;
            Settings {
                failure_rate,
                slow_rate,
                slow_ns: 0,
                consecutive: if has_rule { consecutive } else { 3 },
                min_calls,
                window,
                cancel,
                counts_cancelled_slow,
                open_for_ns,
                open_max_ns: open_for_ns * 5,
                jitter: 0,
                half_open_permits,
                half_open_max_wait_ns,
                ramp: Slope::NONE,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_circuit_decides_as_the_model(
        settings in small_settings(),
        steps in prop::collection::vec(step(), 0..400),
    ) {
        let circuit = Circuit::<2>::new(settings, Rng::with_seed(1));
        let mut model = Model::new(settings);
        let mut under_way = Vec::new();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Wait(time) => now += time,
                Step::Call => match (circuit.admit(|| now).0, model.admit(now)) {
                    (Admission::Admitted { generation }, Ok(ticket)) => {
                        under_way.push((generation, ticket));
                    }
                    (Admission::Rejected { wait_ns, .. }, Err(wait)) => prop_assert_eq!(wait_ns, wait),
                    (actual, expected) => prop_assert!(false, "{actual:?} instead of {expected:?}"),
                },
                Step::End(at, outcome, is_slow) if !under_way.is_empty() => {
                    let (generation, ticket) = under_way.swap_remove(at.index(under_way.len()));
                    let outcome = match outcome {
                        Outcome::Failure { not_before } => Outcome::Failure {
                            not_before: not_before.map(|wait| now + wait),
                        },
                        other => other,
                    };
                    // The path of a usual success.
                    if outcome == Outcome::Success && !is_slow {
                        let is_usual = circuit.succeed_in_row(generation);
                        let success = circuit.succeed(generation, || now);
                        prop_assert!(!is_usual || success == Success::Counted);
                        circuit.follow(success, generation, now);
                    } else {
                        circuit.complete(generation, outcome, is_slow, now);
                    }
                    model.complete(ticket, outcome, is_slow, now);
                }
                Step::End(..) => {}
                Step::Set(changed) => {
                    // What a rule counts from is not defined for the time before it was a rule.
                    let set = Settings {
                        window: settings.window,
                        failure_rate: if settings.failure_rate == 0 { 0 } else { changed.failure_rate.max(1) },
                        slow_rate: if settings.slow_rate == 0 { 0 } else { changed.slow_rate.max(1) },
                        consecutive: if settings.consecutive == 0 { 0 } else { changed.consecutive.max(1) },
                        ..changed
                    };
                    circuit.reconfigure(set, now);
                    model.set(set);
                }
                Step::Look => prop_assert_eq!(circuit.state(now).0, model.state(now)),
            }
        }
        prop_assert_eq!(circuit.state(now).0, model.state(now));
    }
}
