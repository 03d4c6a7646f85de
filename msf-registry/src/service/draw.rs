//! How one instance is drawn from a table.

use msf_core::clock::{Epoch, QuickEpoch};

use super::{
    context::PickContext,
    host::millis,
    picked::{UNMEASURED, of_call, of_probe},
    pool::{Placed, Pool},
    table::Table,
};
use crate::{
    balance::{Balance, LoadBalancing, pair, scale},
    routing::{Ejection, Routable, Why},
};

/// One draw: everything that it goes by.
#[derive(Debug)]
pub(super) struct Draw<'a> {
    pub(super) table: &'a Table,
    pub(super) rules: &'a LoadBalancing,
    pub(super) clock: &'a QuickEpoch,
    pub(super) coarse: &'a Epoch,
    pub(super) context: &'a PickContext<'a>,
    /// Of the thread.
    pub(super) number: usize,
    pub(super) turn: u64,
    /// Whether the instance that is drawn is called. If not, no ejected one is probed.
    pub(super) is_real: bool,
}

/// What was drawn: the seat, and when a call to it began. A pair of words and no more: what is copied through memory in
/// parts costs as much as the draw.
pub(super) type Drawn = (usize, u64);

/// Whether an instance may be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admission {
    Yes,
    /// It must be: this is the one call that finds out whether it is well again.
    Probe,
    No,
}

impl Draw<'_> {
    #[inline(always)]
    pub(super) fn draw(&self) -> Option<Drawn> {
        if self.table.is_calm() && self.context.tried.is_empty() {
            self.any()
        } else {
            self.careful()
        }
    }

    /// The pool and the seat that the draw would give, one after the other.
    pub(super) fn explained(&self) -> Option<(usize, usize)> {
        if self.table.is_calm() && self.context.tried.is_empty() {
            let (place, pool) = self.pool()?;
            return self.any_of(pool).map(|(seat, _)| (place, seat));
        }
        self.carefully().map(|(place, seat, _)| (place, seat))
    }

    /// While every instance may be picked.
    #[inline(always)]
    fn any(&self) -> Option<Drawn> {
        let (_, pool) = self.pool()?;
        self.any_of(pool)
    }

    #[inline(always)]
    fn any_of(&self, pool: &Pool) -> Option<Drawn> {
        match self.rules.balance {
            Balance::PeakEwma => {
                let now = of_call(self.clock.nanos());
                let (a, b) = match self.pair(pool) {
                    (only, same) if only == same => return Some((only, now)),
                    pair => pair,
                };
                // Without a branch, which would be foreseen wrongly every other time.
                let (of_a, of_b) = (self.score(a, now), self.score(b, now));
                Some((if of_b < of_a { b } else { a }, now))
            }
            Balance::LeastRequest => {
                let (a, b) = match self.pair(pool) {
                    (only, same) if only == same => return Some((only, UNMEASURED)),
                    pair => pair,
                };
                let now = self.coarse.coarse_nanos();
                let (of_a, of_b) = (self.load(a, now), self.load(b, now));
                Some((if of_b < of_a { b } else { a }, UNMEASURED))
            }
            Balance::RoundRobin => Some((pool.at_turn(self.turn), UNMEASURED)),
            Balance::Random => Some((self.random(pool), UNMEASURED)),
            Balance::RingHash | Balance::Maglev | Balance::Rendezvous => {
                self.placed(pool).map(|seat| (seat, UNMEASURED))
            }
        }
    }

    #[inline(always)]
    fn pool(&self) -> Option<(usize, &Pool)> {
        let place = self.table.pool(|| match self.context.hash {
            // Calls that belong together stay in one pool.
            Some(hash) if self.rules.balance.is_hashing() => mixed(hash, 0),
            _ => fastrand::u32(..),
        })?;
        Some((place, &self.table.pools[place]))
    }

    #[inline(always)]
    fn pair(&self, pool: &Pool) -> (usize, usize) {
        let order = &*pool.order;
        if let [only] = order {
            return (*only as usize, *only as usize);
        }
        let (a, b) = pair(order.len(), fastrand::u64(..));
        (order[a] as usize, order[b] as usize)
    }

    #[inline(always)]
    fn random(&self, pool: &Pool) -> usize {
        let order = &*pool.order;
        order[scale(fastrand::u32(..).into(), order.len())] as usize
    }

    /// Lower is better: how long a call would take.
    #[inline(always)]
    fn score(&self, seat: usize, now: u64) -> f32 {
        let in_flight = self.table.in_flight_about(seat, self.number, now);
        let seat = &self.table.seats[seat];
        seat.host.cost.score(in_flight, seat.share, millis(now))
    }

    /// Lower is better: how many calls it carries, for what it can carry.
    #[inline(always)]
    fn load(&self, seat: usize, now: u64) -> f32 {
        let in_flight = self.table.in_flight_about(seat, self.number, now);
        in_flight as f32 * self.table.seats[seat].share
    }

    #[inline(always)]
    fn placed(&self, pool: &Pool) -> Option<usize> {
        let placed = pool.placed.as_deref()?;
        let hash = self.hash();
        let place = match self.rules.bounded_load {
            None => placed.place(hash),
            Some(factor) => self.bounded(pool, placed, hash, factor),
        };
        Some(pool.members[place?] as usize)
    }

    /// What decides about one call where not all are treated alike. A policy that has turns takes it from the turn, so
    /// that it can be explained; only one that hashes looks at the key.
    fn luck(&self) -> u64 {
        match self.rules.balance {
            Balance::RoundRobin => self.turn.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            balance if balance.is_hashing() => self.hash(),
            _ => fastrand::u64(..),
        }
    }

    /// A call without a key goes anywhere.
    #[inline(always)]
    fn hash(&self) -> u64 {
        self.context.hash.unwrap_or_else(|| fastrand::u64(..))
    }

    fn bounded(&self, pool: &Pool, placed: &Placed, hash: u64, factor: f32) -> Option<usize> {
        let now = self.coarse.coarse_nanos();
        let is_full = |place: usize| self.is_full(pool, pool.members[place] as usize, factor, now);
        let first = placed.place(hash)?;
        if !is_full(first) {
            return Some(first);
        }
        placed.find(hash, |place| !is_full(place)).or(Some(first))
    }

    fn is_full(&self, pool: &Pool, seat: usize, factor: f32, now: u64) -> bool {
        let in_flight = self.table.in_flight_about(seat, self.number, now);
        in_flight > 0 && in_flight >= pool.bound(self.table, seat, factor, now)
    }

    /// While some instance is not to be taken, or not always.
    #[cold]
    fn careful(&self) -> Option<Drawn> {
        self.carefully().map(|(_, seat, started)| (seat, started))
    }

    fn carefully(&self) -> Option<(usize, usize, u64)> {
        let now = self.clock.nanos();
        if self.table.has_slow() && now >= self.table.slow_until {
            self.table.all_started();
        }
        let hash = self.luck();
        let found = self.pool().and_then(|(place, pool)| {
            let seat = if self.rules.balance.is_hashing() {
                self.placed_carefully(pool, hash, now)
            } else {
                self.drawn_carefully(pool, hash, now)
            };
            seat.or_else(|| self.scanned(&pool.members, hash))
                .map(|(seat, admission)| (place, seat, admission))
        });
        let (pool, seat, admission) = found.or_else(|| self.elsewhere(hash))?;
        let started = match self.rules.balance {
            Balance::PeakEwma => of_call(now),
            _ => UNMEASURED,
        };
        let started = match admission {
            Admission::Probe => of_probe(started),
            Admission::Yes | Admission::No => started,
        };
        Some((pool, seat, started))
    }

    /// A few draws, which find one in any pool in which most may be taken.
    fn drawn_carefully(&self, pool: &Pool, luck: u64, now: u64) -> Option<(usize, Admission)> {
        let redraws = if self.table.has_slow() {
            REDRAWS_SLOW
        } else {
            REDRAWS
        };
        for n in 0..redraws {
            let (a, b) = match self.rules.balance {
                Balance::PeakEwma | Balance::LeastRequest => self.pair(pool),
                Balance::RoundRobin => {
                    // Not the turn after it: that one's instance would have all the calls of the one that is left out.
                    let turn = if n == 0 {
                        self.turn
                    } else {
                        mixed(luck, n).into()
                    };
                    let seat = pool.at_turn(turn);
                    (seat, seat)
                }
                _ => {
                    let seat = self.random(pool);
                    (seat, seat)
                }
            };
            let luck = luck.rotate_left(17 * u32::try_from(n).unwrap_or(0));
            let admits_a = self.admits(a, luck, now);
            if a == b || admits_a == Admission::Probe {
                if admits_a != Admission::No {
                    return Some((a, admits_a));
                }
                continue;
            }
            match (admits_a, self.admits(b, luck, now)) {
                (_, Admission::Probe) => return Some((b, Admission::Probe)),
                (Admission::No, Admission::Yes) => return Some((b, Admission::Yes)),
                (Admission::No, Admission::No) => {}
                (_, Admission::No) => return Some((a, Admission::Yes)),
                (_, Admission::Yes) => {
                    let is_better = if self.rules.balance == Balance::PeakEwma {
                        self.score(b, now) < self.score(a, now)
                    } else {
                        let now = self.coarse.coarse_nanos();
                        self.load(b, now) < self.load(a, now)
                    };
                    return Some((if is_better { b } else { a }, Admission::Yes));
                }
            }
        }
        None
    }

    /// The first that may be taken from where the hash belongs. One that is probed is asked only once it is found:
    /// a structure may ask about more than it gives.
    fn placed_carefully(&self, pool: &Pool, hash: u64, now: u64) -> Option<(usize, Admission)> {
        let placed = pool.placed.as_deref()?;
        let mut refused = [usize::MAX; REDRAWS];
        for n in 0..refused.len() {
            let coarse = self.coarse.coarse_nanos();
            let seat = placed.find(hash, |place| {
                let seat = pool.members[place] as usize;
                let bound = self.rules.bounded_load;
                !refused.contains(&seat)
                    && self.may_admit(seat, hash, now)
                    && bound.is_none_or(|factor| !self.is_full(pool, seat, factor, coarse))
            })?;
            let seat = pool.members[seat] as usize;
            let admission = self.admits(seat, hash, now);
            if admission != Admission::No {
                return Some((seat, admission));
            }
            refused[n] = seat;
        }
        None
    }

    /// The first from a place that differs from call to call, whether it has started or not.
    fn scanned(&self, members: &[u32], luck: u64) -> Option<(usize, Admission)> {
        let first = scale(mixed(luck, members.len()).into(), members.len());
        let (before, after) = members.split_at(first);
        after
            .iter()
            .chain(before)
            .map(|seat| *seat as usize)
            .filter(|seat| !self.is_tried(*seat))
            .map(|seat| (seat, self.probes_or_open(seat)))
            .find(|(_, admission)| *admission != Admission::No)
    }

    /// One that is not in the pool, or ejected, is better than none: the least bad. One that does not want to be called is
    /// not, nor is any when nobody is to be called.
    fn elsewhere(&self, luck: u64) -> Option<(usize, usize, Admission)> {
        let pools = self.table.pools.iter().enumerate();
        let other = pools
            .filter_map(|(n, pool)| {
                let (seat, admission) = self.scanned(&pool.members, luck)?;
                Some((n, seat, admission))
            })
            .next();
        if self.table.pools.is_empty() {
            return None;
        }
        other.or_else(|| {
            let len = self.table.seats.len();
            let first = scale(mixed(luck, 1).into(), len);
            let others = (first..len).chain(0..first).filter_map(|seat| {
                let of = &self.table.seats[seat];
                let badness = match of.routable {
                    Routable::No(Why::Starting | Why::OutOfService | Why::Down) => return None,
                    Routable::No(Why::Unhealthy) => 4,
                    Routable::No(Why::Ejected) => 3,
                    _ if !of.host.outlier.is_open() => 3,
                    Routable::LastResort => 2,
                    Routable::Degraded => 1,
                    Routable::Yes => 0,
                };
                (!self.is_tried(seat)).then_some((badness, seat))
            });
            let (_, seat) = others.min_by_key(|(badness, _)| *badness)?;
            Some((0, seat, Admission::Yes))
        })
    }

    fn admits(&self, seat: usize, luck: u64, now: u64) -> Admission {
        if self.is_tried(seat) {
            return Admission::No;
        }
        match self.probes_or_open(seat) {
            Admission::Yes if !self.has_started(seat, luck, now) => Admission::No,
            admission => admission,
        }
    }

    /// As [`admits`](Self::admits), without asking for the probe.
    fn may_admit(&self, seat: usize, luck: u64, now: u64) -> bool {
        !self.is_tried(seat)
            && match self.table.seats[seat].host.outlier.ejection() {
                Ejection::None => self.has_started(seat, luck, now),
                Ejection::Probing => true,
                Ejection::Ejected => false,
            }
    }

    fn probes_or_open(&self, seat: usize) -> Admission {
        let outlier = &self.table.seats[seat].host.outlier;
        if outlier.is_open() {
            Admission::Yes
        } else if self.is_real && outlier.probes() {
            Admission::Probe
        } else {
            Admission::No
        }
    }

    /// Whether it is this call's turn to go to an instance that starts slowly: the part of them that is its factor.
    fn has_started(&self, seat: usize, luck: u64, now: u64) -> bool {
        let share = self.table.share(seat, self.rules, now);
        share >= 1.0 || f64::from(mixed(luck, seat)) / f64::from(u32::MAX) < f64::from(share)
    }

    fn is_tried(&self, seat: usize) -> bool {
        let tried = self.context.tried;
        !tried.is_empty() && tried.contains(&self.table.instances[seat].id)
    }
}

/// 32 bits that look independent for each `n`: the multiplier is that of Steele's splittable generator.
#[inline]
const fn mixed(hash: u64, n: usize) -> u32 {
    let mixed =
        (hash ^ (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 32) as u32
}

const REDRAWS: usize = 3;
/// Where nearly all start slowly, at a tenth of their share, fewer draws would give them more.
const REDRAWS_SLOW: usize = 16;
