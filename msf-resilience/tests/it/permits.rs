//! Every interleaving of a few threads over the gate of bulkheads and adaptive limits, by loom.
//!
//! The gate is compiled here a second time, from its own files, with loom's atomics and mutex in the place of the standard
//! library's, and with two stripes.

#[path = "../../src/permits/cells.rs"]
mod cells;
#[expect(dead_code, reason = "the model does not call all of it")]
#[path = "../../src/permits/gate.rs"]
mod gate;

mod sync {
    use std::cell::Cell;
    pub(super) use std::sync::PoisonError;

    pub(super) use loom::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    };

    pub(super) const STRIPES: usize = 2;

    #[derive(Debug)]
    pub(super) struct Padded<T>(pub(super) T);

    loom::thread_local! {
        pub(super) static OWN: Cell<usize> = Cell::new(0);
    }

    pub(super) fn own() -> usize {
        OWN.with(Cell::get)
    }
}

use std::task::Waker;

use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use self::gate::{Gate, Place};

fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

fn gate(limit: u32) -> Arc<Gate> {
    let gate = Gate::new();
    gate.open(limit);
    Arc::new(gate)
}

/// A thread of the other stripe.
fn spawn<T: 'static>(
    gate: &Arc<Gate>,
    run: impl FnOnce(&Gate) -> T + 'static,
) -> thread::JoinHandle<T> {
    let gate = Arc::clone(gate);
    thread::spawn(move || {
        sync::OWN.with(|own| own.set(1));
        run(&gate)
    })
}

fn release(gate: &Gate) {
    assert!(!gate.release(), "it was not retired");
}

fn enter(gate: &Gate) -> Place {
    gate.enter(Waker::noop(), 8)
}

/// Whether somebody who came has a permit by now.
fn has_permit(gate: &Gate, place: &Place) -> bool {
    match place {
        Place::Permit => true,
        Place::Waiting(ticket) => gate.is_served(*ticket, Waker::noop()),
        Place::Full => false,
    }
}

#[test]
fn there_are_never_more_permits_in_hands_than_the_limit() {
    model(|| {
        let gate = gate(1);
        let inside = Arc::new(AtomicUsize::new(0));
        let work = move |gate: &Gate, inside: &AtomicUsize| {
            if gate.try_acquire() {
                assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                inside.fetch_sub(1, Ordering::Relaxed);
                release(gate);
            }
        };
        let others = Arc::clone(&inside);
        let other = spawn(&gate, move |gate| work(gate, &others));
        work(&gate, &inside);
        other.join().unwrap();
        assert_eq!(gate.in_flight(), 0);
    });
}

#[test]
fn a_refusal_means_that_no_permit_was_free() {
    model(|| {
        // One of two is always free, but not always in the same cell: the other thread brings one back to the cell that is
        // looked at first, and takes that of the other cell then.
        let gate = gate(2);
        assert!(gate.try_acquire());
        let other = spawn(&gate, |gate| {
            sync::OWN.with(|own| own.set(0));
            release(gate);
            sync::OWN.with(|own| own.set(1));
            assert!(gate.try_acquire());
        });
        assert!(gate.try_acquire());
        other.join().unwrap();
    });
}

#[test]
fn who_comes_to_wait_while_a_permit_comes_back_gets_it() {
    model(|| {
        let gate = gate(1);
        assert!(gate.try_acquire());
        let other = spawn(&gate, release);
        let place = enter(&gate);
        other.join().unwrap();
        assert!(has_permit(&gate, &place));
        assert!(!gate.try_acquire());
        release(&gate);
        assert!(gate.try_acquire());
    });
}

#[test]
fn who_waits_is_not_forgotten_by_somebody_who_came_and_went() {
    model(|| {
        let gate = gate(1);
        let other = spawn(&gate, |gate| {
            if gate.try_acquire() {
                release(gate);
            }
        });
        let place = enter(&gate);
        other.join().unwrap();
        assert!(has_permit(&gate, &place));
    });
}

#[test]
fn a_permit_handed_to_somebody_who_leaves_goes_to_the_next() {
    model(|| {
        let gate = gate(1);
        assert!(gate.try_acquire());
        let Place::Waiting(first) = enter(&gate) else {
            unreachable!("the permit is taken")
        };
        let second = enter(&gate);
        let other = spawn(&gate, release);
        if !gate.leave(first) {
            release(&gate);
        }
        other.join().unwrap();
        assert!(has_permit(&gate, &second));
        assert_eq!(gate.in_flight(), 1);
    });
}

#[test]
fn a_lower_limit_holds_as_soon_as_it_can() {
    model(|| {
        let gate = gate(2);
        let other = spawn(&gate, |gate| {
            if gate.try_acquire() {
                release(gate);
            }
        });
        gate.set_limit(1);
        other.join().unwrap();
        assert_eq!(gate.in_flight(), 0);
        assert!(gate.try_acquire());
        assert!(!gate.try_acquire());
    });
}

#[test]
fn a_higher_limit_serves_who_waits() {
    model(|| {
        let gate = gate(1);
        assert!(gate.try_acquire());
        let other = spawn(&gate, |gate| gate.set_limit(2));
        let place = enter(&gate);
        other.join().unwrap();
        assert!(has_permit(&gate, &place));
        assert!(!gate.try_acquire());
    });
}

#[test]
fn a_retired_gate_is_over_exactly_once() {
    model(|| {
        let gate = gate(2);
        assert!(gate.try_acquire());
        let other = spawn(&gate, Gate::release);
        let mine = gate.retire();
        assert!(mine ^ other.join().unwrap());
        gate.open(1);
        assert!(gate.try_acquire());
        assert!(!gate.try_acquire());
    });
}
