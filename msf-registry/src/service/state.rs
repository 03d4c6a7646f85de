//! The state of one watched service, shared by picks and by the driver that watches.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use msf_core::{
    clock::{Epoch, QuickEpoch},
    name::ServiceName,
};
use tokio::{sync::watch, time::Instant};

use super::{
    build::Builder,
    context::PickContext,
    draw::Draw,
    error::{NoEndpoints, NoEndpointsReason},
    freshness::Freshness,
    outcome::Outcome,
    overlay::Overlay,
    picked::{Picked, is_probe},
    slot,
    sweep::Sweeper,
    table::Table,
};
use crate::{
    balance::LoadBalancing,
    metrics::Picks,
    model::{Authority, Cursor, Snapshot},
    outlier::Ejections,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct State {
    table: ArcSwap<Table>,
    builder: Builder,
    coarse: Epoch,
    /// One for each thread that is numbered low enough, and one for all others.
    lanes: Box<[Lane]>,
    picks: Picks,
    /// What of the lanes is in the metrics already.
    told: Mutex<[u64; Outcome::ALL.len()]>,
    service: ServiceName,
    confirmed: Mutex<Option<Instant>>,
    /// Held while a table is replaced: the driver and the checks from this side both do.
    overlay: Mutex<Overlay>,
    /// Whether the registry answers; only the driver writes it.
    freshness: Mutex<Freshness>,
    pub(super) sweeper: Sweeper,
    changed: watch::Sender<()>,
}

/// What the threads of one number write at every pick, on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Lane {
    /// Counts the picks and gives the turns of round robin.
    turn: AtomicU64,
    start: u64,
    /// Picks that were not [`Outcome::Ok`], at the place of their outcome.
    others: [AtomicU64; Outcome::ALL.len()],
}

impl State {
    pub(crate) fn new(service: ServiceName, rules: LoadBalancing, picks: Picks) -> Self {
        let nobody = Snapshot::new(service.clone(), Cursor::new(0, 0), Authority::Partial, []);
        let sweeper = Sweeper::new(&rules);
        Self {
            table: ArcSwap::from_pointee(Table::unknown(nobody)),
            builder: Builder {
                rules,
                clock: QuickEpoch::new(),
                signal: sweeper.signal().clone(),
                stripes: slot::stripes(),
            },
            coarse: Epoch::new(),
            lanes: (0..=slot::stripes()).map(|_| Lane::new()).collect(),
            picks,
            told: Mutex::default(),
            service,
            confirmed: Mutex::new(None),
            overlay: Mutex::default(),
            freshness: Mutex::new(Freshness::Unknown),
            sweeper,
            changed: watch::Sender::new(()),
        }
    }

    /// Counts ejections from now on.
    pub(crate) fn ejections(mut self, ejections: Ejections) -> Self {
        self.sweeper.set_ejections(ejections);
        self
    }

    #[inline]
    pub(crate) fn pick(&self, context: &PickContext<'_>) -> Result<Picked, NoEndpoints> {
        let table = self.table.load();
        let number = slot::number();
        let (lane, turn) = self.turn(number);
        let Some((seat, started)) = self.draw(&table, context, number, turn, true).draw() else {
            lane.count(Outcome::None);
            return Err(self.nobody(&table, !context.tried.is_empty()));
        };
        if !table.is_plain || !context.tried.is_empty() || is_probe(started) {
            lane.count(if is_probe(started) {
                Outcome::Probe
            } else {
                table.seats[seat].outcome
            });
        }
        Ok(Picked::new(table.stripe(seat, number), started))
    }

    /// What a pick from this table would give, which counts as none: the pool and the seat.
    pub(crate) fn would_pick(
        &self,
        table: &Table,
        context: &PickContext<'_>,
    ) -> Option<(usize, usize)> {
        let number = slot::number();
        let lane = &self.lanes[number.min(self.lanes.len() - 1)];
        let turn = lane.turn.load(Ordering::Relaxed);
        self.draw(table, context, number, turn, false).explained()
    }

    /// Takes the next turn of the thread of this number.
    #[inline(always)]
    fn turn(&self, number: usize) -> (&Lane, u64) {
        let shared = self.lanes.len() - 1;
        if number < shared {
            // No other living thread has the number, and so nobody else writes to the lane: what is read is what is
            // replaced, without the cost of an atomic addition. The number goes from thread to thread under a lock.
            let lane = &self.lanes[number];
            let turn = lane.turn.load(Ordering::Relaxed);
            lane.turn.store(turn + 1, Ordering::Relaxed);
            (lane, turn)
        } else {
            let lane = &self.lanes[shared];
            (lane, lane.turn.fetch_add(1, Ordering::Relaxed))
        }
    }

    #[inline(always)]
    fn draw<'a>(
        &'a self,
        table: &'a Table,
        context: &'a PickContext<'a>,
        number: usize,
        turn: u64,
        is_real: bool,
    ) -> Draw<'a> {
        Draw {
            table,
            rules: &self.builder.rules,
            clock: &self.builder.clock,
            coarse: &self.coarse,
            context,
            number,
            turn,
            is_real,
        }
    }

    #[cold]
    fn nobody(&self, table: &Table, is_excluding: bool) -> NoEndpoints {
        let reason = if !table.is_known {
            NoEndpointsReason::NotYetKnown
        } else if table.snapshot.instances().is_empty() {
            NoEndpointsReason::NoneRegistered
        } else if is_excluding && !table.pools.is_empty() {
            NoEndpointsReason::AllExcluded
        } else {
            NoEndpointsReason::NoneAvailable
        };
        NoEndpoints {
            service: self.service.clone(),
            reason,
        }
    }

    /// Brings the metrics up to date. Picks do not touch them: they are shared by all cores.
    pub(crate) fn tell_picks(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = [0_u64; Outcome::ALL.len()];
        for lane in &self.lanes {
            // First those that are part of all, so that the difference is never negative.
            let others = lane.others.iter().map(|n| n.load(Ordering::Relaxed));
            now.iter_mut().zip(others).for_each(|(sum, n)| *sum += n);
        }
        let others: u64 = now.iter().sum();
        let turns = self.lanes.iter().map(Lane::picks);
        // A pick that was counted and had not yet come to something else is taken for a good one, and makes up for one
        // later.
        let ok = Outcome::Ok as usize;
        now[ok] = turns.sum::<u64>().saturating_sub(others).max(told[ok]);
        for ((now, told), counter) in now.into_iter().zip(&mut *told).zip(&self.picks.0) {
            counter.inc_by(now - *told);
            *told = now;
        }
    }

    /// A number that each pick makes another one.
    #[cfg(feature = "health")]
    pub(crate) fn activity(&self) -> u64 {
        let turns = self
            .lanes
            .iter()
            .map(|lane| lane.turn.load(Ordering::Relaxed));
        turns.fold(0, u64::wrapping_add)
    }

    /// An active check of an instance passed: if calls had it ejected, one may find out at once.
    #[cfg(feature = "health")]
    pub(crate) fn vouch(&self, is_passing: impl Fn(&crate::model::Instance) -> bool) {
        let table = self.table.load();
        let seats = table.seats.iter().zip(&table.instances);
        seats
            .filter(|(seat, instance)| !seat.host.outlier.is_open() && is_passing(instance))
            .for_each(|(seat, _)| seat.host.outlier.vouch());
    }

    /// Waits until a pick would succeed.
    pub(crate) async fn ready(&self, wait: Duration) -> Result<(), NoEndpoints> {
        let mut changed = self.changed.subscribe();
        let has_any = async {
            loop {
                changed.borrow_and_update();
                if !self.table.load().pools.is_empty() {
                    return;
                }
                if changed.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        tokio::time::timeout(wait, has_any)
            .await
            .map_err(|_elapsed| self.nobody(&self.table.load(), false))
    }

    /// Puts a snapshot in the place of the last. Only the driver calls it, so updates are in order.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.overlaid(|overlay| Some(overlay.list(snapshot)));
    }

    /// Changes what checks from this side say; what they said before survives every
    /// [`publish`](Self::publish). Whether that is news.
    pub(crate) fn overlaid(&self, change: impl FnOnce(&mut Overlay) -> Option<Snapshot>) -> bool {
        let mut overlay = self.overlay.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut overlay)
            .map(|snapshot| self.replace(Arc::new(snapshot)))
            .is_some()
    }

    /// Makes the table anew from the same list, because what is known about its instances has changed.
    pub(crate) fn replan(&self) {
        let _in_order = self.overlay.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.snapshot();
        self.replace(snapshot);
    }

    /// Lets picks look at ejections from now on, until the table is made anew.
    pub(crate) fn heed_ejections(&self) {
        self.table.load().heed_ejections();
    }

    /// With the overlay held, so that replacements are in order.
    fn replace(&self, snapshot: Arc<Snapshot>) {
        let next = Arc::new(self.builder.next(&self.table.load(), snapshot));
        self.table.store(Arc::clone(&next));
        next.heed_ejections();
        self.changed.send_replace(());
    }

    /// Notes that the registry vouches for the list now.
    pub(crate) fn confirm(&self, now: Instant) {
        *self.confirmed() = Some(now);
    }

    /// How long ago the registry vouched for the list; `None` before its first answer.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.confirmed()
            .map(|confirmed| now.saturating_duration_since(confirmed))
    }

    /// When the registry last vouched for the list.
    pub(crate) fn confirmed_at(&self) -> Option<Instant> {
        *self.confirmed()
    }

    /// How current the list is.
    pub(crate) fn freshness(&self) -> Freshness {
        *self
            .freshness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how current the list is. Only the driver calls it.
    pub(crate) fn set_freshness(&self, freshness: Freshness) {
        *self
            .freshness
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = freshness;
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.table.load().snapshot)
    }

    pub(crate) const fn service(&self) -> &ServiceName {
        &self.service
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    pub(crate) const fn rules(&self) -> &LoadBalancing {
        &self.builder.rules
    }

    /// What the times of the estimates count by.
    pub(crate) const fn clock(&self) -> &QuickEpoch {
        &self.builder.clock
    }

    fn confirmed(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.confirmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn new() -> Self {
        // Neither processes nor threads that start together must all begin with the same instance.
        let start = fastrand::u64(..1 << 20);
        Self {
            turn: AtomicU64::new(start),
            start,
            others: Default::default(),
        }
    }

    fn picks(&self) -> u64 {
        self.turn.load(Ordering::Relaxed).wrapping_sub(self.start)
    }

    #[cold]
    fn count(&self, outcome: Outcome) {
        if outcome != Outcome::Ok {
            self.others[outcome as usize].fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.tell_picks();
        self.sweeper.forget();
    }
}
