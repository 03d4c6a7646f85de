//! How much is remembered, and what is done when the feed is silent.

use std::time::Duration;

use msf_core::{
    clock::WallClock,
    metrics::{Metrics, MetricsError},
};

use super::{Revocations, metrics::RevocationMetrics};

/// Collects the limits of [`Revocations`]. Made by [`Revocations::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RevocationsBuilder {
    pub(super) marks_max: usize,
    pub(super) silence_max: Duration,
    pub(super) when_behind: WhenBehind,
    pub(super) clock: WallClock,
    metrics: Option<Metrics>,
}

/// What a verifier does while the feed is silent or broken, so that tokens may have been taken back that are
/// not known here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenBehind {
    /// Goes on with what is known, and keeps verified tokens for 5 s only; the gauge tells.
    #[default]
    ShortenCache,
    /// Refuses every token with 503.
    Refuse,
}

impl RevocationsBuilder {
    pub(super) fn new() -> Self {
        Self {
            marks_max: 100_000,
            silence_max: Duration::from_secs(15),
            when_behind: WhenBehind::default(),
            clock: WallClock::system(),
            metrics: None,
        }
    }

    /// How many tokens, sessions, subjects and issuers are remembered, of each; default 100 000, which
    /// takes at most 20 MB in all. What happens beyond is in the [module documentation](super).
    pub const fn marks_max(mut self, marks_max: usize) -> Self {
        self.marks_max = marks_max;
        self
    }

    /// How long a feed may be silent; default 15 s, a few times what a broken connection needs to be noticed.
    pub const fn silence_max(mut self, silence_max: Duration) -> Self {
        self.silence_max = silence_max;
        self
    }

    /// What verifiers do while the feed is silent for longer.
    pub const fn when_behind(mut self, when_behind: WhenBehind) -> Self {
        self.when_behind = when_behind;
        self
    }

    /// Where the wall time comes from; for tests.
    pub const fn clock(mut self, clock: WallClock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The list, with nothing on it.
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when the metrics cannot be registered.
    pub fn build(self) -> Result<Revocations, MetricsError> {
        let Some(metrics) = self.metrics.clone() else {
            return Ok(Revocations::assemble(&self, RevocationMetrics::noop()));
        };
        let counted = RevocationMetrics::new(&metrics)?;
        let revocations = Revocations::assemble(&self, counted);
        revocations.register(&metrics)?;
        Ok(revocations)
    }
}
