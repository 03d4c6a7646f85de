//! What can be injected.

use std::{ops::RangeInclusive, str::FromStr, time::Duration};

use http::HeaderMap;

/// The header that asks for a fault, where it is trusted: `x-msf-fault: latency=200ms`.
pub const HEADER: &str = "x-msf-fault";

/// One fault, for one call.
///
/// As text, in [`HEADER`]: `latency=200ms`, `latency=2s`, `error`, `hang` or `reset`.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::fault::Fault;
///
/// assert_eq!("latency=200ms".parse(), Ok(Fault::Latency(Duration::from_millis(200))));
/// assert_eq!("reset".parse(), Ok(Fault::Reset));
/// assert!("explode".parse::<Fault>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The call takes longer by so much, at most [`Fault::LATENCY_MAX`].
    Latency(Duration),
    /// The call fails at once, and the service inside is not called.
    Error,
    /// The call never ends, and the service inside is not called.
    Hang,
    /// The service inside does its work, and the answer breaks off on the way back.
    Reset,
}

/// A text that names no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault is `latency=<n>ms`, `latency=<n>s`, `error`, `hang` or `reset`")]
#[non_exhaustive]
pub struct UnknownFault;

impl Fault {
    /// The longest latency that is injected; longer ones are cut to it.
    pub const LATENCY_MAX: Duration = Duration::from_secs(300);

    /// `latency`, `error`, `hang` or `reset`: the label value of the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Error => "error",
            Self::Hang => "hang",
            Self::Reset => "reset",
        }
    }

    /// The fault that a request asks for in [`HEADER`]; none if the text names none.
    ///
    /// It does not ask whether the caller may: see [`FaultLayer::by_header_if`](super::FaultLayer::by_header_if).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        headers.get(HEADER)?.to_str().ok()?.parse().ok()
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Latency(_) => 0,
            Self::Error => 1,
            Self::Hang => 2,
            Self::Reset => 3,
        }
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        match text {
            "error" => Ok(Self::Error),
            "hang" => Ok(Self::Hang),
            "reset" => Ok(Self::Reset),
            _ => {
                let wait = text.strip_prefix("latency=").ok_or(UnknownFault)?;
                let wait = if let Some(millis) = wait.strip_suffix("ms") {
                    Duration::from_millis(number(millis)?)
                } else {
                    let seconds = wait.strip_suffix('s').ok_or(UnknownFault)?;
                    Duration::from_secs(number(seconds)?)
                };
                Ok(Self::Latency(wait.min(Self::LATENCY_MAX)))
            }
        }
    }
}

fn number(digits: &str) -> Result<u64, UnknownFault> {
    // `parse` takes a sign.
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse().map_err(|_| UnknownFault)
    } else {
        Err(UnknownFault)
    }
}

/// How long injected waits are.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::fault::Latency;
///
/// let ms = Duration::from_millis;
/// let network = Latency::uniform(ms(20)..=ms(80));
/// let tail = Latency::exponential(ms(100));
/// assert_ne!(network, tail);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency(Shape);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Uniform { min: Duration, max: Duration },
    Exponential { mean: Duration },
}

impl Latency {
    /// Always the same.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Self {
        Self(Shape::Uniform {
            min: wait,
            max: wait,
        })
    }

    /// Anything in a range, all of it alike.
    #[must_use]
    pub const fn uniform(range: RangeInclusive<Duration>) -> Self {
        Self(Shape::Uniform {
            min: *range.start(),
            max: *range.end(),
        })
    }

    /// Mostly short, sometimes long: exponentially distributed around a mean, and at most ten times it.
    #[must_use]
    pub const fn exponential(mean: Duration) -> Self {
        Self(Shape::Exponential { mean })
    }

    pub(super) fn is_valid(&self) -> bool {
        let (min, max) = match self.0 {
            Shape::Uniform { min, max } => (min, max),
            Shape::Exponential { mean } => (mean, mean),
        };
        min <= max && !max.is_zero() && max <= Fault::LATENCY_MAX
    }

    /// The wait at a point `unit` of 0 to below 1 in the distribution.
    pub(super) fn at(&self, unit: f64) -> Duration {
        match self.0 {
            Shape::Uniform { min, max } => min + max.saturating_sub(min).mul_f64(unit),
            Shape::Exponential { mean } => {
                // Inverse of the distribution function: `-ln(1 - u)`, which is finite below 1.
                let factor = (-(1.0 - unit).ln()).clamp(0.0, EXPONENTIAL_MAX);
                mean.mul_f64(factor).min(Fault::LATENCY_MAX)
            }
        }
    }
}

const EXPONENTIAL_MAX: f64 = 10.0;
