//! The places for connections.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use super::{DrainSignal, Phase, addresses::Claim};

/// As many places as connections may be open; they are also how the server knows that all have ended.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    all: u32,
    /// Taken ones. The semaphore cannot tell: who waits for all its permits holds those that are free.
    taken: Arc<AtomicUsize>,
    /// Taken ones over every set of places of the same server.
    open: Arc<AtomicUsize>,
    /// Connections that were cut, as their own tasks report it.
    cut: Arc<AtomicUsize>,
}

/// A place that waits for its connection.
#[derive(Debug)]
pub(super) struct Reserved(OwnedSemaphorePermit);

/// One connection's place, from accept until nobody uses the socket any more.
#[derive(Debug)]
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    /// Among those of the client's address.
    claim: Option<Claim>,
    counters: [Arc<AtomicUsize>; 2],
    cut: Arc<AtomicUsize>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Connections that were still open at the hard deadline and were cut.
    pub cut: usize,
}

impl Slots {
    /// `all` places; `open` counts the taken ones of the whole server.
    pub(super) fn new(all: u32, open: Arc<AtomicUsize>) -> Self {
        let free = Arc::new(Semaphore::new(all as usize));
        let taken = Arc::default();
        Self {
            free,
            all,
            taken,
            open,
            cut: Arc::default(),
        }
    }

    /// Waits for a free place and reserves it for the connection that comes next.
    pub(super) async fn reserve(&self) -> Reserved {
        let permit = self.free.clone().acquire_owned().await;
        Reserved(permit.expect("the semaphore is never closed"))
    }

    /// Gives a reserved place to a connection; from here on it counts as open.
    pub(super) fn occupy(&self, Reserved(permit): Reserved) -> Slot {
        let counters = [self.taken.clone(), self.open.clone()];
        for counter in &counters {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        Slot {
            _permit: permit,
            claim: None,
            counters,
            cut: self.cut.clone(),
        }
    }

    /// Waits until every place is free again, or the drain has cut those that are not.
    pub(super) async fn until_empty(&self, drain: &DrainSignal) -> Served {
        let mut empty = pin!(self.free.acquire_many(self.all));
        let all_ended = select! {
            biased;
            _all = &mut empty => true,
            () = drain.reached(Phase::Cut) => time::timeout(CUT_WAIT, empty).await.is_ok(),
        };
        // A handler that blocks its thread never notices; then its place is still taken.
        let deaf = if all_ended {
            0
        } else {
            self.taken.load(Ordering::Relaxed)
        };
        Served {
            cut: self.cut.load(Ordering::Relaxed) + deaf,
        }
    }
}

impl Slot {
    /// Counts the connection among those of its client until it ends.
    pub(super) fn hold(&mut self, claim: Option<Claim>) {
        self.claim = claim;
    }

    /// Reports that the connection did not end by itself.
    pub(super) fn report_cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        for counter in &self.counters {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

const CUT_WAIT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready, task::spawn};

    use super::*;
    use crate::server::Drain;

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_the_last_place() {
        let drain = Drain::new();
        let signal = drain.signal();
        let slots = Slots::new(2, Arc::default());
        let slot = slots.occupy(slots.reserve().await);
        let mut end = spawn(slots.until_empty(&signal));
        assert_pending!(end.poll());
        drop(slot);
        assert_eq!(assert_ready!(end.poll()), Served::default());
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_counts_what_does_not_notice() {
        let drain = Drain::new();
        let slots = Slots::new(5, Arc::default());
        let _held = [
            slots.occupy(slots.reserve().await),
            slots.occupy(slots.reserve().await),
        ];
        let _accepting = slots.reserve().await;
        drain.advance(Phase::Cut);
        assert_eq!(slots.until_empty(&drain.signal()).await, Served { cut: 2 });
    }

    #[tokio::test]
    async fn a_cut_is_counted_even_when_it_is_over_before_anybody_waits() {
        let drain = Drain::new();
        let slots = Slots::new(5, Arc::default());
        let slot = slots.occupy(slots.reserve().await);
        slot.report_cut();
        drop(slot);
        assert_eq!(slots.until_empty(&drain.signal()).await, Served { cut: 1 });
    }

    #[tokio::test]
    async fn a_place_that_is_given_up_while_waiting_is_not_lost() {
        let slots = Slots::new(1, Arc::default());
        let slot = slots.occupy(slots.reserve().await);
        let mut waiting = spawn(slots.reserve());
        assert_pending!(waiting.poll());
        drop(waiting);
        drop(slot);
        assert_ready!(spawn(slots.reserve()).poll());
        assert_eq!(slots.open.load(Ordering::Relaxed), 0);
    }
}
