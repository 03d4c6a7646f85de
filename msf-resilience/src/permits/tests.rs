//! The gate against a counter and a list.

use std::{collections::VecDeque, task::Waker};

use proptest::prelude::*;

use super::{Gate, Place};

#[derive(Clone, Copy, Debug)]
enum Step {
    TryAcquire,
    Release,
    Enter,
    /// Whoever of the waiting is at this place, or the one after it and so on, leaves.
    Leave(usize),
    SetLimit(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::TryAcquire),
        4 => Just(Step::Release),
        4 => Just(Step::Enter),
        1 => any::<usize>().prop_map(Step::Leave),
        1 => (1..20_u32).prop_map(Step::SetLimit),
    ]
}

/// What a gate is, without the stripes.
#[derive(Default)]
struct Model {
    limit: u32,
    held: u32,
    line: VecDeque<u64>,
}

impl Model {
    fn is_free(&self) -> bool {
        self.line.is_empty() && self.held < self.limit
    }

    fn serve(&mut self) {
        while self.held < self.limit && self.line.pop_front().is_some() {
            self.held += 1;
        }
    }
}

const LINE: usize = 5;

proptest! {
    #[test]
    fn it_does_what_a_counter_and_a_list_do(
        limit in 1..20_u32,
        steps in proptest::collection::vec(step(), 1..300),
    ) {
        let gate = Gate::new();
        gate.open(limit);
        let mut model = Model { limit, ..Model::default() };
        for step in steps {
            match step {
                Step::TryAcquire => {
                    let is_free = model.is_free();
                    prop_assert_eq!(gate.try_acquire(), is_free);
                    model.held += u32::from(is_free);
                }
                Step::Release if model.held > 0 => {
                    prop_assert!(!gate.release());
                    model.held -= 1;
                    model.serve();
                }
                Step::Enter => match gate.enter(Waker::noop(), LINE) {
                    Place::Permit => {
                        prop_assert!(model.is_free());
                        model.held += 1;
                    }
                    Place::Waiting(ticket) => {
                        prop_assert!(!model.is_free() && model.line.len() < LINE);
                        model.line.push_back(ticket);
                    }
                    Place::Full => prop_assert!(!model.is_free() && model.line.len() == LINE),
                },
                Step::Leave(at) if !model.line.is_empty() => {
                    let at = at % model.line.len();
                    let ticket = model.line.remove(at).unwrap();
                    prop_assert!(gate.leave(ticket));
                }
                Step::SetLimit(limit) => {
                    gate.set_limit(limit);
                    model.limit = limit;
                    model.serve();
                }
                Step::Release | Step::Leave(_) => {}
            }
            prop_assert_eq!(gate.in_flight(), model.held);
            prop_assert_eq!(gate.waiting(), model.line.len());
            prop_assert_eq!(gate.limit(), model.limit);
            for ticket in &model.line {
                prop_assert!(!gate.is_served(*ticket, Waker::noop()));
            }
        }
    }
}
