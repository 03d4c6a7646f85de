//! The window beside a naive one that remembers every event.

use proptest::prelude::*;

use crate::budget::window::{Allowance, BUCKETS, Window};

#[derive(Clone, Copy, Debug)]
enum Step {
    Deposit(u8),
    Withdraw,
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u8..20).prop_map(Step::Deposit),
        Just(Step::Withdraw),
        (1_u64..2 * BUCKETS).prop_map(Step::Advance),
    ]
}

/// All there ever was: ticks of deposits and of withdrawals.
#[derive(Default)]
struct Model {
    deposits: Vec<u64>,
    withdrawals: Vec<u64>,
}

impl Model {
    fn available(&self, tick: u64, ratio: f64, reserve: u64) -> f64 {
        let live = |events: &[u64]| events.iter().filter(|at| **at + BUCKETS > tick).count() as f64;
        reserve as f64 + live(&self.deposits) * ratio - live(&self.withdrawals)
    }
}

proptest! {
    #[test]
    fn a_withdrawal_is_granted_exactly_when_the_window_allows_one_more(
        ratio_parts in 0_u64..30_000,
        reserve in 0_u64..5,
        begin in 0_u64..1_000,
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let window = Window::new(Allowance { ratio: ratio_parts, reserve });
        let mut model = Model::default();
        let mut tick = begin;
        for step in steps {
            match step {
                Step::Advance(ticks) => tick += ticks,
                Step::Deposit(count) => for _ in 0..count {
                    window.deposit(tick);
                    model.deposits.push(tick);
                },
                Step::Withdraw => {
                    // Ten-thousandths are far coarser than what the float loses.
                    let left = model.available(tick, ratio_parts as f64 / 10_000.0, reserve);
                    let expected = left > 1.0 - 1e-6;
                    prop_assert_eq!(window.available(tick) > 0, expected);
                    prop_assert_eq!(window.withdraw(tick).is_some(), expected);
                    if expected {
                        model.withdrawals.push(tick);
                    }
                }
            }
        }
    }

    #[test]
    fn withdrawals_of_a_window_never_exceed_its_bound(
        ratio_parts in 0_u64..20_000,
        reserve in 0_u64..10,
        steps in proptest::collection::vec(step(), 1..300),
    ) {
        let window = Window::new(Allowance { ratio: ratio_parts, reserve });
        let (mut tick, mut deposits, mut granted) = (0, Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Advance(ticks) => tick += ticks,
                Step::Deposit(count) => for _ in 0..count {
                    window.deposit(tick);
                    deposits.push(tick);
                },
                Step::Withdraw if window.withdraw(tick).is_some() => {
                    granted.push(tick);
                    let live = |events: &[u64]| {
                        events.iter().filter(|at| **at + BUCKETS > tick).count() as u64
                    };
                    let bound = reserve * 10_000 + live(&deposits) * ratio_parts;
                    prop_assert!(live(&granted) * 10_000 <= bound);
                }
                Step::Withdraw => {}
            }
        }
    }
}

#[test]
fn a_withdrawal_is_not_paid_by_deposits_that_come_after_its_window() {
    let window = Window::new(Allowance {
        ratio: 10_000,
        reserve: 0,
    });
    window.deposit(11);
    // Of a thread that read the clock before the other did.
    assert_eq!(window.withdraw(10), None);
    assert_eq!(window.withdraw(11), Some(11));
}
