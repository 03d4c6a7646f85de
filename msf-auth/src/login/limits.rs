//! How often is too often.

use std::time::Duration;

use msf_core::metrics::MetricsError;
use thiserror::Error;

/// Settings of a [`LoginLimiter`](super::LoginLimiter).
///
/// ```
/// use msf_auth::login::LoginLimits;
///
/// let limits = LoginLimits { failures_free: 3, ..LoginLimits::default() };
/// assert_eq!(limits.delay_max.as_secs(), 15 * 60);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is written down with `..default()`"
)]
pub struct LoginLimits {
    /// Failures for an account, from one device or network, before there is a delay; default 5, so that who mistypes does
    /// not notice.
    pub failures_free: u32,
    /// Failures for an account, from all devices together that have not logged in before, until there is a delay; default
    /// 20, which four networks reach.
    pub failures_free_everywhere: u32,
    /// The first delay; each further failure doubles it. Default 1 s.
    pub delay_first: Duration,
    /// The longest delay; default and maximum 15 min. A guess each 15 minutes is 35 000 a year, and a password that
    /// is no common one takes more.
    pub delay_max: Duration,
    /// After how long without a failure an account's are forgotten; default 24 h. Shorter is of more use to who guesses
    /// than to who forgot.
    pub forget_after: Duration,
    /// Failures of one network at once; default 100, for an office that comes back from a holiday.
    pub network_burst: u32,
    /// How often a network may fail in the long run: once in this time. Default 6 s, which is 600 an hour.
    pub network_interval: Duration,
    /// Failures of all together at once; default 1 000. Devices that have logged in before are not held by it. It is
    /// there twice: for places that have failed [a few times](Self::failures_free) within
    /// [`forget_after`](Self::forget_after), and for those that have not, so that the first keep out none of the second.
    pub global_burst: u32,
    /// How often all together may fail in the long run: once in this time. Default 100 ms, which is what a core or two can
    /// hash anyway.
    pub global_interval: Duration,
    /// Counters for accounts; default 65 536, which take about 10 MB. See [what happens when they are
    /// full](super#memory).
    pub accounts_max: usize,
    /// Counters for networks, and as many for places; default 16 384. Who fails from more of them than that is forgotten
    /// in part, and can then keep everybody's new devices waiting.
    pub networks_max: usize,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self {
            failures_free: 5,
            failures_free_everywhere: 20,
            delay_first: Duration::from_secs(1),
            delay_max: DELAY_MAX,
            forget_after: Duration::from_secs(24 * 60 * 60),
            network_burst: 100,
            network_interval: Duration::from_secs(6),
            global_burst: 1_000,
            global_interval: Duration::from_millis(100),
            accounts_max: 65_536,
            networks_max: 16_384,
        }
    }
}

/// Settings that let nobody in, or keep somebody out.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidLoginLimits {
    /// A number is zero.
    #[error("`{field}` must be at least 1")]
    Zero {
        /// Which.
        field: &'static str,
    },
    /// The delays are in the wrong order, or too long.
    #[error("`delay_first` is at least 1 ms, `delay_max` at least that and at most 15 min")]
    Delay,
    /// Failures would be forgotten before their delay ends.
    #[error("`forget_after` is at least twice `delay_max`, and at most 30 days")]
    Forget,
    /// An interval is out of range.
    #[error("`{field}` is 1 ms to 1 h")]
    Interval {
        /// Which.
        field: &'static str,
    },
    /// More counters than memory is meant for.
    #[error("`{field}` is at most 16 777 216")]
    Counters {
        /// Which.
        field: &'static str,
    },
    /// The system has no randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl LoginLimits {
    pub(super) fn check(&self) -> Result<(), InvalidLoginLimits> {
        let numbers = [
            ("failures_free", u64::from(self.failures_free)),
            (
                "failures_free_everywhere",
                u64::from(self.failures_free_everywhere),
            ),
            ("network_burst", u64::from(self.network_burst)),
            ("global_burst", u64::from(self.global_burst)),
            ("accounts_max", self.accounts_max as u64),
            ("networks_max", self.networks_max as u64),
        ];
        for (field, number) in numbers {
            if number == 0 {
                return Err(InvalidLoginLimits::Zero { field });
            }
        }
        for (field, number) in [
            ("accounts_max", self.accounts_max),
            ("networks_max", self.networks_max),
        ] {
            if number > COUNTERS_MAX {
                return Err(InvalidLoginLimits::Counters { field });
            }
        }
        let delays = Duration::from_millis(1)..=DELAY_MAX;
        if !delays.contains(&self.delay_first)
            || !(self.delay_first..=DELAY_MAX).contains(&self.delay_max)
        {
            return Err(InvalidLoginLimits::Delay);
        }
        if !(self.delay_max * 2..=FORGET_MAX).contains(&self.forget_after) {
            return Err(InvalidLoginLimits::Forget);
        }
        for (field, interval) in [
            ("network_interval", self.network_interval),
            ("global_interval", self.global_interval),
        ] {
            if !(Duration::from_millis(1)..=INTERVAL_MAX).contains(&interval) {
                return Err(InvalidLoginLimits::Interval { field });
            }
        }
        Ok(())
    }
}

/// Who guesses for an account can keep its owner's new devices waiting, and nothing may do that for longer.
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
const FORGET_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const INTERVAL_MAX: Duration = Duration::from_secs(60 * 60);
const COUNTERS_MAX: usize = 1 << 24;
