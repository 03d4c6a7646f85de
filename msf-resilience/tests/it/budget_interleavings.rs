//! Every interleaving of a few threads over the counts of a budget, by loom.
//!
//! The counts are compiled here a second time, from their own files, with loom's atomics in the place of the standard library's.

#[expect(
    dead_code,
    unreachable_pub,
    reason = "the model does not use all of it"
)]
#[path = "../../src/budget/class.rs"]
mod class;
#[path = "../../src/budget/in_flight.rs"]
mod in_flight;
#[path = "../../src/budget/quota.rs"]
mod quota;

mod rule {
    pub(super) const PARTS: u64 = 10_000;
}

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    /// As many as the models use.
    pub(super) const STRIPES: usize = 2;

    #[derive(Debug)]
    pub(super) struct Padded<T>(pub(super) T);

    loom::thread_local! {
        static STRIPE: std::cell::Cell<usize> = std::cell::Cell::new(0);
    }

    pub(super) fn own() -> usize {
        STRIPE.with(std::cell::Cell::get)
    }

    /// As if the task went on on another thread.
    pub(super) fn migrate(stripe: usize) {
        STRIPE.with(|own| own.set(stripe));
    }
}

use loom::{sync::Arc, thread};

use self::{class::Class, in_flight::InFlight, quota::Quota, sync::migrate};

/// Every interleaving with up to two preemptions: the histories are too long for all of them.
fn bounded(test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(test);
}

/// One additional call per call.
fn in_flight(calls: usize) -> Arc<InFlight> {
    let in_flight = InFlight::new();
    in_flight.open(10_000, 0);
    (0..calls).for_each(|_| in_flight.begin());
    Arc::new(in_flight)
}

fn quota(capacity: u32) -> (Arc<Quota>, u32) {
    let quota = Quota::new();
    quota.reset(capacity, 10, 10);
    let generation = quota.generation();
    (Arc::new(quota), generation)
}

#[test]
fn calls_that_come_and_go_are_never_seen_as_many_at_one_time() {
    for (begins_on, ends_on) in [(0, 1), (1, 0)] {
        loom::model(move || {
            let in_flight = in_flight(0);
            let other = Arc::clone(&in_flight);
            let thread = thread::spawn(move || {
                for _ in 0..2 {
                    migrate(begins_on);
                    other.begin();
                    migrate(ends_on);
                    assert!(!other.end());
                }
            });
            assert!(in_flight.available() <= 1);
            thread.join().unwrap();
            assert_eq!(in_flight.calls(), 0);
        });
    }
}

#[test]
fn of_two_who_want_the_last_additional_call_one_gets_it() {
    loom::model(|| {
        let in_flight = in_flight(1);
        let other = Arc::clone(&in_flight);
        let thread = thread::spawn(move || other.begin_additional());
        let mine = in_flight.begin_additional();
        assert!(mine ^ thread.join().unwrap());
        assert_eq!(in_flight.available(), 0);
    });
}

#[test]
fn a_closed_slot_is_given_back_once_by_whoever_is_the_last() {
    bounded(|| {
        let in_flight = in_flight(2);
        let other = Arc::clone(&in_flight);
        let thread = thread::spawn(move || {
            migrate(1);
            other.end()
        });
        let owner = Arc::clone(&in_flight);
        let closing = thread::spawn(move || owner.close());
        let given_back = [
            in_flight.end(),
            thread.join().unwrap(),
            closing.join().unwrap(),
        ];
        let times = given_back.iter().filter(|gives| **gives).count();
        assert_eq!(times, 1, "{given_back:?}");
    });
}

#[test]
fn an_additional_call_that_outlives_its_call_keeps_the_slot() {
    bounded(|| {
        let in_flight = in_flight(1);
        assert!(in_flight.begin_additional());
        let other = Arc::clone(&in_flight);
        let thread = thread::spawn(move || {
            migrate(1);
            other.end_additional()
        });
        assert!(!in_flight.close(), "the call is still in flight");
        let mine = in_flight.end();
        assert!(mine ^ thread.join().unwrap());
    });
}

#[test]
fn who_comes_too_late_does_not_give_back_the_slot_of_the_next_owner() {
    bounded(|| {
        let in_flight = in_flight(2);
        assert!(!in_flight.close());
        // Each is the last of the first owner, or finds the second, whose only call runs until it ends it.
        let one = |in_flight: &InFlight, stripe| {
            migrate(stripe);
            if !in_flight.end() {
                return (0, 0);
            }
            in_flight.open(10_000, 0);
            in_flight.begin();
            assert!(!in_flight.close(), "a call is in flight");
            (1, 1 + u32::from(in_flight.end()))
        };
        let other = Arc::clone(&in_flight);
        let thread = thread::spawn(move || one(&other, 1));
        let (mine, others) = (one(&in_flight, 0), thread.join().unwrap());
        // Who was late for the first owner may be the one who is in time for the second.
        let (owners, given_back) = (1 + mine.0 + others.0, mine.1 + others.1);
        assert_eq!(given_back, owners);
    });
}

#[test]
fn of_two_who_want_the_last_tokens_one_gets_them() {
    loom::model(|| {
        let (quota, generation) = quota(15);
        let other = Arc::clone(&quota);
        let thread = thread::spawn(move || other.take(generation, other.cost(Class::Transient)));
        let mine = quota.take(generation, 10);
        assert!(mine ^ thread.join().unwrap());
        assert_eq!(quota.tokens(), 5);
    });
}

#[test]
fn tokens_come_back_once_and_never_above_the_capacity() {
    loom::model(|| {
        let (quota, generation) = quota(20);
        assert!(quota.take(generation, 10));
        let other = Arc::clone(&quota);
        let thread = thread::spawn(move || other.give(generation, 10));
        quota.give(generation, 1);
        thread.join().unwrap();
        assert_eq!(quota.tokens(), 20);
    });
}

#[test]
fn a_lowered_capacity_holds_for_tokens_that_are_on_their_way() {
    loom::model(|| {
        let (quota, generation) = quota(20);
        assert!(quota.take(generation, 15));
        let other = Arc::clone(&quota);
        let thread = thread::spawn(move || other.give(generation, 15));
        quota.set(10, 10, 10);
        thread.join().unwrap();
        assert!(quota.tokens() <= 10);
        quota.take(generation, 10);
        assert!(!quota.take(generation, 1), "more than the capacity");
    });
}

#[test]
fn a_former_owners_calls_give_nothing_to_the_next() {
    loom::model(|| {
        let (quota, former) = quota(20);
        assert!(quota.take(former, 20));
        let other = Arc::clone(&quota);
        let thread = thread::spawn(move || {
            other.give(former, 20);
            assert!(!other.take(former + 1, 30));
        });
        quota.reset(10, 10, 10);
        let present = quota.generation();
        assert!(quota.take(present, 10));
        thread.join().unwrap();
        assert_eq!(quota.tokens(), 0);
    });
}
