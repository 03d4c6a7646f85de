//! A bulkhead as it is written in a file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::builder::{BulkheadBuilder, DEFAULT_MAX_CONCURRENT};

/// The knobs of a [`Bulkhead`](super::Bulkhead) as serde reads them; a key that is left out has its default.
///
/// ```
/// use msf_resilience::bulkhead::{Bulkhead, Config};
///
/// let config: Config = serde_json::from_str(r#"{"max_concurrent": 8, "max_wait": "50ms"}"#)?;
/// let bulkhead = Bulkhead::builder("reports").config(&config).build()?;
/// assert_eq!(bulkhead.snapshot().limit(), 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// How many calls may be in flight at once.
    pub max_concurrent: u32,
    /// How long a call may wait for a permit.
    #[serde(with = "msf_core::config::duration::option")]
    pub max_wait: Option<Duration>,
    /// How many calls may wait at once; as many as may be in flight if it is left out.
    pub max_queue: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_concurrent: DEFAULT_MAX_CONCURRENT,
            max_wait: None,
            max_queue: None,
        }
    }
}

impl BulkheadBuilder {
    /// Takes every knob from a configuration.
    pub const fn config(self, config: &Config) -> Self {
        let knobs = self
            .max_concurrent(config.max_concurrent)
            .max_wait(config.max_wait);
        match config.max_queue {
            Some(calls) => knobs.max_queue(calls),
            None => knobs,
        }
    }
}
