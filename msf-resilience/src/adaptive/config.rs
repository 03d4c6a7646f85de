//! An adaptive limit as it is written in a file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    builder::AdaptiveLimitBuilder,
    error::InvalidAdaptiveLimit,
    limits::{Aimd, Fixed, Gradient2, Limit, Vegas},
};

/// The knobs of an [`AdaptiveLimit`](super::AdaptiveLimit) as serde reads them; a key that is left out has its default, which for
/// the bounds is that of the algorithm.
///
/// ```
/// use msf_resilience::adaptive::{AdaptiveLimit, Config};
///
/// let config: Config = serde_json::from_str(r#"{"algorithm": "gradient2", "initial": 10}"#)?;
/// let limit = AdaptiveLimit::builder("search").config(&config).build()?;
/// assert_eq!(limit.snapshot().limit(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// What sets the limit: `"vegas"`, `"gradient2"`, `"aimd"`, or `"fixed"` at `initial`.
    pub algorithm: Algorithm,
    /// The first limit.
    pub initial: Option<u32>,
    /// The lowest limit.
    pub min: Option<u32>,
    /// The highest limit.
    pub max: Option<u32>,
    /// How long calls are collected before the algorithm sees them.
    #[serde(with = "msf_core::config::duration")]
    pub window: Duration,
    /// How many calls a window must have.
    pub min_calls: u32,
}

/// What sets an adaptive limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Algorithm {
    /// [`Vegas`].
    #[default]
    Vegas,
    /// [`Gradient2`].
    Gradient2,
    /// [`Aimd`].
    Aimd,
    /// [`Fixed`].
    Fixed,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::default(),
            initial: None,
            min: None,
            max: None,
            window: Duration::from_millis(250),
            min_calls: 10,
        }
    }
}

/// Sets the bounds that are given.
macro_rules! bounded {
    ($limit:expr, $config:expr) => {{
        let mut limit = $limit;
        if let Some(calls) = $config.min {
            limit = limit.min(calls);
        }
        if let Some(calls) = $config.max {
            limit = limit.max(calls);
        }
        if let Some(calls) = $config.initial {
            limit = limit.initial(calls);
        }
        limit
    }};
}

impl AdaptiveLimitBuilder {
    /// Takes every knob from a configuration.
    pub fn config(self, config: &Config) -> Self {
        let knobs = self.window(config.window).min_calls(config.min_calls);
        match config.algorithm {
            Algorithm::Vegas => knobs.algorithm(bounded!(Vegas::new(), config)),
            Algorithm::Gradient2 => knobs.algorithm(bounded!(Gradient2::new(), config)),
            Algorithm::Aimd => knobs.algorithm(bounded!(Aimd::new(), config)),
            Algorithm::Fixed => knobs.algorithm(Fixed::new(
                config.initial.unwrap_or_else(|| Vegas::new().limit()),
            )),
        }
    }

    /// Checks everything without making anything.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), but for the metrics.
    pub fn check(self) -> Result<(), InvalidAdaptiveLimit> {
        self.settings().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adaptive::AdaptiveLimit;

    fn read(json: &str) -> AdaptiveLimitBuilder {
        let config: Config = serde_json::from_str(json).unwrap();
        AdaptiveLimit::builder("read").config(&config)
    }

    #[test]
    fn its_defaults_are_those_of_the_builder() {
        let built = format!("{:?}", AdaptiveLimit::builder("read"));
        assert_eq!(format!("{:?}", read("{}")), built);
    }

    #[test]
    fn every_algorithm_takes_its_bounds() {
        for algorithm in ["vegas", "gradient2", "aimd", "fixed"] {
            let text =
                format!(r#"{{"algorithm": "{algorithm}", "initial": 7, "min": 5, "max": 9}}"#);
            assert_eq!(
                read(&text).build().unwrap().snapshot().limit(),
                7,
                "{algorithm}"
            );
        }
        assert!(read(r#"{"initial": 7, "max": 6}"#).check().is_err());
    }
}
