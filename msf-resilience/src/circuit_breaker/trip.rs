//! What opens a circuit.

use std::time::Duration;

/// What opens a closed circuit: a rate of failures, a rate of slow calls, failures in a row, or several of them.
///
/// ```
/// use std::time::Duration;
/// use msf_core::classify::Classification;
/// use msf_resilience::circuit_breaker::{CircuitBreaker, State, Trip};
///
/// let trip = Trip::consecutive(3).or(Trip::slow(0.8, Duration::from_secs(2)));
/// let breaker = CircuitBreaker::builder("inventory").trip(trip).build()?;
/// for _ in 0..3 {
///     assert_eq!(breaker.state(), State::Closed);
///     breaker.try_acquire()?.complete(&Classification::FAILURE);
/// }
/// assert_eq!(breaker.state(), State::Open);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Trip {
    pub(super) failure_rate: Option<f64>,
    pub(super) slow: Option<(f64, Duration)>,
    pub(super) consecutive: Option<u32>,
}

impl Trip {
    const NEVER: Self = Self {
        failure_rate: None,
        slow: None,
        consecutive: None,
    };

    /// Opens when this share of the window's calls failed, 0.0001 to 1.
    pub const fn rate(failures: f64) -> Self {
        Self {
            failure_rate: Some(failures),
            ..Self::NEVER
        }
    }

    /// Opens when this share of the window's calls, 0.0001 to 1, took so long or longer (1 ms to a day).
    ///
    /// A slow call counts whether it succeeded or failed; a slow probe of a half-open circuit has failed.
    /// Thresholds from 100 ms on are measured to 10 ms.
    pub const fn slow(share: f64, threshold: Duration) -> Self {
        Self {
            slow: Some((share, threshold)),
            ..Self::NEVER
        }
    }

    /// Opens when so many calls in a row failed, 1 to 10 000. It needs no window and no minimum of calls.
    ///
    /// Alone it is the cheapest rule: a success reads two words and no clock.
    pub const fn consecutive(failures: u32) -> Self {
        Self {
            consecutive: Some(failures),
            ..Self::NEVER
        }
    }

    /// Opens when either rule says so; what `other` sets replaces the same rule of `self`.
    pub const fn or(self, other: Self) -> Self {
        const fn later<T: Copy>(first: Option<T>, second: Option<T>) -> Option<T> {
            if second.is_some() { second } else { first }
        }
        Self {
            failure_rate: later(self.failure_rate, other.failure_rate),
            slow: later(self.slow, other.slow),
            consecutive: later(self.consecutive, other.consecutive),
        }
    }
}

impl Default for Trip {
    /// Half of the calls.
    fn default() -> Self {
        Self::rate(0.5)
    }
}
