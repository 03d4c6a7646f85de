//! The knobs, their defaults and their checks.

use std::{sync::Arc, time::Duration};

use msf_core::metrics::Metrics;

use super::{
    breaker::CircuitBreaker,
    error::InvalidCircuitBreaker,
    settings::{PARTS, Settings},
    window::BUCKETS,
};

/// Sets up a [`CircuitBreaker`]; the defaults are in the [module documentation](super).
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::circuit_breaker::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder("inventory")
///     .failure_rate(0.3)
///     .window(Duration::from_secs(30))
///     .open_for(Duration::from_secs(2))
///     .build()?;
/// assert_eq!(breaker.state(), State::Closed);
/// # Ok::<(), msf_resilience::circuit_breaker::InvalidCircuitBreaker>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct CircuitBreakerBuilder {
    name: Arc<str>,
    failure_rate: f64,
    window: Duration,
    min_calls: u32,
    open_for: Duration,
    open_max: Duration,
    jitter: f64,
    half_open_permits: u32,
    half_open_max_wait: Option<Duration>,
    metrics: Option<Metrics>,
}

impl CircuitBreakerBuilder {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            failure_rate: 0.5,
            window: Duration::from_secs(10),
            min_calls: 20,
            open_for: Duration::from_secs(5),
            open_max: Duration::from_secs(60),
            jitter: 0.2,
            half_open_permits: 5,
            half_open_max_wait: None,
            metrics: None,
        }
    }

    /// The share of failures from which on the circuit opens, 0.0001 to 1. Default 0.5.
    ///
    /// It is rounded to ten-thousandths, in which the comparison is exact.
    pub const fn failure_rate(mut self, rate: f64) -> Self {
        self.failure_rate = rate;
        self
    }

    /// How far back calls count, 100 ms to 10 min, in ten buckets. Default 10 s.
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How many calls the window must hold before it is judged. Default 20.
    pub const fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = calls;
        self
    }

    /// The first open wait; it doubles at every opening until the circuit has closed. Default 5 s.
    pub const fn open_for(mut self, wait: Duration) -> Self {
        self.open_for = wait;
        self
    }

    /// The longest open wait, also against a callee's `Retry-After`; at most a day. Default 60 s.
    pub const fn open_max(mut self, wait: Duration) -> Self {
        self.open_max = wait;
        self
    }

    /// By which share of itself an open wait may be shortened at random, 0 to 0.9. Default 0.2.
    ///
    /// It keeps many callers that opened together from probing together.
    pub const fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self
    }

    /// How many calls probe a half-open circuit, 1 to 1000. Default 5.
    pub const fn half_open_permits(mut self, permits: u32) -> Self {
        self.half_open_permits = permits;
        self
    }

    /// How long a half-open period may go without a verdict; at most a day. Default: 30 s, or the first
    /// open wait if that is longer.
    pub const fn half_open_max_wait(mut self, wait: Duration) -> Self {
        self.half_open_max_wait = Some(wait);
        self
    }

    /// Exports the breaker's metrics. Without it nothing is counted.
    ///
    /// Breakers of one name share their series.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the breaker, closed.
    ///
    /// # Errors
    ///
    /// [`InvalidCircuitBreaker`] names the first knob that is out of its range, or the metrics that could not be
    /// registered.
    pub fn build(self) -> Result<CircuitBreaker, InvalidCircuitBreaker> {
        let settings = self.settings()?;
        Ok(CircuitBreaker::new(
            self.name,
            settings,
            self.metrics.as_ref(),
        )?)
    }

    fn settings(&self) -> Result<Settings, InvalidCircuitBreaker> {
        let is_name = (1..=NAME_LEN_MAX).contains(&self.name.len())
            && !self.name.chars().any(char::is_control);
        if !is_name {
            return Err(InvalidCircuitBreaker::Name);
        }
        let failure_rate = parts(self.failure_rate);
        if !(self.failure_rate <= 1.0 && failure_rate > 0) {
            return Err(InvalidCircuitBreaker::FailureRate(self.failure_rate));
        }
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&self.window) {
            return Err(InvalidCircuitBreaker::Window(self.window));
        }
        if self.min_calls == 0 {
            return Err(InvalidCircuitBreaker::MinCalls);
        }
        if self.open_for.is_zero() || self.open_for > self.open_max || self.open_max > WAIT_MAX {
            return Err(InvalidCircuitBreaker::OpenWait {
                base: self.open_for,
                max: self.open_max,
            });
        }
        if !(0.0..=JITTER_MAX).contains(&self.jitter) {
            return Err(InvalidCircuitBreaker::Jitter(self.jitter));
        }
        if !(1..=PERMITS_MAX).contains(&self.half_open_permits) {
            return Err(InvalidCircuitBreaker::HalfOpenPermits(
                self.half_open_permits,
            ));
        }
        let half_open_max_wait = self
            .half_open_max_wait
            .unwrap_or_else(|| HALF_OPEN_MAX_WAIT.max(self.open_for));
        if half_open_max_wait.is_zero() || half_open_max_wait > WAIT_MAX {
            return Err(InvalidCircuitBreaker::HalfOpenMaxWait(half_open_max_wait));
        }
        Ok(Settings {
            failure_rate,
            min_calls: self.min_calls.into(),
            bucket_ns: nanos(self.window) / BUCKETS,
            open_for_ns: nanos(self.open_for),
            open_max_ns: nanos(self.open_max),
            jitter: parts(self.jitter),
            half_open_permits: self.half_open_permits,
            half_open_max_wait_ns: nanos(half_open_max_wait),
        })
    }
}

/// A share in ten-thousandths; NaN and what is below zero give 0.
fn parts(share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and the callers check the range"
    )]
    let parts = (share * PARTS as f64).round() as u64;
    parts
}

/// Nanoseconds of a duration that was checked to be at most a day.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const NAME_LEN_MAX: usize = 128;
const WINDOW_MIN: Duration = Duration::from_millis(100);
const WINDOW_MAX: Duration = Duration::from_secs(600);
const WAIT_MAX: Duration = Duration::from_secs(86_400);
const JITTER_MAX: f64 = 0.9;
const PERMITS_MAX: u32 = 1000;
const HALF_OPEN_MAX_WAIT: Duration = Duration::from_secs(30);
