//! A load shed as it is written in a file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{builder::LoadShedBuilder, error::InvalidLoadShed};

/// The knobs of a [`LoadShed`](super::LoadShed) as serde reads them; a key that is left out has its default. Its signals are
/// given in code.
///
/// ```
/// use msf_resilience::load_shed::{Config, LoadShed};
///
/// let config: Config = serde_json::from_str(r#"{"threshold": 0.8, "retry_after": "2s"}"#)?;
/// let shed = LoadShed::builder("api").config(&config).signal(|| 0.3).build()?;
/// assert_eq!(shed.snapshot().share(), 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// From which load of the signals on requests are shed.
    pub threshold: f64,
    /// How often the share that is let in is set anew.
    #[serde(with = "msf_core::config::duration")]
    pub window: Duration,
    /// After what time a shed client should come back.
    #[serde(with = "msf_core::config::duration")]
    pub retry_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threshold: 0.9,
            window: Duration::from_millis(250),
            retry_after: Duration::from_secs(1),
        }
    }
}

impl LoadShedBuilder {
    /// Takes every knob that a configuration has.
    pub fn config(self, config: &Config) -> Self {
        self.threshold(config.threshold)
            .window(config.window)
            .retry_after(config.retry_after)
    }

    /// Checks everything without making anything.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), but for the metrics.
    pub fn check(self) -> Result<(), InvalidLoadShed> {
        self.settings().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_shed::LoadShed;

    #[test]
    fn its_defaults_are_those_of_the_builder() {
        let built = LoadShed::builder("read");
        let read = LoadShed::builder("read").config(&Config::default());
        assert_eq!(format!("{read:?}"), format!("{built:?}"));
    }
}
