//! The checked numbers of a breaker. All times are nanoseconds.

/// What [`CircuitBreakerBuilder::build`](super::CircuitBreakerBuilder::build) has checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Failures per 10 000 calls from which on the circuit opens; 1 to 10 000.
    pub(super) failure_rate: u64,
    pub(super) min_calls: u64,
    /// Length of one bucket of the window; never 0.
    pub(super) bucket_ns: u64,
    /// The first open wait; never 0.
    pub(super) open_for_ns: u64,
    pub(super) open_max_ns: u64,
    /// By how many ten-thousandths of itself an open wait may be shortened.
    pub(super) jitter: u64,
    pub(super) half_open_permits: u32,
    pub(super) half_open_max_wait_ns: u64,
}

impl Settings {
    /// Whether so many failures among so many calls are too many. Integers, so that "half" is half.
    pub(super) const fn is_too_many(&self, failed: u64, total: u64) -> bool {
        failed.saturating_mul(PARTS) >= self.failure_rate.saturating_mul(total)
    }
}

/// The parts that a rate is counted in.
pub(super) const PARTS: u64 = 10_000;
