//! What cancelled calls say.

/// What calls say that nobody waited for: their permit, or their future, was dropped.
///
/// ```
/// use msf_resilience::circuit_breaker::{CancelPolicy, CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder("reports").min_calls(2).cancel(CancelPolicy::AsFailure).build()?;
/// drop(breaker.try_acquire()?);
/// drop(breaker.try_acquire()?);
/// assert_eq!(breaker.state(), State::Open);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum CancelPolicy {
    /// They open the circuit when they are this share (0.0001 to 1) of the window's calls and there are `min_calls` of
    /// all kinds; otherwise they are no evidence. Default 1: every single call was given up.
    ///
    /// A hedge or a timeout around a dead callee cancels every call, so that without this rule nothing would ever
    /// fail. Without a window ([`Trip::consecutive`](super::Trip::consecutive) alone) it takes as many
    /// cancelled calls in a row as it would take failures, whatever the share.
    RateThreshold(f64),
    /// They are no evidence.
    Ignore,
    /// They are failures.
    AsFailure,
}

impl Default for CancelPolicy {
    fn default() -> Self {
        Self::RateThreshold(1.0)
    }
}
