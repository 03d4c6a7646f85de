//! A change of state, as others are told of it.

use std::time::Duration;

use tokio::time::Instant;

use super::state::State;

/// A change of a breaker's state; see [`CircuitBreaker::subscribe`](super::CircuitBreaker::subscribe).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    pub(super) from: State,
    pub(super) to: State,
    pub(super) at: Instant,
    pub(super) open_for: Option<Duration>,
    pub(super) generation: u64,
}

impl Transition {
    /// The state before. Of a breaker that has not changed yet: closed.
    #[must_use]
    pub const fn from(&self) -> State {
        self.from
    }

    /// The state from then on.
    #[must_use]
    pub const fn to(&self) -> State {
        self.to
    }

    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// The open wait that began with it, if the circuit opened.
    #[must_use]
    pub const fn open_for(&self) -> Option<Duration> {
        self.open_for
    }
}
