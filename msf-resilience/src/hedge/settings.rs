//! The checked numbers.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) delay: Delay,
    pub(super) max_hedges: u32,
    pub(super) min_samples: u64,
    pub(super) min_delay: Duration,
    pub(super) window: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delay {
    Fixed(Duration),
    /// In ten-thousandths.
    Quantile(u64),
}
