//! The state of one watched service, shared by picks and by the driver that watches.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};
use tokio::{sync::watch, time::Instant};

use super::{
    error::{NoEndpoints, NoEndpointsReason},
    freshness::Freshness,
    overlay::Overlay,
    picked::Picked,
    table::{Host, Table, millis},
};
use crate::{
    balance::{Balance, choose},
    metrics::Picks,
    model::{Authority, Cursor, Snapshot},
};

/// See the module.
#[derive(Debug)]
pub(crate) struct State {
    table: ArcSwap<Table>,
    balance: Balance,
    turn: Turn,
    picks: Picks,
    service: ServiceName,
    base: Instant,
    confirmed: Mutex<Option<Instant>>,
    /// Held while a table is replaced: the driver and the checks from this side both do.
    overlay: Mutex<Overlay>,
    /// Whether the registry answers; only the driver writes it.
    freshness: Mutex<Freshness>,
    changed: watch::Sender<()>,
}

/// On a cache line of its own: it is written by every pick, the rest almost never.
#[derive(Debug)]
#[repr(align(128))]
struct Turn(AtomicUsize);

impl State {
    pub(crate) fn new(service: ServiceName, balance: Balance, picks: Picks) -> Self {
        let nobody = Snapshot::new(service.clone(), Cursor::new(0, 0), Authority::Partial, []);
        Self {
            table: ArcSwap::from_pointee(Table::unknown(nobody)),
            balance,
            // Processes that start together must not all begin with the same instance.
            turn: Turn(AtomicUsize::new(fastrand::usize(..1 << 20))),
            picks,
            service,
            base: clock::now(),
            confirmed: Mutex::new(None),
            overlay: Mutex::default(),
            freshness: Mutex::new(Freshness::Unknown),
            changed: watch::Sender::new(()),
        }
    }

    /// Asks for the time only if the policy looks at it.
    #[inline]
    pub(crate) fn pick(&self, now: impl FnOnce() -> Instant) -> Result<Picked, NoEndpoints> {
        let table = self.table.load();
        let picked = match self.balance {
            Balance::PeakEwma => {
                let now = now();
                let eligible = table.eligible();
                let (now_ms, random) = (millis(self.base, now), || fastrand::u64(..));
                choose(eligible.len(), random, |place| {
                    eligible[place].score(now_ms)
                })
                .map(|place| Picked::new(&eligible[place], Some(now)))
            }
            // The other policies follow in commits of their own; until then they take turns.
            _ => {
                let turn = self.turn.0.fetch_add(1, Ordering::Relaxed);
                let place = table.at_turn(turn);
                place.map(|place| Picked::new(&table.endpoints[place], None))
            }
        };
        self.count(&table, picked, NoEndpointsReason::NoneRegistered)
    }

    pub(crate) fn pick_excluding(&self, excluded: &[InstanceId]) -> Result<Picked, NoEndpoints> {
        if excluded.is_empty() {
            return self.pick(clock::now);
        }
        let table = self.table.load();
        let is_allowed = |endpoint: &Arc<Host>| !excluded.contains(&endpoint.instance.id);
        let started = match self.balance {
            Balance::PeakEwma => Some(clock::now()),
            _ => None,
        };
        let turn = self.turn.0.fetch_add(1, Ordering::Relaxed);
        let now_ms = started.map(|now| millis(self.base, now));
        let place = drawn(&table, now_ms, turn, is_allowed)
            .or_else(|| scanned(&table.endpoints[..table.eligible], turn, is_allowed))
            // An unhealthy one that was not tried is better than none.
            .or_else(|| table.endpoints.iter().position(is_allowed));
        let picked = place.map(|place| Picked::new(&table.endpoints[place], started));
        self.count(&table, picked, NoEndpointsReason::AllExcluded)
    }

    #[inline]
    fn count(
        &self,
        table: &Table,
        picked: Option<Picked>,
        reason: NoEndpointsReason,
    ) -> Result<Picked, NoEndpoints> {
        let Some(picked) = picked else {
            self.picks.none.inc();
            return Err(self.nobody(table, reason));
        };
        if table.is_panic {
            self.picks.panic.inc();
        } else {
            self.picks.ok.inc();
        }
        Ok(picked)
    }

    #[cold]
    fn nobody(&self, table: &Table, reason: NoEndpointsReason) -> NoEndpoints {
        let reason = if !table.is_known {
            NoEndpointsReason::NotYetKnown
        } else if table.endpoints.is_empty() {
            NoEndpointsReason::NoneRegistered
        } else {
            reason
        };
        NoEndpoints {
            service: self.service.clone(),
            reason,
        }
    }

    /// Waits until a pick would succeed.
    pub(crate) async fn ready(&self, wait: Duration) -> Result<(), NoEndpoints> {
        let mut changed = self.changed.subscribe();
        let has_any = async {
            loop {
                changed.borrow_and_update();
                if self.table.load().eligible > 0 {
                    return;
                }
                if changed.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        tokio::time::timeout(wait, has_any)
            .await
            .map_err(|_elapsed| self.nobody(&self.table.load(), NoEndpointsReason::NoneRegistered))
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
            .map(|snapshot| self.replace(snapshot))
            .is_some()
    }

    /// With the overlay held, so that replacements are in order.
    fn replace(&self, snapshot: Snapshot) {
        let table = self.table.load_full();
        let next = table.next(Arc::new(snapshot), self.balance, self.base);
        self.table.store(Arc::new(next));
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

    #[cfg(test)]
    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    fn confirmed(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.confirmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A few draws, which find an allowed place in any list that is much longer than the exclusions.
fn drawn(
    table: &Table,
    now_ms: Option<u32>,
    turn: usize,
    is_allowed: impl Fn(&Arc<Host>) -> bool,
) -> Option<usize> {
    let eligible = table.eligible();
    (0..REDRAWS).find_map(|n| {
        let place = match now_ms {
            Some(now_ms) => choose(
                eligible.len(),
                || fastrand::u64(..),
                |place| {
                    if is_allowed(&eligible[place]) {
                        eligible[place].score(now_ms)
                    } else {
                        f32::INFINITY
                    }
                },
            ),
            None => table.at_turn(turn.wrapping_add(n)),
        };
        place.filter(|place| is_allowed(&eligible[*place]))
    })
}

/// The first allowed place from a place that differs from call to call.
fn scanned(
    eligible: &[Arc<Host>],
    turn: usize,
    is_allowed: impl Fn(&Arc<Host>) -> bool,
) -> Option<usize> {
    let len = eligible.len();
    (0..len)
        .map(|n| turn.wrapping_add(n) % len)
        .find(|place| is_allowed(&eligible[*place]))
}

const REDRAWS: usize = 3;
