//! Any history of calls gives the same decisions as the naive model.

use fastrand::Rng;
use proptest::prelude::*;

use super::{
    super::{
        circuit::Circuit,
        machine::{Admission, Outcome},
        settings::Settings,
    },
    model::Model,
};

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Call,
    /// Ends one of the calls under way.
    End(prop::sample::Index, Outcome),
    Look,
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
        8 => (any::<prop::sample::Index>(), outcome()).prop_map(|(at, outcome)| Step::End(at, outcome)),
        1 => Just(Step::Look),
    ]
}

fn small_settings() -> impl Strategy<Value = Settings> {
    (
        1_u64..=10_000,
        1_u64..8,
        1_u64..15,
        1_u64..40,
        1_u32..6,
        1_u64..90,
    )
        .prop_map(
            |(failure_rate, min_calls, bucket_ns, open_for_ns, half_open_permits, max_wait)| {
                Settings {
                    failure_rate,
                    min_calls,
                    bucket_ns,
                    open_for_ns,
                    open_max_ns: open_for_ns * 5,
                    jitter: 0,
                    half_open_permits,
                    half_open_max_wait_ns: max_wait,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_circuit_decides_as_the_model(
        settings in small_settings(),
        steps in prop::collection::vec(step(), 0..400),
    ) {
        let circuit = Circuit::new(settings, Rng::with_seed(1));
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
                    (Admission::Rejected { wait_ns }, Err(wait)) => prop_assert_eq!(wait_ns, wait),
                    (actual, expected) => prop_assert!(false, "{actual:?} instead of {expected:?}"),
                },
                Step::End(at, outcome) if !under_way.is_empty() => {
                    let (generation, ticket) = under_way.swap_remove(at.index(under_way.len()));
                    let outcome = match outcome {
                        Outcome::Failure { not_before } => Outcome::Failure {
                            not_before: not_before.map(|wait| now + wait),
                        },
                        other => other,
                    };
                    circuit.complete(generation, outcome, now);
                    model.complete(ticket, outcome, now);
                }
                Step::End(..) => {}
                Step::Look => prop_assert_eq!(circuit.state(now).0, model.state(now)),
            }
        }
        prop_assert_eq!(circuit.state(now).0, model.state(now));
    }
}
