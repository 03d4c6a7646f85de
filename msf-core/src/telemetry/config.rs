//! What an operator writes about logs, as it is written.

use serde::{Deserialize, Serialize};

/// Log settings, as found in a configuration file.
///
/// Every field has a default, so an empty table is complete. An unknown key is an error.
///
/// | key | default | why |
/// |---|---|---|
/// | `level` | `info` | one line per request and per change of state, nothing per packet |
/// | `format` | `auto` | people read terminals, machines read pipes |
/// | `queue_lines` | 8192 | about 3 MiB of typical lines: 80 ms at 100 000 lines a second |
///
/// The environment variable `RUST_LOG`, if set and not empty, wins over `level`: a developer who
/// sets it means this one run. [`LevelHandle::set`](super::LevelHandle::set) wins over both.
///
/// ```
/// use msf_core::telemetry::{LogConfig, LogFormat};
///
/// let log: LogConfig = toml::from_str("level = 'info,hyper=warn'\nformat = 'json'")?;
/// assert_eq!(log.level, "info,hyper=warn");
/// assert_eq!(log.format, LogFormat::Json);
/// assert!(toml::from_str::<LogConfig>("levle = 'info'").is_err());
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LogConfig {
    /// Which lines are written: comma-separated directives, each a level or `target=level`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
    /// How many lines may wait for the writer; beyond that lines are dropped and counted. At
    /// least 1.
    pub queue_lines: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Auto,
            queue_lines: 8192,
        }
    }
}

/// How a log line looks.
///
/// ```
/// use msf_core::telemetry::LogFormat;
///
/// assert_eq!(LogFormat::default(), LogFormat::Auto);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogFormat {
    /// `Pretty` if standard output is a terminal, else `Json`.
    #[default]
    Auto,
    /// One JSON object per line.
    Json,
    /// Compact lines for people; coloured on a terminal unless `NO_COLOR` is set.
    Pretty,
}
