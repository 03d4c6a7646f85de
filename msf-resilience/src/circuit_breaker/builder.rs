//! The knobs, their defaults and their checks.

use std::{sync::Arc, time::Duration};

use msf_core::metrics::Metrics;

use super::{
    breaker::CircuitBreaker,
    cancel::CancelPolicy,
    error::InvalidCircuitBreaker,
    ramp::Ramp,
    ring::CALLS_MAX,
    settings::{Cancel, Length, Settings, parts, share},
    shared::Shared,
    trip::Trip,
    window::BUCKETS,
};
use crate::name::is_name;

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
    trip: Trip,
    window: Span,
    min_calls: u32,
    cancel: CancelPolicy,
    counts_cancelled_slow: bool,
    open_for: Duration,
    open_max: Duration,
    jitter: f64,
    half_open_permits: u32,
    half_open_max_wait: Option<Duration>,
    ramp: Ramp,
    metrics: Option<Metrics>,
}

/// How far back calls count.
#[derive(Clone, Copy, Debug)]
enum Span {
    Time(Duration),
    Calls(u32),
}

impl CircuitBreakerBuilder {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            trip: Trip::rate(0.5),
            window: Span::Time(Duration::from_secs(10)),
            min_calls: 20,
            cancel: CancelPolicy::RateThreshold(1.0),
            counts_cancelled_slow: false,
            open_for: Duration::from_secs(5),
            open_max: Duration::from_secs(60),
            jitter: 0.2,
            half_open_permits: 5,
            half_open_max_wait: None,
            ramp: Ramp::linear(Duration::from_secs(10)),
            metrics: None,
        }
    }

    /// The share of failures from which on the circuit opens, 0.0001 to 1. Default 0.5.
    ///
    /// It is rounded to ten-thousandths, in which the comparison is exact.
    pub const fn failure_rate(mut self, rate: f64) -> Self {
        self.trip = self.trip.or(Trip::rate(rate));
        self
    }

    /// What opens the circuit, in place of half of the calls.
    pub const fn trip(mut self, trip: Trip) -> Self {
        self.trip = trip;
        self
    }

    /// How far back calls count, 100 ms to 10 min, in ten buckets. Default 10 s.
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = Span::Time(window);
        self
    }

    /// Counts the last calls, 1 to 1000, however long ago they were, instead of those of a time.
    ///
    /// It costs more where threads share the breaker: every call writes to one word.
    ///
    /// ```
    /// use msf_core::classify::Classification;
    /// use msf_resilience::circuit_breaker::{CircuitBreaker, State};
    ///
    /// let breaker = CircuitBreaker::builder("nightly").window_calls(10).min_calls(10).build()?;
    /// for verdict in [Classification::SUCCESS, Classification::FAILURE].repeat(5) {
    ///     assert_eq!(breaker.state(), State::Closed);
    ///     breaker.try_acquire()?.complete(&verdict);
    /// }
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn window_calls(mut self, calls: u32) -> Self {
        self.window = Span::Calls(calls);
        self
    }

    /// What calls say that nobody waited for. Default: they open the circuit if every call of the window was one.
    pub const fn cancel(mut self, policy: CancelPolicy) -> Self {
        self.cancel = policy;
        self
    }

    /// Whether a cancelled call counts as slow if it had lasted as long as [`Trip::slow`] asks for; in the half-open
    /// state it is then a failed probe. Default: no, only the [policy](Self::cancel) matters. Without that rule it
    /// changes nothing.
    ///
    /// For callers that hedge or time out around the breaker: they cancel just the calls that are slow.
    ///
    /// ```
    /// use std::time::Duration;
    /// use msf_core::classify::Classification;
    /// use msf_resilience::circuit_breaker::{CircuitBreaker, State, Trip};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let trip = Trip::slow(0.5, Duration::from_millis(200));
    /// let breaker = CircuitBreaker::builder("geo").trip(trip).min_calls(2).count_cancelled_slow(true).build()?;
    /// let given_up = breaker.try_acquire()?;
    /// breaker.try_acquire()?.complete(&Classification::SUCCESS);
    ///
    /// tokio::time::advance(Duration::from_millis(200)).await;
    /// drop(given_up);
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn count_cancelled_slow(mut self, counts: bool) -> Self {
        self.counts_cancelled_slow = counts;
        self
    }

    /// How the load comes back after a recovery. Default: from a tenth to all of it within 10 s.
    pub const fn ramp(mut self, ramp: Ramp) -> Self {
        self.ramp = ramp;
        self
    }

    /// How many calls the window must hold before it is judged; at most as many as it can hold. Default 20.
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

    pub(super) const fn half_open_max_wait_of(mut self, wait: Option<Duration>) -> Self {
        self.half_open_max_wait = wait;
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
        let shared = Shared::listed(self.name, settings, self.metrics.as_ref())?;
        Ok(CircuitBreaker::new(shared))
    }

    /// Checks everything without making anything.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), but for the metrics.
    pub fn check(&self) -> Result<(), InvalidCircuitBreaker> {
        self.settings().map(drop)
    }

    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(super) fn settings(&self) -> Result<Settings, InvalidCircuitBreaker> {
        if !is_name(&self.name) {
            return Err(InvalidCircuitBreaker::Name);
        }
        let failure_rate = self
            .trip
            .failure_rate
            .map(|rate| share(rate).ok_or(InvalidCircuitBreaker::FailureRate(rate)));
        let slow_rate = self.trip.slow.map(|(rate, threshold)| {
            let is_long = (SLOW_MIN..=WAIT_MAX).contains(&threshold);
            let invalid = InvalidCircuitBreaker::Slow {
                share: rate,
                threshold,
            };
            share(rate).filter(|_| is_long).ok_or(invalid)
        });
        let consecutive = self.trip.consecutive;
        if consecutive.is_some_and(|failures| !(1..=CONSECUTIVE_MAX).contains(&failures)) {
            return Err(InvalidCircuitBreaker::Consecutive(
                consecutive.unwrap_or_default(),
            ));
        }
        let cancel = match self.cancel {
            CancelPolicy::RateThreshold(rate) => {
                Cancel::Share(share(rate).ok_or(InvalidCircuitBreaker::CancelShare(rate))?)
            }
            CancelPolicy::Ignore => Cancel::Ignore,
            CancelPolicy::AsFailure => Cancel::Failure,
        };
        let window = self.length()?;
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
            failure_rate: failure_rate.transpose()?.unwrap_or(0),
            slow_rate: slow_rate.transpose()?.unwrap_or(0),
            slow_ns: self.trip.slow.map_or(0, |(_, threshold)| nanos(threshold)),
            consecutive: consecutive.map_or(0, u64::from),
            min_calls: self.min_calls.into(),
            window,
            cancel,
            counts_cancelled_slow: self.counts_cancelled_slow,
            open_for_ns: nanos(self.open_for),
            open_max_ns: nanos(self.open_max),
            jitter: parts(self.jitter),
            half_open_permits: self.half_open_permits,
            half_open_max_wait_ns: nanos(half_open_max_wait),
            ramp: self.ramp.slope().ok_or(InvalidCircuitBreaker::Ramp)?,
        })
    }

    fn length(&self) -> Result<Length, InvalidCircuitBreaker> {
        if self.min_calls == 0 {
            return Err(InvalidCircuitBreaker::MinCalls);
        }
        match self.window {
            Span::Time(window) if !(WINDOW_MIN..=WINDOW_MAX).contains(&window) => {
                Err(InvalidCircuitBreaker::Window(window))
            }
            Span::Time(window) => Ok(Length::Time {
                bucket_ns: nanos(window) / BUCKETS,
            }),
            Span::Calls(calls) if !(1..=CALLS_MAX).contains(&calls.into()) => {
                Err(InvalidCircuitBreaker::WindowCalls(calls))
            }
            Span::Calls(calls) if calls < self.min_calls => {
                Err(InvalidCircuitBreaker::MinCallsAboveWindow {
                    min_calls: self.min_calls,
                    window: calls,
                })
            }
            Span::Calls(calls) => Ok(Length::Calls(calls.into())),
        }
    }
}

/// Nanoseconds of a duration that was checked to be at most a day.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const SLOW_MIN: Duration = Duration::from_millis(1);
const CONSECUTIVE_MAX: u32 = 10_000;
const WINDOW_MIN: Duration = Duration::from_millis(100);
const WINDOW_MAX: Duration = Duration::from_secs(600);
const WAIT_MAX: Duration = Duration::from_secs(86_400);
const JITTER_MAX: f64 = 0.9;
const PERMITS_MAX: u32 = 1000;
const HALF_OPEN_MAX_WAIT: Duration = Duration::from_secs(30);
