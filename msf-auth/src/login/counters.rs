//! Failures of accounts, and the delays that follow.

use super::{LoginLimits, bounded::Bounded, ledger::millis};

/// Counts failures by key.
#[derive(Debug)]
pub(super) struct Counters {
    counters: Bounded<Counter>,
    delay_first_ms: u64,
    delay_max_ms: u64,
    forget_ms: u64,
    next_serial: u64,
    swept_ms: u64,
}

/// Ordered by how much it matters: more failures, then the later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Counter {
    failures: u32,
    last_ms: u64,
    /// Tells a counter from the one that had its key before.
    serial: u64,
}

/// A failure that was counted, to be taken back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    key: u64,
    serial: u64,
    /// Whether it made the delay the longest there is.
    pub(super) locks: bool,
}

impl Counters {
    pub(super) fn new(limits: &LoginLimits, counters_max: usize) -> Self {
        Self {
            counters: Bounded::new(counters_max),
            delay_first_ms: millis(limits.delay_first),
            delay_max_ms: millis(limits.delay_max),
            forget_ms: millis(limits.forget_after),
            next_serial: 0,
            swept_ms: 0,
        }
    }

    /// How long the key has to wait; 0 when it may go on.
    pub(super) fn wait_ms(&self, key: u64, free: u32, now_ms: u64) -> u64 {
        let Some(counter) = self.known(key, now_ms) else {
            return 0;
        };
        let end_ms = counter.last_ms + self.delay_ms(counter.failures, free);
        end_ms.saturating_sub(now_ms)
    }

    /// How often the key has failed, as far as that is not forgotten.
    pub(super) fn failures(&self, key: u64, now_ms: u64) -> u32 {
        self.known(key, now_ms)
            .map_or(0, |counter| counter.failures)
    }

    /// Counts a failure.
    pub(super) fn charge(&mut self, key: u64, free: u32, now_ms: u64) -> Charge {
        let counter = match self.known(key, now_ms) {
            Some(counter) => Counter {
                failures: counter.failures.saturating_add(1),
                last_ms: counter.last_ms.max(now_ms),
                ..counter
            },
            None => {
                self.sweep(now_ms);
                self.next_serial += 1;
                Counter {
                    failures: 1,
                    last_ms: now_ms,
                    serial: self.next_serial,
                }
            }
        };
        self.counters.insert(key, counter);
        let delay = |failures| self.delay_ms(failures, free);
        let is_longest = |failures| delay(failures) == self.delay_max_ms;
        Charge {
            key,
            serial: counter.serial,
            locks: is_longest(counter.failures) && !is_longest(counter.failures - 1),
        }
    }

    /// Takes a failure back that was none. The delay of those before it begins anew.
    pub(super) fn refund(&mut self, charge: Charge) {
        let Some(counter) = self.of(charge) else {
            return;
        };
        let failures = counter.failures - 1;
        if failures == 0 {
            self.counters.remove(charge.key);
        } else {
            let counter = Counter {
                failures,
                ..counter
            };
            self.counters.insert(charge.key, counter);
        }
    }

    /// Forgets all failures that the key had with this one.
    pub(super) fn reset(&mut self, charge: Charge) {
        if self.of(charge).is_some() {
            self.counters.remove(charge.key);
        }
    }

    fn of(&self, charge: Charge) -> Option<Counter> {
        let counter = self.counters.get(charge.key);
        counter.filter(|counter| counter.serial == charge.serial)
    }

    fn known(&self, key: u64, now_ms: u64) -> Option<Counter> {
        let counter = self.counters.get(key);
        counter.filter(|counter| !self.is_over(*counter, now_ms))
    }

    const fn is_over(&self, counter: Counter, now_ms: u64) -> bool {
        now_ms >= counter.last_ms + self.forget_ms
    }

    /// Makes room, at most once a minute since it looks at all of them.
    fn sweep(&mut self, now_ms: u64) {
        if self.counters.is_full() && now_ms >= self.swept_ms + SWEEP_MS {
            self.swept_ms = now_ms;
            let forget_ms = self.forget_ms;
            let is_over = |counter: Counter| now_ms >= counter.last_ms + forget_ms;
            self.counters.retain(|counter| !is_over(counter));
        }
    }

    fn delay_ms(&self, failures: u32, free: u32) -> u64 {
        match failures.checked_sub(free) {
            None => 0,
            // More doublings than that are above any maximum.
            Some(doublings) => (self.delay_first_ms << doublings.min(30)).min(self.delay_max_ms),
        }
    }
}

const SWEEP_MS: u64 = 60_000;
