//! The checked numbers of a breaker. All times are nanoseconds, all shares ten-thousandths.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::slope::{STAGES_MAX, Slope};

/// What [`CircuitBreakerBuilder::build`](super::CircuitBreakerBuilder::build) has checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Failures per 10 000 calls from which on the circuit opens; 0 without this rule.
    pub(super) failure_rate: u64,
    /// Slow calls per 10 000; 0 without this rule.
    pub(super) slow_rate: u64,
    /// From which duration on a call is slow.
    pub(super) slow_ns: u64,
    /// Failures in a row; 0 without this rule.
    pub(super) consecutive: u64,
    pub(super) min_calls: u64,
    pub(super) window: Length,
    pub(super) cancel: Cancel,
    /// Whether a cancelled call that was slow by then counts as slow.
    pub(super) counts_cancelled_slow: bool,
    /// The first open wait; never 0.
    pub(super) open_for_ns: u64,
    pub(super) open_max_ns: u64,
    /// By how many ten-thousandths of itself an open wait may be shortened.
    pub(super) jitter: u64,
    pub(super) half_open_permits: u32,
    pub(super) half_open_max_wait_ns: u64,
    pub(super) ramp: Slope,
}

/// What the window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// Length of one of its buckets; never 0.
    Time {
        bucket_ns: u64,
    },
    Calls(u64),
}

/// What cancelled calls say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancel {
    Share(u64),
    Ignore,
    Failure,
}

impl Settings {
    /// Whether so many failed probes among so many are too many.
    pub(super) const fn is_too_many(&self, failed: u64, total: u64) -> bool {
        let rate = if self.failure_rate == 0 {
            PARTS / 2
        } else {
            self.failure_rate
        };
        reaches(failed, total, rate)
    }

    const fn flags(&self) -> u64 {
        let mut flags = match self.window {
            Length::Time { .. } if self.failure_rate > 0 || self.slow_rate > 0 => TIME,
            Length::Calls(_) if self.failure_rate > 0 || self.slow_rate > 0 => CALLS,
            Length::Time { .. } | Length::Calls(_) => 0,
        };
        if self.consecutive > 0 {
            flags |= RUNS;
        }
        if self.slow_rate > 0 {
            flags |= SLOW;
            if self.counts_cancelled_slow {
                flags |= CANCELLED_SLOW;
            }
        }
        flags
    }
}

/// Whether a part of the total is such a share of it or more. Integers, so that "half" is half.
pub(super) const fn reaches(part: u64, total: u64, share: u64) -> bool {
    part.saturating_mul(PARTS) >= share.saturating_mul(total)
}

/// A share in ten-thousandths, if it is from one of them to all.
pub(super) fn share(share: f64) -> Option<u64> {
    let whole = parts(share);
    (share <= 1.0 && whole > 0).then_some(whole)
}

/// A share in ten-thousandths; NaN and what is below zero give 0.
pub(super) fn parts(share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and the callers check the range"
    )]
    let parts = (share * PARTS as f64).round() as u64;
    parts
}

/// The parts that a rate is counted in.
pub(super) const PARTS: u64 = 10_000;

/// What calls read of the settings without the lock.
///
/// Each is one word of its own. Who reads while they change may see some old and some new, for one call.
#[derive(Debug, Default)]
pub(super) struct Hot {
    flags: AtomicU64,
    pub(super) slow_ns: AtomicU64,
    pub(super) bucket_ns: AtomicU64,
    failure_rate: AtomicU64,
    slow_rate: AtomicU64,
    consecutive: AtomicU64,
    pub(super) min_calls: AtomicU64,
    pub(super) calls: AtomicU64,
    /// Above [`PARTS`]: [`Cancel::Ignore`].
    cancel: AtomicU64,
    pub(super) open_for_ns: AtomicU64,
    pub(super) half_open_permits: AtomicU64,
    shares: [AtomicU64; STAGES_MAX],
    stages: AtomicU64,
    stage_ns: AtomicU64,
}

impl Hot {
    pub(super) fn set(&self, settings: &Settings) {
        match settings.window {
            Length::Time { bucket_ns } => self.bucket_ns.store(bucket_ns, Relaxed),
            Length::Calls(calls) => self.calls.store(calls, Relaxed),
        }
        let cancel = match settings.cancel {
            Cancel::Share(share) => share,
            Cancel::Ignore => PARTS + 1,
            Cancel::Failure => PARTS + 2,
        };
        for (word, value) in [
            (&self.slow_ns, settings.slow_ns),
            (&self.failure_rate, settings.failure_rate),
            (&self.slow_rate, settings.slow_rate),
            (&self.consecutive, settings.consecutive),
            (&self.min_calls, settings.min_calls),
            (&self.cancel, cancel),
            (&self.open_for_ns, settings.open_for_ns),
            (&self.half_open_permits, settings.half_open_permits.into()),
            (&self.stages, settings.ramp.stages),
            (&self.stage_ns, settings.ramp.length_ns),
            (&self.flags, settings.flags()),
        ] {
            word.store(value, Relaxed);
        }
        for (word, share) in self.shares.iter().zip(settings.ramp.shares) {
            word.store(share, Relaxed);
        }
    }

    /// [`TIME`], [`CALLS`], [`RUNS`] and [`SLOW`].
    #[inline]
    pub(super) fn flags(&self) -> u64 {
        self.flags.load(Relaxed)
    }

    /// Of failures and of slow calls; 0 without the rule.
    pub(super) fn rates(&self) -> (u64, u64) {
        (
            self.failure_rate.load(Relaxed),
            self.slow_rate.load(Relaxed),
        )
    }

    /// Whether so many failures in a row are enough. Without the rule none are: a call may still count them while the
    /// rule is taken away.
    pub(super) fn is_run(&self, failures: u64) -> bool {
        let enough = self.consecutive.load(Relaxed);
        enough > 0 && failures >= enough
    }

    pub(super) fn cancel(&self) -> Cancel {
        match self.cancel.load(Relaxed) {
            share if share <= PARTS => Cancel::Share(share),
            share if share == PARTS + 1 => Cancel::Ignore,
            _ => Cancel::Failure,
        }
    }

    pub(super) fn ramp(&self) -> Slope {
        Slope {
            shares: std::array::from_fn(|at| self.shares[at].load(Relaxed)),
            stages: self.stages.load(Relaxed),
            length_ns: self.stage_ns.load(Relaxed),
        }
    }
}

/// Rates are taken over a window of time.
pub(super) const TIME: u64 = 1;
/// Rates are taken over a number of calls.
pub(super) const CALLS: u64 = 2;
/// Failures in a row are counted.
pub(super) const RUNS: u64 = 4;
/// Calls are timed.
pub(super) const SLOW: u64 = 8;
/// Calls that are cancelled when they are slow already count as slow.
pub(super) const CANCELLED_SLOW: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_taken_away_opens_nothing() {
        let hot = Hot::default();
        assert!(!hot.is_run(0));
        assert!(
            !hot.is_run(1),
            "a call that still counts runs meets no number"
        );
        hot.consecutive.store(2, Relaxed);
        assert!(!hot.is_run(1) && hot.is_run(2));
    }
}
