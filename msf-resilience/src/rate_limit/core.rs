//! What the handles of one limiter share: the decisions, whoever the key is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use msf_core::{clock::Epoch, metrics::Metrics};
use tokio::time::Instant;

use super::{
    decision::{Allowed, Limited, Peeked, Refused, TooCostly},
    error::InvalidRateLimiter,
    gcra::{TICKS_PER_NANOSECOND, Ticks, moment, ticks},
    label::Label,
    level::Address,
    limits::{self, Full, LIMITS_MAX, Limit, Limits},
    memory::Memory,
    metrics::LimiterMetrics,
    seen::Seen,
    settings::Settings,
};
use crate::{
    policies::{self, Kind, Snapshot},
    stripe::Tally,
};

#[derive(Debug)]
pub(super) struct Core {
    label: &'static Label,
    epoch: Epoch,
    settings: Settings,
    memory: Memory,
    /// Whether what is allowed is counted, too; refusals are rare enough to be.
    is_counting: bool,
    allowed: Tally,
    limited: Tally,
    metrics: Option<LimiterMetrics>,
    has_warned: AtomicBool,
}

/// The limits of one call, and how many there are.
struct Terms {
    limits: [Limit; LIMITS_MAX],
    len: usize,
}

/// A charge that has been made for a time to come.
#[derive(Debug)]
pub(super) struct Queued {
    /// When it may be used.
    pub(super) ready_at: Instant,
    /// The arrival times that it left behind, by which it knows whether it is the last.
    pub(super) times: [Ticks; LIMITS_MAX],
    pub(super) seen: Seen,
}

impl Core {
    pub(super) fn new(
        label: &'static Label,
        limits: &Limits,
        max_queue: u32,
        memory: Memory,
        metrics: Option<&Metrics>,
    ) -> Result<Arc<Self>, InvalidRateLimiter> {
        let name = label.name(0);
        let handles = metrics
            .map(|metrics| LimiterMetrics::register(metrics, name))
            .transpose()?;
        let core = Arc::new(Self {
            label,
            epoch: Epoch::new(),
            settings: Settings::new(limits, max_queue),
            memory,
            is_counting: handles.is_some(),
            allowed: Tally::default(),
            limited: Tally::default(),
            metrics: handles,
            has_warned: AtomicBool::new(false),
        });
        if let Some(metrics) = metrics {
            metrics.on_scrape_of(&core, |core| {
                core.export(core.memory.keys());
            });
        }
        policies::register(&core);
        Ok(core)
    }

    fn export(&self, keys: usize) {
        if let Some(metrics) = &self.metrics {
            let counts = [self.allowed.sum(), self.limited.sum()];
            metrics.show(counts, self.memory.forgotten(), keys);
        }
    }

    pub(super) fn label(&self) -> &'static Label {
        self.label
    }

    pub(super) fn keys(&self) -> usize {
        self.memory.keys()
    }

    pub(super) fn limits(&self) -> Limits {
        let all = self.settings.all().map(|limit| limit.quota);
        let quotas = all.into_iter().take(self.settings.len());
        Limits::new(quotas).unwrap_or_else(|_| all[0].into())
    }

    pub(super) fn set_limits(&self, limits: &Limits) -> Result<(), InvalidRateLimiter> {
        limits.check()?;
        if limits.quotas().len() != self.settings.len() {
            return Err(InvalidRateLimiter::Limits(limits.quotas().len()));
        }
        self.settings.store(limits);
        Ok(())
    }

    /// Charges a request that costs 1, or refuses it.
    #[inline]
    pub(super) fn check(&self, address: Address, own: Option<Limits>) -> Result<Allowed, Limited> {
        if own.is_none() && self.settings.len() == 1 {
            return self.check_one(address, &self.settings.first(), 1);
        }
        self.check_terms(address, own, 1).map_err(Refused::of_one)
    }

    /// Charges a request, or refuses it.
    #[inline]
    pub(super) fn check_n(
        &self,
        address: Address,
        own: Option<Limits>,
        cost: u32,
    ) -> Result<Allowed, Refused> {
        if own.is_none() && self.settings.len() == 1 {
            let limit = self.settings.first();
            if cost > limit.quota.burst_size() {
                return Err(self.too_costly(0, &limit, cost).into());
            }
            return self.check_one(address, &limit, cost);
        }
        self.check_terms(address, own, cost)
    }

    /// The common case in one piece: the result is written once and where it belongs. Results are larger than what is
    /// decided, and to move one costs more than the decision.
    #[inline]
    fn check_one<E: From<Limited>>(
        &self,
        address: Address,
        limit: &Limit,
        cost: u32,
    ) -> Result<Allowed, E> {
        let now = self.now();
        let (is_allowed, ahead) = self.memory.update(address, now, |times| {
            let (is_allowed, ahead) = limit.gcra.charge(times[0], now, cost);
            times[0] = limits::settled(limit, times[0], now);
            if is_allowed {
                times[0] = now + ahead;
            }
            (is_allowed, ahead)
        });
        if is_allowed {
            self.count_allowed();
            Ok(Allowed::new(Seen::one(self.label, limit, ahead)))
        } else {
            Err(self.limited_by(limit, ahead, cost).into())
        }
    }

    #[cold]
    #[inline(never)]
    fn limited_by(&self, limit: &Limit, ahead: Ticks, cost: u32) -> Limited {
        self.limited(Seen::one(self.label, limit, ahead), cost)
    }

    #[inline(never)]
    fn check_terms(
        &self,
        address: Address,
        own: Option<Limits>,
        cost: u32,
    ) -> Result<Allowed, Refused> {
        let terms = self.terms(own);
        self.check_all(address, terms.as_slice(), cost)
    }

    fn check_all(&self, address: Address, terms: &[Limit], cost: u32) -> Result<Allowed, Refused> {
        self.check_cost(terms, cost)?;
        let now = self.now();
        let mut ahead = [0; LIMITS_MAX];
        let is_allowed = self.memory.update(address, now, |times| {
            let is_allowed = limits::charge(terms, times, now, cost);
            write_ahead(&mut ahead, terms, times, now);
            is_allowed
        });
        let seen = Seen::new(self.label, terms, &ahead[..terms.len()]);
        if is_allowed {
            self.count_allowed();
            Ok(Allowed::new(seen))
        } else {
            Err(self.limited(seen, cost).into())
        }
    }

    #[inline]
    fn count_allowed(&self) {
        if self.is_counting {
            self.allowed.add(1);
        }
    }

    #[inline]
    fn limited(&self, seen: Seen, cost: u32) -> Limited {
        self.limited.add(1);
        Limited::new(seen, cost)
    }

    #[cold]
    fn too_costly(&self, place: usize, limit: &Limit, cost: u32) -> TooCostly {
        self.limited.add(1);
        TooCostly::new(self.label.name(place), cost, limit.quota.burst_size())
    }

    pub(super) fn peek(&self, address: Address, own: Option<Limits>) -> Peeked {
        let terms = self.terms(own);
        let terms = terms.as_slice();
        let now = self.now();
        let mut ahead = [0; LIMITS_MAX];
        self.memory.update(address, now, |times| {
            limits::settle(terms, times, now);
            write_ahead(&mut ahead, terms, times, now);
        });
        Peeked::new(Seen::new(self.label, terms, &ahead[..terms.len()]))
    }

    pub(super) fn refund(&self, address: Address, own: Option<Limits>, cost: u32) {
        let terms = self.terms(own);
        let now = self.now();
        self.memory.update(address, now, |times| {
            limits::refund(terms.as_slice(), times, now, cost);
        });
        self.memory.may_be_idle(now);
    }

    /// Charges a request that may wait so long.
    pub(super) fn queue(
        &self,
        address: Address,
        own: Option<Limits>,
        cost: u32,
        max_wait: Duration,
    ) -> Result<Queued, Refused> {
        let terms = self.terms(own);
        let terms = terms.as_slice();
        self.check_cost(terms, cost)?;
        let (now, max_wait) = (self.now(), ticks(max_wait));
        let mut ahead = [0; LIMITS_MAX];
        let mut left = [0; LIMITS_MAX];
        let queued = self.memory.update(address, now, |times| {
            let queued = limits::queue(terms, times, now, cost, max_wait);
            write_ahead(&mut ahead, terms, times, now);
            left[..terms.len()].copy_from_slice(times);
            queued
        });
        let seen = Seen::new(self.label, terms, &ahead[..terms.len()]);
        match queued {
            Ok(wait) => {
                self.count_allowed();
                let ready_ns = (now + wait).div_ceil(TICKS_PER_NANOSECOND);
                Ok(Queued {
                    ready_at: self.epoch.instant(ready_ns),
                    times: left,
                    seen,
                })
            }
            Err(full) => {
                let limited = self.limited(seen, cost);
                Err(match full {
                    Full::Wait => limited.into(),
                    Full::Queue => Refused::QueueFull(limited),
                })
            }
        }
    }

    /// Gives back what was queued, if nothing was charged after it.
    pub(super) fn give_back(
        &self,
        address: Address,
        own: Option<Limits>,
        cost: u32,
        left: &[Ticks; LIMITS_MAX],
    ) -> bool {
        let terms = self.terms(own);
        let terms = terms.as_slice();
        let now = self.now();
        let is_last = self.memory.update(address, now, |times| {
            let is_last = times.iter().eq(&left[..terms.len()]);
            if is_last {
                limits::refund(terms, times, now, cost);
            }
            is_last
        });
        self.memory.may_be_idle(now);
        is_last
    }

    fn terms(&self, own: Option<Limits>) -> Terms {
        let len = self.settings.len();
        let Some(own) = own else {
            let limits = self.settings.all();
            return Terms { limits, len };
        };
        if own.quotas().len() != len || own.check().is_err() {
            if !self.has_warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    limiter = self.label.name(0),
                    quota = ?own.quotas(),
                    "a key's own quota cannot work; it has the common one instead"
                );
            }
            let limits = self.settings.all();
            return Terms { limits, len };
        }
        let max_queue = self.settings.max_queue();
        let quotas = own.quotas();
        let limits = std::array::from_fn(|place| Limit::new(quotas[place % len], max_queue));
        Terms { limits, len }
    }

    fn check_cost(&self, terms: &[Limit], cost: u32) -> Result<(), TooCostly> {
        let above = terms
            .iter()
            .position(|limit| cost > limit.quota.burst_size());
        above.map_or(Ok(()), |place| {
            Err(self.too_costly(place, &terms[place], cost))
        })
    }

    #[inline]
    fn now(&self) -> Ticks {
        moment(self.epoch.nanos())
    }
}

impl Terms {
    fn as_slice(&self) -> &[Limit] {
        &self.limits[..self.len]
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // What was counted since the last scrape, and no key any more.
        self.export(0);
    }
}

impl policies::Policy for Core {
    fn snapshot(&self) -> Snapshot {
        let quota = self.settings.first().quota;
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let [limited, keys, forgotten] = [
            self.limited.sum() as f64,
            self.keys() as f64,
            self.memory.forgotten() as f64,
        ];
        Snapshot::new(Kind::RateLimit, &self.label.name(0).into())
            .with("requests", quota.requests().into())
            .with("period_seconds", quota.period().as_secs_f64())
            .with("burst", quota.burst_size().into())
            .with("keys", keys)
            .with("limited", limited)
            .with("forgotten", forgotten)
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::RateLimit && self.label.name(0) == name
    }
}

fn write_ahead(ahead: &mut [Ticks; LIMITS_MAX], terms: &[Limit], times: &[Ticks], now: Ticks) {
    for ((ahead, limit), time) in ahead.iter_mut().zip(terms).zip(times) {
        *ahead = limit.gcra.ahead(*time, now);
    }
}
