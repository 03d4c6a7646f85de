//! A breaker as it is written in a file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{builder::CircuitBreakerBuilder, cancel::CancelPolicy, ramp::Ramp, trip::Trip};

/// The knobs of a [`CircuitBreaker`](super::CircuitBreaker) as serde reads them; a key that is left out has its default.
///
/// ```
/// use msf_resilience::circuit_breaker::{CircuitBreaker, Config, State};
///
/// let config: Config = serde_json::from_str(
///     r#"{"failure_rate": 0.3, "window": "30s", "slow": {"rate": 0.8, "after": "2s"}, "cancel": "ignore"}"#,
/// )?;
/// let breaker = CircuitBreaker::builder("inventory").config(&config).build()?;
/// assert_eq!(breaker.state(), State::Closed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The share of failures that opens the circuit; 0.5 if no other rule is given either.
    pub failure_rate: Option<f64>,
    /// The share of slow calls that opens the circuit.
    pub slow: Option<SlowConfig>,
    /// So many failures in a row open the circuit.
    pub consecutive_failures: Option<u32>,
    /// How far back calls count.
    #[serde(with = "msf_core::config::duration")]
    pub window: Duration,
    /// Counts so many calls, however long ago they were, instead of those of `window`.
    pub window_calls: Option<u32>,
    /// How many calls the window must hold before it is judged.
    pub min_calls: u32,
    /// What calls say that nobody waited for: `"ignore"`, `"as_failure"` or `{ rate_threshold = 1.0 }`.
    pub cancel: CancelPolicy,
    /// The first open wait.
    #[serde(with = "msf_core::config::duration")]
    pub open_for: Duration,
    /// The longest open wait.
    #[serde(with = "msf_core::config::duration")]
    pub open_max: Duration,
    /// By which share of itself an open wait may be shortened at random.
    pub jitter: f64,
    /// How many calls probe a half-open circuit.
    pub half_open_permits: u32,
    /// How long a half-open period may go without a verdict; 30 s, or `open_for` if that is longer, if it is left out.
    #[serde(with = "msf_core::config::duration::option")]
    pub half_open_max_wait: Option<Duration>,
    /// Within which time all of the load comes back; `"0s"` is at once. With `ramp_stages`, the time of each stage.
    #[serde(with = "msf_core::config::duration")]
    pub ramp: Duration,
    /// The shares of the load that come back one after the other, at most 8; if there is none, it comes back evenly.
    pub ramp_stages: Vec<f64>,
}

/// When calls are too slow; see [`Trip::slow`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the two numbers of `Trip::slow`")]
pub struct SlowConfig {
    /// The share of slow calls from which on the circuit opens.
    pub rate: f64,
    /// From which time on a call is slow.
    #[serde(with = "msf_core::config::duration")]
    pub after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            failure_rate: None,
            slow: None,
            consecutive_failures: None,
            window: Duration::from_secs(10),
            window_calls: None,
            min_calls: 20,
            cancel: CancelPolicy::default(),
            open_for: Duration::from_secs(5),
            open_max: Duration::from_secs(60),
            jitter: 0.2,
            half_open_permits: 5,
            half_open_max_wait: None,
            ramp: Duration::from_secs(10),
            ramp_stages: Vec::new(),
        }
    }
}

impl Config {
    fn trip(&self) -> Trip {
        let rules = [
            self.failure_rate.map(Trip::rate),
            self.slow.map(|slow| Trip::slow(slow.rate, slow.after)),
            self.consecutive_failures.map(Trip::consecutive),
        ];
        let given = rules.into_iter().flatten();
        given.reduce(Trip::or).unwrap_or_default()
    }
}

impl CircuitBreakerBuilder {
    /// Takes every knob from a configuration.
    pub fn config(self, config: &Config) -> Self {
        let ramp = match &config.ramp_stages[..] {
            [] => Ramp::linear(config.ramp),
            shares => Ramp::staged(shares, config.ramp),
        };
        let knobs = self
            .trip(config.trip())
            .min_calls(config.min_calls)
            .cancel(config.cancel)
            .open_for(config.open_for)
            .open_max(config.open_max)
            .jitter(config.jitter)
            .half_open_permits(config.half_open_permits)
            .half_open_max_wait_of(config.half_open_max_wait)
            .ramp(ramp);
        match config.window_calls {
            Some(calls) => knobs.window_calls(calls),
            None => knobs.window(config.window),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit_breaker::{CircuitBreaker, InvalidCircuitBreaker};

    fn read(json: &str) -> CircuitBreakerBuilder {
        let config: Config = serde_json::from_str(json).unwrap();
        CircuitBreaker::builder("read").config(&config)
    }

    #[test]
    fn its_defaults_are_those_of_the_builder() {
        let built = format!("{:?}", CircuitBreaker::builder("read"));
        assert_eq!(format!("{:?}", read("{}")), built);
    }

    #[test]
    fn a_rule_that_is_given_replaces_the_failure_rate() {
        let row = CircuitBreaker::builder("read").trip(Trip::consecutive(3));
        let read_row = read(r#"{"consecutive_failures": 3}"#);
        assert_eq!(format!("{read_row:?}"), format!("{row:?}"));
    }

    #[test]
    fn stages_are_read_and_checked() {
        let stages =
            CircuitBreaker::builder("read").ramp(Ramp::stages([0.1, 0.5], Duration::from_secs(3)));
        let read_stages = read(r#"{"ramp": "3s", "ramp_stages": [0.1, 0.5]}"#);
        assert_eq!(format!("{read_stages:?}"), format!("{stages:?}"));

        for wrong in [
            "[0.1, 2.0]",
            "[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]",
        ] {
            let wrong = read(&format!(r#"{{"ramp_stages": {wrong}}}"#));
            assert_eq!(wrong.check(), Err(InvalidCircuitBreaker::Ramp));
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        let text = r#"{"cancel": {"rate_threshold": 0.8}, "slow": {"rate": 0.5, "after": "2s"}}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.cancel, CancelPolicy::RateThreshold(0.8));
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&again).unwrap(), config);
        assert!(serde_json::from_str::<Config>(r#"{"windw": "1s"}"#).is_err());
    }
}
