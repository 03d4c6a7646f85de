//! A hedge as it is written in a file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{builder::HedgeBuilder, error::InvalidHedge};

/// The knobs of a [`HedgePolicy`](super::HedgePolicy) as serde reads them; a key that is left out has its default.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::hedge::{Config, HedgePolicy};
///
/// let config: Config = serde_json::from_str(r#"{"after": "50ms"}"#)?;
/// let hedge = HedgePolicy::builder("search").config(&config).build()?;
/// assert_eq!(hedge.delay(), Some(Duration::from_millis(50)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// After which time a call is slow; if it is left out, after that of the quantile.
    #[serde(with = "msf_core::config::duration::option")]
    pub after: Option<Duration>,
    /// Slower than this share of the calls is slow.
    pub after_quantile: f64,
    /// How many latencies must be known before a quantile is one.
    pub min_samples: u32,
    /// The least delay that a quantile gives.
    #[serde(with = "msf_core::config::duration")]
    pub min_delay: Duration,
    /// How far back latencies count.
    #[serde(with = "msf_core::config::duration")]
    pub window: Duration,
    /// How many additional attempts a call may have.
    pub max_hedges: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            after: None,
            after_quantile: 0.95,
            min_samples: 100,
            min_delay: Duration::from_millis(1),
            window: Duration::from_secs(30),
            max_hedges: 1,
        }
    }
}

impl HedgeBuilder {
    /// Takes every knob from a configuration.
    pub const fn config(self, config: &Config) -> Self {
        let knobs = self
            .min_samples(config.min_samples)
            .min_delay(config.min_delay)
            .window(config.window)
            .max_hedges(config.max_hedges);
        match config.after {
            Some(delay) => knobs.after(delay),
            None => knobs.after_quantile(config.after_quantile),
        }
    }

    /// Checks everything without making anything.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), but for budget and metrics.
    pub fn check(&self) -> Result<(), InvalidHedge> {
        self.settings().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hedge::HedgePolicy;

    #[test]
    fn its_defaults_are_those_of_the_builder() {
        let built = HedgePolicy::builder("read");
        let read = HedgePolicy::builder("read").config(&Config::default());
        assert_eq!(format!("{read:?}"), format!("{built:?}"));
    }
}
