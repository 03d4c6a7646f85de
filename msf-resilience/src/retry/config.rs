//! A policy as it stands in a configuration file.

use std::time::Duration;

use msf_core::{
    backoff::{Backoff, InvalidBackoff, Jitter},
    config::duration,
};
use serde::{Deserialize, Serialize};

use super::builder::Exhausted;
use crate::{budget::Rule, replay};

/// The knobs of a [`RetryPolicy`](super::RetryPolicy), as they stand in a configuration file.
///
/// ```
/// use msf_resilience::retry::{Config, RetryPolicy};
///
/// let config: Config = serde_json::from_str(
///     r#"{"max_attempts": 2, "transient": {"base": "20ms", "max": "1s"}, "budget": {"kind": "quota"}}"#,
/// )?;
/// let policy = RetryPolicy::from_config("payment", &config)?.build()?;
/// assert_eq!(policy.max_attempts(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// All attempts of a call, the first included. Default 3.
    pub max_attempts: u32,
    /// The waits after transient failures. Default 50 ms to 20 s.
    pub transient: Waits,
    /// The waits after throttled calls. Default 1 s to 20 s.
    pub throttled: Waits,
    /// The longest `Retry-After` that is waited for. Default 20 s.
    #[serde(with = "duration")]
    pub retry_after_max: Duration,
    /// Methods that may be repeated; nothing for the idempotent ones.
    pub methods: Option<Vec<String>>,
    /// How many bytes of a body are kept. Default 64 KiB.
    pub body_limit: usize,
    /// Whether attempts remember their hosts. Default no.
    pub track_hosts: bool,
    /// The rule of the policy's own budget.
    pub budget: Rule,
    /// What a caller gets when the budget is used up. Default the last answer.
    pub exhausted: Exhausted,
}

/// A backoff as it stands in a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Waits {
    /// The first wait.
    #[serde(with = "duration")]
    pub base: Duration,
    /// The longest wait.
    #[serde(with = "duration")]
    pub max: Duration,
    /// How waits are spread: `full` (default), `equal`, `decorrelated` or `none`.
    #[serde(default)]
    pub jitter: Spread,
}

/// A [`Jitter`] as it stands in a configuration file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Spread {
    /// [`Jitter::Full`].
    #[default]
    Full,
    /// [`Jitter::Equal`].
    Equal,
    /// [`Jitter::Decorrelated`].
    Decorrelated,
    /// [`Jitter::None`].
    None,
}

impl Waits {
    pub(super) const fn new(base: Duration, max: Duration) -> Self {
        Self {
            base,
            max,
            jitter: Spread::Full,
        }
    }

    pub(super) fn backoff(&self) -> Result<Backoff, InvalidBackoff> {
        let jitter = match self.jitter {
            Spread::Full => Jitter::Full,
            Spread::Equal => Jitter::Equal,
            Spread::Decorrelated => Jitter::Decorrelated,
            Spread::None => Jitter::None,
        };
        Ok(Backoff::exponential(self.base, self.max)?.jitter(jitter))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            transient: Waits::new(TRANSIENT_BASE, WAIT_MAX),
            throttled: Waits::new(THROTTLED_BASE, WAIT_MAX),
            retry_after_max: WAIT_MAX,
            methods: None,
            body_limit: replay::DEFAULT_LIMIT,
            track_hosts: false,
            budget: Rule::default(),
            exhausted: Exhausted::default(),
        }
    }
}

const TRANSIENT_BASE: Duration = Duration::from_millis(50);
const THROTTLED_BASE: Duration = Duration::from_secs(1);
pub(super) const WAIT_MAX: Duration = Duration::from_secs(20);
