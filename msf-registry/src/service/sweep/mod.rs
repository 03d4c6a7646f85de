//! Ejecting instances and taking them back, from time to time.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{
    state::State,
    table::{Seat, Table},
};
use crate::{
    balance::LoadBalancing,
    outlier::{Change, Detector, Ejections, Signal, Watched},
};

/// What ejects the instances of a service.
#[derive(Debug)]
pub(super) struct Sweeper {
    signal: Signal,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Absent where no instance is ever ejected.
    detector: Option<Detector>,
    ejections: Ejections,
    swept_at: Option<Instant>,
    /// When the table is to be made anew for what has changed.
    replan_at: Option<Instant>,
}

impl Sweeper {
    pub(super) fn new(rules: &LoadBalancing) -> Self {
        let detector = rules.outliers.map(Detector::new);
        let signal = detector
            .as_ref()
            .map_or_else(Signal::never, |detector| detector.signal().clone());
        Self {
            signal,
            inner: Mutex::new(Inner {
                detector,
                ejections: Ejections::noop(),
                swept_at: None,
                replan_at: None,
            }),
        }
    }

    /// What the cells of the service wake the sweep by.
    pub(super) const fn signal(&self) -> &Signal {
        &self.signal
    }

    pub(super) fn set_ejections(&mut self, ejections: Ejections) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        inner.ejections = ejections;
    }

    /// Nobody is left alone any more by a service that nobody calls.
    pub(super) fn forget(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        inner.ejections.set_ejected(0);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ejects and takes back instances by what their calls told. To be called when [`suspected`](Self::suspected)
    /// returns, after every [`publish`](Self::publish), and at the moment that it gives; `None` while there is
    /// nothing to watch.
    ///
    /// Picks heed it at once; the table is made anew a little later, so that many changes cost one table.
    pub(crate) fn sweep(&self, now: Instant) -> Option<Instant> {
        let mut inner = self.sweeper.inner();
        let inner = &mut *inner;
        let table = self.table();
        let detector = inner.detector.as_mut()?;
        let watched: Vec<Watched<'_>> = (0..)
            .zip(&table.seats)
            .map(|(place, seat)| watched(&table, place, seat))
            .collect();
        let swept = detector.sweep(&watched, now);
        inner.swept_at = Some(now);
        inner.ejections.set_ejected(swept.ejected);
        if !swept.changes.is_empty() {
            self.heed_ejections();
            inner.replan_at.get_or_insert(now + REPLAN_AFTER);
        }
        for (place, change) in &swept.changes {
            self.tell(&table, *place, *change, &inner.ejections);
        }
        if inner.replan_at.take_if(|at| *at <= now).is_some() {
            self.replan();
        }
        swept.next.into_iter().chain(inner.replan_at).min()
    }

    /// Waits until a call told something that a sweep should look at, and the last one is some milliseconds ago.
    /// Dropping it loses nothing.
    pub(crate) async fn suspected(&self) {
        let last = self.sweeper.inner().swept_at;
        if let Some(last) = last {
            // First the pause and then the signal: who stops waiting during the pause has not taken the signal.
            sleep_until(last + SWEEP_EVERY).await;
        }
        self.sweeper.signal().given().await;
    }

    fn tell(&self, table: &Table, place: usize, change: Change, ejections: &Ejections) {
        let (service, id) = (self.service(), &table.instances[place].id);
        match change {
            Change::Eject(reason) => {
                ejections.count(reason);
                tracing::warn!(%service, %id, reason = reason.as_str(), "instance ejected");
            }
            Change::Probe => {
                // What calls cost before they failed says nothing any more, nor what they cost since.
                table.seats[place].host.cost.forget();
                tracing::debug!(%service, %id, "one call finds out whether the instance works again");
            }
            Change::TakeBack => {
                tracing::info!(%service, %id, "instance taken back");
            }
        }
    }
}

fn watched<'a>(table: &'a Table, place: usize, seat: &'a Seat) -> Watched<'a> {
    let stripes = table.stripes(place).iter();
    Watched {
        cell: &seat.host.outlier,
        successes: stripes.fold(0, |sum, stripe| sum.wrapping_add(stripe.successes.seen())),
        is_callable: seat.is_callable,
    }
}

/// One table for all that happens at about the same time; until it is made, picks look at each instance that they
/// draw.
const REPLAN_AFTER: Duration = Duration::from_millis(100);
/// A sweep over 10 000 instances takes about a millisecond: at most a twentieth of a core.
const SWEEP_EVERY: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests;
