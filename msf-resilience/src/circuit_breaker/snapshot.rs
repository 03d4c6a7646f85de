//! What a breaker is doing now.

use std::time::Duration;

use super::state::State;

/// What a breaker is doing now; see [`CircuitBreaker::snapshot`](super::CircuitBreaker::snapshot).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// For how long it has been in this state.
    pub state_for: Duration,
    /// For how long calls are refused, if they are. An operator's order has no end: then it is a guess.
    pub retry_after: Option<Duration>,
    /// Openings since the last full recovery; the open wait grows with them.
    pub openings: u32,
    /// Successes in the window; 0 without a window.
    pub succeeded: u64,
    /// Failures in the window.
    pub failed: u64,
    /// Slow calls in the window, successes and failures, if calls are timed.
    pub slow: u64,
    /// Cancelled calls in the window.
    pub cancelled: u64,
    /// Failures in a row, if they are counted.
    pub consecutive_failures: u64,
}

impl Snapshot {
    /// Successes and failures in the window.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.succeeded + self.failed
    }

    /// The share of failures among the calls in the window; 0 when it is empty.
    #[must_use]
    pub fn failure_rate(&self) -> f64 {
        rate(self.failed, self.calls())
    }

    /// The share of slow calls in the window; 0 when it is empty.
    #[must_use]
    pub fn slow_rate(&self) -> f64 {
        rate(self.slow, self.calls())
    }
}

fn rate(part: u64, total: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = part as f64 / total.max(1) as f64;
    rate
}
