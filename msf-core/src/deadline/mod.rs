//! How much time is left for a request, across every hop.
//!
//! A timeout belongs to one call; a [`Deadline`] belongs to the request. It travels in the request's
//! extensions inside a process and in a header between processes, as *time left* and not as a point
//! in time, so that no two clocks have to agree. At every hop and every attempt it can only shrink.
//!
//! | header | form | who else speaks it |
//! |---|---|---|
//! | `x-msf-timeout-ms` | decimal milliseconds | msf |
//! | `grpc-timeout` | 1 to 8 digits and one of `H M S m u n` | gRPC over HTTP/2 |
//!
//! When both arrive the shorter one holds. A malformed value is as good as none: a deadline is an
//! offer to save work, not a reason to refuse a request. Values above one day count as one day.
//!
//! ```
//! use std::time::Duration;
//! use http::HeaderMap;
//! use msf_core::deadline::Deadline;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let mut incoming = HeaderMap::new();
//! incoming.insert("x-msf-timeout-ms", "1500".parse().unwrap());
//! let deadline = Deadline::from_headers(&incoming).unwrap();
//!
//! tokio::time::advance(Duration::from_millis(400)).await;
//!
//! let mut outgoing = HeaderMap::new();
//! deadline.write_to(&mut outgoing);
//! assert_eq!(outgoing["x-msf-timeout-ms"], "1100");
//!
//! let late = deadline.run(tokio::time::sleep(Duration::from_secs(5))).await;
//! assert!(late.is_err());
//! # }
//! ```
//!
//! # Cancel safety
//!
//! [`Deadline::run`] owns the future that it drives; dropping it drops that future.

mod wire;

use std::{future::Future, time::Duration};

use http::{Extensions, HeaderMap};
use tokio::time::Instant;

pub use self::wire::{GRPC_TIMEOUT, TIMEOUT_MS};
use crate::clock;

/// The instant after which nobody waits for the answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

/// The deadline passed before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline of the request has passed")]
#[expect(
    clippy::exhaustive_structs,
    reason = "a fact without parts; layers and tests make it"
)]
pub struct DeadlineExceeded;

impl Deadline {
    /// The longest deadline: one day. Longer ones are cut to it, and time arithmetic cannot overflow.
    pub const MAX: Duration = Duration::from_secs(86_400);

    /// The deadline that is `left` away from now, at most [`Deadline::MAX`].
    #[must_use]
    pub fn after(left: Duration) -> Self {
        Self(clock::now() + left.min(Self::MAX))
    }

    /// A deadline at an instant.
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The instant itself.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// The time that is left; zero once it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(clock::now())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn is_expired(self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of this deadline and `left` from now: what an attempt or a hop gets.
    #[must_use]
    pub fn shortened_to(self, left: Duration) -> Self {
        self.min(Self::after(left))
    }

    /// This deadline less a margin for the way back, but never before now.
    #[must_use]
    pub fn minus(self, margin: Duration) -> Self {
        let now = clock::now();
        Self(self.0.checked_sub(margin).map_or(now, |at| at.max(now)))
    }

    /// The deadline of a request, if it has one.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get().copied()
    }

    /// Gives a request this deadline unless it has an earlier one, and returns the one that holds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use msf_core::deadline::Deadline;
    ///
    /// let mut request = http::Request::new(());
    /// let soon = Deadline::after(Duration::from_secs(1));
    /// let later = Deadline::after(Duration::from_secs(9));
    /// assert_eq!(soon.tighten(request.extensions_mut()), soon);
    /// assert_eq!(later.tighten(request.extensions_mut()), soon);
    /// ```
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the extensions hold the result as well"
    )]
    pub fn tighten(self, extensions: &mut Extensions) -> Self {
        let holds = Self::of(extensions).map_or(self, |present| present.min(self));
        extensions.insert(holds);
        holds
    }

    /// Reads the deadline that a caller sent, if it sent a well-formed one.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        wire::read(headers).map(Self::after)
    }

    /// Writes the time left as `x-msf-timeout-ms`, in whole milliseconds rounded down.
    ///
    /// Rounding down and never up is what keeps the deadline from growing over many hops.
    pub fn write_to(self, headers: &mut HeaderMap) {
        wire::write_ms(self.remaining(), headers);
    }

    /// Writes the time left as `grpc-timeout` too, for a callee that speaks gRPC.
    pub fn write_grpc_to(self, headers: &mut HeaderMap) {
        wire::write_grpc(self.remaining(), headers);
    }

    /// Runs a future until it is done or the deadline has passed.
    ///
    /// # Errors
    ///
    /// [`DeadlineExceeded`] when the deadline passed first; the future is dropped.
    pub async fn run<F: Future>(self, future: F) -> Result<F::Output, DeadlineExceeded> {
        tokio::time::timeout_at(self.0, future)
            .await
            .map_err(|_elapsed| DeadlineExceeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_counts_down_to_zero() {
        let deadline = Deadline::after(Duration::from_secs(2));
        assert_eq!(deadline.remaining(), Duration::from_secs(2));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(deadline.remaining(), Duration::ZERO);
        assert!(deadline.is_expired());
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_grows() {
        let deadline = Deadline::after(Duration::from_secs(2));
        assert_eq!(deadline.shortened_to(Duration::from_secs(9)), deadline);
        assert!(deadline.shortened_to(Duration::from_secs(1)) < deadline);
        assert!(deadline.minus(Duration::from_millis(50)) < deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn absurd_durations_saturate() {
        let deadline = Deadline::after(Duration::MAX);
        assert_eq!(deadline.remaining(), Deadline::MAX);
        assert!(deadline.minus(Duration::MAX).remaining() <= Deadline::MAX);
        assert!(deadline.minus(Duration::from_secs(90_000)).instant() >= clock::now());
    }

    #[tokio::test(start_paused = true)]
    async fn run_stops_at_the_deadline_and_drops_the_work() {
        let guard = std::sync::Arc::new(());
        let held = guard.clone();
        let work = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        let outcome = Deadline::after(Duration::from_millis(10)).run(work).await;
        assert_eq!(outcome, Err(DeadlineExceeded));
        assert_eq!(std::sync::Arc::strong_count(&guard), 1);
    }
}
