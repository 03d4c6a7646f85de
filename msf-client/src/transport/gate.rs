//! How many connections there may be to one callee, and who waits for one.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::sync::oneshot;

/// Counts the connections of one callee and keeps the line of those who wait.
///
/// It has a lock of its own, below that of the pool: a connection may be dropped while the pool is
/// locked, and its place goes to the next in line at that moment. Nothing else is locked under it.
#[derive(Debug)]
pub(super) struct Gate<C>(Mutex<State<C>>);

#[derive(Debug)]
struct State<C> {
    open: usize,
    line: VecDeque<oneshot::Sender<Grant<C>>>,
}

/// One connection of a callee's share. On drop it goes to the next in line, or back.
#[derive(Debug)]
pub(super) struct Slot<C>(Option<Arc<Gate<C>>>);

/// What somebody in line gets.
#[derive(Debug)]
pub(super) enum Grant<C> {
    /// A connection that another request has done with.
    Connection(C),
    /// The right to open one.
    Slot(Slot<C>),
}

/// What somebody gets who asks for a connection when none is idle.
#[derive(Debug)]
pub(super) enum Admission<C> {
    Slot(Slot<C>),
    Wait(Waiting<C>),
    /// The line is as long as it may be.
    Full,
}

/// A place in line; dropping it leaves the line.
#[derive(Debug)]
pub(super) struct Waiting<C>(oneshot::Receiver<Grant<C>>);

impl<C> Default for Gate<C> {
    fn default() -> Self {
        Self(Mutex::new(State {
            open: 0,
            line: VecDeque::new(),
        }))
    }
}

impl<C> Gate<C> {
    /// The right to open a connection, or a place in line.
    pub(super) fn admit(self: &Arc<Self>, max: usize, queue_max: usize) -> Admission<C> {
        let mut state = self.lock();
        if state.open < max {
            state.open += 1;
            return Admission::Slot(Slot(Some(self.clone())));
        }
        if state.line.len() >= queue_max {
            // Those who left do not count; they are looked for only where it matters.
            state.line.retain(|waiting| !waiting.is_closed());
            if state.line.len() >= queue_max {
                return Admission::Full;
            }
        }
        let (grant, granted) = oneshot::channel();
        state.line.push_back(grant);
        Admission::Wait(Waiting(granted))
    }

    /// Gives a connection to the first in line; gives it back when nobody waits.
    pub(super) fn hand_over(&self, connection: C) -> Option<C> {
        let mut grant = Grant::Connection(connection);
        loop {
            let Some(next) = self.lock().line.pop_front() else {
                return match grant {
                    Grant::Connection(connection) => Some(connection),
                    Grant::Slot(_) => None,
                };
            };
            match next.send(grant) {
                Ok(()) => return None,
                Err(left) => grant = left,
            }
        }
    }

    pub(super) fn open(&self) -> usize {
        self.lock().open
    }

    /// A connection is gone: the first in line may open another one.
    fn release(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                let Some(next) = state.line.pop_front() else {
                    state.open -= 1;
                    return;
                };
                next
            };
            // Not under the lock: whoever left gives the slot back, and what is dropped comes here again.
            match next.send(Grant::Slot(Slot(Some(self.clone())))) {
                Ok(()) => return,
                Err(Grant::Slot(mut slot)) => slot.0 = None,
                Err(Grant::Connection(_)) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // The state is whole between any two statements, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Drop for Slot<C> {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.release();
        }
    }
}

impl<C> Waiting<C> {
    /// What was granted and not yet looked at, for whoever gives up.
    pub(super) fn abandon(mut self) -> Option<Grant<C>> {
        self.0.close();
        self.0.try_recv().ok()
    }
}

/// `None` when the pool is gone.
impl<C> Future for &mut Waiting<C> {
    type Output = Option<Grant<C>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Grant<C>>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wait(gate: &Arc<Gate<u32>>, max: usize) -> Waiting<u32> {
        match gate.admit(max, usize::MAX) {
            Admission::Wait(waiting) => waiting,
            other => panic!("{other:?}"),
        }
    }

    fn slot(gate: &Arc<Gate<u32>>, max: usize) -> Slot<u32> {
        match gate.admit(max, 0) {
            Admission::Slot(slot) => slot,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_in_line_is_the_first_to_get_something() {
        let gate = Arc::default();
        let held = slot(&gate, 1);
        let (first, second) = (wait(&gate, 1), wait(&gate, 1));
        assert!(gate.hand_over(7).is_none());
        drop(held);
        assert!(matches!(first.abandon(), Some(Grant::Connection(7))));
        assert!(matches!(second.abandon(), Some(Grant::Slot(_))));
        assert_eq!(gate.open(), 0);
        assert_eq!(gate.hand_over(8), Some(8));
    }

    #[test]
    fn who_left_gets_nothing_and_takes_no_place() {
        let gate = Arc::default();
        let held = slot(&gate, 1);
        let (gone, waiting) = (wait(&gate, 1), wait(&gate, 1));
        drop(gone);
        assert!(matches!(gate.admit(1, 1), Admission::Full));
        drop(waiting);
        let Admission::Wait(last) = gate.admit(1, 1) else {
            panic!("those who left do not count");
        };
        drop(held);
        assert!(matches!(last.abandon(), Some(Grant::Slot(_))));
        assert_eq!(gate.open(), 0);
    }

    #[test]
    fn what_was_granted_and_not_taken_goes_on() {
        let gate = Arc::default();
        let held = slot(&gate, 1);
        let (first, second) = (wait(&gate, 1), wait(&gate, 1));
        drop(held);
        // The grant is in its hands already.
        drop(first);
        assert!(matches!(second.abandon(), Some(Grant::Slot(_))));
        assert_eq!(gate.open(), 0);
    }

    proptest! {
        #[test]
        fn no_more_are_open_than_may_and_nobody_waits_for_nothing(
            steps in proptest::collection::vec((0_u8..4, any::<prop::sample::Index>()), 0..200),
        ) {
            const MAX: usize = 3;
            let gate: Arc<Gate<()>> = Arc::default();
            let mut held: Vec<Slot<()>> = Vec::new();
            let mut line: Vec<Waiting<()>> = Vec::new();
            for (step, at) in steps {
                match step {
                    0 => match gate.admit(MAX, 5) {
                        Admission::Slot(slot) => held.push(slot),
                        Admission::Wait(waiting) => line.push(waiting),
                        Admission::Full => prop_assert!(line.len() >= 5),
                    },
                    1 if !held.is_empty() => drop(held.swap_remove(at.index(held.len()))),
                    2 if !line.is_empty() => drop(line.remove(at.index(line.len()))),
                    3 if !line.is_empty() => {
                        let waiting = line.remove(0);
                        if let Some(Grant::Slot(slot)) = waiting.abandon() {
                            held.push(slot);
                        }
                    }
                    _ => {}
                }
                prop_assert!(held.len() <= MAX);
                prop_assert!(gate.open() <= MAX);
                prop_assert!(gate.open() >= held.len());
            }
            line.clear();
            held.clear();
            prop_assert_eq!(gate.open(), 0);
        }
    }
}
