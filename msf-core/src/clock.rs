//! Time: one monotonic clock that tests can pause, and wall time for the protocols that need it.
//!
//! Everything in msf that waits or measures takes its time from tokio's clock ([`now`]), so a test
//! under `#[tokio::test(start_paused = true)]` steps the whole framework. Wall time is for protocols
//! only (token expiry, log lines, `Date`); it comes from a [`WallClock`], which in a test is pinned to a
//! known instant and then moves with the paused clock.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use msf_core::clock::{self, WallClock};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let wall = WallClock::pinned(SystemTime::UNIX_EPOCH);
//! let start = clock::now();
//!
//! tokio::time::advance(Duration::from_secs(90)).await;
//!
//! assert_eq!(clock::now() - start, Duration::from_secs(90));
//! assert_eq!(wall.unix_seconds(), 90);
//! # }
//! ```

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The current instant of tokio's clock.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// A source of wall time: the system's, or one pinned for a test.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    pin: Option<(SystemTime, Instant)>,
}

impl WallClock {
    /// The system's clock, which may jump when it is set.
    #[must_use]
    pub const fn system() -> Self {
        Self { pin: None }
    }

    /// A clock that reads `time` now and moves with tokio's clock from here on.
    #[must_use]
    pub fn pinned(time: SystemTime) -> Self {
        Self {
            pin: Some((time, now())),
        }
    }

    /// The wall time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        match self.pin {
            None => SystemTime::now(),
            // Saturates at the pin: `SystemTime + Duration` panics where the platform's range ends.
            Some((time, since)) => time
                .checked_add(now().saturating_duration_since(since))
                .unwrap_or(time),
        }
    }

    /// Whole seconds since 1970-01-01 UTC, as tokens carry them; 0 for earlier times.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pinned_clock_moves_with_the_paused_one() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
        let clock = WallClock::pinned(noon);
        assert_eq!(clock.now(), noon);
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(clock.now(), noon + Duration::from_millis(1_500));
        assert_eq!(clock.unix_seconds(), 43_201);
    }

    #[test]
    fn a_time_before_1970_is_zero_seconds() {
        let clock = WallClock::pinned(SystemTime::UNIX_EPOCH - Duration::from_secs(5));
        assert_eq!(clock.unix_seconds(), 0);
    }

    #[test]
    fn the_system_clock_is_the_systems() {
        let before = SystemTime::now();
        assert!(WallClock::system().now() >= before);
    }
}
