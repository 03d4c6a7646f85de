//! [`Mirror`].

use std::time::Duration;

/// Which requests are copied, and for whom; see the [module documentation](super).
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it does nothing until a route has it"]
pub struct Mirror {
    pub(crate) cluster: String,
    pub(crate) percent: f64,
    pub(crate) body_max: usize,
    pub(crate) in_flight_max: usize,
    pub(crate) timeout: Duration,
}

impl Mirror {
    /// Copies for this cluster.
    pub fn to(cluster: impl Into<String>) -> Self {
        Self {
            cluster: cluster.into(),
            percent: 100.0,
            body_max: 64 << 10,
            in_flight_max: 64,
            timeout: Duration::from_secs(5),
        }
    }

    /// The part of the requests that is copied, above 0 and up to 100.
    pub const fn percent(mut self, percent: f64) -> Self {
        self.percent = percent;
        self
    }

    /// How many bytes the body of a request may have to be copied, up to 1 MiB.
    pub const fn body_max(mut self, bytes: usize) -> Self {
        self.body_max = bytes;
        self
    }

    /// How many copies may be under way at once, 1 to 10 000.
    pub const fn in_flight_max(mut self, copies: usize) -> Self {
        self.in_flight_max = copies;
        self
    }

    /// How long a copy may take, its answer included.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A setting that cannot work, and what it may be.
    pub(crate) fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let is_part = self.percent > 0.0 && self.percent <= 100.0;
        if !is_part {
            return Some(("percent", "above 0 and at most 100"));
        }
        if self.body_max > BODY_MAX {
            return Some(("body_max", "at most 1 MiB"));
        }
        if !(1..=IN_FLIGHT_MAX).contains(&self.in_flight_max) {
            return Some(("in_flight_max", "1 to 10 000"));
        }
        if self.timeout.is_zero() {
            return Some(("timeout", "above zero"));
        }
        None
    }
}

/// Times the copies under way, it is what a mirror may take of the memory.
const BODY_MAX: usize = 1 << 20;
const IN_FLIGHT_MAX: usize = 10_000;
