//! The deadlines of a server as they are written in a file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layer::DeadlineLayer;

/// The knobs of a [`DeadlineLayer`] on a server as serde reads them.
///
/// ```
/// use msf_resilience::deadline::{Config, DeadlineLayer};
///
/// let config: Config = serde_json::from_str(r#"{"default": "30s", "max": "1m"}"#)?;
/// let layer = DeadlineLayer::new().config(&config);
/// # let _ = layer;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The time of requests that bring no deadline; all the time if it is left out.
    #[serde(with = "msf_core::config::duration::option")]
    pub default: Option<Duration>,
    /// The longest time of any request; a day if it is left out.
    #[serde(with = "msf_core::config::duration::option")]
    pub max: Option<Duration>,
}

impl DeadlineLayer {
    /// Takes default and maximum from a configuration.
    pub fn config(self, config: &Config) -> Self {
        let layer = match config.default {
            Some(left) => self.default_timeout(left),
            None => self,
        };
        match config.max {
            Some(left) => layer.max(left),
            None => layer,
        }
    }
}
